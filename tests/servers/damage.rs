//! Logs that real servers wrote, damaged at random: what `verify` says of each, what `redis-check-aof` says, and
//! what `repair` makes of it, held against the servers.
//!
//! `AOFKIT_ROUNDS` is how many mutants each trial makes, `AOFKIT_SEED` with which one it begins. A mutant that
//! shows a difference is kept, and the message says where.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fmt, fs};

use aofkit::analysis::survey::survey;
use aofkit::aof::{Frame, Sink, scan};
use aofkit::base::progress::Silent;
use aofkit::base::server::{Server, valkey};
use aofkit::ops::repair::{Options as RepairOptions, Output, RepairReport, repair};
use aofkit::{ErrorKind, aof};
use libtest_mimic::Trial;

use super::verdicts::{Deed, Told, compare, log_in, said, seen};
use crate::support::server::{Binary, Running, find, lay_out};
use crate::support::{LINES, on_all, on_each, with_program};

pub(crate) fn trials() -> Vec<Trial> {
    let cross = "damage::what_another_line_wrote_is_judged_right";
    let mut trials = on_each(&LINES, cross, cross_loads);
    trials.extend(on_each(&LINES, "damage::verdicts_on_mutants_are_true", verdicts));
    trials.extend(on_each(&LINES, "damage::what_is_repaired_is_loaded", repairs));
    let peer = "damage::redis_check_aof_differs_for_known_reasons_alone";
    // What is damaged is what the servers here wrote.
    trials.push(match LINES.iter().any(|line| find(*line).is_ok()) {
        true => with_program("redis-check-aof", peer, check_aof),
        false => on_all(&LINES, peer, |_| {}),
    });
    trials
}

/// So many mutants a trial, and the first one's number.
fn rounds(usual: u64) -> Range<u64> {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("AOFKIT_SEED").unwrap_or(1);
    first..first + number("AOFKIT_ROUNDS").unwrap_or(usual)
}

// The logs.

/// A log as a server left it: its parts in load order, and the manifest of a set.
#[derive(Clone)]
struct Original {
    name: String,
    manifest: Option<Vec<u8>>,
    parts: Vec<(String, Vec<u8>)>,
}

/// What a log is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A base of commands, and none but those that all lines know.
    Plain,
    /// A base of commands, timestamps, and the line's own commands.
    Dated,
    /// An RDB as the base.
    Rdb,
}

/// Each line's logs.
static ORIGINALS: LazyLock<Vec<Original>> = LazyLock::new(|| {
    let installed = LINES.iter().filter_map(|line| find(*line).ok());
    installed
        .flat_map(|binary| [Form::Plain, Form::Dated, Form::Rdb].map(|form| write(&binary, form)))
        .collect()
});

/// Commands over all types, in several databases, before a rewrite and again behind it.
const WORKLOAD: &str = "\
SELECT 0
SET string value
SET counter 10
INCRBY counter 5
APPEND string -and-more
MSET a 1 b 2 c 3
SETRANGE string 3 xyz
SETBIT bits 77 1
GETSET a 4
RPUSH list one two three four five
LPOP list
LSET list 1 TWO
LINSERT list BEFORE four three-and-a-half
RPOPLPUSH list other
SADD set m1 m2 m3 m4 m5
SPOP set 2
SMOVE set elsewhere m1
SUNIONSTORE union set elsewhere
ZADD zset 1 one 2.5 two 3e10 three
ZINCRBY zset -4 two
ZREMRANGEBYRANK zset 0 0
HSET hash f1 v1 f2 v2 f3 v3
HINCRBYFLOAT hash number 1.5
HDEL hash f2
PFADD hll x y z
GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
XADD stream 1-1 field value
XADD stream 2-* field value2
XGROUP CREATE stream group 0
XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >
XACK stream group 1-1
XDEL stream 1-1
EXPIREAT string 4000000000
PEXPIREAT hash 4000000000000
SET volatile gone PX 100000000
PERSIST hash
MULTI
INCR counter
LPUSH list zero
DEL elsewhere
EXEC
SELECT 3
SET in-db-3 x
MULTI
SET in-db-3 y
SELECT 5
SET in-db-5 y
SADD set5 1 2 3
EXEC
MOVE in-db-5 3
SWAPDB 3 5
RENAME set5 set6
COPY set6 set7
SORT set7 STORE sorted
SELECT 0
EVAL return{redis.call('set','by-script',ARGV[1]),redis.call('incr','counter')} 0 value
UNLINK b c
SET empty-follows 1";

