//! Which processes use a file or a directory, from `/proc` where there is one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::error::{Error, ErrorKind, Result};

/// A process that has a file open for writing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Holder {
    /// The process id.
    pub pid: u32,
    /// The name of its program, as the system reports it.
    pub program: String,
}

/// The directory in which the system describes its processes.
pub(super) const PROC: &str = "/proc";

/// The processes that have `path` open for writing; empty when there are none, when they belong to somebody else
/// and may not be looked at, or where the system has no `/proc`.
///
/// Files are known by their device and inode, so that a process in a container is found, which has them under another
/// path. A second name in another directory is not `path`: who writes to a log does not use the hard links of its backups.
pub fn writers(path: &Path) -> Vec<Holder> {
    writers_in(Path::new(PROC), path)
}

/// Returns the servers whose working directory is `directory`, which is the effect of `dir` in
/// their configuration; with the same limitations as [`writers`]. A shell with this working
/// directory does not count.
pub fn servers_in(directory: &Path) -> Vec<Holder> {
    working_in(Path::new(PROC), directory)
}

fn writers_in(proc: &Path, path: &Path) -> Vec<Holder> {
    let Some(wanted) = Wanted::at(path) else { return Vec::new() };
    let others = processes(proc).filter(|(pid, _)| *pid != std::process::id());
    let writing = others.filter(|(_, process)| has_open_for_writing(process, &wanted));
    writing.map(|(pid, process)| Holder { pid, program: program(&process) }).collect()
}

fn working_in(proc: &Path, directory: &Path) -> Vec<Holder> {
    let Some(wanted) = Identity::at(directory) else { return Vec::new() };
    let servers = processes(proc).filter_map(|(pid, process)| {
        is_server(&process).then(|| (Holder { pid, program: program(&process) }, process))
    });
    let here = servers.filter(|(_, process)| {
        Identity::at(&process.join("cwd")).is_some_and(|cwd| cwd.is_same(&wanted))
    });
    here.map(|(holder, _)| holder).collect()
}

/// Returns the servers that are running and visible, each with its working directory as it is reached from here.
pub fn server_directories() -> Vec<(Holder, PathBuf)> {
    directories_in(Path::new(PROC))
}

fn directories_in(proc: &Path) -> Vec<(Holder, PathBuf)> {
    let servers = processes(proc).filter(|(_, process)| is_server(process));
    let directory = |(pid, process): (u32, PathBuf)| {
        let link = process.join("cwd");
        let path = fs::read_link(&link).ok()?;
        // A process in another mount namespace has another directory of that name.
        let is_here = Identity::at(&path)
            .zip(Identity::at(&link))
            .is_some_and(|(named, used)| named.is_same(&used));
        let holder = Holder { pid, program: program(&process) };
        Some((holder, if is_here { path } else { link }))
    };
    servers.filter_map(directory).collect()
}

/// The prefixes of the names of server programs.
const SERVERS: [&str; 3] = ["redis-server", "valkey-server", "keydb-server"];

/// Whether the program of a process is a server. Everybody may read its name.
pub(super) fn is_server(process: &Path) -> bool {
    let program = program(process);
    SERVERS.iter().any(|name| program.starts_with(name))
}

/// The numbers of all processes, and the directory that describes each.
pub(super) fn processes(proc: &Path) -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

fn program(process: &Path) -> String {
    let program = fs::read_to_string(process.join("comm")).unwrap_or_default();
    program.trim_end().to_owned()
}

/// A file or directory, whatever it is called and from wherever it is seen.
#[derive(Debug, Clone, Copy)]
struct Identity {
    device: (u32, u32),
    inode: u64,
    names: u64,
}

impl Identity {
    /// What is at `path`, links followed; those in `/proc` lead into other mount namespaces.
    #[cfg(target_os = "linux")]
    fn at(path: &Path) -> Option<Identity> {
        use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
        // A server of a network file system that is gone is not asked, which would take for ever.
        let flags = AtFlags::STATX_DONT_SYNC;
        let found = statx(CWD, path, flags, StatxFlags::INO | StatxFlags::NLINK).ok()?;
        let device = (found.stx_dev_major, found.stx_dev_minor);
        Some(Identity { device, inode: found.stx_ino, names: u64::from(found.stx_nlink) })
    }

