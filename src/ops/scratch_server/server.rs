//! A server of our own: started in a scratch directory on a Unix socket, asked, and killed.
//!
//! It listens on no port, has no modules, and is a child of this process with a process group of its own: it is killed
//! by its handle when the value is dropped, and when the run is cancelled; and it ends with this process ([`Guarded`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::guarded::Guarded;
use super::options::ServerOptions;
use super::stop::Stop;
use crate::base::cancel::UndoGuard;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::{ShownPath, foreign};
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::base::units::Elapsed;
use crate::disk::Access;
use crate::live::client::Client;
use crate::live::endpoint::{Address, Endpoint, Patience};

/// The help for what is not the executable of a server.
const HELP: &str =
    "--server takes the executable of a server, such as redis-server or valkey-server";

/// The maximum time for `--version`.
const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// The interval between two attempts to reach a server that is starting.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The maximum time for a reply, such as to `DEBUG DIGEST` of many keys.
const REPLY_TIMEOUT: Duration = Duration::from_secs(3600);

/// The longest path of a socket, in bytes: that of Linux is 108 with the NUL at its end.
const SOCKET_BYTES: usize = 107;

/// How much of the end of the server's output is read, and shown.
const OUTPUT_BYTES: u64 = 16 << 10;
const OUTPUT_LINES: usize = 5;

/// The executable of a server.
#[derive(Debug)]
pub(in crate::ops) struct Binary {
    path: PathBuf,
    timeout: Duration,
    /// The version, such as `redis 7.0.15`.
    pub(in crate::ops) version: String,
    pub(in crate::ops) line: Server,
}

impl Binary {
    /// Finds the executable, and asks for its version.
    ///
    /// # Errors
    ///
    /// When it cannot be executed, or is not a server.
    pub(in crate::ops) fn find(options: &ServerOptions) -> Result<Binary> {
        let ServerOptions { binary, timeout } = options;
        let path = match binary.components().count() {
            1 if !binary.exists() => binary.clone(),
            // Not its target: the executable of Debian is one for several programs, and chooses by its name.
            _ => std::path::absolute(binary).map_err(|error| Error::io("find", binary, error))?,
        };
        let failed = |what: &str| Error::new(ErrorKind::Usage, what).at(&path).help(HELP);
        let reported =
            version_of(&path).map_err(|error| Error::io("execute", &path, error).help(HELP))?;
        let (product, rest) = reported
            .split_once(" server v=")
            .ok_or_else(|| failed("it does not report the version of a server"))?;
        let product = product.trim().to_ascii_lowercase();
        let version = rest.split_whitespace().next().unwrap_or_default();
        let line = format!("{product}-{version}").parse();
        let line = line.map_err(|_| failed("it does not report a version that is known here"))?;
        let version = foreign(&format!("{product} {version}"));
        Ok(Binary { path, timeout: *timeout, version, line })
    }
}