/// What lines since Redis 7.0 know.
const SINCE_7_0: &str = "\
LMPOP 1 list LEFT COUNT 1
SINTERCARD 1 set
FUNCTION LOAD #!lua\\x20name=lib\\nredis.register_function('f',function()return{1}end)
XAUTOCLAIM stream group consumer 0 0
EXPIRE a 100000000 NX";

const SINCE_REDIS_8: &str = "\
HPEXPIREAT hash 4000000000000 FIELDS 1 f1
VADD vectors VALUES 3 1 2 3 element";

const SINCE_VALKEY_9: &str = "\
HPEXPIREAT hash 4000000000000 FIELDS 1 f1
DELIFEQ by-script value";

fn write(binary: &Binary, form: Form) -> Original {
    let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
    let preamble = if form == Form::Rdb { "yes" } else { "no" };
    let mut config = vec![("appendonly", "yes"), ("aof-use-rdb-preamble", preamble)];
    let own = match form {
        Form::Plain => "",
        _ if binary.line.has_valkey(9, 0) => SINCE_VALKEY_9,
        _ if binary.line.has_redis(8, 0) => SINCE_REDIS_8,
        _ => "",
    };
    let since_7_0 = binary.line.has_redis(7, 0) && form != Form::Plain;
    if since_7_0 && form == Form::Dated {
        config.push(("aof-timestamp-enabled", "yes"));
    }
    let mut server = Running::start(binary, data.path(), &config).expect("the server runs");
    let run = |server: &mut Running, commands: &str| {
        for line in commands.lines() {
            let args: Vec<String> = (line.split(' '))
                .map(|arg| arg.replace("\\x20", " ").replace("\\n", "\n"))
                .collect();
            server.client.call(&args);
        }
    };
    run(&mut server, WORKLOAD);
    if since_7_0 {
        run(&mut server, SINCE_7_0);
    }
    if form == Form::Rdb {
        run(&mut server, own); // Vector sets crash a rewrite to commands.
    }
    run(&mut server, "BGREWRITEAOF");
    let rewrites = |server: &mut Running| {
        let info = server.client.call(&["INFO", "persistence"]).text();
        info.contains("aof_rewrite_in_progress:1") || info.contains("aof_rewrite_scheduled:1")
    };
    while rewrites(&mut server) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    run(&mut server, WORKLOAD);
    let no_vectors: Vec<&str> = own.lines().filter(|line| !line.starts_with("VADD")).collect();
    run(&mut server, &no_vectors.join("\n"));
    assert!(server.shut_down().success());
    read(binary.line, form, data.path())
}

/// The logs that a line loads as they are, by their place among all.
fn loaded_by(line: Server) -> Vec<usize> {
    let loads = |original: &Original| {
        let data = tempfile::tempdir().expect("a directory");
        original.lay_out(line, data.path());
        said(line, &log_in(line, data.path())).deed == Deed::Loads
    };
    (0..ORIGINALS.len()).filter(|&at| loads(&ORIGINALS[at])).collect()
}

fn read(line: Server, form: Form, data: &Path) -> Original {
    let log = aofkit::input::open(data).expect("the log of a server");
    let parts = log.parts.iter().map(|part| (part.name.clone(), part.mapping.bytes().to_vec()));
    Original {
        name: format!("{line}, {form:?}"),
        manifest: log.manifest.as_ref().map(|file| fs::read(&file.path).expect("a manifest")),
        parts: parts.collect(),
    }
}

