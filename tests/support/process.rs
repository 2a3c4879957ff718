//! Real servers: found, started on a Unix socket in a directory of their own, and stopped.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use aofkit::base::server::{Product, Server};
use tempfile::TempDir;

use super::client::{Client, Reply};

/// The longest that a server may take to start. It is a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is installed.
#[derive(Debug, Clone)]
pub(crate) struct Binary {
    /// Its release line, as it says itself.
    pub(crate) line: Server,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// The binary of a line, or the reason why there is none.
///
/// Looked for in this order: the path in the environment (`AOFKIT_REDIS_6_2`, `AOFKIT_VALKEY_9_1`),
/// `target/servers/LINE/`, where `.ci/servers` puts it, then `PATH`. A binary that says it is of
/// another line does not count, wherever it was found.
pub(crate) fn find(line: Server) -> Result<Binary, String> {
    static FOUND: LazyLock<Mutex<HashMap<Server, Result<Binary, String>>>> =
        LazyLock::new(Mutex::default);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found.entry(line).or_insert_with(|| search(line)).clone()
}

fn search(line: Server) -> Result<Binary, String> {
    let name = match line.product {
        Product::Redis => "redis-server",
        Product::Valkey => "valkey-server",
    };
    let variable = format!("AOFKIT_{line}").to_uppercase().replace(['-', '.'], "_");
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/servers")
        .join(line.to_string())
        .join(name);
    let candidates = [env::var_os(variable).map(PathBuf::from), Some(unpacked), Some(name.into())];
    for path in candidates.into_iter().flatten() {
        if says(&path) == Some(line) {
            return Ok(Binary { line, path });
        }
    }
    Err(format!("needs {line}: not found"))
}

/// The line that a binary says it is of: `Redis server v=7.0.15 sha=...`, `Valkey server v=...`.
fn says(path: &Path) -> Option<Server> {
    let output = Command::new(path).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (product, rest) = text.split_once(" server v=")?;
    let version = rest.split_whitespace().next()?;
    format!("{product}-{version}").parse().ok()
}

/// A server that runs; it is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    /// Where its log and its socket are: apart from its data.
    control: TempDir,
    /// The connection that found it ready.
    pub(crate) client: Client,
}

/// A server that ended instead of running.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How.
    pub(crate) status: ExitStatus,
    /// All that it logged.
    pub(crate) log: String,
}

impl Running {
    /// Starts a server on the data directory `data` and waits until it has loaded it.
    ///
    /// It listens on a Unix socket alone, so that no two servers can want the same port. `config`
    /// are settings as in its configuration file, which override those given here: no snapshots,
    /// and DEBUG allowed.
    ///
    /// # Errors
    ///
    /// How it ended, and its log, when it did not come to run.
    ///
    /// # Panics
    ///
    /// When it cannot be started at all, or neither runs nor ends within a minute.
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
            // Writing a crash report can hang, and the memory test behind it takes up to a minute.
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
                began.elapsed() < PATIENCE,
                "{} is not ready; its log:\n{}",
                binary.line,
                read_log(control.path())
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        read_log(self.control.path())
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.control.path().join("socket")
    }

    /// DEBUG DIGEST: 40 hexadecimal digits, all zeros for an empty data set.
    pub(crate) fn digest(&mut self) -> String {
        self.client.call(&["DEBUG", "DIGEST"]).text()
    }

    /// How many keys there are, in all databases.
    pub(crate) fn keys(&mut self) -> u64 {
        let info = self.client.call(&["INFO", "keyspace"]).text();
        let counts = info.lines().filter_map(|line| {
            let (_, rest) = line.strip_prefix("db")?.split_once(":keys=")?;
            rest.split(',').next()?.parse::<u64>().ok()
        });
        counts.sum()
    }

    /// Asks it to stop in good order, as an administrator would, and waits until it has.
    pub(crate) fn shut_down(mut self) -> ExitStatus {
        // The answer is the connection's end.
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

/// A child that is killed if nobody takes it over.
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

/// A connection, once the server answers and has done loading.
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

/// What a server did with a data directory.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It loaded all of it.
    Loads {
        /// DEBUG DIGEST.
        digest: String,
        /// How many keys, in all databases.
        keys: u64,
        /// What it logged.
        log: String,
    },
    /// It cut a file and loaded the rest.
    LoadsAfterCut {
        /// The file, below the data directory.
        file: PathBuf,
        /// Its size, now that it is cut.
        bytes_after: u64,
        /// DEBUG DIGEST.
        digest: String,
        /// How many keys, in all databases.
        keys: u64,
        /// What it logged.
        log: String,
    },
    /// It ended by itself, saying why.
    Refuses {
        /// Files that it cut all the same, and their sizes.
        cut: Vec<(PathBuf, u64)>,
        /// What it logged.
        log: String,
    },
    /// It died of a signal, or reported a bug of its own.
    Crashes {
        /// The signal, where it was one.
        signal: Option<i32>,
        /// What it logged.
        log: String,
    },
}

