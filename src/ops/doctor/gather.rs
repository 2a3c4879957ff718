//! Gathers the facts: from a running server, from a data directory, from the system and from a backup directory.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::facts::{
    BackupFacts, DirectoryFacts, Facts, FileFacts, FileKind, Known, ServerFacts, Settings,
    SystemFacts, User,
};
use super::{DoctorOptions, Target};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::next_step::path_arg;
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::disk::free_bytes;
use crate::disk::names::leftover;
use crate::disk::open_writers::{Holder, servers_in};
use crate::disk::server_process::{Listening, ServerProcess, Supervisor};
use crate::input::files::PartName;
use crate::input::nearest::cannot_open;
use crate::live::client::Client;
use crate::live::endpoint::{Address, Endpoint};
use crate::live::info::Info;
use crate::live::running::clock_difference;
use crate::ops::list::{ListOptions, State, list};
use crate::rdb::Header;

/// Gathers all facts.
///
/// # Errors
///
/// When the server cannot be reached, or the directory cannot be read.
pub(super) fn gather(
    target: &Target,
    options: &DoctorOptions,
    progress: &dyn Progress,
) -> Result<Facts> {
    let now = SystemTime::now();
    let (server, directory, is_here) = match target {
        Target::Directory(path) => {
            let path = data_directory(path)?;
            let facts = read_directory(&path, &Names::default())
                .map_err(|error| Error::io("read", &path, error))?;
            (None, Ok(facts), true)
        }
        Target::Server { endpoint, directory } => {
            let (server, directory) = ask(endpoint, directory.as_deref())?;
            let is_here = directory.is_ok() || matches!(endpoint.address, Address::Unix(_));
            (Some(server), directory, is_here)
        }
    };
    let system = match is_here {
        true => Ok(read_system(Path::new("/"))),
        false => Err("the server can be on another machine: run aofkit doctor there, or give its data directory on this machine as DIR".to_owned()),
    };
    let port = match target {
        Target::Server {
            endpoint: Endpoint { address: Address::Tcp { port, .. }, .. }, ..
        } => Some(*port),
        _ => None,
    };
    let backups = match &options.backups {
        Some(path) => {
            read_backups(path, directory.as_ref().ok().map(|it| it.path.as_path()), port, progress)
        }
        None => Err("no backup directory was given: --backups DIR checks it".to_owned()),
    };
    Ok(Facts { server, directory, system, backups, now })
}

/// Returns the data directory that `path` is or is in: the parent of a file, and of the directory of a set.
fn data_directory(path: &Path) -> Result<PathBuf> {
    let metadata = fs::metadata(path).map_err(|error| cannot_open(path, error))?;
    let above = |path: &Path| match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above.to_path_buf(),
        _ => PathBuf::from("."),
    };
    let directory = if metadata.is_dir() { path.to_path_buf() } else { above(path) };
    if has_manifest(&directory) {
        // `..` of a path that ends in `.` or is a link is resolved by the system.
        let whole = fs::canonicalize(&directory).map_err(|error| Error::io("open", path, error))?;
        return Ok(above(&whole));
    }
    Ok(directory)
}

fn has_manifest(directory: &Path) -> bool {
    let names = fs::read_dir(directory).into_iter().flatten().flatten();
    names.into_iter().any(|entry| {
        let name = entry.file_name();
        name.as_bytes().ends_with(b".manifest")
            && !name.as_bytes().starts_with(b"temp-")
            && leftover(&name).is_none()
    })
}

/// The names of the log, of the directory of its set and of the snapshot, if the server reports them. Otherwise they are known
/// by their extensions, and every directory with a manifest counts.
#[derive(Default)]
struct Names {
    log: Option<Vec<u8>>,
    set: Option<Vec<u8>>,
    snapshot: Option<Vec<u8>>,
}

impl Names {
    /// Returns whether a directory of this name can be that of the set.
    fn is_set(&self, name: &OsStr) -> bool {
        self.set.as_deref().is_none_or(|set| set == name.as_bytes())
    }
}

