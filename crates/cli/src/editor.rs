//! `edit` commands: a text, an editor, another try when the result is refused.

use anyhow::{Context as _, bail};
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::Command;

/// Editors that are tried when neither `VISUAL` nor `EDITOR` is set.
const EDITORS: &[&str] = &["editor", "vi", "emacs", "nano"];

/// What standard input holds, when it is not a terminal: then nobody is there to edit.
pub(crate) fn piped() -> anyhow::Result<Option<Vec<u8>>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Ok(None);
    }
    let mut content = Vec::new();
    stdin.lock().read_to_end(&mut content).context("cannot read standard input")?;
    Ok(Some(content))
}

/// As [`piped`], for text.
pub(crate) fn piped_text() -> anyhow::Result<Option<String>> {
    let Some(content) = piped()? else { return Ok(None) };
    String::from_utf8(content).map(Some).context("standard input is not text")
}

/// Lets the user edit `text` and applies it, again and again until it is accepted. A text that is
/// left as it was is not applied.
pub(crate) async fn edit<F>(text: &str, apply: impl Fn(String) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let mut current = text.to_owned();
    loop {
        let edited =
            String::from_utf8(edit_once(current.as_bytes(), ".yaml")?).context("the file is not text")?;
        if edited == text {
            return Ok(());
        }
        let Err(error) = apply(edited.clone()).await else { return Ok(()) };
        eprintln!("Config parsing error: {error:#}");
        eprintln!("Press enter to open the editor again");
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).context("cannot read the keyboard")? == 0 {
            return Err(error);
        }
        current = edited;
    }
}

/// Opens the editor once and returns what the file then holds.
pub(crate) fn edit_once(content: &[u8], suffix: &str) -> anyhow::Result<Vec<u8>> {
    let mut file = tempfile::Builder::new()
        .prefix("lxc_editor_")
        .suffix(suffix)
        .tempfile()
        .context("cannot make a file to edit")?;
    file.write_all(content).context("cannot write the file to edit")?;
    // Editors replace the file: from here on it is known by its name only.
    let path = file.into_temp_path();
    run_editor(&path)?;
    std::fs::read(&path).context("cannot read the edited file")
}

fn run_editor(path: &Path) -> anyhow::Result<()> {
    let chosen = ["VISUAL", "EDITOR"].iter().filter_map(|name| std::env::var(name).ok());
    let chosen = chosen.map(|text| text.trim().to_owned()).find(|text| !text.is_empty());
    let candidates =
        chosen.map_or_else(|| EDITORS.iter().map(|&e| e.to_owned()).collect(), |text| vec![text]);
    for editor in &candidates {
        let mut words = editor.split_whitespace();
        let Some(program) = words.next() else { continue };
        match Command::new(program).args(words).arg(path).status() {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => bail!("The editor {program} failed ({status}); nothing was changed"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(format!("cannot run the editor {program}")),
        }
    }
    bail!("No editor found (tried {}); set the variable EDITOR to the one you like", candidates.join(", "))
}
