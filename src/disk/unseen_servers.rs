//! Servers that cannot be seen from here, although they may use a directory: those of other users, of other containers and
//! of other machines. Whether one does is judged by the age of the files.

use std::fs;
use std::io::ErrorKind as IoErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::names::leftover;
use super::open_writers::{PROC, is_server, logs_of, processes, refuse_in_use};
use crate::base::error::{Error, ErrorKind, Result};

/// The age from which a file that a server could be writing is taken for one that none is.
const IDLE: Duration = Duration::from_secs(300);

/// Returns whether a server may be running here that [`servers_in`](super::open_writers::servers_in) does not find: it
/// belongs to another user, or the system has no `/proc`.
pub fn may_be_hidden() -> bool {
    !Path::new(PROC).join("self").exists() || hidden_server(Path::new(PROC)).is_some()
}

/// Refuses to replace what is at `place` while a server uses it, as [`refuse_in_use`] does; and, unless the caller knows
/// that no server does (`offline`), where servers can be invisible and a file at `place` was written a short time ago.
///
/// # Errors
///
/// [`ErrorKind::Refused`].
pub fn refuse_unless_idle(place: &Path, offline: bool) -> Result<()> {
    refuse_in_use(place)?;
    if offline {
        return Ok(());
    }
    let Some(why) = why_unseen(place) else { return Ok(()) };
    let Some((path, age)) = youngest(logs_of(place)) else { return Ok(()) };
    if age >= IDLE {
        return Ok(());
    }
    let what = format!(
        "a server may be using it: it was written {} seconds ago, and {why}",
        age.as_secs()
    );
    Err(Error::new(ErrorKind::Refused, what)
        .at(path)
        .help("stop the server that uses it; if none does, --offline says so"))
}

/// Why a server that uses `place` may be invisible; `None` if every server is visible.
fn why_unseen(place: &Path) -> Option<String> {
    if !Path::new(PROC).join("self").exists() {
        return Some("this system does not show which processes run".to_owned());
    }
    if let Some(pid) = hidden_server(Path::new(PROC)) {
        return Some(format!("the server of process {pid} belongs to another user"));
    }
    if is_in_a_container() && !is_on_the_root_file_system(place) {
        return Some("processes outside of this container are not visible".to_owned());
    }
    is_on_a_network(place).then(|| "servers on other machines are not visible".to_owned())
}

/// A server whose working directory may not be read.
fn hidden_server(proc: &Path) -> Option<u32> {
    let is_hidden = |(_, process): &(u32, PathBuf)| {
        // A process that has ended has no directory either.
        let cwd = fs::read_link(process.join("cwd"));
        is_server(process) && cwd.is_err_and(|e| e.kind() == IoErrorKind::PermissionDenied)
    };
    processes(proc).find(is_hidden).map(|(pid, _)| pid)
}

/// The inode of the first namespace of processes (`PROC_PID_INIT_INO` of Linux), from which all processes are visible.
const ALL_PROCESSES: &str = "pid:[4026531836]";

fn is_in_a_container() -> bool {
    let namespace = fs::read_link(Path::new(PROC).join("self/ns/pid"));
    namespace.is_ok_and(|namespace| namespace != Path::new(ALL_PROCESSES))
}

/// What containers share is a file system, or a part of one, that is mounted in each.
fn is_on_the_root_file_system(place: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    device(place).is_some_and(|place| Some(place) == device(Path::new("/")))
}

/// The types of file systems that several machines can mount (`statfs(2)`, and magic.h of Linux): NFS, SMB, SMB2, CIFS,
/// Ceph, AFS, OCFS2, GFS2, Lustre and BeeGFS.
#[cfg(target_os = "linux")]
const OF_NETWORKS: [i128; 10] = [
    0x6969,
    0x517b,
    0xfe53_4d42,
    0xff53_4d42,
    0x00c3_6400,
    0x5346_414f,
    0x7461_636f,
    0x0116_1970,
    0x0bd0_0bd0,
    0x1983_0326,
];

#[cfg(target_os = "linux")]
fn is_on_a_network(place: &Path) -> bool {
    // The type is a number of 32 bits in a field of another width and sign on each architecture.
    rustix::fs::statfs(place)
        .is_ok_and(|found| OF_NETWORKS.contains(&(i128::from(found.f_type) & 0xffff_ffff)))
}

#[cfg(not(target_os = "linux"))]
fn is_on_a_network(_: &Path) -> bool {
    false
}

/// The file that was modified last, and the time since then; a time in the future is now.
fn youngest(files: Vec<PathBuf>) -> Option<(PathBuf, Duration)> {
    let now = SystemTime::now();
    let in_use = files.into_iter().filter(|path| !is_left_over(path));
    let aged = in_use.filter_map(|path| {
        let modified = fs::metadata(&path).ok()?.modified().ok()?;
        Some((path, now.duration_since(modified).unwrap_or_default()))
    });
    aged.min_by_key(|(_, age)| *age)
}

/// Whether it is something that aofkit kept, or in such a directory: no server writes there.
fn is_left_over(path: &Path) -> bool {
    let above = path.parent().and_then(Path::file_name);
    path.file_name().into_iter().chain(above).any(|name| leftover(name).is_some())
}
