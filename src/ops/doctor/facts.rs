//! What the checks judge, gathered before: everything that a server, a directory and the system report.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::server::Server;
use crate::live::info::Info;
use crate::rdb::Header;

/// A fact, or the reason why it is unknown.
pub(crate) type Known<T> = Result<T, String>;

/// All facts about one server or data directory.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// The running server; `None` if only a directory was given.
    pub(crate) server: Option<ServerFacts>,
    /// The data directory on this machine.
    pub(crate) directory: Known<DirectoryFacts>,
    /// The kernel of the server.
    pub(crate) system: Known<SystemFacts>,
    /// The backup directory.
    pub(crate) backups: Known<BackupFacts>,
    /// The time of this machine.
    pub(crate) now: SystemTime,
}

/// What a running server reports.
#[derive(Debug, Clone)]
pub(crate) struct ServerFacts {
    /// The client program and its options to connect to the server.
    pub(crate) client: Vec<String>,
    /// The release line, if it is known.
    pub(crate) line: Option<Server>,
    /// The section `server` of INFO.
    pub(crate) info: Info,
    /// The section `persistence`.
    pub(crate) persistence: Known<Info>,
    /// The section `replication`.
    pub(crate) replication: Known<Info>,
    /// The number of keys in all databases.
    pub(crate) keys: Known<u64>,
    /// The settings.
    pub(crate) settings: Settings,
    /// Whether it reports the name of its log, which Redis before 6.0 does not.
    pub(crate) reports_log: bool,
    /// The difference of its clock from that of this machine, in milliseconds.
    pub(crate) clock_ms: Known<i64>,
    /// The name of what starts the server again when it stops, if it is known.
    pub(crate) supervisor: Option<String>,
    /// The user ID of its process, if it is visible here.
    pub(crate) uid: Option<u32>,
}

/// The settings of a server. A setting that the server does not have is `None`.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) appendonly: Known<Option<String>>,
    pub(crate) save: Known<Option<String>>,
    pub(crate) rewrite_percentage: Known<Option<String>>,
    pub(crate) load_truncated: Known<Option<String>>,
    pub(crate) disable_thp: Known<Option<String>>,
}

/// The files of a data directory, and the file system that it is on.
#[derive(Debug, Clone)]
pub(crate) struct DirectoryFacts {
    /// The data directory.
    pub(crate) path: PathBuf,
    /// The permission bits of the directory.
    pub(crate) mode: u32,
    /// The user ID of its owner.
    pub(crate) uid: u32,
    /// The directories of sets in it.
    pub(crate) sets: Vec<SetDirectory>,
    /// The files of logs and snapshots in it and in the directories of sets, sorted by path.
    pub(crate) files: Vec<FileFacts>,
    /// The bytes that can still be written to its file system.
    pub(crate) free_bytes: Known<u64>,
    /// The last time in the annotations of the log, in Unix seconds.
    pub(crate) last_annotation: Option<i64>,
    /// The process of a server that uses the directory.
    pub(crate) used_by: Option<User>,
}

/// The directory of a set.
#[derive(Debug, Clone)]
pub(crate) struct SetDirectory {
    /// The path.
    pub(crate) path: PathBuf,
    /// The permission bits.
    pub(crate) mode: u32,
    /// The user ID of its owner.
    pub(crate) uid: u32,
}

/// A server process that uses a directory.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// The process, as `PROGRAM of process PID`.
    pub(crate) process: String,
    /// The options with which it is reached, if they are known.
    pub(crate) options: Option<Vec<String>>,
}

impl User {
    /// Returns how the server is asked.
    pub(crate) fn how(&self) -> String {
        match &self.options {
            Some(options) => {
                let args = ["doctor".to_owned()].into_iter().chain(options.iter().cloned());
                format!("`{}` asks it", Action::aofkit(args))
            }
            None => "-p PORT asks it".to_owned(),
        }
    }
}

/// A file of a data directory.
#[derive(Debug, Clone)]
pub(crate) struct FileFacts {
    /// The path.
    pub(crate) path: PathBuf,
    /// The kind by its name.
    pub(crate) kind: FileKind,
    /// The size in bytes.
    pub(crate) bytes: u64,
    /// The permission bits.
    pub(crate) mode: u32,
    /// The user ID of the owner.
    pub(crate) uid: u32,
    /// The time of the last modification.
    pub(crate) modified: SystemTime,
    /// The header of an RDB whose version is unknown here.
    pub(crate) newer_rdb: Option<Header>,
}

