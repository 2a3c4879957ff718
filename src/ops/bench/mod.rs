//! How fast is a log read here, and how fast by others?
//!
//! Every contender reads the same commands: the scan on one core and on all, counting or checking, and
//! the [`grammar`] alone as a reference, each with the mapping *warm* (touched
//! before) and *cold* (fresh in each round, so that the page table is filled while the clock runs). The
//! page cache itself stays warm throughout: the log is read once before the clock starts, and nothing here could
//! empty the cache without harm to others. Then whole processes: this program's `verify`, and the
//! servers' own checkers.
//!
//! Contenders take turns, round by round (A B C, A B C, ..), so that a machine that slows down or
//! speeds up does so for all. Each contender's count of commands is held against the first reading: a
//! fast wrong answer is an error.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::analysis::survey::survey;
use crate::aof::log::{Layout, Log};
use crate::aof::{Frame, Join, Sink, grammar, scan, scan_parallel};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::{Progress, Silent};
use crate::command::Tally;
use crate::disk::Mapping;
use crate::input::open::open;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// How often each contender reads the log; at least once.
    pub rounds: usize,
    /// This program, to be run with `verify`; none: no processes are measured.
    pub own_program: Option<PathBuf>,
    /// The servers' checkers: see [`checkers_on_path`].
    pub checkers: Vec<PathBuf>,
}

/// The names of the servers' checkers.
const CHECKERS: [&str; 2] = ["redis-check-aof", "valkey-check-aof"];

/// The checkers in the directories of `path` (the value of `PATH`), each once, the first of its name.
pub fn checkers_on_path(path: &std::ffi::OsStr) -> Vec<PathBuf> {
    let first =
        |name| std::env::split_paths(path).map(|dir| dir.join(name)).find(|file| file.is_file());
    let mut found: Vec<PathBuf> = CHECKERS.into_iter().filter_map(first).collect();
    // Some packages install one as a link to the other. They are run by the name found all the same: a
    // server's program goes by its name.
    found.dedup_by_key(|file| std::fs::canonicalize(&*file).unwrap_or_else(|_| file.clone()));
    found
}

/// How fast a log was read, by whom. All times are in nanoseconds.
#[derive(Debug, Serialize)]
pub struct BenchReport {
    /// The version of this schema.
    pub schema: u32,
    /// `bench`.
    pub report: &'static str,
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// What was opened there: the file, or the manifest of the set.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub opened: PathBuf,
    /// How the log lies on disk.
    pub layout: Layout,
    /// Bytes of all parts: what processes read.
    pub bytes: u64,
    /// Bytes of RDB at the start of parts, which scans leave out.
    pub rdb_bytes: u64,
    /// Bytes of commands and annotations: what scans read.
    pub command_bytes: u64,
    /// Commands.
    pub commands: u64,
    /// How many threads a parallel scan uses.
    pub threads: usize,
    /// How often each contender read the log.
    pub rounds: usize,
    /// The state of the page cache: always `warm`.
    pub page_cache: &'static str,
    /// The readings within this process, in the order of each round.
    pub scans: Vec<ScanReport>,
    /// The processes, this program first; empty where none were asked for.
    pub processes: Vec<ProcessReport>,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// [`scan()`]: one core.
    Sequential,
    /// [`scan_parallel`]: all cores.
    Parallel,
    /// The nom grammar alone, on one core.
    Grammar,
}

/// What is done with each command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checks {
    /// Commands and arguments are counted.
    None,
    /// Name, number of arguments, databases and transactions are looked at, as by verify.
    Commands,
}

/// What the mapping had been through when the clock started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Temperature {
    /// It had been read before.
    Warm,
    /// It did not exist: files were opened and mapped, and the page table filled, with the clock running. A parallel
    /// scan asks for the pages of a chunk at once, as verify does. Unmapping is not counted.
    Cold,
}

/// One way to read the log within this process.
#[derive(Debug, Clone, Serialize)]
pub struct ScanReport {
    /// Who reads.
    pub reader: Reader,
    /// What is done with each command.
    pub checks: Checks,
    /// The mapping.
    pub mapping: Temperature,
    /// How long it took.
    #[serde(flatten)]
    pub times: Times,
    /// Bytes per second, of the median.
    pub bytes_per_second: u64,
    /// Commands per second, of the median.
    pub commands_per_second: u64,
    /// Its time as a multiple of that of the sequential scan with the same checks and mapping, in the same
    /// round.
    pub times_of_sequential: Ratio,
}

/// One program that reads the log.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessReport {
    /// Its name.
    pub name: String,
    /// The program, and what it was given.
    pub command: Vec<String>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: ProcessOutcome,
}