impl Original {
    /// Lays it out for a server of this line; a set that the line cannot read as one file.
    fn lay_out(&self, line: Server, data: &Path) {
        let whole = || self.parts.iter().flat_map(|(_, bytes)| bytes).copied().collect::<Vec<_>>();
        match &self.manifest {
            Some(manifest) if line.reads_multi_part() => {
                let directory = data.join("appendonlydir");
                fs::create_dir(&directory).expect("a directory");
                for (name, bytes) in &self.parts {
                    fs::write(directory.join(name), bytes).expect("a part");
                }
                fs::write(directory.join("appendonly.aof.manifest"), manifest).expect("a manifest");
            }
            _ => drop(lay_out(line, data, &whole())),
        }
    }
}

// The damage.

/// Numbers that look random and are the same every time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            dice.next();
        }
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A byte: any, or one that means something to a loader.
    fn byte(&mut self) -> u8 {
        const TELLING: &[u8] = b"\0*$#\r\n0123456789-+ xR";
        if self.below(3) == 0 { self.next().to_le_bytes()[7] } else { *self.pick(TELLING) }
    }
}

/// A damaged log: which, how, and its bytes.
struct Mutant {
    round: u64,
    log: Original,
    how: String,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "AOFKIT_SEED={} AOFKIT_ROUNDS=1: log of {}, {}",
            self.round, self.log.name, self.how
        )
    }
}

impl Mutant {
    /// Mostly of one of the `likely` logs.
    fn new(round: u64, likely: &[usize]) -> Mutant {
        let mut dice = Dice::new(round);
        let any = dice.below(ORIGINALS.len());
        let which = if dice.below(8) == 0 { any } else { *dice.pick(likely) };
        let mut log = ORIGINALS[which].clone();
        // The last part is where servers forgive.
        let part =
            if dice.below(4) == 0 { dice.below(log.parts.len()) } else { log.parts.len() - 1 };
        let (name, bytes) = &mut log.parts[part];
        let mut how = format!("{name}: {}", mutate(bytes, &mut dice));
        if dice.below(4) == 0 {
            how += &format!(", {}", mutate(bytes, &mut dice));
        }
        Mutant { round, log, how }
    }

    /// Keeps the log for whoever looks into a difference.
    fn keep(&self, line: Server) -> PathBuf {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{line}", self.round));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).expect("a directory");
        self.log.lay_out(line, &place);
        place
    }
}

/// The frames of a part.
fn frames(bytes: &[u8]) -> Vec<Range<usize>> {
    struct Ranges(Vec<Range<usize>>);
    impl Sink for Ranges {
        fn command(&mut self, frame: Frame<'_>) {
            let index = |offset: u64| usize::try_from(offset).expect("small");
            self.0.push(index(frame.offset())..index(frame.end()));
        }
        fn annotation(&mut self, _: u64, _: &[u8]) {}
    }
    let mut ranges = Ranges(Vec::new());
    let start =
        aofkit::rdb::walk(bytes, &mut aofkit::rdb::Ignore, &Silent).map_or(0, |rdb| rdb.len);
    scan(bytes, usize::try_from(start).expect("small")..bytes.len(), &mut ranges);
    ranges.0
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) -> String {
    let frames = frames(bytes);
    if bytes.is_empty() {
        return "nothing, for it is empty".to_string();
    }
    // Half of the places are in or near a header: that is where a byte decides.
    let length = bytes.len();
    let place = |dice: &mut Dice| {
        if frames.is_empty() || dice.below(2) == 0 {
            dice.below(length)
        } else {
            (dice.pick(&frames).start + dice.below(10)).min(length - 1)
        }
    };
    let at = place(dice);
    let until = (at + 1 + dice.below(40)).min(bytes.len());
    match dice.below(10) {
        0..=2 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        3 | 4 => {
            let mut how = "changed".to_string();
            for _ in 0..=dice.below(3) {
                let at = place(dice);
                bytes[at] =
                    if dice.below(2) == 0 { bytes[at] ^ (1 << dice.below(8)) } else { dice.byte() };
                how += &format!(" {at} to {:#04x}", bytes[at]);
            }
            how
        }
        5 => {
            let new: Vec<u8> = (0..=dice.below(4)).map(|_| dice.byte()).collect();
            let how = format!("put {:?} in at {at}", new.escape_ascii().to_string());
            bytes.splice(at..at, new);
            how
        }
        6 => {
            bytes.drain(at..until);
            format!("took {at}..{until} out")
        }
        7 => {
            bytes[at..until].fill(0);
            format!("zeroed {at}..{until}")
        }
        8 => {
            let copy = bytes[at..until].to_vec();
            bytes.splice(until..until, copy);
            format!("doubled {at}..{until}")
        }
        _ if frames.len() < 2 => "nothing, for there is nothing to swap".to_string(),
        _ => {
            let (one, other) = (dice.below(frames.len()), dice.below(frames.len()));
            let (first, second) = (frames[one.min(other)].clone(), frames[one.max(other)].clone());
            if one != other {
                let swapped = [
                    &bytes[second.clone()],
                    &bytes[first.end..second.start],
                    &bytes[first.clone()],
                ]
                .concat();
                bytes.splice(first.start..second.end, swapped);
            }
            format!("swapped the commands at {} and {}", first.start, second.start)
        }
    }
}