/// Reads the files of a data directory, and those in the directories of sets below it.
fn read_directory(path: &Path, names: &Names) -> std::io::Result<DirectoryFacts> {
    let metadata = fs::metadata(path)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // A file that was removed since it was listed, or a dangling link.
        let Ok(metadata) = fs::metadata(entry.path()) else { continue };
        if leftover(&entry.file_name()).is_some() {
            continue;
        }
        if metadata.is_file() {
            files.extend(file_facts(entry.path(), &metadata, names));
        } else if metadata.is_dir()
            && names.is_set(&entry.file_name())
            && has_manifest(&entry.path())
        {
            for inner in fs::read_dir(entry.path())?.flatten() {
                let of_file = fs::metadata(inner.path()).ok().filter(Metadata::is_file);
                files.extend(
                    of_file.and_then(|metadata| file_facts(inner.path(), &metadata, names)),
                );
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let used_by = servers_in(path).into_iter().next();
    Ok(DirectoryFacts {
        path: path.to_path_buf(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        last_annotation: last_annotation(&files),
        files,
        free_bytes: free_bytes(path).map_err(|error| error.to_string()),
        used_by: used_by.as_ref().map(user),
    })
}

fn file_facts(path: PathBuf, metadata: &Metadata, names: &Names) -> Option<FileFacts> {
    let kind = kind_of(&path, names)?;
    Some(FileFacts {
        kind,
        bytes: metadata.len(),
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        modified: metadata.modified().ok()?,
        newer_rdb: newer_rdb(&path),
        path,
    })
}

fn user(holder: &Holder) -> User {
    let process = ServerProcess::of(holder);
    let options = match process.address.filter(|_| !process.own_network) {
        Some(Listening::Tcp { host, port }) => {
            let host = host.map(|host| ["-h".to_owned(), host.to_string()]);
            Some(host.into_iter().flatten().chain(["-p".to_owned(), port.to_string()]).collect())
        }
        Some(Listening::Socket(path)) => Some(vec!["-s".to_owned(), path_arg(&path)]),
        None => None,
    };
    User { process: format!("{} of process {}", holder.program, holder.pid), options }
}

/// Returns the kind of a file by its name, else by its first bytes; `None` for one that is no data.
fn kind_of(path: &Path, names: &Names) -> Option<FileKind> {
    let name = path.file_name()?;
    let bytes = name.as_bytes();
    let ends = |endings: &[&str]| endings.iter().any(|ending| bytes.ends_with(ending.as_bytes()));
    if bytes.starts_with(b"temp-") && ends(&[".rdb", ".aof", ".manifest"]) {
        Some(FileKind::Temporary)
    } else if ends(&[".manifest"]) || PartName::parse(name).is_some() {
        Some(FileKind::Part)
    } else if names.log.as_deref() == Some(bytes) || ends(&[".aof"]) {
        Some(FileKind::Log)
    } else if names.snapshot.as_deref() == Some(bytes) || ends(&[".rdb"]) {
        Some(FileKind::Snapshot)
    } else {
        kind_by_content(path)
    }
}

/// Returns the kind of a file by its first bytes: Redis 5.0 does not report the name of its log.
fn kind_by_content(path: &Path) -> Option<FileKind> {
    let bytes = first_bytes(path)?;
    let is_command = bytes.starts_with(b"*") && bytes.get(1).is_some_and(u8::is_ascii_digit);
    let is_rdb = bytes.starts_with(b"REDIS0") || bytes.starts_with(b"VALKEY");
    is_command.then_some(FileKind::Log).or(is_rdb.then_some(FileKind::Snapshot))
}

fn first_bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(16).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns the header of an RDB of a version that is unknown here.
fn newer_rdb(path: &Path) -> Option<Header> {
    Header::read_newer(&first_bytes(path)?)
}

/// The number of bytes at the end of a log in which its last annotation is searched.
const TAIL: u64 = 64 << 10;

/// Returns the last time in the file of the log that was written last.
fn last_annotation(files: &[FileFacts]) -> Option<i64> {
    let is_log = |file: &&FileFacts| {
        matches!(file.kind, FileKind::Log | FileKind::Part)
            && file.path.extension().is_some_and(|it| it == "aof")
    };
    let last = files.iter().filter(is_log).max_by_key(|file| file.modified)?;
    let mut file = File::open(&last.path).ok()?;
    file.seek(SeekFrom::Start(last.bytes.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    let at = memchr::memmem::rfind(&tail, b"\n#TS:").map(|at| at + 1);
    let at = at.or_else(|| tail.starts_with(b"#TS:").then_some(0))?;
    let line = tail.get(at + 4..)?.split(|byte| *byte == b'\r').next()?;
    std::str::from_utf8(line).ok()?.parse().ok()
}

/// Reads the settings of the kernel below `root`.
fn read_system(root: &Path) -> SystemFacts {
    let read = |name: &str| {
        let path = root.join(name);
        fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error).to_string())
    };
    let overcommit = read("proc/sys/vm/overcommit_memory").and_then(|text| {
        text.trim().parse().map_err(|_| "vm.overcommit_memory is not a number".to_owned())
    });
    // The mode in use is the one in brackets: `always [madvise] never`.
    let huge_pages = read("sys/kernel/mm/transparent_hugepage/enabled").and_then(|text| {
        let mode = text.split_once('[').and_then(|(_, rest)| Some(rest.split_once(']')?.0));
        mode.map(str::to_owned)
            .ok_or_else(|| "the mode of transparent huge pages is unknown".to_owned())
    });
    SystemFacts { overcommit, huge_pages }
}

/// Finds the newest backup of the data directory or of the server at `port`.
fn read_backups(
    path: &Path,
    data: Option<&Path>,
    port: Option<u16>,
    progress: &dyn Progress,
) -> Known<BackupFacts> {
    if path.as_os_str().as_bytes().windows(3).any(|bytes| bytes == b"://") {
        return Err("the backups at a URL are not checked".to_owned());
    }
    let mut facts =
        BackupFacts { path: path.to_path_buf(), newest: None, is_damaged: false, others: 0 };
    let listed = match list(path, ListOptions::default(), progress) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(facts),
        Err(error) => return Err(error.to_string()),
    };
    let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let data = data.map(whole);
    for archive in &listed.archives {
        let Some(made) = archive.made.as_ref().filter(|made| made.backup) else { continue };
        let of_port = port.is_some() && made.source.port == port;
        let of_path = made.source.path.as_deref().map(whole).zip(data.as_ref());
        if !of_port && !of_path.is_some_and(|(path, data)| path.starts_with(data)) {
            facts.others += 1;
            continue;
        }
        let created = SystemTime::from(made.created);
        if facts.newest.is_none_or(|newest| created > newest) {
            facts.newest = Some(created);
            facts.is_damaged = archive.state == State::Damaged;
        }
    }
    Ok(facts)
}

/// Asks a running server, and reads its data directory if that is on this machine.
fn ask(
    endpoint: &Endpoint,
    directory: Option<&Path>,
) -> Result<(ServerFacts, Known<DirectoryFacts>)> {
    let mut client = Client::new(endpoint);
    let info = match client.info("server") {
        Ok(info) => info,
        // The server answers, and refuses only this command.
        Err(error) if error.kind() == ErrorKind::Refused || error.message().contains("NOPERM") => {
            Info::default()
        }
        Err(error) => return Err(error),
    };
    let program = match info.text("valkey_version") {
        Some(_) => "valkey-cli",
        None => "redis-cli",
    };
    let dir = client.setting_bytes("dir").map_err(|error| reason(&error));
    let place = locate(directory, dir);
    let process = place.as_ref().ok().and_then(|place| servers_in(place).into_iter().next());
    let mut name = |setting: &str| client.setting_bytes(setting).ok().flatten();
    let names = Names {
        log: name("appendfilename"),
        set: name("appenddirname"),
        snapshot: name("dbfilename"),
    };
    let read = |place: PathBuf| {
        read_directory(&place, &names).map_err(|error| Error::io("read", &place, error).to_string())
    };
    let keys =
        client.info("keyspace").map(|info| count_keys(&info)).map_err(|error| reason(&error));
    let clock_ms = clock_difference(&mut client)
        .ok_or_else(|| "the server does not report its time".to_owned());
    let facts = ServerFacts {
        client: [program.to_owned()].into_iter().chain(endpoint.client_args()).collect(),
        line: line_of(&info),
        persistence: client.info("persistence").map_err(|error| reason(&error)),
        replication: client.info("replication").map_err(|error| reason(&error)),
        keys,
        settings: ask_settings(&mut client),
        reports_log: names.log.is_some(),
        clock_ms,
        supervisor: process
            .as_ref()
            .and_then(|it| ServerProcess::of(it).supervisor)
            .map(|it| described(&it)),
        uid: process
            .and_then(|it| fs::metadata(format!("/proc/{}", it.pid)).ok())
            .map(|it| it.uid()),
        info,
    };
    Ok((facts, place.and_then(read)))
}

/// Returns the data directory on this machine, if a server there uses it or it was given.
fn locate(given: Option<&Path>, reported: Known<Option<Vec<u8>>>) -> Known<PathBuf> {
    if let Some(given) = given {
        return data_directory(given).map_err(|error| error.to_string());
    }
    let Some(path) = reported? else { return Err("the server has no setting dir".to_owned()) };
    let path = PathBuf::from(OsString::from_vec(path));
    if path.is_absolute() && !servers_in(&path).is_empty() {
        return Ok(path);
    }
    Err(format!(
        "no process that uses the data directory {} is visible on this machine: give the directory as DIR, or run as root",
        ShownPath(&path)
    ))
}

fn ask_settings(client: &mut Client) -> Settings {
    let mut ask = |name: &str| client.setting(name).map_err(|error| reason(&error));
    Settings {
        appendonly: ask("appendonly"),
        save: ask("save"),
        rewrite_percentage: ask("auto-aof-rewrite-percentage"),
        load_truncated: ask("aof-load-truncated"),
        disable_thp: ask("disable-thp"),
    }
}

fn line_of(info: &Info) -> Option<Server> {
    let (product, version) = match info.text("valkey_version") {
        Some(version) => ("valkey", version),
        None => ("redis", info.text("redis_version")?),
    };
    format!("{product}-{version}").parse().ok()
}

/// Returns the number of keys in the section `keyspace`: `db0:keys=1,expires=0,avg_ttl=0`.
fn count_keys(info: &Info) -> u64 {
    let keys = |db: u32| {
        let value = info.text(&format!("db{db}"))?.strip_prefix("keys=")?;
        value.split(',').next()?.parse::<u64>().ok()
    };
    info.databases().into_iter().filter_map(keys).fold(0, u64::saturating_add)
}

fn described(supervisor: &Supervisor) -> String {
    match supervisor {
        Supervisor::Systemd { unit, .. } => format!("systemd ({unit})"),
        Supervisor::Container { program, id } => format!("{program} (container {id})"),
        Supervisor::Pod { workload, .. } => format!("Kubernetes ({workload})"),
    }
}

/// Returns why a server did not answer a question.
fn reason(error: &Error) -> String {
    error.message().to_owned()
}