/// What came of running a program.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum ProcessOutcome {
    /// It read the log in every round.
    Measured {
        /// How long it took, from its start to its end.
        #[serde(flatten)]
        times: Times,
        /// Bytes of the whole log per second, of the median.
        bytes_per_second: u64,
        /// Its time as a multiple of that of this program in the same round, where that was measured.
        #[serde(skip_serializing_if = "Option::is_none")]
        times_of_own: Option<Ratio>,
    },
    /// It did not, for this reason.
    Failed {
        /// The reason.
        message: String,
    },
}

/// The times of all rounds, at least one.
#[derive(Debug, Clone, Serialize)]
pub struct Times {
    /// The shortest.
    #[serde(rename = "min_ns", serialize_with = "nanoseconds")]
    pub min: Duration,
    /// The median.
    #[serde(rename = "median_ns", serialize_with = "nanoseconds")]
    pub median: Duration,
    /// The longest.
    #[serde(rename = "max_ns", serialize_with = "nanoseconds")]
    pub max: Duration,
    /// All, in the order of rounds.
    #[serde(rename = "rounds_ns", serialize_with = "all_nanoseconds")]
    pub rounds: Vec<Duration>,
}

/// Times held against others, pair by pair of the same round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The smallest.
    pub min: f64,
    /// The median: not the ratio of the medians.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Times {
    fn new(rounds: Vec<Duration>) -> Self {
        let mut sorted = rounds.clone();
        sorted.sort_unstable();
        let (below, above) = middle(sorted.len());
        Times {
            min: sorted[0],
            median: (sorted[below] + sorted[above]) / 2,
            max: sorted[sorted.len() - 1],
            rounds,
        }
    }

    /// `amount` in a second, of the median.
    fn per_second(&self, amount: u64) -> u64 {
        let nanos = self.median.as_nanos().max(1);
        u64::try_from(u128::from(amount) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
    }

    fn over(&self, others: &Times) -> Ratio {
        let pairs = self.rounds.iter().zip(&others.rounds);
        let mut sorted: Vec<f64> = pairs
            .map(|(mine, other)| {
                mine.as_secs_f64() / other.max(&Duration::from_nanos(1)).as_secs_f64()
            })
            .collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (below, above) = middle(sorted.len());
        Ratio {
            min: sorted[0],
            median: f64::midpoint(sorted[below], sorted[above]),
            max: sorted[sorted.len() - 1],
        }
    }
}

/// The indices of the one or two values in the middle of `len` sorted ones.
fn middle(len: usize) -> (usize, usize) {
    ((len - 1) / 2, len / 2)
}

/// Measures how fast the log at `path` is read. The log is not changed.
///
/// # Errors
///
/// - When the log cannot be opened, or changes while it is read.
/// - [`ErrorKind::Refused`]: it is damaged, or holds no commands.
pub fn bench(path: &Path, options: &Options, progress: &dyn Progress) -> Result<BenchReport> {
    let log = open(path)?;
    progress.phase("read", log.bytes());
    let (stretches, commands) = stretches(&log, progress)?;
    let command_bytes: u64 = stretches.iter().map(Stretch::len).sum();
    let rounds = options.rounds.max(1);

    let contenders = contenders();
    let mut processes = Process::all(&log, options);
    let runs = (rounds * contenders.len()) as u64;
    // The trial of each process is a round as well.
    let process_runs = ((rounds + 1) * processes.len()) as u64;
    progress.phase("measure", runs * command_bytes + process_runs * log.bytes());
    for process in &mut processes {
        process.try_out();
        progress.advance(log.bytes());
    }
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for _ in 0..rounds {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(contender.run(&stretches, commands)?);
            progress.advance(command_bytes);
        }
        for process in &mut processes {
            process.run();
            progress.advance(log.bytes());
        }
    }
    for stretch in &stretches {
        stretch.warm.check()?;
    }

    let times: Vec<Times> = times.into_iter().map(Times::new).collect();
    let scan_report = |(index, contender): (usize, &Contender)| {
        let Contender { reader, checks, mapping } = *contender;
        let sequential = Contender { reader: Reader::Sequential, ..*contender };
        let base = contenders.iter().position(|other| *other == sequential).unwrap_or(index);
        ScanReport {
            reader,
            checks,
            mapping,
            bytes_per_second: times[index].per_second(command_bytes),
            commands_per_second: times[index].per_second(commands),
            times_of_sequential: times[index].over(&times[base]),
            times: times[index].clone(),
        }
    };
    Ok(BenchReport {
        schema: 1,
        report: "bench",
        path: log.path.clone(),
        opened: log.opened.clone(),
        layout: log.layout.clone(),
        bytes: log.bytes(),
        rdb_bytes: log.bytes() - command_bytes,
        command_bytes,
        commands,
        threads: rayon::current_num_threads(),
        rounds,
        page_cache: "warm",
        scans: contenders.iter().enumerate().map(scan_report).collect(),
        processes: Process::reports(processes, log.bytes()),
    })
}

