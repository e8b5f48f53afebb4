//! YAML as Go programs write and read it.

use serde::{Serialize, de::DeserializeOwned};
use serde_saphyr::SerializerOptions;

/// Text that is not the YAML it should be, or a value that YAML cannot hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum YamlError {
    /// It cannot be read.
    #[error("this is not the YAML that is expected here")]
    Read(#[source] Box<serde_saphyr::Error>),
    /// It cannot be written.
    #[error("this cannot be written as YAML")]
    Write(#[source] Box<serde_saphyr::SerializeError>),
}

/// Writes a value; the text ends with a newline.
pub(crate) fn to_string<T: Serialize>(value: &T) -> Result<String, YamlError> {
    let mut options = SerializerOptions::default();
    options.indent_step = 2;
    options.compact_list_indent = true;
    options.prefer_block_scalars = true;
    // Long lines stay in one piece: they are copied out of terminals.
    options.folded_wrap_chars = usize::MAX;
    options.min_fold_chars = usize::MAX;
    let mut text = serde_saphyr::to_string_with_options(value, options)
        .map_err(|error| YamlError::Write(Box::new(error)))?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// Reads a value; no text at all is an empty mapping.
pub(crate) fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    let empty = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    serde_saphyr::from_str(if empty { "{}" } else { text }).map_err(|error| YamlError::Read(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::instances::InstancePut;

    #[test]
    fn containers_look_as_go_prints_them_and_come_back() {
        let put = InstancePut {
            architecture: "x86_64".into(),
            config: [
                ("limits.cpu".to_owned(), "2".to_owned()),
                ("security.nesting".to_owned(), "true".to_owned()),
                ("user.data".to_owned(), "#cloud-config\na: b\n".to_owned()),
                ("user.long".to_owned(), "word ".repeat(60).trim_end().to_owned()),
            ]
            .into(),
            devices: [("root".to_owned(), [("path".to_owned(), "/".to_owned())].into())].into(),
            profiles: Some(vec!["default".into()]),
            ..Default::default()
        };
        let text = to_string(&put).unwrap();
        let expected = format!(
            "architecture: x86_64\nconfig:\n  limits.cpu: \"2\"\n  security.nesting: \"true\"\n  user.data: |\n    \
             #cloud-config\n    a: b\n  user.long: {}\ndevices:\n  root:\n    path: /\nephemeral: false\n\
             profiles:\n- default\nstateful: false\ndescription: \"\"\n",
            "word ".repeat(60).trim_end()
        );
        assert_eq!(text, expected);
        let back: InstancePut = from_str(&text).unwrap();
        assert_eq!(back.config, put.config);
    }

    #[test]
    fn numbers_and_booleans_become_strings_where_strings_are_meant() {
        let put: InstancePut = from_str("config:\n  limits.cpu: 1\n  security.nesting: true\n").unwrap();
        assert_eq!(put.config["limits.cpu"], "1");
        assert_eq!(put.config["security.nesting"], "true");
        assert!(from_str::<InstancePut>("config: [").is_err());
        assert!(from_str::<InstancePut>("# nothing\n\n").unwrap().config.is_empty());
    }
}
