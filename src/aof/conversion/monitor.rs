//! What MONITOR prints: `1700000000.000000 [0 127.0.0.1:50000] "SET" "key" "value"`.
//!
//! It shows what clients sent, so reads are among it, and scripts beside what they did; and times of expiry are relative
//! to the time of the line. The writes are a log; what a server chose at random, such as the members that SPOP removed, is
//! not in it.

use std::io;

use super::reading::{Change, Commands, Reading};
use super::typed::{line, split};

/// Reads all lines from `at` to the end of the file, if each of them is one of MONITOR.
pub(super) fn lines(bytes: &[u8], at: usize, commands: &dyn Commands) -> Option<Reading> {
    Reading::lines(Change::Monitor, bytes, at, commands, each)
}

fn each(
    bytes: &[u8],
    mut at: usize,
    commands: &dyn Commands,
    each: &mut dyn FnMut(&[Vec<u8>]) -> io::Result<()>,
) -> io::Result<Option<(usize, u64)>> {
    let (mut selected, mut left_out) = (None, 0);
    while at < bytes.len() {
        let Some((text, next)) = line(bytes, at) else { return Ok(None) };
        at = next;
        if matches!(text, b"OK" | b"+OK" | b"") {
            left_out += 1;
            continue;
        }
        let Some(event) = Event::read(text) else { return Ok(None) };
        let Some(name) = event.args.first() else { return Ok(None) };
        // Scripts are left out: what they did follows them.
        if !commands.writes(name) || is_of_connection(name) {
            left_out += 1;
            continue;
        }
        if selected != Some(event.db) {
            selected = Some(event.db);
            each(&[b"SELECT".to_vec(), event.db.to_string().into_bytes()])?;
        }
        each(&with_absolute_expiry(event.args, event.time_ms))?;
    }
    Ok(Some((at, left_out)))
}

/// Whether the command concerns the connection: the line says which database it used, and that of a transaction when it
/// was executed.
fn is_of_connection(name: &[u8]) -> bool {
    const NAMES: [&str; 10] = [
        "SELECT", "MULTI", "EXEC", "DISCARD", "EVAL", "EVALSHA", "FCALL", "AUTH", "HELLO", "RESET",
    ];
    NAMES.iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()))
}

struct Event {
    time_ms: i64,
    db: u32,
    args: Vec<Vec<u8>>,
}

impl Event {
    fn read(line: &[u8]) -> Option<Event> {
        let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
        let space = memchr::memchr(b' ', line)?;
        let time = text(&line[..space])?;
        let (seconds, micros) = time.split_once('.')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !is_number(seconds) || micros.len() != 6 || !is_number(micros) {
            return None;
        }
        let seconds: i64 = seconds.parse().ok()?;
        let micros: i64 = micros.parse().ok()?;
        let rest = line[space + 1..].strip_prefix(b"[")?;
        let space = memchr::memchr(b' ', rest)?;
        let db = text(&rest[..space])?.parse().ok()?;
        // The address may be one in brackets.
        let close = memchr::memmem::find(rest, b"] \"")?;
        let args = split(&rest[close + 2..])?;
        Some(Event { time_ms: seconds.checked_mul(1000)?.checked_add(micros / 1000)?, db, args })
    }
}

/// Returns the command with an absolute time of expiry, as servers log it.
fn with_absolute_expiry(mut args: Vec<Vec<u8>>, now_ms: i64) -> Vec<Vec<u8>> {
    let absolute = |text: &[u8], unit: i64| {
        let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(number.checked_mul(unit)?.checked_add(now_ms)?.to_string().into_bytes())
    };
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let changed = match args.as_slice() {
        [name, key, time, more @ ..] if is(name, "EXPIRE") || is(name, "PEXPIRE") => {
            let unit = if is(name, "EXPIRE") { 1000 } else { 1 };
            absolute(time, unit).map(|at| {
                let new = [b"PEXPIREAT".to_vec(), key.clone(), at];
                new.into_iter().chain(more.iter().cloned()).collect()
            })
        }
        [name, key, time, value] if is(name, "SETEX") || is(name, "PSETEX") => {
            let unit = if is(name, "SETEX") { 1000 } else { 1 };
            absolute(time, unit)
                .map(|at| vec![b"SET".to_vec(), key.clone(), value.clone(), b"PXAT".to_vec(), at])
        }
        _ => None,
    };
    if let Some(changed) = changed {
        return changed;
    }
    if args.first().is_some_and(|name| is(name, "SET")) {
        for at in 3..args.len().saturating_sub(1) {
            let unit = if is(&args[at], "EX") {
                1000
            } else if is(&args[at], "PX") {
                1
            } else {
                continue;
            };
            if let Some(time) = absolute(&args[at + 1], unit) {
                args[at] = b"PXAT".to_vec();
                args[at + 1] = time;
            }
            break;
        }
    }
    args
}