    #[cfg(not(target_os = "linux"))]
    fn at(_: &Path) -> Option<Identity> {
        None
    }

    fn is_same(&self, other: &Identity) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// A file that may be open somewhere.
struct Wanted {
    file: Identity,
    /// The directory that it is in.
    directory: Option<Identity>,
}

impl Wanted {
    fn at(path: &Path) -> Option<Wanted> {
        let path = fs::canonicalize(path).ok()?;
        Some(Wanted { file: Identity::at(&path)?, directory: path.parent().and_then(Identity::at) })
    }

    /// Whether it is this that `descriptor` of `process` has open, and not another name of it in another directory.
    fn is_open_as(&self, process: &Path, descriptor: &Path) -> bool {
        if !Identity::at(descriptor).is_some_and(|open| open.is_same(&self.file)) {
            return false;
        }
        let (Some(wanted), false) = (self.directory, self.file.names == 1) else { return true };
        // The path is one as the process sees it, or, where it has no root of its own, as everybody does.
        let Ok(path) = fs::read_link(descriptor) else { return true };
        let Some(directory) = path.parent() else { return true };
        let below_root = directory.strip_prefix("/").unwrap_or(directory);
        let seen = Identity::at(&process.join("root").join(below_root));
        let is_wanted = |found: Option<Identity>| found.is_some_and(|found| found.is_same(&wanted));
        seen.is_none() || is_wanted(seen) || is_wanted(Identity::at(directory))
    }
}

fn has_open_for_writing(process: &Path, wanted: &Wanted) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        fs::read_to_string(process.join("fdinfo").join(descriptor.file_name()))
            .is_ok_and(|info| opened_for_writing(&info))
            && wanted.is_open_as(process, &descriptor.path())
    })
}

/// The `flags:` line of fdinfo contains the flags of open(2) in octal; the lowest two bits are 0
/// for reading only.
fn opened_for_writing(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u64::from_str_radix(octal.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0b11 != 0)
}

/// Refuses to replace what is at `place`, or to write beside it, while a server uses it: a process has a log in it open
/// for writing, or a server works in that directory, or, of the directory of a set, in the one above.
///
/// # Errors
///
/// [`ErrorKind::Refused`].
pub fn refuse_in_use(place: &Path) -> Result<()> {
    let holder = match place.is_dir() {
        true => user_of_directory(place),
        false => writers(place).into_iter().next(),
    };
    match holder {
        None => Ok(()),
        Some(holder) => {
            let what = if place.is_dir() { "directory" } else { "file" };
            Err(Error::new(
                ErrorKind::Refused,
                format!("process {} ({}) uses this {what}", holder.pid, holder.program),
            )
            .at(place)
            .help("stop that server first (SHUTDOWN NOSAVE leaves its files as they are), or write to a new place"))
        }
    }
}

/// The logs at `place`: the file, or those in the directory and in the directories in it.
pub(super) fn logs_of(place: &Path) -> Vec<PathBuf> {
    if !place.is_dir() {
        return vec![place.to_path_buf()];
    }
    let (below, mut logs) = entries(place);
    logs.extend(below.iter().flat_map(|directory| entries(directory).1));
    logs
}

fn user_of_directory(place: &Path) -> Option<Holder> {
    let place = fs::canonicalize(place).unwrap_or_else(|_| place.to_path_buf());
    let logs = logs_of(&place);
    let is_set =
        logs.iter().any(|path| path.parent() == Some(&place) && has_ending(path, &[".manifest"]));
    let mut data_directories = vec![place.as_path()];
    data_directories.extend(place.parent().filter(|_| is_set));
    let server =
        data_directories.into_iter().find_map(|place| servers_in(place).into_iter().next());
    server.or_else(|| logs.iter().find_map(|log| writers(log).into_iter().next()))
}

