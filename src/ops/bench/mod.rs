//! Measuring how fast a log is read by aofkit and by other programs.
//!
//! Every contender reads the same commands: the scan on one core and on all, counting or checking, and the [`grammar`]
//! alone as a reference, each with the mapping *warm* (touched before) and *cold* (new in each round, so that filling
//! the page table is measured). The page cache itself stays warm throughout: the log is read once before the
//! measurement, and the cache cannot be emptied without affecting other programs. Then whole processes are measured:
//! this program's `verify`, and the servers' own checkers.
//!
//! Contenders take turns, round by round (A B C, A B C, ..), so that changes in the speed of the machine affect all
//! alike. Each contender's count of commands is compared with the first reading: a fast wrong answer is an error.

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
use crate::base::units::{Count, counted};
use crate::command::Tally;
use crate::disk::Mapping;
use crate::input::files::open_files;

/// Options of [`bench()`].
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct BenchOptions {
    /// The number of times that each contender reads the log; at least one.
    pub rounds: usize,
    /// The path of this program, to be run with `verify`; `None` to measure no processes.
    pub own_program: Option<PathBuf>,
    /// The paths of the servers' checkers, such as `redis-check-aof`.
    pub checkers: Vec<PathBuf>,
}

impl Default for BenchOptions {
    /// Five rounds, without other programs.
    fn default() -> Self {
        BenchOptions { rounds: 5, own_program: None, checkers: Vec::new() }
    }
}

/// The names of the servers' checkers.
const CHECKERS: [&str; 2] = ["redis-check-aof", "valkey-check-aof"];

/// Returns the checkers in the directories of `path` (the value of `PATH`), each once, the first with its name.
pub fn checkers_on_path(path: &std::ffi::OsStr) -> Vec<PathBuf> {
    let first =
        |name| std::env::split_paths(path).map(|dir| dir.join(name)).find(|file| file.is_file());
    let mut found: Vec<PathBuf> = CHECKERS.into_iter().filter_map(first).collect();
    // Some packages install one as a symbolic link to the other. It is run under the name found, because a server's
    // program depends on its name.
    found.dedup_by_key(|file| std::fs::canonicalize(&*file).unwrap_or_else(|_| file.clone()));
    found
}

/// The results of a benchmark. All times are in seconds.
#[derive(Debug, Serialize)]
pub struct BenchReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The path of the file or the manifest that was opened.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub opened: PathBuf,
    /// The layout of the log on disk.
    pub layout: Layout,
    /// The total size of all parts in bytes, which is what processes read.
    pub bytes: u64,
    /// The number of bytes of RDBs at the beginning of parts, which scans skip.
    pub rdb_bytes: u64,
    /// The number of bytes of commands and annotations, which is what scans read.
    pub command_bytes: u64,
    /// The number of commands.
    pub commands: u64,
    /// The number of threads of a parallel scan.
    pub threads: usize,
    /// The number of times that each contender read the log.
    pub rounds: usize,
    /// The state of the page cache: always `warm`.
    pub page_cache: &'static str,
    /// The contenders within this process, in the order of each round.
    pub scans: Vec<ScanReport>,
    /// The processes, this program first; empty if none were requested.
    pub processes: Vec<ProcessReport>,
}

/// The reader of a contender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reader {
    /// The scan on one core.
    Sequential,
    /// The parallel scan on all cores.
    Parallel,
    /// The nom grammar alone, on one core.
    Grammar,
}

/// The work done for each command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checks {
    /// Commands and arguments are counted.
    None,
    /// Name, number of arguments, databases and transactions are checked, as by verify.
    Commands,
}

/// The state of the mapping at the start of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Temperature {
    /// It had been read before.
    Warm,
    /// It did not exist: opening and mapping the files and filling the page table is measured. A parallel scan requests
    /// the pages of a chunk at once, as verify does. Unmapping is not measured.
    Cold,
}

