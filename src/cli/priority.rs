//! The CPU priority of this process beside a server.

use rustix::process::{Pid, getpriority_process, setpriority_process};

/// The nice value of this process while it gives way, as in nice(1).
const NICENESS: i32 = 10;

/// Lowers the CPU priority of this process, which would take the cores from a server that answers clients. Threads
/// started later inherit the nice value.
pub(super) fn give_way() {
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let number = task.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(thread) = number.and_then(Pid::from_raw)
            && getpriority_process(Some(thread)).is_ok_and(|nice| nice < NICENESS)
        {
            // The result is the same without it; only the server is slower.
            let _ = setpriority_process(Some(thread), NICENESS);
        }
    }
}