/// The directories and the files of logs in a directory.
fn entries(directory: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let paths = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let (directories, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
    let is_log = |path: &PathBuf| has_ending(path, &[".aof", ".rdb", ".manifest"]);
    (directories, files.into_iter().filter(is_log).collect())
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    endings.iter().any(|ending| name.ends_with(ending))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn appending_processes_are_found_and_reading_ones_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("appendonly.aof");
        fs::write(&log, b"").unwrap();
        let start = |redirect: &str| {
            let script = format!("exec 3{redirect}\"$0\"; echo ready; exec sleep 60");
            let mut child = Command::new("sh")
                .args(["-c", &script])
                .arg(&log)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut ready = [0; 6];
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
            child
        };
        let mut reader = start("<");
        assert_eq!(writers(&log), []);
        let mut writer = start(">>");
        let found = writers(&log);
        for child in [&mut reader, &mut writer] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [writer.id()]);
    }

    /// What `/proc` says of a server in another mount namespace: its working directory and the file that it appends to
    /// are those of `data`, and it has other paths for them.
    fn proc_of_a_container(proc: &Path, data: &Path, alias: &Path) {
        let process = proc.join("4242");
        for directory in ["fd", "fdinfo"] {
            fs::create_dir_all(process.join(directory)).expect("it is made");
        }
        fs::write(process.join("comm"), "redis-server\n").expect("it is made");
        symlink(data, alias).expect("it is made");
        symlink("/", process.join("root")).expect("it is made");
        symlink(alias, process.join("cwd")).expect("it is made");
        symlink(alias.join("a.aof"), process.join("fd/7")).expect("it is made");
        fs::write(process.join("fdinfo/7"), "pos:\t0\nflags:\t0102001\n").expect("it is made");
    }

    #[test]
    fn a_server_is_found_by_inode_whatever_its_path_is() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for directory in ["data", "other"] {
            fs::create_dir(path(directory)).unwrap();
            fs::write(path(directory).join("a.aof"), b"").unwrap();
        }
        proc_of_a_container(&path("proc"), &path("data"), &path("alias"));
        let holder = vec![Holder { pid: 4242, program: "redis-server".into() }];
        assert_eq!(working_in(&path("proc"), &path("data")), holder);
        assert_eq!(directories_in(&path("proc")), [(holder[0].clone(), path("alias"))]);
        assert_eq!(writers_in(&path("proc"), &path("data/a.aof")), holder);
        assert_eq!(working_in(&path("proc"), &path("other")), []);
        assert_eq!(writers_in(&path("proc"), &path("other/a.aof")), []);
        // A second name is another place, except in the same directory.
        fs::hard_link(path("data/a.aof"), path("other/link.aof")).unwrap();
        fs::hard_link(path("data/a.aof"), path("data/link.aof")).unwrap();
        assert_eq!(writers_in(&path("proc"), &path("other/link.aof")), []);
        assert_eq!(writers_in(&path("proc"), &path("data/link.aof")), holder);
        assert_eq!(writers_in(&path("proc"), &path("data/a.aof")), holder);
    }

    #[test]
    fn a_hard_link_elsewhere_is_not_what_a_process_writes_to() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::create_dir(path("backup")).unwrap();
        fs::write(path("a.aof"), b"").unwrap();
        fs::hard_link(path("a.aof"), path("backup/a.aof")).unwrap();
        fs::hard_link(path("a.aof"), path("b.aof")).unwrap();
        let mut writer = Command::new("sh")
            .args(["-c", "exec 3>>\"$0\"; echo ready; exec sleep 60"])
            .arg(path("a.aof"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        std::io::Read::read_exact(writer.stdout.as_mut().unwrap(), &mut ready).unwrap();
        let found = ["a.aof", "b.aof", "backup/a.aof"].map(|name| writers(&path(name)).len());
        let refused = refuse_in_use(place.path());
        let other = refuse_in_use(&path("backup"));
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert_eq!(found, [1, 1, 0]);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused);
        other.unwrap();
    }
}
