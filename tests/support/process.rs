//! Server processes.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::binaries::Binary;
use super::client::{Client, Reply};
use super::wait::wait_until;

/// The longest time that a server may take to start. The limit only prevents hanging.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server. It is killed when this value is dropped.
pub(crate) struct Running {
    child: Child,
    /// The directory of its log and its socket, separate from its data directory.
    control: TempDir,
    /// A connection to it.
    pub(crate) client: Client,
}

/// A server that exited during its start.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status.
    pub(crate) status: ExitStatus,
    /// The server's log.
    pub(crate) log: String,
}

impl Running {
    /// Starts a server on the data directory `data` and waits until it has loaded it.
    ///
    /// The server listens only on a Unix socket, so servers never compete for a port. The defaults are: no
    /// snapshots, and DEBUG enabled. `config` contains settings as in a configuration file and overrides them.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the server exited before it was ready.
    ///
    /// # Panics
    ///
    /// If it cannot be executed, or is neither ready nor ended within a minute.
    pub(crate) fn start(
        binary: &Binary,
        data: &Path,
        config: &[(&str, &str)],
    ) -> Result<Running, Ended> {
        let control = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
        let socket = control.path().join("socket");
        let log = File::create(control.path().join("log")).expect("a log");
        let mut command = Command::new(&binary.path);
        command.current_dir(control.path());
        command.args(["--port", "0", "--daemonize", "no", "--save", ""]);
        command.arg("--unixsocket").arg(&socket);
        command.arg("--dir").arg(data);
        if binary.line.has_redis(7, 0) {
            command.args(["--enable-debug-command", "yes"]);
        }
        if binary.line.has_redis(6, 2) {
            // Writing a crash report can hang, and the memory test after it takes up to a minute.
            command.args(["--crash-log-enabled", "no", "--crash-memcheck-enabled", "no"]);
        }
        for (name, value) in config {
            command.arg(format!("--{name}")).arg(value);
        }
        command.stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a second handle"));
        command.stderr(log);
        let mut child = Started(Some(command.spawn().expect("the server is executable")));

        let began = Instant::now();
        loop {
            if let Some(status) = child.get().try_wait().expect("the server can be waited for") {
                let log = read_log(control.path());
                return Err(Ended { status, log });
            }
            if let Some(client) = ready(&socket) {
                let child = child.0.take().expect("taken once");
                return Ok(Running { child, control, client });
            }
            assert!(
                began.elapsed() < START_TIMEOUT,
                "{} is not ready; its log:\n{}",
                binary.line,
                read_log(control.path())
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the server's log so far.
    pub(crate) fn log(&self) -> String {
        read_log(self.control.path())
    }

    /// Returns its process ID.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Returns the path of its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.control.path().join("socket")
    }

    /// Returns the DEBUG DIGEST: 40 hexadecimal digits, all zeros for an empty data set.
    pub(crate) fn digest(&mut self) -> String {
        self.client.call(&["DEBUG", "DIGEST"]).text()
    }

    /// Returns the number of keys in all databases.
    pub(crate) fn keys(&mut self) -> u64 {
        let info = self.client.call(&["INFO", "keyspace"]).text();
        let counts = info.lines().filter_map(|line| {
            let (_, rest) = line.strip_prefix("db")?.split_once(":keys=")?;
            rest.split(',').next()?.parse::<u64>().ok()
        });
        counts.sum()
    }

    /// Returns whether no rewrite is running or scheduled.
    ///
    /// # Panics
    ///
    /// If the last rewrite failed.
    pub(crate) fn has_finished_rewriting(&mut self) -> bool {
        let info = self.client.call(&["INFO", "persistence"]).text();
        let is_over = |name: &str| info.contains(&format!("{name}:0\r\n"));
        let finished = is_over("aof_rewrite_in_progress") && is_over("aof_rewrite_scheduled");
        assert!(!finished || info.contains("aof_last_bgrewrite_status:ok"), "{info}");
        finished
    }

    /// Sends BGREWRITEAOF and waits for the end of the rewrite.
    pub(crate) fn rewrite(&mut self) {
        self.client.call(&["BGREWRITEAOF"]);
        wait_until("the end of the rewrite", || self.has_finished_rewriting());
    }

    /// Sends SHUTDOWN NOSAVE and waits until the server has exited.
    pub(crate) fn shut_down(mut self) -> ExitStatus {
        // On success the server closes the connection instead of replying.
        let _ = self.client.try_call(&["SHUTDOWN", "NOSAVE"]);
        self.child.wait().expect("the server can be waited for")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A child process that is killed on drop unless it has been taken out.
struct Started(Option<Child>);

impl Started {
    fn get(&mut self) -> &mut Child {
        self.0.as_mut().expect("not yet taken")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns a connection if the server answers and has finished loading.
fn ready(socket: &Path) -> Option<Client> {
    let mut client = Client::connect(socket).ok()?;
    match client.try_call(&["PING"]).ok()? {
        Reply::Simple(pong) if pong == "PONG" => Some(client),
        _ => None, // -LOADING
    }
}

fn read_log(control: &Path) -> String {
    let bytes = fs::read(control.join("log")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns whether a server was killed by a signal, or ended with a bug report of its own.
pub(crate) fn ended_in_a_crash(status: ExitStatus, log: &str) -> bool {
    status.signal().is_some() || log.contains("BUG REPORT START")
}