/// A contender within this process.
#[derive(Debug, Clone, Serialize)]
pub struct ScanReport {
    /// The reader.
    pub reader: Reader,
    /// The work done for each command.
    pub(crate) checks: Checks,
    /// The state of the mapping.
    pub(crate) mapping: Temperature,
    /// The times.
    #[serde(flatten)]
    pub times: Times,
    /// The bytes per second, from the median.
    pub bytes_per_second: u64,
    /// The commands per second, from the median.
    pub commands_per_second: u64,
    /// Its time as a multiple of that of the sequential scan with the same checks and mapping, in the same round.
    pub times_of_sequential: Ratio,
}

/// A program that reads the log.
#[derive(Debug, Clone, Serialize)]
pub struct ProcessReport {
    /// The name.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The outcome.
    #[serde(flatten)]
    pub outcome: ProcessOutcome,
}

/// The outcome of running a program.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum ProcessOutcome {
    /// It read the log in every round.
    Measured {
        /// The times from start to exit.
        #[serde(flatten)]
        times: Times,
        /// The bytes of the whole log per second, from the median.
        bytes_per_second: u64,
        /// Its time as a multiple of that of this program in the same round, if that was measured.
        #[serde(skip_serializing_if = "Option::is_none")]
        times_of_own: Option<Ratio>,
    },
    /// It did not read the log.
    Failed {
        /// The reason.
        message: String,
    },
}

/// The times of all rounds, at least one.
#[derive(Debug, Clone, Serialize)]
pub struct Times {
    /// The shortest time.
    #[serde(rename = "min_s", serialize_with = "seconds")]
    pub min: Duration,
    /// The median.
    #[serde(rename = "median_s", serialize_with = "seconds")]
    pub median: Duration,
    /// The longest time.
    #[serde(rename = "max_s", serialize_with = "seconds")]
    pub max: Duration,
    /// All times, in the order of rounds.
    #[serde(rename = "rounds_s", serialize_with = "all_seconds")]
    pub rounds: Vec<Duration>,
}

/// Ratios of times of the same round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The smallest ratio.
    pub min: f64,
    /// The median of the ratios, which is not the ratio of the medians.
    pub median: f64,
    /// The largest ratio.
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

    /// Returns `amount` per second, from the median.
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

/// Returns the indices of the one or two values in the middle of `len` sorted ones.
fn middle(len: usize) -> (usize, usize) {
    ((len - 1) / 2, len / 2)
}

/// Measures how fast the log at `path` is read. The log is not modified.
///
/// # Errors
///
/// - When the log cannot be opened, or changes while it is read.
/// - [`ErrorKind::Refused`]: it is damaged, or contains no commands.
pub fn bench(path: &Path, options: &BenchOptions, progress: &dyn Progress) -> Result<BenchReport> {
    let log = open_files(path)?;
    progress.phase("read", log.bytes());
    let (segments, commands) = segments(&log, progress)?;
    let command_bytes: u64 = segments.iter().map(Segment::len).sum();
    let rounds = options.rounds.max(1);

    let contenders = contenders();
    let mut processes = Process::all(&log, options);
    let runs = (rounds * contenders.len()) as u64;
    // The trial run of each process is a round as well.
    let process_runs = ((rounds + 1) * processes.len()) as u64;
    progress.phase("measure", runs * command_bytes + process_runs * log.bytes());
    for process in &mut processes {
        process.try_out();
        progress.advance(log.bytes());
    }
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for _ in 0..rounds {
        for (contender, times) in contenders.iter().zip(&mut times) {
            times.push(contender.run(&segments, commands)?);
            progress.advance(command_bytes);
        }
        for process in &mut processes {
            process.run();
            progress.advance(log.bytes());
        }
    }
    for segment in &segments {
        segment.warm.check()?;
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
struct Segment<'a> {
    path: &'a Path,
    /// A mapping that has been read from end to end.
    warm: &'a Mapping,
    /// The byte offset at which they begin, after an RDB.
    start: usize,
}

impl Segment<'_> {
    fn len(&self) -> u64 {
        self.warm.len() - self.start as u64
    }
}

