//! The reference in `docs/` says what the tables say. To write it anew: `cargo xtask reference`.

#[test]
fn the_reference_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = model::reference::markdown();
    if std::env::var_os("REFERENCE_REFRESH").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = page.lines().zip(found.lines()).find(|(new, old)| new != old);
    assert!(differs.is_none(), "run \"cargo xtask reference\": {differs:?}");
    assert_eq!(page.lines().count(), found.lines().count(), "run \"cargo xtask reference\"");
}
