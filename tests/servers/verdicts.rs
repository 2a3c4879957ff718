//! Compares what `verify` predicts for a log with what the server does.
//!
//! [`table`] has one line per case: every construct that a loader can encounter, and every known pitfall. Cases
//! found by random damage (see [`super::damage`]) are added once they are understood.

use std::fmt;
use std::path::{Path, PathBuf};

use aofkit::base::progress::Silent;
use aofkit::base::server::Server;
use aofkit::ops::verify::judge::Outcome;
use aofkit::ops::verify::{LogOutcome, VerifyOptions, verify_path};
use libtest_mimic::Trial;

use crate::support::{
    Binary, Ended, LINES, Running, ended_in_a_crash, lay_out, log, on_each, temp_dir,
};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&LINES, "verdicts::verify_predicts_what_the_server_does_with_a_log", single_logs)
}

/// What a server does with a data directory, as observed or as predicted by `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadOutcome {
    /// It loads all of it.
    Loads,
    /// It truncates the last part to this many bytes and loads the rest.
    Cuts(u64),
    /// It exits with an error.
    Refuses,
    /// It is killed by a signal or reports a bug.
    Crashes,
    /// The behaviour is undefined.
    Undefined,
    /// It ignores the log and starts empty.
    DoesNotRead,
}

/// One side of a comparison: an outcome and its reason.
#[derive(Clone)]
pub(crate) struct LoadResult {
    pub(crate) outcome: LoadOutcome,
    pub(crate) reason: String,
}

impl LoadResult {
    /// Returns whether this prediction agrees with the observed outcome, given the conditions that its reason states.
    pub(crate) fn agrees_with(&self, observed: LoadOutcome) -> bool {
        match self.outcome {
            LoadOutcome::Undefined => true,
            LoadOutcome::DoesNotRead => observed == LoadOutcome::Loads,
            // The servers of the tests have 16 databases.
            LoadOutcome::Loads if self.reason.contains("if `databases` is above") => {
                observed == LoadOutcome::Refuses
            }
            LoadOutcome::Cuts(_)
                if self.reason.contains("cannot reserve") && observed == LoadOutcome::Crashes =>
            {
                true
            }
            predicted => predicted == observed,
        }
    }
}

impl fmt::Display for LoadResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", self.outcome, self.reason)
    }
}

/// Starts the server on `data`, which it may change, and returns what it did.
pub(crate) fn observed(binary: &Binary, data: &Path) -> LoadResult {
    match Running::start(binary, data, &[("appendonly", "yes")]) {
        Ok(server) => {
            let log = server.log();
            let cut = log.lines().find_map(cut_offset);
            let reason = cut.map_or(String::new(), |(line, _)| line.to_string());
            LoadResult {
                outcome: cut.map_or(LoadOutcome::Loads, |(_, at)| LoadOutcome::Cuts(at)),
                reason,
            }
        }
        Err(Ended { status, log }) => {
            let crash = ended_in_a_crash(status, &log);
            let outcome = if crash { LoadOutcome::Crashes } else { LoadOutcome::Refuses };
            let states_a_reason = |line: &&str| {
                [
                    "Bad file",
                    "nknown",
                    "Unrecoverable",
                    "Fatal",
                    "rong",
                    "Error",
                    "Out Of Memory",
                    "module is not able to load",
                    "proper module value EOF marker",
                ]
                .iter()
                .any(|text| line.contains(text))
            };
            let reason =
                log.lines().find(states_a_reason).or(log.lines().last()).unwrap_or_default();
            LoadResult { outcome, reason: format!("{status}: {reason}") }
        }
    }
}

/// Returns the line and the offset if the line reports a truncation: `!!! Truncating the AOF at offset 27 !!!`, and
/// since 7.0 `Truncating the AOF NAME at offset 27`.
fn cut_offset(line: &str) -> Option<(&str, u64)> {
    let (_, rest) = line.split_once("Truncating the AOF")?;
    let (_, number) = rest.rsplit_once(" at offset ")?;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    Some((line, number[..digits].parse().ok()?))
}

