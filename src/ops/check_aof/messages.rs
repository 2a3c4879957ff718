//! The messages of redis-check-aof, and their formatting.

use std::path::Path;

use serde::Serialize;

use crate::aof::manifest::{ManifestError, Rule};

/// A message. [`render`] has its text.
///
/// `name` is a file as given in the manifest or on the command line, `path` includes the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are those of the lines that render() writes")]
#[non_exhaustive]
pub enum Event {
    /// The check of a single file starts.
    StartSingle,
    /// The check of a set starts.
    StartMultiPart,
    /// The manifest violates a rule.
    Manifest { error: ManifestError },
    /// The check of the base file starts.
    StartBase { rdb: bool },
    /// The check of the incremental files starts.
    StartIncr,
    /// A file cannot be opened.
    CannotOpen { path: String, why: String, aborting: bool },
    /// A directory was given.
    CannotRead { path: String },
    /// The file begins with an RDB.
    StartRdb { name: String },
    /// The RDB is intact; it ends at byte `end`.
    RdbOk { end: u64 },
    /// The RDB is broken.
    RdbBroken { why: String },
    /// There is neither a command nor an annotation where one must begin.
    Format { name: String },
    /// A command is damaged.
    Damage {
        /// The byte offset at which reading the damaged bytes began.
        offset: u64,
        /// The damage.
        damage: Damage,
    },
    /// The extent to which a file is valid.
    Analyzed { name: String, size: u64, ok_up_to: u64, ok_up_to_line: u64, diff: u64 },
    /// Only the last file may be truncated.
    NotLast { name: String },
    /// The effect of truncating the file.
    Shrink { name: String, size: u64, diff: u64, to: u64 },
    /// The question, which does not end its line.
    Question,
    /// The answer was no.
    Aborting,
    /// The file is damaged, and truncation was not requested.
    NotValid { name: String },
    /// No annotation is later than the time.
    NothingLater {
        name: String,
        #[serde(serialize_with = "crate::base::rfc3339::seconds")]
        timestamp: i64,
    },
    /// An annotation is not a valid time.
    BadAnnotation,
    /// The first annotation is later than the time.
    NothingBefore {
        path: String,
        #[serde(serialize_with = "crate::base::rfc3339::seconds")]
        timestamp: i64,
    },
    /// An annotation is later, but not in the last file.
    LaterNotLast {
        path: String,
        #[serde(serialize_with = "crate::base::rfc3339::seconds")]
        timestamp: i64,
        offset: u64,
    },
    /// The truncated bytes were saved.
    Kept { path: String, bytes: u64 },
    /// The damage was truncated.
    Truncated { name: String },
    /// The later commands were truncated.
    TruncatedTo {
        name: String,
        #[serde(serialize_with = "crate::base::rfc3339::seconds")]
        timestamp: i64,
    },
    /// The file is valid.
    Valid { what: FileKind, name: String },
    /// The file is empty.
    Empty { what: FileKind, name: String },
    /// All files of the set are valid.
    AllValid,
}

/// The kind of a file, as named by redis-check-aof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// `AOF`
    Single,
    /// `BASE AOF`
    Base,
    /// `INCR AOF`
    Incr,
}

/// The damage to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Damage {
    /// CR LF is missing.
    Newline {
        /// The two bytes found instead.
        got: [u8; 2],
    },
    /// A header begins with the wrong byte.
    Prefix {
        /// The expected byte: `*` or `$`.
        expected: char,
        /// The byte found instead.
        got: u8,
    },
    /// A length is invalid.
    Length {
        /// The length.
        length: i64,
    },
    /// The file ends inside an argument.
    Short {
        /// The length of the argument including CR LF, in bytes.
        expected: u64,
        /// The number of bytes available.
        got: u64,
    },
    /// MULTI inside MULTI.
    Multi {
        /// The path of the file.
        path: String,
    },
    /// EXEC outside MULTI.
    Exec {
        /// The path of the file.
        path: String,
    },
    /// MULTI without EXEC.
    Open,
}