/// The kind of a file of a data directory, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// The single file of a log.
    Log,
    /// A part or the manifest of a set.
    Part,
    /// A snapshot.
    Snapshot,
    /// An unfinished file of a save or a rewrite: `temp-*`.
    Temporary,
}

/// What the kernel reports.
#[derive(Debug, Clone)]
pub(crate) struct SystemFacts {
    /// The value of `vm.overcommit_memory`.
    pub(crate) overcommit: Known<u8>,
    /// The mode of transparent huge pages: `always`, `madvise` or `never`.
    pub(crate) huge_pages: Known<String>,
}

/// The archives in a backup directory.
#[derive(Debug, Clone)]
pub(crate) struct BackupFacts {
    /// The directory.
    pub(crate) path: PathBuf,
    /// The time of the data of the newest backup of this server or directory.
    pub(crate) newest: Option<SystemTime>,
    /// Whether that one is known to be damaged.
    pub(crate) is_damaged: bool,
    /// The number of backups of other sources.
    pub(crate) others: usize,
}

impl ServerFacts {
    /// Returns the action of running a command of the server.
    pub(crate) fn run(&self, words: &[&str]) -> Action {
        let (program, options) = match self.client.split_first() {
            Some((program, options)) => (program.as_str(), options),
            None => ("redis-cli", &[][..]),
        };
        let words = words.iter().map(|word| (*word).to_owned());
        Action::run(program, options.iter().cloned().chain(words))
    }

    /// Returns the step of changing a setting so that it lasts.
    pub(crate) fn set(&self, name: &str, value: &str) -> NextStep {
        if self.settings.appendonly.is_err() {
            let why = "The server refuses CONFIG: put this into its configuration, and restart it";
            return NextStep::new(why, [Action::configure(name, value)]);
        }
        let set = self.run(&["CONFIG", "SET", name, value]);
        match self.info.text("config_file") {
            Some(file) if !file.is_empty() => {
                let actions = [set, self.run(&["CONFIG", "REWRITE"])];
                NextStep::new("Change the setting, and save it in the configuration file", actions)
            }
            _ => {
                let why = format!(
                    "Change the setting until the next restart; the server has no configuration file, so start it with --{name} {value} as well"
                );
                NextStep::new(why, [set])
            }
        }
    }

    /// Returns whether the server is a replica.
    pub(crate) fn is_replica(&self) -> Known<bool> {
        let replication = self.replication.as_ref().map_err(Clone::clone)?;
        Ok(replication.text("role") == Some("slave"))
    }

    /// Returns whether the append-only file is enabled: by the setting, or else by INFO.
    pub(crate) fn has_log(&self) -> Known<bool> {
        match &self.settings.appendonly {
            Ok(Some(value)) => Ok(value == "yes"),
            _ => match &self.persistence {
                Ok(info) if info.text("aof_enabled").is_some() => Ok(info.flag("aof_enabled")),
                Ok(_) => Err("INFO does not report aof_enabled".to_owned()),
                Err(reason) => Err(reason.clone()),
            },
        }
    }

    /// Returns whether the server saves snapshots by itself.
    pub(crate) fn has_snapshots(&self) -> Known<bool> {
        match &self.settings.save {
            Ok(value) => Ok(value.as_ref().is_some_and(|points| !points.is_empty())),
            Err(reason) => Err(reason.clone()),
        }
    }
}

impl DirectoryFacts {
    /// Returns the files of one kind.
    pub(crate) fn of(&self, kind: FileKind) -> impl Iterator<Item = &FileFacts> {
        self.files.iter().filter(move |file| file.kind == kind)
    }

    /// Returns the path as an argument.
    pub(crate) fn arg(&self) -> String {
        path_arg(&self.path)
    }

    /// Returns the size of the log in bytes, or without one that of the snapshots.
    pub(crate) fn data_bytes(&self) -> u64 {
        let sum = |kinds: &[FileKind]| {
            let files = self.files.iter().filter(|file| kinds.contains(&file.kind));
            files.fold(0_u64, |sum, file| sum.saturating_add(file.bytes))
        };
        match sum(&[FileKind::Log, FileKind::Part]) {
            0 => sum(&[FileKind::Snapshot]),
            log => log,
        }
    }
}

/// Returns the name of a file, for display.
pub(crate) fn name(path: &Path) -> String {
    crate::base::escape::ShownPath(Path::new(path.file_name().unwrap_or_default())).to_string()
}

/// Returns how long ago a time was; `None` if it is in the future.
pub(crate) fn age(now: SystemTime, time: SystemTime) -> Option<String> {
    now.duration_since(time).ok().map(crate::base::units::age)
}

/// A day.
pub(crate) const DAY: Duration = Duration::from_secs(86_400);
