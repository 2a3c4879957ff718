//! An allocation that fails: an error instead of a core dump.
//!
//! Where the system gives no more memory, which a limit can cause (`ulimit -v`, a container without overcommit), the
//! standard library prints the size and calls `abort`. What was being written stays under its temporary name, as after
//! `kill -9`, and the next command removes it. This handler says what to do about it, and ends the process with the exit
//! code of an error. SIGABRT that another process sends ends the process as without the handler.

use std::ptr;
use std::sync::Once;

/// The text after the line of the standard library, which has the number of bytes.
const MESSAGE: &[u8] = b"error: the system gives this process no more memory\n  \
    help: raise the limit (ulimit -v, or that of the container), or use less: a smaller --memory, and -j 1\n";

/// The exit code of a failed operation.
const FAILED: libc::c_int = 2;

/// Installs a handler of SIGABRT for the whole process, once, however often it is called.
pub fn report_failed_allocations() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the struct is plain data for which all zeros is a valid value; `handle` has the signature that
        // SA_SIGINFO requires, and only performs async-signal-safe operations (see there). SA_RESETHAND makes a second
        // signal end the process.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                handle;
            action.sa_sigaction = handler as usize;
            action.sa_flags =
                libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_NODEFER | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGABRT, &raw const action, ptr::null_mut());
        }
    });
}

/// The handler. It only makes system calls: no locks, no allocation.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to a handler installed with SA_SIGINFO.
    let sender = unsafe { (*info).si_pid() };
    // SAFETY: getpid has no preconditions; raise sends the signal again, whose action is the default one now; write reads
    // a constant, and _exit does not return. All four are async-signal-safe (signal-safety(7)).
    unsafe {
        if sender != libc::getpid() {
            libc::raise(signal);
        }
        libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
        libc::_exit(FAILED);
    }
}