/// The commands of one part.
struct Stretch<'a> {
    path: &'a Path,
    /// A mapping that has been read from end to end.
    warm: &'a Mapping,
    /// Where they begin: behind an RDB.
    start: usize,
}

impl Stretch<'_> {
    fn len(&self) -> u64 {
        self.warm.len() - self.start as u64
    }
}

/// Reads the log once: where commands begin, and how many there are.
fn stretches<'a>(log: &'a Log, progress: &dyn Progress) -> Result<(Vec<Stretch<'a>>, u64)> {
    let mut stretches = Vec::new();
    let mut commands = 0;
    for part in &log.parts {
        let survey = survey(part, progress)?;
        if !survey.is_whole() {
            return Err(Error::new(
                ErrorKind::Refused,
                "the log is damaged, and how far each reader would get is no measure of its speed",
            )
            .at(&part.path)
            .byte(survey.safe_end())
            .help(format!(
                "`aofkit verify {0}` tells what is wrong, `aofkit repair {0}` mends it",
                log.path.display()
            )));
        }
        commands += survey.tally.commands;
        let start = usize::try_from(survey.commands_start).unwrap_or(usize::MAX);
        stretches.push(Stretch { path: &part.path, warm: &part.mapping, start });
    }
    if commands == 0 {
        return Err(Error::new(ErrorKind::Refused, "there are no commands to measure")
            .at(&log.opened)
            .help("give a log with commands, the larger the better: times below a millisecond tell little"));
    }
    Ok((stretches, commands))
}

/// One way to read the log within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contender {
    reader: Reader,
    checks: Checks,
    mapping: Temperature,
}

/// In the order of each round.
fn contenders() -> Vec<Contender> {
    const WAYS: [(Reader, Checks); 5] = [
        (Reader::Sequential, Checks::None),
        (Reader::Sequential, Checks::Commands),
        (Reader::Parallel, Checks::None),
        (Reader::Parallel, Checks::Commands),
        (Reader::Grammar, Checks::None),
    ];
    let with = |mapping| WAYS.map(|(reader, checks)| Contender { reader, checks, mapping });
    [with(Temperature::Warm), with(Temperature::Cold)].concat()
}

impl Contender {
    /// Reads all stretches once.
    fn run(&self, stretches: &[Stretch<'_>], commands: u64) -> Result<Duration> {
        let mut elapsed = Duration::ZERO;
        let mut found = 0;
        for stretch in stretches {
            let started = Instant::now();
            let fresh = match self.mapping {
                Temperature::Warm => None,
                Temperature::Cold => Some(Mapping::open(stretch.path)?),
            };
            let mapping = fresh.as_ref().unwrap_or(stretch.warm);
            // A server may have appended meanwhile.
            let len = stretch.warm.bytes().len().min(mapping.bytes().len());
            found += self.read(mapping, &mapping.bytes()[..len], stretch.start.min(len));
            elapsed += started.elapsed();
            mapping.check()?;
        }
        if found != commands {
            let what = format!("{self:?} found {found} commands, and there were {commands}");
            return Err(Error::new(ErrorKind::Changed, what)
                .help("a process changes the log meanwhile; measure a copy of it"));
        }
        Ok(elapsed)
    }

    /// How many commands it finds.
    fn read(&self, mapping: &Mapping, bytes: &[u8], start: usize) -> u64 {
        let touch = |range| {
            if self.mapping == Temperature::Cold {
                mapping.prefault(range);
            }
        };
        let all = start..bytes.len();
        match (self.reader, self.checks) {
            (Reader::Grammar, _) => black_box(by_grammar(bytes, start)).commands,
            (Reader::Sequential, Checks::None) => {
                let mut counts = Counts::default();
                scan(bytes, all, &mut counts);
                black_box(counts).commands
            }
            (Reader::Sequential, Checks::Commands) => {
                let mut tally = Tally::default();
                scan(bytes, all, &mut tally);
                black_box(tally).commands
            }
            (Reader::Parallel, Checks::None) => {
                let scanned = scan_parallel(bytes, start, Counts::default, touch, &Silent);
                black_box(scanned.sink).commands
            }
            (Reader::Parallel, Checks::Commands) => {
                let scanned = scan_parallel(bytes, start, Tally::default, touch, &Silent);
                black_box(scanned.sink).commands
            }
        }
    }
}

/// A sink that only counts: what the scan itself costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Whole frames.
    pub commands: u64,
    /// Arguments of all frames, names included.
    pub arguments: u64,
    /// Lines that begin with `#`.
    pub annotations: u64,
}