/// Reads the log once; returns where commands begin, and their number.
fn segments<'a>(log: &'a Log, progress: &dyn Progress) -> Result<(Vec<Segment<'a>>, u64)> {
    let mut segments = Vec::new();
    let mut commands = 0;
    for part in &log.parts {
        let survey = survey(part, progress)?;
        if !survey.is_whole() || part.is_empty_rdb() {
            return Err(Error::new(
                ErrorKind::Refused,
                "the log is damaged: its readers would stop at different positions",
            )
            .at(&part.path)
            .byte(survey.safe_end())
            .help(format!(
                "`aofkit verify {0}` reports the damage, `aofkit repair {0}` repairs it",
                log.path.display()
            )));
        }
        commands += survey.tally.commands;
        let start = usize::try_from(survey.commands_start).unwrap_or(usize::MAX);
        if part.compressed.is_some() && survey.tally.commands == 0 {
            continue;
        }
        if part.compressed.is_some() {
            let what = "its RDB is compressed, and the commands after it cannot be measured";
            return Err(Error::new(ErrorKind::Refused, what).at(&part.path));
        }
        segments.push(Segment { path: &part.path, warm: &part.mapping, start });
    }
    if commands == 0 {
        return Err(Error::new(ErrorKind::Refused, "there are no commands to measure")
            .at(&log.opened)
            .help("give a log with commands, the larger the better: times below a millisecond are not meaningful"));
    }
    Ok((segments, commands))
}

/// A contender within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contender {
    reader: Reader,
    checks: Checks,
    mapping: Temperature,
}

/// Returns the contenders in the order of each round.
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
    /// Reads all segments once.
    fn run(&self, segments: &[Segment<'_>], commands: u64) -> Result<Duration> {
        let mut elapsed = Duration::ZERO;
        let mut found = 0;
        for segment in segments {
            let started = Instant::now();
            let fresh = match self.mapping {
                Temperature::Warm => None,
                Temperature::Cold => Some(Mapping::open(segment.path)?),
            };
            let mapping = fresh.as_ref().unwrap_or(segment.warm);
            // A server may have appended meanwhile.
            let len = segment.warm.bytes().len().min(mapping.bytes().len());
            found += self.read(mapping, &mapping.bytes()[..len], segment.start.min(len));
            elapsed += started.elapsed();
            mapping.check()?;
        }
        if found != commands {
            let what = format!(
                "{self:?} found {}, and there were {}",
                counted(found, "command"),
                Count(commands)
            );
            return Err(Error::new(ErrorKind::Changed, what)
                .help("a process changes the log meanwhile; measure a copy of it"));
        }
        Ok(elapsed)
    }

    /// Returns the number of commands found.
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

/// A sink that only counts, for measuring the scan itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of complete frames.
    pub commands: u64,
    /// The number of arguments of all frames, including names.
    pub arguments: u64,
    /// The number of lines that begin with `#`.
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

/// Counts the commands in `bytes` from `start` (a boundary) to the end or the first fault, using only the nom parsers
/// of the [`grammar`].
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
    /// The exit codes that mean that the whole log was read.
    read_codes: &'static [i32],
    times: Vec<Duration>,
    failed: Option<String>,
}

impl Process {
    fn all(log: &Log, options: &BenchOptions) -> Vec<Process> {
        // An absolute path cannot be mistaken for an option.
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
            // Exit code 1 means findings, such as unknown commands; the whole log was read nevertheless.
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

    /// Runs the program once without measuring: this checks whether it reads the log, and loads it into the page cache.
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

    /// Converts the results; this program comes before those that are compared with it.
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

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn all_seconds<S: Serializer>(times: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().map(Duration::as_secs_f64))
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

    fn options(checkers: Vec<PathBuf>) -> BenchOptions {
        BenchOptions { rounds: 3, own_program: None, checkers }
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
    fn every_contender_is_measured_in_every_round() {
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
    fn failing_checker_is_reported_and_others_are_measured() {
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