/// Returns what `verify` predicts for a server of this line and the log at `path`.
pub(crate) fn predicted(line: Server, path: &Path) -> LoadResult {
    let outcome = verify_path(
        path,
        &VerifyOptions { servers: vec![line], ..VerifyOptions::default() },
        &Silent,
    );
    let report = match outcome.expect("the log can be read") {
        LogOutcome::Read(report) => report,
        LogOutcome::Archive(_) | LogOutcome::Encrypted { .. } => panic!("no item is an archive"),
        LogOutcome::BrokenSet { message, .. } => {
            return LoadResult { outcome: LoadOutcome::Refuses, reason: message };
        }
        LogOutcome::Failed(failure) => panic!("{}", failure.message),
    };
    let [verdict] = report.verdicts.as_slice() else { panic!("one server, one verdict") };
    let outcome = match verdict.outcome {
        Outcome::Loads => LoadOutcome::Loads,
        Outcome::LoadsAfterCut { keeps_bytes, .. } => LoadOutcome::Cuts(keeps_bytes),
        Outcome::Refuses => LoadOutcome::Refuses,
        Outcome::Undefined => LoadOutcome::Undefined,
        Outcome::Crashes => LoadOutcome::Crashes,
        Outcome::DoesNotRead | Outcome::StartsEmpty => LoadOutcome::DoesNotRead,
        Outcome::Unknown => panic!("the verdict for {line} is unknown"),
    };
    let place = verdict.offset.map_or(String::new(), |at| format!("byte {at}: "));
    let reason = format!("{place}{}", verdict.reason.as_deref().unwrap_or("no reason"));
    LoadResult { outcome, reason }
}

/// Returns the path in a data directory at which a server of this line expects its log.
pub(crate) fn log_in(line: Server, data: &Path) -> PathBuf {
    data.join(if line.reads_multi_part() { "appendonlydir" } else { "appendonly.aof" })
}

/// Compares the prediction for a data directory with what the server does. Returns both.
///
/// # Errors
///
/// A description of the difference if they do not agree.
pub(crate) fn compare(binary: &Binary, data: &Path) -> Result<(LoadResult, LoadResult), String> {
    let predicted = predicted(binary.line, &log_in(binary.line, data));
    let observed = observed(binary, data);
    if predicted.agrees_with(observed.outcome) {
        return Ok((predicted, observed));
    }
    Err(format!("{}\n    predicted: {predicted}\n    observed: {observed}", binary.line))
}

