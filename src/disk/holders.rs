//! Which processes have a file open for writing, from `/proc` where there is one.

use std::fs;
use std::path::Path;

/// A process that has a file open for writing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// The name of its program, as the system knows it.
    pub program: String,
}

/// The processes that have `path` open for writing; empty when there are none, when they belong to somebody else
/// and may not be looked at, or where the system has no `/proc`.
pub fn writers(path: &Path) -> Vec<Holder> {
    let Ok(wanted) = fs::canonicalize(path) else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut holders = Vec::new();
    for process in processes.flatten() {
        let pid = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        let Some(pid) = pid.filter(|&pid| pid != std::process::id()) else { continue };
        if has_open_for_writing(&process.path(), &wanted) {
            let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.push(Holder { pid, program: program.trim_end().to_string() });
        }
    }
    holders
}

/// The servers whose working directory is `directory`, which is what `dir` of their configuration does; within the same
/// limits as [`writers`]. A shell that somebody went there with does not count.
pub fn servers_in(directory: &Path) -> Vec<Holder> {
    let Ok(wanted) = fs::canonicalize(directory) else { return Vec::new() };
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let mut holders = Vec::new();
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let is_here = || fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == wanted);
        let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        let program = program.trim_end();
        if SERVERS.iter().any(|name| program.starts_with(name)) && is_here() {
            holders.push(Holder { pid, program: program.to_string() });
        }
    }
    holders
}

/// What the names of servers' programs begin with.
const SERVERS: [&str; 3] = ["redis-server", "valkey-server", "keydb-server"];

fn has_open_for_writing(process: &Path, wanted: &Path) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else { return false };
    descriptors.flatten().any(|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|target| target == wanted)
            && fs::read_to_string(process.join("fdinfo").join(descriptor.file_name()))
                .is_ok_and(|info| opened_for_writing(&info))
    })
}

/// The `flags:` line of fdinfo holds the flags of open(2) in octal; the lowest two bits are 0 for reading only.
fn opened_for_writing(fdinfo: &str) -> bool {
    let flags = fdinfo.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u64::from_str_radix(octal.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0b11 != 0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_appends_is_found_and_one_that_reads_is_not() {
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
}
