//! Reads a password from the terminal without echo.
//!
//! Not with the crate `rpassword`: it restores the echo when its guard is dropped, which a signal handler that ends the
//! process does not wait for, and it reads from `/dev/tty` instead of a standard input that is no terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::base::cancel::{Cancellation, UndoGuard};
use crate::base::error::{Error, ErrorKind, Result};
use crate::live::endpoint::Secret;

/// Asks for the password on the terminal; reads the first line of standard input if that is not a terminal.
pub(super) fn ask(cancellation: &Cancellation) -> Result<Secret> {
    let stdin = io::stdin();
    let hidden = if stdin.is_terminal() {
        let _ = anstream::stderr().lock().write_all(b"Password: ");
        Some(HiddenInput::begin(cancellation)?)
    } else {
        None
    };
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if hidden.is_some() {
        drop(hidden);
        let _ = anstream::stderr().lock().write_all(b"\n");
    }
    read.map_err(failed)?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "no password given"));
    }
    Ok(Secret::new(password))
}

fn failed(error: io::Error) -> Error {
    Error::io("read the password from", "standard input", error)
}

/// The time in which the terminal does not echo. The echo is restored on drop, and on Ctrl-C and SIGTERM.
struct HiddenInput {
    before: Termios,
    _undo: UndoGuard,
}

impl HiddenInput {
    fn begin(cancellation: &Cancellation) -> Result<Self> {
        let before = tcgetattr(io::stdin()).map_err(|error| failed(error.into()))?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        let original = before.clone();
        let _undo = cancellation.on_cancel(move || {
            restore(&original);
            Ok(())
        })?;
        tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)
            .map_err(|error| failed(error.into()))?;
        Ok(HiddenInput { before, _undo })
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

fn restore(before: &Termios) {
    // A terminal that has gone needs no echo.
    let _ = tcsetattr(io::stdin(), OptionalActions::Flush, before);
}