impl Verdict {
    /// What was logged.
    pub(crate) fn log(&self) -> &str {
        match self {
            Verdict::Loads { log, .. }
            | Verdict::LoadsAfterCut { log, .. }
            | Verdict::Refuses { log, .. }
            | Verdict::Crashes { log, .. } => log,
        }
    }

    /// How many keys were loaded: `None` when the server did not come to run.
    pub(crate) fn keys(&self) -> Option<u64> {
        match self {
            Verdict::Loads { keys, .. } | Verdict::LoadsAfterCut { keys, .. } => Some(*keys),
            Verdict::Refuses { .. } | Verdict::Crashes { .. } => None,
        }
    }
}

/// Starts a server with `appendonly yes` on a copy of the data directory `layout` and says what it
/// did.
///
/// Keys whose time has come expire as soon as the server runs: a digest is good for data sets
/// without past times.
pub(crate) fn load_verdict(binary: &Binary, layout: &Path, config: &[(&str, &str)]) -> Verdict {
    let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
    copy(layout, data.path()).expect("a copy of the layout");
    load_verdict_in_place(binary, data.path(), config)
}

/// As [`load_verdict`], on the directory itself, for tests that look at what is left of it.
pub(crate) fn load_verdict_in_place(
    binary: &Binary,
    data: &Path,
    config: &[(&str, &str)],
) -> Verdict {
    let before = sizes(data);
    let mut all = vec![("appendonly", "yes")];
    all.extend_from_slice(config);
    match Running::start(binary, data, &all) {
        Ok(mut server) => {
            let mut cut = shorter(&before, &sizes(data));
            let (digest, keys, log) = (server.digest(), server.keys(), server.log());
            match cut.pop() {
                None => Verdict::Loads { digest, keys, log },
                Some((file, bytes_after)) => {
                    assert!(cut.is_empty(), "it cut more than one file: {cut:?}, {file:?}");
                    Verdict::LoadsAfterCut { file, bytes_after, digest, keys, log }
                }
            }
        }
        Err(Ended { status, log }) => {
            if ended_in_a_crash(status, &log) {
                Verdict::Crashes { signal: status.signal(), log }
            } else {
                Verdict::Refuses { cut: shorter(&before, &sizes(data)), log }
            }
        }
    }
}

/// Whether a server died of a signal, or of a bug that it reports itself.
pub(crate) fn ended_in_a_crash(status: ExitStatus, log: &str) -> bool {
    status.signal().is_some() || log.contains("BUG REPORT START")
}

/// Writes `log` as the only part of a data directory, the way that a server of this line lays it
/// out, and gives back the part's path below `data`.
pub(crate) fn lay_out(line: Server, data: &Path, log: &[u8]) -> PathBuf {
    if !line.reads_multi_part() {
        let part = PathBuf::from("appendonly.aof");
        fs::write(data.join(&part), log).expect("a log");
        return part;
    }
    let part = PathBuf::from("appendonlydir/appendonly.aof.1.incr.aof");
    fs::create_dir(data.join("appendonlydir")).expect("a directory");
    fs::write(data.join(&part), log).expect("a part");
    let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
    fs::write(data.join("appendonlydir/appendonly.aof.manifest"), manifest).expect("a manifest");
    part
}

/// What a server of this line does with a log of one part.
pub(crate) fn verdict_on(binary: &Binary, log: &[u8], config: &[(&str, &str)]) -> Verdict {
    let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
    lay_out(binary.line, data.path(), log);
    load_verdict_in_place(binary, data.path(), config)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Every file below a directory, and its size.
fn sizes(root: &Path) -> BTreeMap<PathBuf, u64> {
    fn walk(root: &Path, below: &Path, sizes: &mut BTreeMap<PathBuf, u64>) -> io::Result<()> {
        for entry in fs::read_dir(root.join(below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                walk(root, &path, sizes)?;
            } else if let Ok(meta) = entry.metadata() {
                // A file can go while it is looked at: a server removes history in the background.
                sizes.insert(path, meta.len());
            }
        }
        Ok(())
    }
    let mut sizes = BTreeMap::new();
    walk(root, Path::new(""), &mut sizes).expect("a readable directory");
    sizes
}

/// The logs that became shorter. One that was moved on the way, as Redis 7.0 moves the single file
/// of an older server into its directory, is recognised by its name.
fn shorter(before: &BTreeMap<PathBuf, u64>, after: &BTreeMap<PathBuf, u64>) -> Vec<(PathBuf, u64)> {
    let is_log = |path: &Path| path.extension().is_some_and(|ext| ext == "aof");
    (before.iter())
        .filter(|(path, _)| is_log(path))
        .filter_map(|(path, bytes_before)| {
            let (path, bytes) = after.get_key_value(path).or_else(|| {
                after.iter().find(|(moved, _)| moved.file_name() == path.file_name())
            })?;
            (bytes < bytes_before).then(|| (path.clone(), *bytes))
        })
        .collect()
}
