//! Logs that real servers wrote, damaged at random. The trials compare the verdicts of `verify` and
//! `redis-check-aof`, and the results of `repair`, with what the servers do.
//!
//! `AOFKIT_ROUNDS` is the number of mutants per trial, `AOFKIT_SEED` the number of the first one. A mutant that
//! shows a difference is saved, and the message contains its path.

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
use aofkit::ops::repair::{Output, RepairOptions, RepairReport, repair};
use aofkit::{ErrorKind, aof};
use libtest_mimic::Trial;

use super::verdicts::{LoadOutcome, LoadResult, compare, log_in, observed, predicted};
use crate::support::{
    Binary, FAMILIES, Running, find, lay_out, on_each, temp_dir, with_program_on_each,
};

pub(crate) fn trials() -> Vec<Trial> {
    let cross = "damage::verify_predicts_what_happens_to_logs_of_other_lines";
    let mut trials = on_each(&FAMILIES, cross, cross_loads);
    let mutants = "damage::verify_predicts_what_happens_to_damaged_logs";
    trials.extend(on_each(&FAMILIES, mutants, verdicts));
    trials.extend(on_each(&FAMILIES, "damage::repaired_logs_load", repairs));
    let checker = "damage::redis_check_aof_differs_only_where_the_server_agrees_with_verify";
    trials.extend(with_program_on_each(&FAMILIES, "redis-check-aof", checker, check_aof));
    trials
}

/// Returns the numbers of the mutants of a trial, which are `usual` ones by default.
fn rounds(usual: u64) -> Range<u64> {
    let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let first = number("AOFKIT_SEED").unwrap_or(1);
    first..first + number("AOFKIT_ROUNDS").unwrap_or(usual)
}

// The logs.

/// A log that a server wrote: its parts in load order, and the manifest of a set.
#[derive(Clone)]
struct Original {
    name: String,
    manifest: Option<Vec<u8>>,
    parts: Vec<(String, Vec<u8>)>,
}

/// The features that a log uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A base of commands, and only commands that all lines know.
    Plain,
    /// A base of commands, timestamps, and commands that only the line knows.
    Dated,
    /// An RDB base, and commands that only the line knows.
    Rdb,
}

/// The logs of all installed lines.
static ORIGINALS: LazyLock<Vec<Original>> = LazyLock::new(|| {
    let installed = FAMILIES.iter().filter_map(|line| find(*line).ok());
    installed
        .flat_map(|binary| [Form::Plain, Form::Dated, Form::Rdb].map(|form| write(&binary, form)))
        .collect()
});

/// Commands on all types in several databases, sent before a rewrite and again after it.
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

/// Commands that servers since Redis 7.0 know.
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
    let data = temp_dir();
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
        run(&mut server, own); // With vector sets, a rewrite to commands crashes.
    }
    server.rewrite();
    run(&mut server, WORKLOAD);
    let no_vectors: Vec<&str> = own.lines().filter(|line| !line.starts_with("VADD")).collect();
    run(&mut server, &no_vectors.join("\n"));
    assert!(server.shut_down().success());
    read(binary.line, form, data.path())
}

/// Returns the indices of the logs that a line loads without any damage.
fn loaded_by(line: Server) -> Vec<usize> {
    let loads = |original: &Original| {
        let data = temp_dir();
        original.lay_out(line, data.path());
        predicted(line, &log_in(line, data.path())).outcome == LoadOutcome::Loads
    };
    (0..ORIGINALS.len()).filter(|&at| loads(&ORIGINALS[at])).collect()
}

fn read(line: Server, form: Form, data: &Path) -> Original {
    let log = aofkit::input::files::open_files(data).expect("the log of a server");
    let parts = log.parts.iter().map(|part| (part.name.clone(), part.mapping.bytes().to_vec()));
    Original {
        name: format!("{line}, {form:?}"),
        manifest: log.manifest.as_ref().map(|file| fs::read(&file.path).expect("a manifest")),
        parts: parts.collect(),
    }
}

