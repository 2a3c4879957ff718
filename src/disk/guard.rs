//! Shrinking of a mapped file: an error instead of a bus error.
//!
//! Accessing a page of a mapping that is completely after the end of its file raises SIGBUS, and so
//! does a page that the disk cannot deliver. By default that kills the process without a message.
//! This handler checks whether the faulting address is in a registered mapping; if so, it maps zero
//! pages over the rest of that mapping and marks it as broken, and the reader continues (with
//! zeros) until it checks [`Registration::broken`]. A fault anywhere else is passed to the previous
//! handler of SIGBUS.
//!
//! Covered: truncation of the file by another process at any time, on any thread, and read errors
//! of the medium. Not covered: bytes overwritten in place (no server does that to an AOF), and a
//! program that installs its own SIGBUS handler after this one and does not call it.
//!
//! The handlers of a process belong to its owner, so that nothing is installed until
//! [`install_sigbus_guard`] is called.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// One registered address range. Nodes are never freed, only reused, because the handler may access
/// them at any time.
struct Node {
    start: AtomicUsize,
    end: AtomicUsize,
    broken: AtomicBool,
    used: AtomicBool,
    next: AtomicPtr<Node>,
}

static HEAD: AtomicPtr<Node> = AtomicPtr::new(ptr::null_mut());
static REGISTER: Mutex<()> = Mutex::new(());
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
static PAGE_BYTES: AtomicUsize = AtomicUsize::new(4096);

/// A registration: while it exists, faults in its range are handled and recorded, if the handler is
/// installed.
pub(super) struct Registration {
    node: &'static Node,
}

impl Registration {
    /// Registers the mapping of `len` bytes at `start`, which must be page-aligned and stay mapped
    /// for the lifetime of the registration.
    pub(super) fn new(start: *const u8, len: usize) -> Self {
        let _registering = REGISTER.lock().unwrap_or_else(PoisonError::into_inner);
        let node = free_node().unwrap_or_else(push_node);
        node.broken.store(false, Ordering::Relaxed);
        node.used.store(true, Ordering::Relaxed);
        // The handler reads `start` after `end`, so it only ever sees a complete range.
        node.end.store(start as usize + len, Ordering::SeqCst);
        node.start.store(start as usize, Ordering::SeqCst);
        Registration { node }
    }

    /// Returns whether a page of the range could not be read since the registration began.
    pub(super) fn broken(&self) -> bool {
        self.node.broken.load(Ordering::SeqCst)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let _registering = REGISTER.lock().unwrap_or_else(PoisonError::into_inner);
        self.node.start.store(0, Ordering::SeqCst);
        self.node.end.store(0, Ordering::SeqCst);
        self.node.used.store(false, Ordering::SeqCst);
    }
}

fn free_node() -> Option<&'static Node> {
    nodes().find(|node| !node.used.load(Ordering::Relaxed))
}

fn push_node() -> &'static Node {
    let node: &'static mut Node = Box::leak(Box::new(Node {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
        used: AtomicBool::new(false),
        next: AtomicPtr::new(HEAD.load(Ordering::SeqCst)),
    }));
    HEAD.store(node, Ordering::SeqCst);
    node
}

fn nodes() -> impl Iterator<Item = &'static Node> {
    let mut at = HEAD.load(Ordering::SeqCst);
    std::iter::from_fn(move || {
        // SAFETY: every non-null pointer in the list came from `Box::leak` and is never freed.
        let node: &'static Node = unsafe { at.as_ref()? };
        at = node.next.load(Ordering::SeqCst);
        Some(node)
    })
}