fn single_logs(binary: &Binary) {
    let mut differences = Vec::new();
    for (what, bytes) in table() {
        let data = temp_dir();
        lay_out(binary.line, data.path(), &bytes);
        if let Err(difference) = compare(binary, data.path()) {
            differences.push(format!("{what}: {difference}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Returns a log of one command followed by `rest`.
fn after(rest: &[u8]) -> Vec<u8> {
    [&log("SET a 1")[..], rest].concat()
}

/// Returns a log of the commands followed by a torn command.
fn torn(commands: &str) -> Vec<u8> {
    [&log(commands)[..], b"*3\r\n$3\r\nSE"].concat()
}

/// Returns a command whose header line has this many bytes, most of them zeros.
fn padded(header_bytes: usize) -> Vec<u8> {
    let digits = header_bytes - "*\r\n".len();
    [format!("*{:0>digits$}\r\n", 3).as_bytes(), &log("SET a 1")["*3\r\n".len()..]].concat()
}

/// An RDB that all lines load, without keys and without a checksum.
const EMPTY_RDB: &[u8] = b"REDIS0009\xff\0\0\0\0\0\0\0\0";

/// Returns the cases: a description of the log, and the log.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, Vec<u8>)> {
    let set_b = log("SET b 2");
    vec![
        ("nothing", vec![]),
        ("whole commands", log("SET a 1\nSELECT 3\nSET b 2")),
        ("a lone *", after(b"*")),
        ("a lone * and a line feed", after(b"*\n")),
        ("a lone * and a line end", after(b"*\r\n")),
        ("a lone number of arguments", after(b"*3")),
        ("half a line end", after(b"*3\r")),
        ("a header alone", after(b"*3\r\n")),
        ("a lone $", after(b"*3\r\n$")),
        ("a $ and a line feed", after(b"*1\r\n$\n")),
        ("a length alone", after(b"*3\r\n$3")),
        ("half an argument", after(b"*3\r\n$3\r\nSE")),
        ("an argument without its line end", after(&set_b[..set_b.len() - 2])),
        ("half a line end after the last argument", after(&set_b[..set_b.len() - 1])),
        ("an empty argument without its line end", after(b"*2\r\n$3\r\nGET\r\n$0\r\n")),
        ("an inline command", after(b"SET b 2\r\n")),
        ("a blank line", after(b"\r\n")),
        ("a line feed", after(b"\n")),
        ("text", after(b"what is this")),
        ("one zero byte", after(&[0])),
        ("zero bytes", after(&[0; 64])),
        ("zero bytes, then a command", [&after(&[0; 64])[..], &set_b].concat()),
        ("a * and a zero byte at the end", after(b"*\0")),
        ("a * and a zero byte, and no line feed to the end", after(b"*\0abc")),
        ("a * and a zero byte, and a line end", after(b"*\0\r\n$3\r\nGET\r\n")),
        ("a * and a zero byte, then a command", [&after(b"*\0")[..], &set_b].concat()),
        ("zero bytes after a number", after(b"*1\0\0\r\n$4\r\nPING\r\n")),
        ("a zero byte after $", after(b"*1\r\n$\0\r\n\r\n")),
        ("an annotation", [b"#TS:1700000000\r\n", &set_b[..]].concat()),
        ("a comment written by hand", after(b"# by hand\n")),
        ("an annotation without line feed at the end", after(b"#TS:17")),
        ("a lone #", after(b"#")),
        ("an annotation of 1023 bytes", [b"#", &vec![b'x'; 1021][..], b"\n", &set_b].concat()),
        ("an annotation of 1024 bytes", [b"#", &vec![b'x'; 1022][..], b"\n", &set_b].concat()),
        ("an annotation of 1024 bytes, the last a #", [b"#", &vec![b'x'; 1022][..], b"#\n", &set_b].concat()),
        ("an annotation cut before a command", [b"#", &vec![b'x'; 1022][..], &set_b].concat()),
        ("an annotation of 128 bytes", [b"#", &vec![b'x'; 126][..], b"\n", &set_b].concat()),
        ("an annotation inside a command", after(b"*2\r\n#TS:1\r\n$4\r\nINCR\r\n$1\r\na\r\n")),
        ("an annotation inside a transaction", [&log("MULTI\nSET b 2")[..], b"#TS:1\r\n", &log("EXEC")].concat()),
        ("no arguments", after(b"*0\r\n")),
        ("no arguments at the end", after(b"*0")),
        ("a negative number of arguments", after(b"*-1\r\n")),
        ("no number of arguments", after(b"*x\r\n$4\r\nPING\r\n")),
        ("a number of arguments of 33 bits", after(b"*4294967297\r\n$4\r\nPING\r\n")),
        ("a number of arguments of 31 bits, negative", after(b"*2147483648\r\n$4\r\nPING\r\n")),
        ("a number of arguments beyond 64 bits", after(b"*99999999999999999999\r\n$4\r\nPING\r\n")),
        ("text after the numbers", after(b"*3abc\r\n$3x\r\nSET\r\n$1\r\nb\r\n$1 1\r\n2\r\n")),
        ("a blank before the number", after(b"* 3\r\n$ 3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n")),
        ("other blanks before the number", after(b"*\t\x0b\x0c3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n")),
        ("a plus sign", after(b"*+3\r\n$+3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n")),
        ("a leading zero", after(b"*3\r\n$03\r\nSET\r\n$01\r\nb\r\n$1\r\n2\r\n")),
        ("line feeds alone", after(b"*3\n$3\nSET\r\n$1\nb\r\n$1\n2\r\n")),
        ("no number of bytes", after(b"*2\r\n$x\r\n\r\n$1\r\nb\r\n")),
        ("a header line of 127 bytes", padded(127)),
        ("a header line of 128 bytes", padded(128)),
        ("a header line of 202 bytes", padded(202)),
        ("a header line of 1023 bytes", padded(1023)),
        ("a header line of 1024 bytes", padded(1024)),
        ("a long length line", after(format!("*1\r\n${:0>200}\r\nPING\r\n", 4).as_bytes())),
        ("a long length line, the file torn after it", after(format!("*1\r\n${:0>200}\r\nPI", 4).as_bytes())),
        ("a length whose line is lost in a value", after(&[b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$300\rX", &[b'v'; 300][..], b"\r\n", &set_b].concat())),
        ("text of two old lines after a number", after(&[b"*1 ", &[b' '; 124][..], b"$4", &[b'x'; 125][..], b"PING\r\n"].concat())),
        ("an old line that holds a command in its rest", after(&[b"*1\r\n$4", &[b'x'; 125][..], b"PINGxx\n", &set_b].concat())),
        ("other bytes in place of line ends", after(b"*3\r\n$3\r\nSETxx$1\r\nbxx$1\r\n2xx")),
        ("a length one too small", after(b"*3\r\n$3\r\nSET\r\n$1\r\nbb\r\n$1\r\n2\r\n")),
        ("a length one too large", after(b"*3\r\n$3\r\nSET\r\n$2\r\nb\r\n$1\r\n2\r\n")),
        ("a negative length", after(b"*2\r\n$4\r\nINCR\r\n$-1\r\n")),
        ("a negative length, more after it", [&after(b"*2\r\n$3\r\nGET\r\n$-1\r\n")[..], &set_b].concat()),
        ("a negative length of the name", [&after(b"*1\r\n$-5\r\n")[..], &set_b].concat()),
        ("a length beyond 64 bits", after(b"*2\r\n$4\r\nINCR\r\n$99999999999999999999\r\nb\r\n")),
        ("a length beyond any memory", after(b"*2\r\n$4\r\nINCR\r\n$9999999999999999\r\nb\r\n")),
        ("a length of 600 MB", after(b"*2\r\n$4\r\nINCR\r\n$600000000\r\nb\r\n")),
        ("an unknown command", after(&log("NOSUCH b"))),
        ("an empty name", after(b"*1\r\n$0\r\n\r\n")),
        ("a name with a zero byte", after(b"*2\r\n$4\r\nGET\0\r\n$1\r\na\r\n")),
        ("a name in mixed case", log("sEt a 1")),
        ("an unknown command in a transaction", after(&log("MULTI\nNOSUCH b\nEXEC"))),
        ("an unknown command in a torn transaction", after(&torn("MULTI\nNOSUCH b"))),
        ("an unknown command after damage", after(&[b"\0", &log("NOSUCH b")[..]].concat())),
        ("an unknown sub-command", after(&log("XGROUP NOSUCH s g\nSET b 2"))),
        ("an unknown sub-command and too few arguments", after(&log("XGROUP NOSUCH"))),
        ("an empty sub-command", after(b"*2\r\n$6\r\nXGROUP\r\n$0\r\n\r\n")),
        // (A zero byte after a sub-command's name is not tested: whether 7.0 finds it depends on its random hash seed.)
        ("a sub-command of a command that has none", log("SET a 1\nGET a")),
        ("a command of a later Redis", after(&log("SINTERCARD 1 a"))),
        ("a command of Redis 7.4 and Valkey 9", after(&log("HPEXPIREAT h 99999999999999 FIELDS 1 f"))),
        ("a command of Redis 8 only", after(&log("VADD v VALUES 1 1 e"))),
        ("a command of Valkey 9 only", after(&log("DELIFEQ a 2"))),
        ("a command that Redis 7.0 removed", after(&log("STRALGO LCS KEYS a a"))),
        ("a command that all lines know", after(&log("LPOS l a"))),
        ("too many arguments", after(&log("GET a b"))),
        ("too few arguments", after(&log("SET b"))),
        ("too few arguments of a sub-command", after(&log("XGROUP CREATE s"))),
        ("a container alone", after(&log("XGROUP"))),
        ("too few arguments in a transaction", after(&log("MULTI\nSET b\nEXEC"))),
        ("too few arguments in a torn transaction", after(&torn("MULTI\nSET b"))),
        ("too few arguments in an open transaction", after(&log("MULTI\nSET b"))),
        ("an argument count that older servers accept", after(&log("XTRIM s"))),
        ("an argument count that newer servers accept", after(&log("EXPIRE a 1000 NX"))),
        ("an argument count of ZRANK that newer servers accept", after(&log("ZRANK z a WITHSCORE"))),
        ("an argument count that only Valkey 9.1 accepts", after(&log("SCRIPT DEBUG YES"))),
        ("an error: wrong type", after(&log("RPUSH a 1\nSET b 2"))),
        ("an error: EXEC without MULTI", after(&log("EXEC\nSET b 2"))),
        ("an error: DISCARD without MULTI", after(&log("DISCARD\nSET b 2"))),
        ("an error: SELECT out of range", log("SELECT 99\nSET b 2")),
        ("an error: SELECT without a number", log("SELECT x\nSET b 2")),
        ("an error: no such script", after(&log("EVALSHA 0000000000000000000000000000000000000000 0"))),
        ("an error: a broken payload", after(&log("RESTORE k 0 nonsense"))),
        ("an error: a broken library", after(&log("FUNCTION LOAD nonsense"))),
        ("read commands", after(&log("PING\nGET a\nKEYS *\nOBJECT HELP"))),
        ("a script", after(&log("EVAL return{redis.call('set','b','2')} 0"))),
        ("CONFIG SET", after(&log("CONFIG SET maxmemory 100mb"))),
        ("FLUSHALL", after(&log("FLUSHALL\nSET b 2"))),
        ("blocking commands", after(&log("BLPOP l 0\nXREAD BLOCK 0 STREAMS s $\nBZPOPMIN z 0"))),
        ("WAIT", after(&log("WAIT 1 0"))),
        ("SHUTDOWN", after(&log("SHUTDOWN"))),
        ("RESET", after(&log("RESET"))),
        ("REPLICAOF", after(&log("REPLICAOF 127.0.0.1 1"))),
        ("SLAVEOF", after(&log("SLAVEOF 127.0.0.1 1"))),
        ("SYNC", after(&log("SYNC"))),
        ("what browsers send: POST", after(&log("POST /"))),
        ("what browsers send: Host:", after(&log("Host: localhost"))),
        ("other commands for connections", after(&log("SUBSCRIBE x\nMONITOR\nAUTH x\nCLIENT REPLY OFF\nSET b 2"))),
        ("DISCARD in a whole transaction", after(&log("MULTI\nSET b 2\nDISCARD\nEXEC"))),
        ("a whole transaction", log("MULTI\nSET a 1\nEXEC")),
        ("an empty transaction", log("MULTI\nEXEC")),
        ("SELECT in a transaction", log("MULTI\nSELECT 2\nSET a 1\nEXEC\nSET b 2")),
        ("an open transaction", after(&log("MULTI\nSET b 2"))),
        ("a MULTI at the end", after(&log("MULTI"))),
        ("a MULTI at the start and nothing else", log("MULTI")),
        ("a torn transaction", after(&torn("MULTI\nSET b 2"))),
        ("a MULTI and half a command", after(&torn("MULTI"))),
        ("a transaction with a torn EXEC", after(b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r")),
        ("a torn MULTI", after(b"*1\r\n$5\r\nMULT")),
        ("a torn command after a transaction", torn("MULTI\nSET a 1\nEXEC\nSET b 2")),
        ("a nested MULTI", after(&log("MULTI\nSET b 2\nMULTI\nSET c 3\nEXEC\nSET d 4"))),
        ("a nested MULTI, open", after(&log("MULTI\nSET b 2\nMULTI\nSET c 3"))),
        ("a nested MULTI, torn", after(&torn("MULTI\nSET b 2\nMULTI\nSET c 3"))),
        ("a nested MULTI twice, open", after(&log("MULTI\nSET b 2\nMULTI\nMULTI\nSET c 3"))),
        ("damage in a transaction", after(&[&log("MULTI\nSET b 2")[..], b"\0\0"].concat())),
        ("DISCARD in an open transaction", after(&log("MULTI\nSET b 2\nDISCARD\nSET c 3"))),
        ("WATCH in a transaction", after(&log("MULTI\nWATCH b\nSET b 2\nEXEC"))),
        ("EXEC with too many arguments", after(&log("MULTI\nSET b 2\nEXEC now"))),
        ("MULTI with too many arguments", after(&log("MULTI now\nSET b 2\nEXEC"))),
        ("MULTI with too many arguments, open", after(&log("MULTI now\nSET b 2"))),
        ("an annotation before a torn command", [&after(b"#TS:1\r\n")[..], &torn("")].concat()),
        ("two annotations before a torn command", [&after(b"#TS:1\r\n#TS:2\r\n")[..], &torn("")].concat()),
        ("an annotation before the first command, which is torn", [b"#TS:1\r\n", &torn("")[..]].concat()),
        ("an annotation before an open transaction", [&after(b"#TS:1\r\n")[..], &log("MULTI\nSET b 2")].concat()),
        ("an annotation before a torn transaction", [&after(b"#TS:1\r\n")[..], &torn("MULTI\nSET b 2")].concat()),
        ("an annotation before a torn command of a transaction", [&after(&log("MULTI\nSET b 2"))[..], b"#TS:1\r\n", &torn("")].concat()),
        ("an annotation before a nested MULTI, open", [&after(&log("MULTI\nSET b 2"))[..], b"#TS:1\r\n", &log("MULTI\nSET c 3")].concat()),
        ("text that looks like an RDB", after(b"REDIS0011")),
        ("less than the magic of an RDB", b"REDI".to_vec()),
        ("the magic of an RDB alone", b"REDIS".to_vec()),
        ("the magic of a Valkey RDB alone", b"VALKEY".to_vec()),
        ("less than the magic of a Valkey RDB", b"VALKE".to_vec()),
        ("an RDB without version", b"REDISxxxx".to_vec()),
        ("an RDB of version 0", b"REDIS0000\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of version 9 without its end", b"REDIS0009".to_vec()),
        ("an RDB of version 9 without its checksum", b"REDIS0009\xff".to_vec()),
        ("an RDB of version 9 that claims no checksum", b"REDIS0009\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of version 9 with a wrong checksum", b"REDIS0009\xff\x01\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of version 4, which has none", b"REDIS0004\xff".to_vec()),
        ("an RDB of version 12", b"REDIS0012\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of Valkey", b"VALKEY080\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of a Valkey version that does not exist", b"VALKEY011\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of a later Valkey", b"VALKEY081\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB and commands", [b"REDIS0009\xff\0\0\0\0\0\0\0\0", &set_b[..]].concat()),
        ("an RDB and an annotation", [b"REDIS0009\xff\0\0\0\0\0\0\0\0#TS:1\r\n", &set_b[..]].concat()),
        ("an RDB and a torn command", [b"REDIS0009\xff\0\0\0\0\0\0\0\0", &torn("SET a 1")[..]].concat()),
        ("an RDB and only a torn command", b"REDIS0009\xff\0\0\0\0\0\0\0\0*3\r\n$3".to_vec()),
        ("an RDB and an annotation and a torn command", [EMPTY_RDB, b"#TS:1\r\n", &torn("")].concat()),
        ("an RDB and an open transaction", [EMPTY_RDB, &log("MULTI\nSET b 2")].concat()),
        ("an RDB and a torn transaction", [EMPTY_RDB, &torn("MULTI\nSET b 2")].concat()),
        ("an RDB and only an annotation", [EMPTY_RDB, b"#TS:1\r\n"].concat()),
        ("an RDB and zero bytes", b"REDIS0009\xff\0\0\0\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of an unknown type", b"REDIS0009\x7f\x01a\x01b\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of a type that came later", b"REDIS0009\x10\x01a\x01b\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of a version that came later, whole", whole_rdb(b"REDIS0013\xfe\0\0\x01a\x01b")),
        ("an RDB of a later Valkey, whole", whole_rdb(b"VALKEY081\xfe\0\0\x01a\x01b")),
        ("an RDB of a type that came later, whole", whole_rdb(b"REDIS0009\xfe\0\x1a\x01a\x01b")),
        ("an RDB of a version that came later, and commands", [&whole_rdb(b"REDIS0013")[..], &set_b].concat()),
        ("an RDB that has a key twice", b"REDIS0009\x00\x01a\x01b\x00\x01a\x01c\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB of Valkey that has a key twice", b"VALKEY080\x00\x01a\x01b\x00\x01a\x01c\xff\0\0\0\0\0\0\0\0".to_vec()),
        ("an RDB with database 99", b"REDIS0009\xfe\x40\x63\x00\x01a\x01b\xff\0\0\0\0\0\0\0\0".to_vec()),
    ]
}

/// An RDB of these bytes, with its end and its checksum.
fn whole_rdb(content: &[u8]) -> Vec<u8> {
    let mut bytes = [content, b"\xff"].concat();
    let sum = aofkit::rdb::crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}