impl Original {
    /// Writes the log to a data directory of a server of this line. A set that the line cannot read becomes one file.
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

/// A reproducible pseudo-random number generator (xorshift64*).
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

    /// Returns a number below `end`, which must not be 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % end
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Returns an arbitrary byte, or, twice as often, one that is significant to a loader.
    fn byte(&mut self) -> u8 {
        const SIGNIFICANT: &[u8] = b"\0*$#\r\n0123456789-+ xR";
        if self.below(3) == 0 { self.next().to_le_bytes()[7] } else { *self.pick(SIGNIFICANT) }
    }
}

/// A damaged log, with its number and a description of the damage.
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
    /// Damages a log: in 7 of 8 cases one of the `likely` ones.
    fn new(round: u64, likely: &[usize]) -> Mutant {
        let mut dice = Dice::new(round);
        let any = dice.below(ORIGINALS.len());
        let which = if dice.below(8) == 0 { any } else { *dice.pick(likely) };
        let mut log = ORIGINALS[which].clone();
        // Servers tolerate damage only in the last part.
        let part =
            if dice.below(4) == 0 { dice.below(log.parts.len()) } else { log.parts.len() - 1 };
        let (name, bytes) = &mut log.parts[part];
        let mut how = format!("{name}: {}", mutate(bytes, &mut dice));
        if dice.below(4) == 0 {
            how += &format!(", {}", mutate(bytes, &mut dice));
        }
        Mutant { round, log, how }
    }

    /// Saves the log for the analysis of a difference. Returns its directory.
    fn save(&self, line: Server) -> PathBuf {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{line}", self.round));
        let _ = fs::remove_dir_all(&data);
        fs::create_dir_all(&data).expect("a directory");
        self.log.lay_out(line, &data);
        data
    }
}

/// Returns the byte ranges of the commands of a part.
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