/// Returns the message of redis-check-aof for an event, with the line ending if there is one.
///
/// The result is bytes, because a message may contain a byte of the file unchanged.
pub fn render(event: &Event) -> Vec<u8> {
    let line = match event {
        Event::StartSingle => "Start checking Old-Style AOF".into(),
        Event::StartMultiPart => "Start checking Multi Part AOF".into(),
        Event::Manifest { error } => {
            let mut lines = String::from("*** FATAL AOF MANIFEST FILE ERROR ***\n");
            let has_line = !matches!(
                error.rule,
                Rule::Empty | Rule::LineTooLong | Rule::NoNewline | Rule::ZeroByte
            );
            if has_line {
                lines += &format!(
                    "Reading the manifest file, at line {}\n>>> '{}'\n",
                    error.line, error.text
                );
            }
            lines + error.rule.server_message()
        }
        Event::StartBase { rdb } => {
            format!("Start to check BASE AOF ({} format).", if *rdb { "RDB" } else { "RESP" })
        }
        Event::StartIncr => "Start to check INCR files.".into(),
        Event::CannotOpen { path, why, aborting } => {
            format!(
                "Cannot open file {path}: {why}{}",
                if *aborting { ", aborting..." } else { "" }
            )
        }
        Event::CannotRead { path } => format!("Cannot read file: {path}"),
        Event::StartRdb { name } => format!("[offset 0] Checking RDB file {name}"),
        Event::RdbOk { end } => format!(
            "[offset {end}] \\o/ RDB looks OK! \\o/\nRDB preamble is OK, proceeding with AOF tail..."
        ),
        Event::RdbBroken { why } => format!(
            "--- RDB ERROR DETECTED ---\n{why}\nRDB preamble of AOF file is not sane, aborting."
        ),
        Event::Format { name } => format!("AOF {name} format error"),
        Event::Damage { offset, damage } => return render_damage(*offset, damage),
        Event::Analyzed { name, size, ok_up_to, ok_up_to_line, diff } => format!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={ok_up_to}, ok_up_to_line={ok_up_to_line}, diff={diff}"
        ),
        Event::NotLast { name } => {
            format!("Failed to truncate AOF {name} because it is not the last file")
        }
        Event::Shrink { name, size, diff, to } => format!(
            "This will shrink the AOF {name} from {size} bytes, with {diff} bytes, to {to} bytes"
        ),
        Event::Question => return b"Continue? [y/N]: ".to_vec(),
        Event::Aborting => "Aborting...".into(),
        Event::NotValid { name } => {
            format!("AOF {name} is not valid. Use the --fix option to try fixing it.")
        }
        Event::NothingLater { name, timestamp } => {
            format!("Truncate nothing in AOF {name} to timestamp {timestamp}")
        }
        Event::BadAnnotation => "Invalid timestamp annotation".into(),
        Event::NothingBefore { path, timestamp } => {
            format!("AOF {path} has nothing before timestamp {timestamp}, aborting...")
        }
        Event::LaterNotLast { path, timestamp, offset } => format!(
            "Failed to truncate AOF {path} to timestamp {timestamp} to offset {offset} because it is not the last file.\nIf you insist, please delete all files after this file according to the manifest file and delete the corresponding records in manifest file manually. Then re-run redis-check-aof."
        ),
        Event::Kept { path, bytes } => format!("Kept the {bytes} bytes that are cut off in {path}"),
        Event::Truncated { name } => format!("Successfully truncated AOF {name}"),
        Event::TruncatedTo { name, timestamp } => {
            format!("Successfully truncated AOF {name} to timestamp {timestamp}")
        }
        Event::Valid { what, name } => format!("{} {name} is valid", what.words()),
        Event::Empty { what, name } => format!("{} {name} is empty", what.words()),
        Event::AllValid => "All AOF files and manifest are valid".into(),
    };
    format!("{line}\n").into_bytes()
}

impl FileKind {
    fn words(self) -> &'static str {
        match self {
            FileKind::Single => "AOF",
            FileKind::Base => "BASE AOF",
            FileKind::Incr => "INCR AOF",
        }
    }
}

fn render_damage(offset: u64, damage: &Damage) -> Vec<u8> {
    /// The maximum length of a message in bytes.
    const ROOM_BYTES: usize = 1023;
    let mut message = match damage {
        Damage::Newline { got: [first, second] } => {
            // C's `char` is signed, which shows in `%02x`.
            let hex = |byte: u8| {
                if byte < 0x80 { format!("{byte:02x}") } else { format!("ffffff{byte:02x}") }
            };
            format!("Expected \\r\\n, got: {}{}", hex(*first), hex(*second)).into_bytes()
        }
        // A zero byte ends the message there.
        Damage::Prefix { expected, got: 0 } => {
            format!("Expected prefix '{expected}', got: '").into_bytes()
        }
        Damage::Prefix { expected, got } => {
            let mut message = format!("Expected prefix '{expected}', got: '").into_bytes();
            message.extend([*got, b'\'']);
            message
        }
        Damage::Length { length } => {
            format!("Expected to read string of {length} bytes, which is not in the suitable range")
                .into_bytes()
        }
        Damage::Short { expected, got } => {
            format!("Expected to read {expected} bytes, got {got} bytes").into_bytes()
        }
        Damage::Multi { path } => format!("Unexpected MULTI in AOF {path}").into_bytes(),
        Damage::Exec { path } => format!("Unexpected EXEC in AOF {path}").into_bytes(),
        Damage::Open => b"Reached EOF before reading EXEC for MULTI".to_vec(),
    };
    message.truncate(ROOM_BYTES);
    let mut line = format!("0x{offset:>16x}: ").into_bytes();
    line.extend(message);
    line.push(b'\n');
    line
}

/// The size of the buffer for headers in bytes, including the terminating zero byte.
pub(super) const HEADER_BYTES: usize = 128;

/// Returns a path as redis-check-aof prints it.
pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