impl Sink for Counts {
    #[inline]
    fn command(&mut self, frame: Frame<'_>) {
        self.commands += 1;
        self.arguments += u64::from(frame.argc());
    }

    fn annotation(&mut self, _offset: u64, _line: &[u8]) {
        self.annotations += 1;
    }
}

impl Join for Counts {
    fn join(&mut self, later: Self) {
        self.commands += later.commands;
        self.arguments += later.arguments;
        self.annotations += later.annotations;
    }
}

/// Counts what stands in `bytes` from `start` (a boundary) on, up to their end or the first fault, by nothing but
/// the nom parsers of the [`grammar`].
pub fn by_grammar(bytes: &[u8], start: usize) -> Counts {
    let mut counts = Counts::default();
    let mut rest = bytes.get(start..).unwrap_or_default();
    while !rest.is_empty() {
        let (argc, len) = if let Ok((_, shape)) = grammar::canonical(rest) {
            (shape.argc, shape.len)
        } else if let Ok((after, _)) = grammar::annotation(rest) {
            counts.annotations += 1;
            rest = after;
            continue;
        } else if let Ok(shape) = grammar::tolerated(rest) {
            (shape.argc, shape.len)
        } else {
            break;
        };
        counts.commands += 1;
        counts.arguments += u64::from(argc);
        rest = &rest[len..];
    }
    counts
}

/// A program that reads the log, and its times so far.
struct Process {
    name: String,
    /// Whether it is this program.
    own: bool,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    /// Exit codes that say that all of the log was read.
    read_codes: &'static [i32],
    times: Vec<Duration>,
    failed: Option<String>,
}

impl Process {
    fn all(log: &Log, options: &Options) -> Vec<Process> {
        // An absolute path is no option, whatever it is called.
        let path = std::path::absolute(&log.opened).unwrap_or_else(|_| log.opened.clone());
        let process = |name, program: &Path, own, arguments, read_codes| Process {
            name,
            own,
            program: program.to_path_buf(),
            arguments,
            read_codes,
            times: Vec::new(),
            failed: None,
        };
        let own = options.own_program.iter().map(|program| {
            let threads = rayon::current_num_threads().to_string();
            let mut arguments: Vec<PathBuf> =
                ["verify", "--quiet", "--progress", "never", "--threads"]
                    .map(PathBuf::from)
                    .to_vec();
            arguments.extend([PathBuf::from(threads), path.clone()]);
            // 1 tells of findings, such as unknown commands; all was read nevertheless.
            process("aofkit verify".to_string(), program, true, arguments, &[0, 1])
        });
        let checkers = options.checkers.iter().map(|program| {
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            process(name, program, false, vec![path.clone()], &[0])
        });
        own.chain(checkers).collect()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        command
    }

    /// Runs it once off the clock: does it read this log? Its program is in the page cache then, too.
    fn try_out(&mut self) {
        self.failed = match self.command().output() {
            Err(error) => Some(format!("cannot run it: {error}")),
            Ok(output) if self.has_read(output.status.code()) => None,
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                let said = String::from_utf8_lossy(&said);
                let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no word");
                let last: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
                Some(format!("{}: {last}", output.status))
            }
        };
    }

    fn run(&mut self) {
        if self.failed.is_some() {
            return;
        }
        let mut command = self.command();
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let status = command.status();
        let elapsed = started.elapsed();
        match status {
            Ok(status) if self.has_read(status.code()) => self.times.push(elapsed),
            Ok(status) => {
                self.failed = Some(format!("{status}, although it had read the log before"))
            }
            Err(error) => self.failed = Some(format!("cannot run it: {error}")),
        }
    }

    fn has_read(&self, code: Option<i32>) -> bool {
        code.is_some_and(|code| self.read_codes.contains(&code))
    }

    /// This program comes before those that are held against it.
    fn reports(processes: Vec<Process>, bytes: u64) -> Vec<ProcessReport> {
        let mut own: Option<Times> = None;
        let report = |process: Process| {
            let words = std::iter::once(&process.program).chain(&process.arguments);
            let command = words.map(|word| word.display().to_string()).collect();
            let outcome = match process.failed {
                Some(message) => ProcessOutcome::Failed { message },
                None => {
                    let times = Times::new(process.times);
                    let bytes_per_second = times.per_second(bytes);
                    let times_of_own = own.as_ref().map(|own| times.over(own));
                    if process.own {
                        own = Some(times.clone());
                    }
                    ProcessOutcome::Measured { times, bytes_per_second, times_of_own }
                }
            };
            ProcessReport { name: process.name, command, outcome }
        };
        processes.into_iter().map(report).collect()
    }
}