/// Changes the bytes and returns a description of the change.
fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) -> String {
    let frames = frames(bytes);
    if bytes.is_empty() {
        return "unchanged, because it is empty".to_string();
    }
    // Half of the offsets are in or near a header, where a single byte matters most.
    let length = bytes.len();
    let offset = |dice: &mut Dice| {
        if frames.is_empty() || dice.below(2) == 0 {
            dice.below(length)
        } else {
            (dice.pick(&frames).start + dice.below(10)).min(length - 1)
        }
    };
    let at = offset(dice);
    let until = (at + 1 + dice.below(40)).min(bytes.len());
    match dice.below(10) {
        0..=2 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        3 | 4 => {
            let mut how = "changed".to_string();
            for _ in 0..=dice.below(3) {
                let at = offset(dice);
                bytes[at] =
                    if dice.below(2) == 0 { bytes[at] ^ (1 << dice.below(8)) } else { dice.byte() };
                how += &format!(" {at} to {:#04x}", bytes[at]);
            }
            how
        }
        5 => {
            let new: Vec<u8> = (0..=dice.below(4)).map(|_| dice.byte()).collect();
            let how = format!("inserted {:?} at {at}", new.escape_ascii().to_string());
            bytes.splice(at..at, new);
            how
        }
        6 => {
            bytes.drain(at..until);
            format!("removed {at}..{until}")
        }
        7 => {
            bytes[at..until].fill(0);
            format!("zeroed {at}..{until}")
        }
        8 => {
            let copy = bytes[at..until].to_vec();
            bytes.splice(until..until, copy);
            format!("duplicated {at}..{until}")
        }
        _ if frames.len() < 2 => "unchanged, because there are no two commands to swap".to_string(),
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

// The comparisons.

fn verdicts(binary: &Binary) {
    let mut differences = Vec::new();
    let mut counts = BTreeMap::new();
    let likely = loaded_by(binary.line);
    for round in rounds(150) {
        let mutant = Mutant::new(round, &likely);
        let data = temp_dir();
        mutant.log.lay_out(binary.line, data.path());
        let predicted = predicted(binary.line, &log_in(binary.line, data.path()));
        let observed = observed(binary, data.path());
        let reason = OF_CONTENT.iter().find(|reason| predicted.reason.contains(**reason));
        let kind =
            |outcome: LoadOutcome| format!("{outcome:?}").split('(').next().map(str::to_string);
        *counts.entry((kind(predicted.outcome), kind(observed.outcome), reason)).or_insert(0) += 1;
        if !agree(&predicted, &observed) {
            let saved = mutant.save(binary.line);
            differences.push(format!(
                "{mutant}\n    saved in {}\n    predicted: {predicted}\n    observed: {observed}",
                saved.display()
            ));
        }
    }
    print_statistics(&format!("{}: predicted, observed, reason: {counts:#?}", binary.line));
    assert!(differences.is_empty(), "{}: {}", binary.line, differences.join("\n"));
}

/// Prints how often each outcome occurred, if `AOFKIT_ROUNDS` is set.
#[allow(clippy::print_stderr)] // The harness has no output for passed trials.
fn print_statistics(text: &str) {
    if env::var_os("AOFKIT_ROUNDS").is_some() {
        eprintln!("{text}");
    }
}

fn cross_loads(binary: &Binary) {
    let mut differences = Vec::new();
    for original in ORIGINALS.iter() {
        let data = temp_dir();
        original.lay_out(binary.line, data.path());
        if let Err(difference) = compare(binary, data.path()) {
            differences.push(format!("{}: {difference}", original.name));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn agree(predicted: &LoadResult, observed: &LoadResult) -> bool {
    // A server may crash on a broken RDB instead of reporting it.
    let broken_rdb =
        predicted.outcome == LoadOutcome::Refuses && predicted.reason.contains("broken RDB");
    // Only the script engine reads the source of functions. An error there can stop a server before it reaches the
    // predicted damage.
    let by_engine = observed.outcome == LoadOutcome::Refuses
        && observed.reason.contains("Failed loading library");
    // The values of modules are opaque to aofkit: only the module can reject them, or knows how many numbers and strings one has.
    let by_module = observed.outcome == LoadOutcome::Refuses
        && ["module is not able to load", "proper module value EOF marker"]
            .iter()
            .any(|reason| observed.reason.contains(reason));
    predicted.agrees_with(observed.outcome)
        || by_module
        || (broken_rdb && observed.outcome == LoadOutcome::Crashes)
        || (predicted.outcome != LoadOutcome::Loads && by_engine)
}

/// Reasons for which a server does not load an undamaged log.
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
                    let saved = mutant.save(binary.line);
                    differences.push(format!(
                        "{mutant}, salvage: {salvage}\n    saved in {}\n    {difference}",
                        saved.display()
                    ));
                }
            }
        }
    }
    print_statistics(&format!("{}: (end, salvage): {ends:?}", binary.line));
    assert!(differences.is_empty(), "{}: {}", binary.line, differences.join("\n"));
}

/// The correct outcomes of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The repair was refused because of a broken RDB or a choice that the user has to make.
    Refused,
    /// The repair was refused because no command would be left.
    NothingKept,
    /// The log was not damaged.
    Undamaged,
    /// The log was repaired, and the server loads all of it.
    Loaded,
    /// The log was repaired, and the server rejects its content: unknown commands or versions.
    OfContent,
}