// What is held against what.

fn verdicts(binary: &Binary) {
    let mut differences = Vec::new();
    let mut deeds = BTreeMap::new();
    let likely = loaded_by(binary.line);
    for round in rounds(150) {
        let mutant = Mutant::new(round, &likely);
        let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
        mutant.log.lay_out(binary.line, data.path());
        let said = said(binary.line, &log_in(binary.line, data.path()));
        let seen = seen(binary, data.path());
        let reason = OF_CONTENT.iter().find(|reason| said.why.contains(**reason));
        let kind = |deed: Deed| format!("{deed:?}").split('(').next().map(str::to_string);
        *deeds.entry((kind(said.deed), kind(seen.deed), reason)).or_insert(0) += 1;
        if !agree(&said, &seen) {
            let place = mutant.keep(binary.line);
            differences.push(format!(
                "{mutant}\n    kept in {}\n    said: {said}\n    seen: {seen}",
                place.display()
            ));
        }
    }
    tell(&format!("{}: said, seen, reason: {deeds:#?}", binary.line));
    assert!(differences.is_empty(), "{}: {}", binary.line, differences.join("\n"));
}

/// For whoever asked for more rounds: what the mutants came to.
#[allow(clippy::print_stderr)] // The harness has no other place for it.
fn tell(what: &str) {
    if env::var_os("AOFKIT_ROUNDS").is_some() {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("{what}");
        }
    }
}

