//! Converts arbitrary bytes to a log, such that most of its commands write and share their keys.
//!
//! A line is a command with arguments separated by spaces. A name that is not a command is replaced by one that writes,
//! unless it begins with `?`: such a command is unknown to all servers. Bytes from 128 on are replaced by tokens that
//! mutations would hardly find. The payload of a RESTORE is completed with a valid footer. Bytes that begin with a frame
//! are used as a log without conversion.

use std::sync::LazyLock;

use aofkit::aof::read_args;
use aofkit::command::{CommandId, lookup};
use aofkit::rdb::crc64;

/// The tokens that replace bytes from 128 on.
const TOKENS: [&str; 116] = [
    "k",
    "l",
    "s",
    "z",
    "h",
    "x",
    "p",
    "0",
    "1",
    "-1",
    "2",
    "-2",
    "9",
    "10",
    "100",
    "1000",
    "1e3",
    "1.5",
    "-0",
    "0.1",
    "inf",
    "-inf",
    "nan",
    "(1",
    "(-1",
    "[a",
    "(a",
    "-",
    "+",
    "1-1",
    "2-2",
    "5-*",
    "1-0",
    "0-0",
    "0-1",
    "$",
    "*",
    "~",
    "=",
    ">",
    "MAXLEN",
    "MINID",
    "LIMIT",
    "NOMKSTREAM",
    "MKSTREAM",
    "ENTRIESREAD",
    "ENTRIESADDED",
    "MAXDELETEDID",
    "GROUP",
    "CREATE",
    "SETID",
    "DESTROY",
    "CREATECONSUMER",
    "DELCONSUMER",
    "STREAMS",
    "TIME",
    "IDLE",
    "RETRYCOUNT",
    "FORCE",
    "JUSTID",
    "LASTID",
    "KEEPREF",
    "DELREF",
    "ACKED",
    "IDS",
    "NX",
    "XX",
    "GT",
    "LT",
    "CH",
    "INCR",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "KEEPTTL",
    "GET",
    "PERSIST",
    "FIELDS",
    "FNX",
    "FXX",
    "BEFORE",
    "AFTER",
    "LEFT",
    "RIGHT",
    "COUNT",
    "STORE",
    "STOREDIST",
    "BY",
    "ALPHA",
    "DESC",
    "ASC",
    "WEIGHTS",
    "AGGREGATE",
    "MIN",
    "MAX",
    "BYSCORE",
    "BYLEX",
    "REV",
    "REPLACE",
    "ABSTTL",
    "DB",
    "SET",
    "u8",
    "i64",
    "OVERFLOW",
    "SAT",
    "FAIL",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "536870912",
    "4294967296",
    "1700000000000",
    "1700000000",
    "4102444800000",
];

/// All commands that write.
static WRITES: LazyLock<Vec<CommandId>> =
    LazyLock::new(|| CommandId::all().filter(|id| id.row().writes).collect());

/// Converts `bytes` to a log.
pub(super) fn log_of(bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(b"*") {
        return raw(bytes);
    }
    let mut log = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let args = args_of(line);
        if !is_large(&args) {
            put(&mut log, &args);
        }
    }
    log
}

/// Returns the frames in the bytes, except those that need much memory.
fn raw(bytes: &[u8]) -> Vec<u8> {
    let mut log = Vec::new();
    let mut args = Vec::new();
    let mut at = 0;
    while let Some(end) = read_args(bytes, at, &mut args) {
        let owned: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
        if !is_large(&owned) {
            log.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    log
}

fn args_of(line: &[u8]) -> Vec<Vec<u8>> {
    let mut args: Vec<Vec<u8>> = line.split(|byte| *byte == b' ').map(expand).collect();
    let name = &mut args[0];
    if !name.starts_with(b"?") && lookup(name).is_none() {
        let sum = name.iter().fold(0, |sum: usize, byte| (sum * 31 + usize::from(*byte)) % 65_521);
        *name = WRITES[sum % WRITES.len()].row().name.as_bytes().to_vec();
    }
    let restores = name.eq_ignore_ascii_case(b"RESTORE");
    if let (true, Some(payload)) = (restores, args.get_mut(3)) {
        payload.extend_from_slice(&9_u16.to_le_bytes());
        payload.extend_from_slice(&crc64(payload).to_le_bytes());
    }
    args
}

/// Replaces bytes from 128 on by tokens.
fn expand(bytes: &[u8]) -> Vec<u8> {
    let mut arg = Vec::new();
    for byte in bytes {
        match byte.checked_sub(128) {
            Some(number) => {
                arg.extend_from_slice(TOKENS[usize::from(number) % TOKENS.len()].as_bytes());
            }
            None => arg.push(*byte),
        }
    }
    arg
}

/// Returns whether the command creates a string so large that it would slow down fuzzing.
fn is_large(args: &[Vec<u8>]) -> bool {
    let limit: u64 = match args[0].to_ascii_uppercase().as_slice() {
        b"SETRANGE" => 512 << 20,
        b"SETBIT" | b"BITFIELD" => 1 << 32,
        _ => return false,
    };
    args[1..].iter().any(|arg| {
        let digits = arg.strip_prefix(b"#").unwrap_or(arg);
        let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        number.is_some_and(|number: u64| (100_000..limit).contains(&number))
    })
}

fn put(log: &mut Vec<u8>, args: &[Vec<u8>]) {
    log.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        log.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        log.extend_from_slice(arg);
        log.extend_from_slice(b"\r\n");
    }
}