/// Makes a write beyond the largest allowed file size (`ulimit -f`) fail, as one to a full disk does, where by default the
/// system ends the process, and unfinished output stays.
pub fn fail_beyond_size_limit() {
    // SAFETY: to ignore a signal has no preconditions.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Installs a handler of SIGBUS for the whole process, once, however often it is called.
///
/// Logs are read through memory mappings. If another process truncates a log meanwhile, or the disk
/// cannot deliver a page, the system sends SIGBUS, which ends the process without a message. With
/// this handler the operation returns an error instead. A SIGBUS that does not concern a log is
/// passed to the handler that was installed before.
///
/// A program that reads logs which others may truncate should call this at its start. Without it,
/// everything else works the same.
pub fn install_sigbus_guard() {
    PREVIOUS.get_or_init(|| {
        // SAFETY: sysconf has no preconditions.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        if let Ok(page) = usize::try_from(page) {
            PAGE_BYTES.store(page, Ordering::SeqCst);
        }
        // SAFETY: both structs are plain data for which all zeros is a valid value; `handle` has
        // the signature that SA_SIGINFO requires, and only performs async-signal-safe operations
        // (see there).
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let mut previous: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                handle;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &raw const action, &raw mut previous);
            previous
        }
    });
}

/// The handler. It only accesses atomics and makes system calls: no locks, no allocation.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to a handler installed with SA_SIGINFO.
    let address = unsafe { (*info).si_addr() } as usize;
    for node in nodes() {
        let start = node.start.load(Ordering::SeqCst);
        let end = node.end.load(Ordering::SeqCst);
        if start != 0 && (start..end).contains(&address) {
            let page = PAGE_BYTES.load(Ordering::SeqCst);
            let from = address & !(page - 1);
            let len = end.next_multiple_of(page) - from;
            // SAFETY: the range from the faulting page to the end of this mapping belongs to a
            // mapping whose owner keeps it mapped while it is registered, so MAP_FIXED replaces
            // pages of that mapping only. Readers see zeros from here on, which `u8` allows.
            let laid = unsafe {
                libc::mmap(
                    from as *mut libc::c_void,
                    len,
                    libc::PROT_READ,
                    libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            if laid != libc::MAP_FAILED {
                node.broken.store(true, Ordering::SeqCst);
                return;
            }
        }
    }
    // Not in a registered range: restore the previous handler and let the access fault again.
    if let Some(previous) = PREVIOUS.get() {
        // SAFETY: `previous` is the action that the system returned for this signal.
        unsafe { libc::sigaction(signal, previous, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, ExitStatus};

    use super::install_sigbus_guard;
    use crate::base::error::ErrorKind;
    use crate::disk::Mapping;

    /// Set in a process that a test starts to run itself again, because a signal ends the process.
    const IS_CHILD: &str = "AOFKIT_TEST_SIGBUS_CHILD";

    /// Runs the test `name` again in a process of its own.
    fn run_in_child(name: &str) -> ExitStatus {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", &format!("disk::guard::tests::{name}")]).env(IS_CHILD, "1");
        child.output().unwrap().status
    }

    fn is_child() -> bool {
        env::var_os(IS_CHILD).is_some()
    }

    fn read_truncated_mapping() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![b'x'; 1 << 20]).unwrap();
        let mapping = Mapping::open(file.path()).unwrap();
        assert!(mapping.bytes().iter().all(|&byte| byte == b'x'));
        file.as_file().set_len(10).unwrap();
        // Not after the signal, which runs no destructors.
        std::fs::remove_file(file.path()).unwrap();
        // Only the first page is still in the file.
        assert_eq!(mapping.bytes().iter().filter(|&&byte| byte == b'x').count(), 10);
        assert_eq!(mapping.check().unwrap_err().kind(), ErrorKind::Changed);
    }

    #[test]
    fn truncation_is_an_error_with_the_guard() {
        if is_child() {
            install_sigbus_guard();
            return read_truncated_mapping();
        }
        assert!(run_in_child("truncation_is_an_error_with_the_guard").success());
    }

    #[test]
    fn no_handler_is_installed_without_a_request() {
        if is_child() {
            return read_truncated_mapping();
        }
        let ended = run_in_child("no_handler_is_installed_without_a_request");
        assert_eq!(ended.signal(), Some(libc::SIGBUS));
    }
}