fn nanoseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

fn all_nanoseconds<S: Serializer>(times: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    serializer
        .collect_seq(times.iter().map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";

    fn log(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.aof");
        std::fs::write(&path, bytes).unwrap();
        (directory, path)
    }

    fn options(checkers: Vec<PathBuf>) -> Options {
        Options { rounds: 3, own_program: None, checkers }
    }

    #[test]
    fn the_grammar_counts_what_the_scan_counts() {
        let bytes = [SET, b"#TS:1\r\n", b"*1\n$04\nPINGxx", SET, b"*2\r\n$3\r\nGE"].concat();
        let mut counts = Counts::default();
        scan(&bytes, 0..bytes.len(), &mut counts);
        assert_eq!(by_grammar(&bytes, 0), counts);
        assert_eq!(counts, Counts { commands: 3, arguments: 7, annotations: 1 });
        assert_eq!(by_grammar(&bytes, bytes.len() + 1), Counts::default());
    }

    #[test]
    fn every_way_is_measured_in_every_round() {
        let (_directory, path) = log(&SET.repeat(1000));
        let report = bench(&path, &options(Vec::new()), &Silent).unwrap();
        assert_eq!((report.commands, report.command_bytes), (1000, 1000 * SET.len() as u64));
        assert_eq!(report.scans.len(), 10);
        for scan in &report.scans {
            assert_eq!(scan.times.rounds.len(), 3);
            assert!(scan.times.min <= scan.times.median && scan.times.median <= scan.times.max);
            if scan.reader == Reader::Sequential {
                assert_eq!(scan.times_of_sequential, Ratio { min: 1.0, median: 1.0, max: 1.0 });
            }
        }
        assert!(report.processes.is_empty());
    }

    #[test]
    fn a_damaged_log_is_refused_with_the_next_step() {
        for damaged in [&[SET, b"*3\r\n"].concat()[..], b"*1\r\n$5\r\nMULTI\r\n"] {
            let (_directory, path) = log(damaged);
            let error = bench(&path, &options(Vec::new()), &Silent).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.next_step().unwrap().contains("aofkit verify"), "{error}");
        }
        let (_directory, path) = log(b"");
        let error = bench(&path, &options(Vec::new()), &Silent).err().unwrap();
        assert!(error.to_string().contains("no commands"), "{error}");
    }

    #[test]
    fn a_checker_that_does_not_read_the_log_is_told_and_the_others_are_measured() {
        let (_directory, path) = log(SET);
        let programs = ["/bin/true", "/bin/false", "/nowhere/redis-check-aof"].map(PathBuf::from);
        let report = bench(&path, &options(programs.to_vec()), &Silent).unwrap();
        let [well, badly, nowhere] = &report.processes[..] else { panic!("{report:?}") };
        assert!(matches!(&well.outcome, ProcessOutcome::Measured { times, times_of_own: None, .. }
            if times.rounds.len() == 3));
        assert!(matches!(&badly.outcome, ProcessOutcome::Failed { message }
            if message.contains("exit status: 1")));
        assert!(matches!(&nowhere.outcome, ProcessOutcome::Failed { message }
            if message.contains("cannot run it")));
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let times =
            |all: &[u64]| Times::new(all.iter().map(|&ms| Duration::from_millis(ms)).collect());
        let (mine, other) = (times(&[20, 90, 40]), times(&[10, 30, 40]));
        assert_eq!(mine.median, Duration::from_millis(40));
        assert_eq!(mine.over(&other), Ratio { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!(times(&[10, 20]).median, Duration::from_millis(15));
        assert_eq!(times(&[500]).per_second(3), 6);
    }

    #[test]
    fn a_checker_under_two_names_is_run_once() {
        let directory = tempfile::tempdir().unwrap();
        let [redis, valkey] = CHECKERS.map(|name| directory.path().join(name));
        std::fs::write(&valkey, "").unwrap();
        assert_eq!(checkers_on_path(directory.path().as_os_str()), [valkey.as_path()]);
        std::os::unix::fs::symlink(&valkey, &redis).unwrap();
        assert_eq!(checkers_on_path(directory.path().as_os_str()), [redis.as_path()]);
    }
}