/// Repairs a mutant and lets the server load the result.
///
/// # Errors
///
/// A description of what is wrong with the result.
fn repaired(binary: &Binary, mutant: &Mutant, salvage: bool) -> Result<End, String> {
    let line = binary.line;
    let (data, repaired) = (temp_dir(), temp_dir());
    mutant.log.lay_out(line, data.path());
    let (log, new) = (log_in(line, data.path()), log_in(line, repaired.path()));
    let options = RepairOptions { salvage, ..RepairOptions::to(Output::New(new.clone())) };
    let before = predicted(line, &log);
    let report = match repair(&log, &options, &Silent) {
        Ok(report) => report,
        Err(error) if error.kind() == ErrorKind::Refused && error.next_step().is_some() => {
            return Ok(End::Refused);
        }
        Err(error) => return Err(format!("the repair failed: {error}")),
    };
    if report.plan.refused.is_some() {
        // A torn end is cut whatever it leaves, as the server does.
        return match before.outcome {
            LoadOutcome::Cuts(_) if !salvage => {
                Err(format!("predicted: {before}, but nothing was repaired"))
            }
            _ if new.exists() => Err("it is refused, and written".to_string()),
            _ => Ok(End::NothingKept),
        };
    }
    if !report.plan.damaged {
        return match before.outcome {
            LoadOutcome::Cuts(_) => Err(format!("predicted: {before}, but nothing was repaired")),
            _ => Ok(End::Undamaged),
        };
    }
    // What is undone, and what is changed in an RDB, is no range of the original.
    let json = serde_json::to_value(&report).expect("a report");
    let is_changed =
        ["rdb", "undone"].iter().any(|it| json[it].as_array().is_some_and(|all| !all.is_empty()));
    if !is_changed {
        check_retained_ranges(&log, &new, &report)?;
    }
    if line == valkey(9, 1) && !salvage && !is_changed {
        let copy = temp_dir();
        mutant.log.lay_out(line, copy.path());
        check_cut(&observed(binary, copy.path()), &log, &new)?;
    }
    let predicted = predicted(line, &new);
    let observed = observed(binary, repaired.path());
    if !agree(&predicted, &observed) {
        return Err(format!(
            "the repaired log\n    predicted: {predicted}\n    observed: {observed}"
        ));
    }
    let of_content = OF_CONTENT.iter().any(|reason| predicted.reason.contains(reason));
    if predicted.outcome != LoadOutcome::Loads && !of_content {
        return Err(format!("the repaired log does not load: {predicted}"));
    }
    Ok(if predicted.outcome == LoadOutcome::Loads { End::Loaded } else { End::OfContent })
}

/// Checks that the parts of the repaired log are those of the original without the ranges that the report lists as
/// dropped.
fn check_retained_ranges(log: &Path, new: &Path, report: &RepairReport) -> Result<(), String> {
    let parts = |path: &Path| -> Vec<(String, Vec<u8>)> {
        let log = aofkit::input::files::open_files(path).expect("a log");
        let parts = log.parts.iter();
        parts.map(|part| (part.name.clone(), part.mapping.bytes().to_vec())).collect()
    };
    let mut expected = parts(log);
    for (name, bytes) in &mut expected {
        for dropped in report.plan.dropped.iter().rev().filter(|dropped| dropped.part == *name) {
            let index = |offset: u64| usize::try_from(offset).expect("small");
            bytes.drain(index(dropped.offset)..index(dropped.offset + dropped.bytes));
        }
    }
    expected.retain(|(name, _)| !report.plan.parts_removed.contains(name));
    let retained: usize = expected.iter().map(|(_, bytes)| bytes.len()).sum();
    if parts(new) != expected || retained as u64 != report.plan.kept_bytes {
        return Err("the result is not the original without the dropped ranges".to_string());
    }
    Ok(())
}

/// Checks that a repair of a torn end retains the same bytes as Valkey 9.1, which cuts torn transactions correctly.
/// There are two exceptions: annotations at the end, which that server also cuts off, and nested transactions, which
/// it cuts incorrectly.
fn check_cut(observed: &LoadResult, log: &Path, new: &Path) -> Result<(), String> {
    let LoadOutcome::Cuts(server_bytes) = observed.outcome else { return Ok(()) };
    let [log, new] = [log, new].map(|path| aofkit::input::files::open_files(path).expect("a log"));
    let original = survey(log.parts.last().expect("a part"), &Silent).expect("a readable log");
    let retained = new.parts.last().expect("a part").mapping.bytes();
    let more = retained.get(usize::try_from(server_bytes).expect("small")..);
    let annotations_alone = more.is_some_and(|more| frames(more).is_empty());
    if annotations_alone || original.tally.transactions.dangling_count > 0 {
        return Ok(());
    }
    Err(format!("the server retains {server_bytes} bytes, the repair {}", retained.len()))
}

// redis-check-aof.

