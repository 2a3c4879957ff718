//! Ctrl-C and SIGTERM: unfinished work is undone before the process exits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::askpass;
use super::exit::Exit;
use super::output::report_error;
use crate::disk::publish::abandon_all;
use crate::live::settings::undo_all;

/// The time limit for restoring the settings of a server.
const PATIENCE: Duration = Duration::from_secs(10);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Installs the signal handler. On a signal it restores the settings of the terminal and of servers and removes
/// unfinished output, which can take a while if a server does not answer; a second signal ends the process at once.
pub(super) fn listen() {
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            end();
        }
        // The signal thread must stay free for a second signal.
        let undoing = thread::Builder::new().spawn(|| {
            askpass::show_again();
            for error in undo_all(PATIENCE) {
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
pub(super) fn wait_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        thread::park();
    }
}
