//! Reads a password from the terminal without echo.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::base::error::{Error, ErrorKind, Result};
use crate::live::endpoint::Secret;

/// The terminal settings from before the echo was turned off, to be restored.
static TERMINAL: Mutex<Option<Termios>> = Mutex::new(None);

/// Asks for the password on the terminal; reads the first line of standard input if that is not a terminal.
pub(super) fn ask() -> Result<Secret> {
    let failed = |error: io::Error| Error::io("read the password from", "standard input", error);
    let stdin = io::stdin();
    let is_terminal = stdin.is_terminal();
    if is_terminal {
        let _ = anstream::stderr().lock().write_all(b"Password: ");
        hide().map_err(|error| failed(error.into()))?;
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if is_terminal {
        show_again();
        let _ = anstream::stderr().lock().write_all(b"\n");
    }
    read.map_err(failed)?;
    let password = line.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "no password given"));
    }
    Ok(Secret::new(password))
}

fn hide() -> rustix::io::Result<()> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    *TERMINAL.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)
}

/// Turns the echo of the terminal on again, also after Ctrl-C during the prompt.
pub(super) fn show_again() {
    let before = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
    }
}