/// Returns what the executable prints with `--version`, or nothing if it prints too long.
fn version_of(path: &Path) -> std::io::Result<String> {
    let mut command = Command::new(path);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let began = Instant::now();
    while child.try_wait()?.is_none() && began.elapsed() < VERSION_TIMEOUT {
        thread::sleep(BETWEEN_TRIES);
    }
    // Nothing if it has ended.
    let _ = child.kill();
    child.wait()?;
    let mut text = Vec::new();
    if let Some(out) = child.stdout.take() {
        out.take(OUTPUT_BYTES).read_to_end(&mut text)?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The child, once it is started. The lock is held while it is started, so that a cancellation before, meanwhile or after that
/// leaves none running.
#[derive(Default)]
struct Slot {
    child: Option<Guarded>,
    is_over: bool,
}

type Shared = Arc<Mutex<Slot>>;

/// A running server. It is killed on drop.
pub(in crate::ops) struct Running {
    child: Shared,
    client: Client,
    _undo: Option<UndoGuard>,
}

impl Running {
    /// Starts the server with these settings, and waits until it has loaded its log.
    pub(in crate::ops) fn start(
        binary: &Binary,
        scratch: &Path,
        configuration: Vec<(&'static str, String)>,
        progress: &dyn Progress,
    ) -> Result<Running, Stop> {
        let socket = scratch.join("socket");
        if socket.as_os_str().len() > SOCKET_BYTES {
            let what = format!(
                "the path of the scratch directory is too long for a socket: {}; use --scratch",
                ShownPath(scratch)
            );
            return Err(Stop::NotTried(what));
        }
        let settings = configuration.iter().map(|(name, value)| (*name, value.as_str()));
        let mut text: String = settings.map(|(name, value)| setting(name, value)).collect();
        text.push_str(&setting("unixsocket", &socket.to_string_lossy()));
        // A primary that is not there: the port is reserved, and nothing but this machine is asked.
        text.push_str("replicaof 127.0.0.1 1\n");
        let (conf, output) = (scratch.join("server.conf"), scratch.join("server.log"));
        let not_written = |error| Stop::from(Error::io("write", scratch, error));
        Access::PRIVATE.write(&conf, text.as_bytes()).map_err(not_written)?;
        let out = Access::PRIVATE.create(&output).map_err(not_written)?;
        let err = out.try_clone().map_err(not_written)?;
        let set = |command: &mut Command| {
            command.arg(&conf).current_dir(scratch).stdout(out).stderr(err);
        };
        let mut endpoint = Endpoint::new(Address::Unix(socket));
        endpoint.patience = Patience { reply: REPLY_TIMEOUT, ..endpoint.patience };
        let child = Shared::default();
        let of_handler = Arc::clone(&child);
        let undo = move || {
            kill(&of_handler);
            Ok(())
        };
        let undo = progress.cancellation().map(|it| it.on_cancel(undo)).transpose()?;
        let mut running = Running { child, client: Client::new(&endpoint), _undo: undo };
        let spawned = running.spawn(|| Guarded::spawn(&binary.path, set));
        spawned.map_err(|error| Error::io("execute", &binary.path, error))?;
        running.wait(binary, &output, progress)?;
        Ok(running)
    }

    /// Starts the child, unless the run was cancelled meanwhile.
    fn spawn(&mut self, spawn: impl FnOnce() -> std::io::Result<Guarded>) -> std::io::Result<()> {
        let mut slot = lock(&self.child);
        if slot.is_over {
            return Err(Error::interrupted_io());
        }
        slot.child = Some(spawn()?);
        Ok(())
    }

    fn wait(
        &mut self,
        binary: &Binary,
        output: &Path,
        progress: &dyn Progress,
    ) -> Result<(), Stop> {
        let began = Instant::now();
        loop {
            progress.check()?;
            let ended_as =
                lock(&self.child).child.as_mut().and_then(|child| child.try_wait().ok()?);
            if let Some(status) = ended_as {
                let version = &binary.version;
                let what = format!("{version} did not load it: {}", ended(status));
                return Err(Stop::Failed(with_output(what, output)));
            }
            // LOADING, or not listening yet.
            if self.client.ask("PING", |connection| connection.text(&["PING"])).is_ok() {
                return Ok(());
            }
            self.client.disconnect();
            if began.elapsed() > binary.timeout {
                let what = format!(
                    "{} was not ready after {}; --server-timeout allows for more",
                    binary.version,
                    Elapsed(binary.timeout)
                );
                return Err(Stop::NotTried(with_output(what, output)));
            }
            thread::sleep(BETWEEN_TRIES);
        }
    }

    /// Returns the time that the server's main thread has spent on a processor so far, in seconds, if the system reports it.
    /// Other than the time that has passed, it does not depend on what else runs on the machine.
    pub(in crate::ops) fn processor_s(&self) -> Option<f64> {
        let id = lock(&self.child).child.as_ref()?.id();
        let text = std::fs::read_to_string(format!("/proc/{id}/schedstat")).ok()?;
        let nanoseconds: u64 = text.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanoseconds).as_secs_f64())
    }

    /// Returns the number of keys of each database that has any.
    pub(in crate::ops) fn keys(&mut self) -> Result<BTreeMap<u32, u64>, Stop> {
        let info = self.client.info("keyspace").map_err(lost)?;
        let count = |db: u32| {
            let text = info.text(&format!("db{db}"))?;
            let (keys, _) = text.strip_prefix("keys=")?.split_once(',')?;
            Some((db, keys.parse().ok()?))
        };
        let databases = info.databases();
        let keys: BTreeMap<u32, u64> = databases.iter().filter_map(|db| count(*db)).collect();
        if keys.len() < databases.len() {
            return Err(Stop::NotTried("the server does not report its keys as expected".into()));
        }
        Ok(keys)
    }

    /// Returns `DEBUG DIGEST`; `None` if the server refuses it.
    pub(in crate::ops) fn digest(&mut self) -> Option<String> {
        let command = ["DEBUG", "DIGEST"];
        self.client.ask("DEBUG DIGEST", |connection| connection.text(&command)).ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        kill(&self.child);
    }
}

/// Kills the child, unless it has ended, and waits for its end. None is started any more.
fn kill(slot: &Mutex<Slot>) {
    let mut slot = lock(slot);
    slot.is_over = true;
    if let Some(child) = slot.child.as_mut() {
        child.kill();
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A server that has loaded a log, and does not answer then, is no fault that is proved to be the archive's.
fn lost(error: Error) -> Stop {
    match error.kind() {
        ErrorKind::Interrupted => Stop::Interrupted(error),
        _ => Stop::NotTried(error.without_path().to_string()),
    }
}

/// Returns a line of a configuration file, with the value in quotes as servers parse it.
fn setting(name: &str, value: &str) -> String {
    let mut quoted = Vec::new();
    crate::base::escape::quote(value.as_bytes(), &mut quoted);
    format!("{name} {}\n", String::from_utf8_lossy(&quoted))
}

fn ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

/// Adds the last lines of the server's output, escaped.
fn with_output(what: String, path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(OUTPUT_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(OUTPUT_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(OUTPUT_LINES)..).unwrap_or_default();
    match last {
        [] => what,
        last => format!("{what}: {}", foreign(&last.join(" | "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_adds_no_setting() {
        let value = "a\"\nloadmodule \\x.so\0\u{e9}";
        let expected = "appendfilename \"a\\\"\\nloadmodule \\\\x.so\\x00\\xc3\\xa9\"\n";
        assert_eq!(setting("appendfilename", value), expected);
    }
}