/// The known differences between redis-check-aof 7.0 and the loaders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// It checks line ends and the syntax of numbers strictly; loaders are tolerant.
    Strict,
    /// It accepts a command without arguments and continues.
    NoArguments,
    /// It requires every MULTI to be paired with an EXEC.
    Pairing,
}

fn check_aof(binary: &Binary, program: &Path) {
    let mut differences = Vec::new();
    let mut known = BTreeMap::new();
    let likely = loaded_by(binary.line);
    for round in rounds(250) {
        let mutant = Mutant::new(round, &likely);
        let data = temp_dir();
        // redis-check-aof reads one file: the last part.
        let (_, bytes) = mutant.log.parts.last().expect("a part");
        let file = data.path().join("log.aof");
        fs::write(&file, bytes).expect("a file");
        let result = compare_with_check_aof(program, &file).and_then(|difference| {
            if let Some(difference) = difference {
                check_with_server(binary, bytes)
                    .map_err(|error| format!("{difference:?}: {error}"))?;
                *known.entry(difference).or_insert(0) += 1;
            }
            Ok(())
        });
        if let Err(difference) = result {
            let saved = mutant.save(binary.line);
            let saved = saved.display();
            differences.push(format!("{mutant}\n    saved in {saved}\n    {difference}"));
        }
    }
    print_statistics(&format!("{}: known differences: {known:?}", binary.line));
    assert!(differences.is_empty(), "known: {known:?}\n{}", differences.join("\n"));
}

/// Checks that the server does what `verify` predicts for a log about which redis-check-aof disagrees.
fn check_with_server(binary: &Binary, log: &[u8]) -> Result<(), String> {
    let data = temp_dir();
    lay_out(binary.line, data.path(), log);
    let predicted = predicted(binary.line, &log_in(binary.line, data.path()));
    let observed = observed(binary, data.path());
    match agree(&predicted, &observed) {
        true => Ok(()),
        false => Err(format!("predicted: {predicted}\n    observed: {observed}")),
    }
}

/// Compares the verdicts of redis-check-aof and aofkit on a file. Returns the known difference, if there is one.
///
/// # Errors
///
/// A description of an unknown difference.
fn compare_with_check_aof(program: &Path, file: &Path) -> Result<Option<Difference>, String> {
    let output = Command::new(program).arg(file).output().expect("redis-check-aof runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let ok_up_to = text
        .split_once("ok_up_to=")
        .and_then(|(_, rest)| rest[..rest.find(',').unwrap_or(rest.len())].parse::<u64>().ok());
    let log = aofkit::input::files::open_files(file).map_err(|error| error.to_string())?;
    if log.bytes() == 0 {
        return Ok(None); // redis-check-aof gives no verdict on an empty file.
    }
    let survey = survey(&log.parts[0], &Silent).expect("a readable log");
    if survey.is_preamble_broken() {
        let both = !output.status.success();
        return both.then_some(None).ok_or_else(|| format!("accepts a broken RDB: {text}"));
    }
    let whole = survey.is_whole();
    let same_end = ok_up_to.is_none_or(|end| end == survey.safe_end());
    if whole == output.status.success() && (whole || same_end) {
        return Ok(None);
    }
    let tally = &survey.tally;
    let transactions = &tally.transactions;
    let end = ok_up_to.unwrap_or(u64::MAX);
    let bad_count = matches!(survey.stop.fault, Some(aof::Fault::BadCount { .. }));
    let is_strict =
        tally.non_canonical.first().is_some_and(|first| first >= end || !output.status.success());
    if is_strict {
        Ok(Some(Difference::Strict))
    } else if bad_count && (output.status.success() || end >= survey.safe_end()) {
        Ok(Some(Difference::NoArguments))
    } else if transactions.dangling_count > 0 || transactions.stray_exec_count > 0 {
        Ok(Some(Difference::Pairing))
    } else {
        Err(format!(
            "aofkit: whole: {whole}, safe end {}, stop {:?}\n    redis-check-aof: {text}",
            survey.safe_end(),
            survey.stop
        ))
    }
}