fn cross_loads(binary: &Binary) {
    let mut differences = Vec::new();
    for original in ORIGINALS.iter() {
        let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
        original.lay_out(binary.line, data.path());
        if let Err(difference) = compare(binary, data.path()) {
            differences.push(format!("{}: {difference}", original.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn agree(said: &Told, seen: &Told) -> bool {
    // A server that meets a broken RDB may well run into it instead of telling.
    let broken_rdb = said.deed == Deed::Refuses && said.why.contains("broken RDB");
    // The source of functions is read by their engine alone, which may stop a server before it comes to
    // what is told.
    let by_engine = seen.deed == Deed::Refuses && seen.why.contains("Failed loading library");
    // A module's value is opaque here: whether the module takes its own bytes, only the module knows.
    let by_module = seen.deed == Deed::Refuses && seen.why.contains("module is not able to load");
    said.tells(seen.deed)
        || by_module
        || (broken_rdb && seen.deed == Deed::Crashes)
        || (said.deed != Deed::Loads && by_engine)
}

/// Reasons for which a server does not load a log that is whole.
const OF_CONTENT: [&str; 8] = [
    "unknown command",
    "unknown sub-command",
    "wrong number of arguments",
    "number of arguments that only older",
    "RDB version",
    "RDB of Valkey's version",
    "a line that begins with #",
    "a line longer than",
];

fn repairs(binary: &Binary) {
    let likely = loaded_by(binary.line);
    let mut ends = BTreeMap::new();
    let mut differences = Vec::new();
    for round in rounds(60) {
        let mutant = Mutant::new(round, &likely);
        for salvage in [false, true] {
            match repaired(binary, &mutant, salvage) {
                Ok(end) => *ends.entry((end, salvage)).or_insert(0) += 1,
                Err(difference) => {
                    let place = mutant.keep(binary.line);
                    differences.push(format!(
                        "{mutant}, salvage: {salvage}\n    kept in {}\n    {difference}",
                        place.display()
                    ));
                }
            }
        }
    }
    tell(&format!("{}: (end, salvage): {ends:?}", binary.line));
    assert!(differences.is_empty(), "{}: {}", binary.line, differences.join("\n"));
}

/// How a repair ended, where that is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Refused: a broken RDB, or a choice that only a person can make.
    Refused,
    /// Refused, for nothing would be left.
    NothingKept,
    /// Nothing was damaged.
    Whole,
    /// Mended, and the server loads all of it.
    Loaded,
    /// Mended, and the server does not take the content: commands or versions that it does not know.
    OfContent,
}

fn repaired(binary: &Binary, mutant: &Mutant, salvage: bool) -> Result<End, String> {
    let line = binary.line;
    let [data, mended] = [(); 2]
        .map(|()| tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory"));
    mutant.log.lay_out(line, data.path());
    let (log, new) = (log_in(line, data.path()), log_in(line, mended.path()));
    let options = RepairOptions { salvage, ..RepairOptions::to(Output::New(new.clone())) };
    let before = said(line, &log);
    let report = match repair(&log, &options, &Silent) {
        Ok(report) => report,
        Err(error) if error.kind() == ErrorKind::Refused && error.next_step().is_some() => {
            return Ok(End::Refused);
        }
        Err(error) => return Err(format!("the repair fails: {error}")),
    };
    if report.refused.is_some() {
        // A torn end is cut whatever it leaves, as the server does.
        return match before.deed {
            Deed::Cuts(_) if !salvage => Err(format!("said: {before}, and nothing is repaired")),
            _ if new.exists() => Err("it is refused, and written".to_string()),
            _ => Ok(End::NothingKept),
        };
    }
    if !report.damaged {
        return match before.deed {
            Deed::Cuts(_) => Err(format!("said: {before}, and nothing is repaired")),
            _ => Ok(End::Whole),
        };
    }
    keeps_only_what_was_there(&log, &new, &report)?;
    if line == valkey(9, 1) && !salvage {
        let spare = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
        mutant.log.lay_out(line, spare.path());
        cuts_as_the_server_does(&seen(binary, spare.path()), &log, &new)?;
    }
    let said = said(line, &new);
    let seen = seen(binary, mended.path());
    if !agree(&said, &seen) {
        return Err(format!("of the repaired log\n    said: {said}\n    seen: {seen}"));
    }
    let of_content = OF_CONTENT.iter().any(|reason| said.why.contains(reason));
    if said.deed != Deed::Loads && !of_content {
        return Err(format!("the repaired log does not load: {said}"));
    }
    Ok(if said.deed == Deed::Loads { End::Loaded } else { End::OfContent })
}

/// Its parts are those of the original, less what the report says is dropped, in order.
fn keeps_only_what_was_there(log: &Path, new: &Path, report: &RepairReport) -> Result<(), String> {
    let parts = |path: &Path| -> Vec<(String, Vec<u8>)> {
        let log = aofkit::input::open(path).expect("a log");
        let parts = log.parts.iter();
        parts.map(|part| (part.name.clone(), part.mapping.bytes().to_vec())).collect()
    };
    let mut expected = parts(log);
    for (name, bytes) in &mut expected {
        for dropped in report.dropped.iter().rev().filter(|dropped| dropped.part == *name) {
            let index = |offset: u64| usize::try_from(offset).expect("small");
            bytes.drain(index(dropped.offset)..index(dropped.offset + dropped.bytes));
        }
    }
    expected.retain(|(name, _)| !report.parts_removed.contains(name));
    let kept: usize = expected.iter().map(|(_, bytes)| bytes.len()).sum();
    if parts(new) != expected || kept as u64 != report.kept_bytes {
        return Err("the result is not what the report tells of the original".to_string());
    }
    Ok(())
}

/// Of a torn end, a repair keeps what the server keeps that cuts torn transactions right: but for
/// annotations, which that server cuts off too, and for transactions inside others, where it errs.
fn cuts_as_the_server_does(seen: &Told, log: &Path, new: &Path) -> Result<(), String> {
    let Deed::Cuts(keeps) = seen.deed else { return Ok(()) };
    let [log, new] = [log, new].map(|path| aofkit::input::open(path).expect("a log"));
    let original = survey(log.parts.last().expect("a part"), &Silent).expect("it can be read");
    let kept = new.parts.last().expect("a part").mapping.bytes();
    let more = kept.get(usize::try_from(keeps).expect("small")..);
    let annotations_alone = more.is_some_and(|more| frames(more).is_empty());
    if annotations_alone || original.tally.transactions.dangling_count > 0 {
        return Ok(());
    }
    Err(format!("the server keeps {keeps} bytes, the repair {}", kept.len()))
}

// The peer.

/// Why redis-check-aof 7.0 and the loaders differ, where they do: the loaders are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// It checks line ends and the form of numbers, which loaders read with tolerance.
    Strict,
    /// It takes a command of no arguments, and goes on.
    NoArguments,
    /// It wants MULTI and EXEC to pair.
    Pairing,
}

fn check_aof(program: &Path) {
    let mut differences = Vec::new();
    let mut known = BTreeMap::new();
    let likely: Vec<usize> = (0..ORIGINALS.len()).collect();
    for round in rounds(1000) {
        let mutant = Mutant::new(round, &likely);
        let data = tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory");
        // One file, as it takes them: the last part.
        let (_, bytes) = mutant.log.parts.last().expect("a part");
        let file = data.path().join("log.aof");
        fs::write(&file, bytes).expect("a file");
        match compare_with_check_aof(program, &file) {
            Ok(None) => {}
            Ok(Some(difference)) => *known.entry(difference).or_insert(0) += 1,
            Err(difference) => differences.push(format!("{mutant}\n    {difference}")),
        }
    }
    tell(&format!("known differences: {known:?}"));
    assert!(differences.is_empty(), "known: {known:?}\n{}", differences.join("\n"));
}

fn compare_with_check_aof(program: &Path, file: &Path) -> Result<Option<Difference>, String> {
    let output = Command::new(program).arg(file).output().expect("it can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let ok_up_to = text
        .split_once("ok_up_to=")
        .and_then(|(_, rest)| rest[..rest.find(',').unwrap_or(rest.len())].parse::<u64>().ok());
    let log = aofkit::input::open(file).map_err(|error| error.to_string())?;
    if log.bytes() == 0 {
        return Ok(None); // It has nothing to say of nothing.
    }
    let survey = survey(&log.parts[0], &Silent).expect("it can be read");
    if survey.is_preamble_broken() {
        let both = !output.status.success();
        return both.then_some(None).ok_or_else(|| format!("a broken RDB is taken: {text}"));
    }
    let whole = survey.is_whole();
    let same_place = ok_up_to.is_none_or(|place| place == survey.safe_end());
    if whole == output.status.success() && (whole || same_place) {
        return Ok(None);
    }
    let tally = &survey.tally;
    let transactions = &tally.transactions;
    let place = ok_up_to.unwrap_or(u64::MAX);
    let bad_count = matches!(survey.stop.fault, Some(aof::Fault::BadCount { .. }));
    let odd =
        tally.non_canonical.first().is_some_and(|first| first >= place || !output.status.success());
    if odd {
        Ok(Some(Difference::Strict))
    } else if bad_count && (output.status.success() || place >= survey.safe_end()) {
        Ok(Some(Difference::NoArguments))
    } else if transactions.dangling_count > 0 || transactions.stray_exec_count > 0 {
        Ok(Some(Difference::Pairing))
    } else {
        Err(format!(
            "said: whole: {whole}, safe end {}, stop {:?}\n    its words: {text}",
            survey.safe_end(),
            survey.stop
        ))
    }
}
