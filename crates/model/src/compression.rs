//! How an image is compressed: a program and its options, as `images.compression_algorithm` has it.
//!
//! A program reads its standard input and writes its standard output; an option may say how well,
//! how fast and on how many processors, and nothing about files.

/// Something that compresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A plain tar archive.
    None,
    /// A program that compresses a stream, with its options.
    Program {
        /// Its name.
        program: &'static str,
        /// What was written behind it.
        options: Vec<String>,
    },
    /// The root file system becomes a squashfs, with these options of `mksquashfs(1)`.
    Squashfs {
        /// What was written behind it.
        options: Vec<String>,
    },
}

/// Programs that make what images can be read from.
const PROGRAMS: [&str; 10] =
    ["gzip", "pigz", "bzip2", "pbzip2", "lbzip2", "xz", "pixz", "lzma", "zstd", "lz4"];
/// Long options that are about how, not about what or where.
const LONG: [&str; 22] = [
    "adapt",
    "auto-threads",
    "best",
    "block-size",
    "blocksize",
    "check",
    "content-size",
    "extreme",
    "fast",
    "independent",
    "long",
    "memlimit",
    "memlimit-compress",
    "no-check",
    "no-name",
    "processes",
    "quiet",
    "rsyncable",
    "single-thread",
    "small",
    "threads",
    "ultra",
];
/// Options of `mksquashfs` that are about how; each has a value.
const SQUASHFS: [&str; 8] =
    ["-comp", "-b", "-mem", "-processors", "-Xalgorithm", "-Xbcj", "-Xcompression-level", "-Xdict-size"];
/// Options whose number may stand apart from them.
const WITH_NUMBER: [&str; 7] = ["-T", "-p", "-b", "-m", "--threads", "--processes", "--blocksize"];
/// A larger window of zstd is not read back: it wants too much memory.
const LARGEST_WINDOW: u32 = 27;

impl Compression {
    /// Reads a value such as `gzip`, `zstd -19` or `squashfs -comp xz`. Nothing means `gzip`.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let name = words.next().unwrap_or("gzip");
        let options: Vec<String> = words.map(str::to_owned).collect();
        match name {
            "none" if options.is_empty() => Ok(Self::None),
            "none" => Err("'none' has no options".to_owned()),
            "squashfs" => squashfs(&options).map(|()| Self::Squashfs { options }),
            _ => {
                let program = PROGRAMS.into_iter().find(|program| *program == name).ok_or_else(|| {
                    let known = PROGRAMS.join(", ");
                    format!("use none, squashfs or one of {known}, with its options behind it")
                })?;
                check(&options)?;
                Ok(Self::Program { program, options })
            }
        }
    }

    /// The program that is run, if one is.
    #[must_use]
    pub fn program(&self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Program { program, .. } => Some(program),
            Self::Squashfs { .. } => Some("mksquashfs"),
        }
    }
}

fn check(options: &[String]) -> Result<(), String> {
    let mut before = "";
    for option in options {
        let number = WITH_NUMBER.contains(&before) && is_number(option);
        if !number && !is_about_how(option) {
            return Err(format!("the option '{option}' is not about how to compress"));
        }
        let window = option.strip_prefix("--long=").and_then(|bits| bits.parse::<u32>().ok());
        if window.is_some_and(|bits| bits > LARGEST_WINDOW) {
            return Err(format!("windows of more than 2^{LARGEST_WINDOW} bytes can't be read back"));
        }
        before = option;
    }
    Ok(())
}

fn squashfs(options: &[String]) -> Result<(), String> {
    for pair in options.chunks(2) {
        let [name, value] = pair else { return Err(format!("the option '{}' has no value", pair[0])) };
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b",%".contains(&byte));
        if !SQUASHFS.contains(&name.as_str()) || value.is_empty() || !plain {
            return Err(format!("the option '{name} {value}' is not about how to compress"));
        }
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `-9`, `-9e`, `-T0`, `-B4`, `--fast=3` and their like.
fn is_about_how(option: &str) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let plain =
            |value: &str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'%');
        return LONG.contains(&name) && value.is_none_or(plain);
    }
    let Some(short) = option.strip_prefix('-') else { return false };
    let rest = short.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest {
        "" => !short.is_empty(),
        "e" | "n" | "q" | "R" | "s" => true,
        "T" | "p" | "b" | "m" => rest.len() == short.len(),
        _ => {
            let (letter, number) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
            matches!(letter, "T" | "p" | "b" | "m" | "B")
                && (is_number(number) || (letter, number) == ("B", "D"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_values_are_taken_with_their_options() {
        let program = |text: &str| Compression::parse(text).unwrap().program();
        assert_eq!(program("none"), None);
        assert_eq!(program(""), Some("gzip"));
        for text in [
            "gzip",
            "gzip -9",
            "gzip --rsyncable",
            "pigz -9 -p 4",
            "pigz -p4",
            "bzip2 --best",
            "xz -T0",
            "xz -T 0 -9e",
            "xz -6 --threads=2",
            "lzma",
            "zstd -19",
            "zstd --ultra -22 --long=27 -T0",
            "zstd --fast=3",
            "lz4 -9 -BD -B4",
            "pbzip2 -p2",
        ] {
            assert_eq!(program(text), text.split(' ').next(), "{text}");
        }
        assert_eq!(program("squashfs"), Some("mksquashfs"));
        assert_eq!(program("squashfs -comp xz -b 1M -Xbcj x86"), Some("mksquashfs"));
        let Compression::Program { options, .. } = Compression::parse("zstd  -19\t-T0").unwrap() else {
            panic!()
        };
        assert_eq!(options, ["-19", "-T0"]);
    }

    #[test]
    fn what_names_files_or_does_something_else_is_refused() {
        for text in [
            "none -9",
            "rar",
            "/bin/gzip",
            "sh",
            "gzip -d",
            "gzip file",
            "gzip 9",
            "gzip -S.x",
            "zstd -o",
            "zstd -o /etc/passwd",
            "zstd --output-dir-flat=x",
            "zstd --rm",
            "xz --files=/etc/passwd",
            "xz -k",
            "gzip --fast=",
            "gzip -",
            "gzip --",
            "gzip -9d",
            "xz -T0/x",
            "zstd --long=31",
            "lzop",
            "lzip",
            "squashfs -comp",
            "squashfs -e x",
            "squashfs -comp /x",
            "squashfs -p x",
            "gzip -ü",
            "lz4 -l",
        ] {
            assert!(Compression::parse(text).is_err(), "{text}");
        }
    }
}
