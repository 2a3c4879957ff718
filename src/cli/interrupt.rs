//! Ctrl-C and SIGTERM: what was begun is undone, then the process ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::askpass;
use super::exit::Exit;
use super::output::report_error;
use crate::disk::publish::abandon_all;
use crate::live::settings::undo_all;

/// How long a server is tried to be told that its settings are to be as before.
const PATIENCE: Duration = Duration::from_secs(10);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Undoes everything when a signal comes: the terminal's settings, those of servers, unfinished output. That may take a
/// while where a server does not answer; a second signal ends the process at once.
pub(super) fn listen() {
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            end();
        }
        // The thread of signals has to be free for the second one.
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

/// Leaves the end of an interrupted process to the thread that undoes what was begun.
pub(super) fn wait_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        thread::park();
    }
}
