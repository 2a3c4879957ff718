//! Ctrl-C and SIGTERM: unfinished work is undone before the process exits.

use std::thread;

use super::exit::Exit;
use super::output::report_error;
use crate::base::cancel::Cancellation;
use crate::disk::publish::abandon_all;

/// Installs the signal handler. On a signal it cancels, which restores the settings of the terminal and of servers, and
/// removes unfinished output. That can take a while if a server does not answer; a second signal ends the process at
/// once.
pub(super) fn listen(cancellation: &Cancellation) {
    let cancellation = cancellation.clone();
    let _ = ctrlc::set_handler(move || {
        if !cancellation.cancel() {
            end();
        }
        // The signal thread must stay free for a second signal.
        let cancellation = cancellation.clone();
        let undoing = thread::Builder::new().spawn(move || {
            for error in cancellation.undo_all() {
                report_error(&error);
            }
            end();
        });
        if undoing.is_err() {
            end();
        }
    });
}

fn end() -> ! {
    abandon_all();
    std::process::exit(i32::from(Exit::Interrupted.code()));
}

/// Waits for the cleanup thread, which ends the process, if the process was interrupted.
pub(super) fn wait_if_interrupted(cancellation: &Cancellation) {
    while cancellation.is_cancelled() {
        thread::park();
    }
}
