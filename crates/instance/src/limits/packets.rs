//! The priority of packets: version 1 has a number for each interface of the host.

use super::Setting;
use model::config::Priority;

/// What has to be written for the interfaces that there are; nothing where the priority is as it
/// always was.
pub(crate) fn settings(
    before: Option<Priority>,
    after: Option<Priority>,
    interfaces: &[String],
) -> Vec<Setting> {
    if before == after {
        return Vec::new();
    }
    let priority = after.map_or(0, Priority::get);
    let one = |interface: &String| {
        Setting::new(
            "limits.network.priority",
            "net_prio",
            "net_prio.ifpriomap",
            &format!("{interface} {priority}"),
        )
    };
    interfaces.iter().map(one).collect()
}

/// The interfaces of the daemon's network namespace. Reads a directory.
pub(crate) fn interfaces() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_gets_it_and_loses_it() {
        let interfaces = ["lo".to_owned(), "eth0".to_owned()];
        let priority = Priority::parse("5");
        let values = |settings: Vec<Setting>| -> Vec<String> {
            settings.into_iter().map(|setting| setting.file.value).collect()
        };
        assert_eq!(values(settings(None, priority, &interfaces)), ["lo 5", "eth0 5"]);
        assert_eq!(values(settings(priority, None, &interfaces)), ["lo 0", "eth0 0"]);
        assert!(settings(priority, priority, &interfaces).is_empty());
    }
}
