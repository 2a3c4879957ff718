//! A server with data and a directory for its backups.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use super::binaries::Binary;
use super::client::Client;
use super::process::Running;
use super::program::{Run, aofkit};

/// A server with an append-only log, its data directory, and a directory for its backups.
pub(crate) struct Setup {
    /// The running server.
    pub(crate) server: Running,
    /// Its data directory.
    pub(crate) data: TempDir,
    /// The backup directory.
    pub(crate) to: TempDir,
    /// The binary of the server.
    pub(crate) binary: Binary,
}

/// Returns a new temporary directory.
pub(crate) fn temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory")
}

/// Returns a TCP port that is not in use.
///
/// The system gives ports from 32768 on to the connections of all programs, also in the moment before a server listens on
/// the port. So it is one below, and never the same twice.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_process = u16::try_from(std::process::id() % 80).unwrap_or_default() * 200;
    for _ in 0..200 {
        let port = 16_000 + of_process + NEXT.fetch_add(1, Ordering::Relaxed) % 200;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}

impl Setup {
    /// Starts a server with `appendonly yes`.
    pub(crate) fn new(binary: &Binary) -> Setup {
        Setup::with(binary, &[])
    }

    /// Like [`Setup::new`], with more settings.
    pub(crate) fn with(binary: &Binary, config: &[(&str, &str)]) -> Setup {
        Setup::at(binary, temp_dir(), config)
    }

    /// Like [`Setup::with`], with a given data directory.
    pub(crate) fn at(binary: &Binary, data: TempDir, config: &[(&str, &str)]) -> Setup {
        let mut all = vec![("appendonly", "yes")];
        all.extend_from_slice(config);
        let server = Running::start(binary, data.path(), &all);
        let server = server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log));
        Setup { server, data, to: temp_dir(), binary: binary.clone() }
    }

    /// Writes strings, lists, hashes, a counter and a set: `count` commands of each of the first three types.
    pub(crate) fn fill(&mut self, count: usize) {
        let client = &mut self.server.client;
        for n in 0..count {
            let (key, value) = (format!("s{n}"), format!("value {n}"));
            client.call(&["SET", &key, &value]);
            client.call(&["RPUSH", &format!("l{}", n % 7), &value]);
            client.call(&["HSET", &format!("h{}", n % 5), &key, &value]);
        }
        client.call(&["MULTI"]);
        client.call(&["INCR", "n"]);
        client.call(&["SADD", "set", "a", "b"]);
        client.call(&["EXEC"]);
    }

    /// Returns `aofkit backup --live` of this server over its socket, without pauses.
    pub(crate) fn live(&self) -> Command {
        let mut command = self.backup(&["--live", "--pause", "0", "--poll", "20ms"]);
        command.arg("-s").arg(self.server.socket());
        command
    }

    /// Returns `aofkit backup` to the backup directory with these arguments.
    pub(crate) fn backup(&self, args: &[&str]) -> Command {
        let mut command = aofkit();
        command.arg("backup").arg("--to").arg(self.to.path()).args(args);
        command
    }

    /// Returns the values of the settings that live backups change: `appendfsync` and
    /// `auto-aof-rewrite-percentage`.
    pub(crate) fn settings(&mut self) -> [String; 2] {
        ["appendfsync", "auto-aof-rewrite-percentage"]
            .map(|name| setting(&mut self.server.client, name))
    }

    /// Returns the names of all files in the backup directory except lock files, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.to.path()).expect("the backups can be listed");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.ends_with(".lock"));
        names.sort();
        names
    }

    /// Returns the paths of all archives in the backup directory.
    pub(crate) fn archives(&self) -> Vec<PathBuf> {
        let zips = self.names().into_iter().filter(|name| name.ends_with(".zip"));
        zips.map(|name| self.to.path().join(name)).collect()
    }

    /// Returns the path of the only archive in the backup directory.
    ///
    /// # Panics
    ///
    /// If there is none or more than one.
    pub(crate) fn archive(&self) -> PathBuf {
        match self.archives().as_slice() {
            [archive] => archive.clone(),
            other => panic!("expected one archive: {other:?}"),
        }
    }

    /// Returns the names of aofkit's own files in the data directory, which a killed run can leave there.
    pub(crate) fn leftovers_in_data_dir(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data.path()).expect("the data can be listed");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name.contains("aofkit")).collect()
    }

    /// Extracts the archive and starts a new server on it.
    pub(crate) fn restored(&self, archive: &Path) -> (Running, TempDir) {
        let data = temp_dir();
        let extracted = data.path().join("data");
        let mut extract = aofkit();
        extract.arg("extract").arg(archive).arg("--output").arg(&extracted);
        let run = Run::of(&mut extract);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let server = Running::start(&self.binary, &extracted, &[("appendonly", "yes")]);
        (server.unwrap_or_else(|ended| panic!("{}: {}", self.binary.line, ended.log)), data)
    }
}

/// Returns the value of a setting.
pub(crate) fn setting(client: &mut Client, name: &str) -> String {
    client.call(&["CONFIG", "GET", name]).array()[1].text()
}
