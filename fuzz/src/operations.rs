//! Sequences of operations on one data directory and its backups, in which input and output fail.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aofkit::Cancellation;
use aofkit::base::progress::{Progress, Silent};
use aofkit::disk::names::is_unfinished;
use aofkit::disk::publish::Existing;
use aofkit::ops::backup::{BackupOptions, backup_path};
use aofkit::ops::clean::{CleanOptions, clean};
use aofkit::ops::compact::{CompactOptions, compact};
use aofkit::ops::compress::{CompressOptions, compress};
use aofkit::ops::digest::{DigestOptions, digest};
use aofkit::ops::list::{ListOptions, list};
use aofkit::ops::prune::{Keep, KeepPolicy, PruneOptions, prune};
use aofkit::ops::recover::{Choice, RecoverOptions, recover};
use aofkit::ops::repair::{OpenTransaction, Output, RepairOptions, repair};
use aofkit::ops::restore::{RestoreOptions, restore};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use super::log::log_of;

/// More steps than this are not read: the target shall find sequences, not long runs.
const MAX_STEPS: usize = 8;

/// Operations run one after the other, each as the input says with a fault. Whatever fails:
///
/// - the log is what it was before the operation, or what the operation makes of it without a fault; never anything else;
/// - every archive that is listed is whole, and contains one of the states that were backed up;
/// - after a `clean`, no unfinished output is left, and the data directory has the data of its log.
///
/// The input: steps of two bytes up to a newline, and then the lines of [`log_of`].
pub fn operations(bytes: &[u8]) {
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (steps, rest) = bytes.split_at(header);
    let log = log_of(rest.get(1..).unwrap_or_default());
    let world = World::new(&log);
    let mut states = States::new();
    for step in steps.chunks_exact(2).take(MAX_STEPS) {
        world.step(step[0], step[1], &mut states);
    }
    world.check_leftovers();
}

/// The operation that a server does, of nine.
const OF_A_SERVER: u8 = 8;

/// The data of the logs that there were; `None` for one of which it is not known, as of one with an unknown command.
type States = BTreeSet<Option<String>>;

/// A data directory with a log, a directory with archives, and the file to which logs are compressed.
struct World {
    top: TempDir,
}

impl World {
    fn new(log: &[u8]) -> Self {
        aofkit::disk::fail_beyond_size_limit();
        let world = World { top: tempfile::tempdir().expect("a directory for temporary files") };
        fs::create_dir(world.data()).expect("a new directory");
        fs::create_dir(world.archives()).expect("a new directory");
        fs::write(world.log(), log).expect("a new file");
        world
    }

    fn data(&self) -> PathBuf {
        self.top.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.data().join("appendonly.aof")
    }

    fn archives(&self) -> PathBuf {
        self.top.path().join("archives")
    }

    /// Runs one operation twice: on a copy without a fault, which tells what it makes of the log, and here with the fault.
    fn step(&self, operation: u8, fault: u8, states: &mut States) {
        let before = fs::read(self.log()).ok();
        let copy = World { top: tempfile::tempdir().expect("a directory for temporary files") };
        copy_directory(self.top.path(), copy.top.path());
        let expected = copy.run(operation, &Silent);
        let after = fs::read(copy.log()).ok();
        states.insert(fingerprint(&self.log()));
        let outputs_before = self.outputs();
        let got = {
            let progress = Cancelled::after(fault);
            // What another program writes is not of this one.
            let is_own = operation % 9 != OF_A_SERVER;
            let _fault = is_own.then(|| Fault::begin(fault));
            self.run(operation, &progress)
        };
        let log = fs::read(self.log()).ok();
        let outputs_after = copy.outputs();
        let context = || format!("operation {operation}, fault {fault}: {expected:?}, {got:?}");
        if got.is_ok() {
            assert!(expected.is_ok(), "only with a fault it succeeds: {}", context());
            assert!(log == after, "a success that is none: {}", context());
        } else {
            assert!(log == before || log == after, "the log has changed: {}", context());
        }
        for (index, output) in self.outputs().iter().enumerate() {
            let expected = [&outputs_before[index], &outputs_after[index]];
            assert!(expected.contains(&output), "output {index} is {output:?}: {}", context());
        }
        self.check_archives(states, &context());
    }

    /// What `compact` and `compress` have written: the data of it, if it is there and whole.
    fn outputs(&self) -> [Option<Option<String>>; 2] {
        ["output", "output.zip"].map(|name| {
            let path = self.top.path().join(name);
            path.exists().then(|| fingerprint(&path))
        })
    }

    fn run(&self, operation: u8, progress: &dyn Progress) -> Result<(), String> {
        let (data, log) = (self.data(), self.log());
        let output = self.top.path().join("output");
        let said = |error: aofkit::Error| error.to_string();
        match operation % 9 {
            0 => {
                let options = CompactOptions {
                    output: Some(output),
                    existing: Existing::Overwrite,
                    ..CompactOptions::default()
                };
                compact(&data, &options, progress).map(drop).map_err(said)
            }
            1 => {
                let open_transaction = OpenTransaction::Cut;
                let options = RepairOptions {
                    open_transaction,
                    salvage: true,
                    ..RepairOptions::to(Output::InPlace)
                };
                repair(&data, &options, progress).map(drop).map_err(said)
            }
            2 => {
                let options = RecoverOptions::new(Choice::Strip, Output::InPlace);
                recover(&data, &options, progress).map(drop).map_err(said)
            }
            3 | 4 => backup_path(&data, &self.backup(operation), progress).map(drop).map_err(said),
            5 => {
                let options = PruneOptions { policy: keep_last(1), ..PruneOptions::default() };
                prune(&self.archives(), &options, progress).map(drop).map_err(said)
            }
            6 => {
                let newest = newest(&self.archives()).ok_or("no archive")?;
                let options = RestoreOptions { force: true, ..RestoreOptions::new(data) };
                restore(&newest, &options, progress).map(drop).map_err(said)
            }
            7 => {
                let existing = Existing::Replace;
                let options = CompressOptions {
                    existing,
                    ..CompressOptions::new(output.with_extension("zip"), jiff::Timestamp::now())
                };
                compress(&data, &options, progress).map(drop).map_err(said)
            }
            // A server goes on, and its last command may be torn.
            _ => {
                let mut log = fs::OpenOptions::new().append(true).open(log).map_err(io)?;
                let whole = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
                log.write_all(&whole[..whole.len() - usize::from(operation >> 4)]).map_err(io)
            }
        }
    }

    fn backup(&self, operation: u8) -> BackupOptions {
        let keep = if operation % 9 == 3 { KeepPolicy::default() } else { keep_last(2) };
        BackupOptions { keep, ..BackupOptions::new(self.archives()) }
    }

    /// Every archive that is listed has one of the states that were there when a step began.
    fn check_archives(&self, states: &States, context: &str) {
        let options = ListOptions { verify: true };
        let listed = list(&self.archives(), options, &Silent).expect("a directory");
        for archive in listed.archives {
            let digest = fingerprint(&archive.path);
            let known = states.contains(&digest);
            assert!(known, "{}: {digest:?}, {context}", archive.path.display());
        }
    }

    fn check_leftovers(&self) {
        let options = CleanOptions { older_than: Duration::ZERO, dry_run: false };
        for directory in [self.data(), self.archives(), self.top.path().to_owned()] {
            for entry in fs::read_dir(&directory).expect("a directory").flatten() {
                make_old(&entry.path());
            }
            clean(&directory, &options, &Silent).expect("a directory that can be read");
            for entry in fs::read_dir(&directory).expect("a directory").flatten() {
                let name = entry.file_name();
                assert!(!is_unfinished(&name), "it is left: {}", entry.path().display());
            }
        }
        if self.log().exists() {
            let alone = tempfile::tempdir().expect("a directory for temporary files");
            let copy = alone.path().join("appendonly.aof");
            fs::copy(self.log(), &copy).expect("a log of a few bytes");
            let of_directory = fingerprint(&self.data());
            assert_eq!(of_directory, fingerprint(&copy), "another log is taken");
        }
    }
}

/// The data of a log or of one in an archive; `None` where there is none, or it is damaged.
fn fingerprint(path: &Path) -> Option<String> {
    let options = DigestOptions::default();
    digest(path, &options, &Silent).ok().map(|report| report.fingerprint)
}

fn keep_last(count: u32) -> KeepPolicy {
    KeepPolicy { last: Keep::Latest(count), ..KeepPolicy::default() }
}

fn newest(archives: &Path) -> Option<PathBuf> {
    let listed = list(archives, ListOptions::default(), &Silent).ok()?;
    listed.archives.into_iter().map(|archive| archive.path).max()
}

/// Only unfinished output that is older than a minute is taken for abandoned.
fn make_old(path: &Path) {
    let time = SystemTime::now() - Duration::from_secs(120);
    if let Ok(file) = fs::File::open(path) {
        file.set_modified(time).expect("a file of this process");
    }
}

fn io(error: std::io::Error) -> String {
    error.to_string()
}

fn copy_directory(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let copy = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            fs::create_dir(&copy).expect("a new directory");
            copy_directory(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).expect("a small file");
        }
    }
}

/// The fault of one step, which ends when this is dropped: a limit of this process.
struct Fault(Option<(Resource, Rlimit)>);

impl Fault {
    /// The upper two bits of `fault` say which: none, a disk that is full after some bytes, no descriptor after some, a
    /// cancellation (see [`Cancelled`]). The other bits say how many.
    fn begin(fault: u8) -> Fault {
        let count = u64::from(fault & 0x3f);
        let (resource, limit) = match fault >> 6 {
            1 => (Resource::Fsize, count * 16),
            2 => (Resource::Nofile, limit_after(count % 8)),
            _ => return Fault(None),
        };
        let usual = getrlimit(resource);
        let limited = Rlimit { current: Some(limit), maximum: usual.maximum };
        setrlimit(resource, limited).expect("a lower limit is allowed");
        Fault(Some((resource, usual)))
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if let Some((resource, usual)) = self.0.take() {
            setrlimit(resource, usual).expect("the usual limit is allowed");
        }
    }
}

/// The limit of descriptors that leaves `count` of them, and the one by which this directory is read.
fn limit_after(count: u64) -> u64 {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let open: BTreeSet<u64> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let unused = (0..).filter(|number| !open.contains(number));
    unused.take(usize::try_from(count).expect("a small count") + 1).last().unwrap_or(0)
}

/// Cancels the operation at one of its reports of progress.
struct Cancelled {
    request: Cancellation,
    left: AtomicU64,
}

impl Cancelled {
    fn after(fault: u8) -> Cancelled {
        let left = if fault >> 6 == 3 { u64::from(fault & 0x3f) } else { u64::MAX };
        Cancelled { request: Cancellation::new(), left: AtomicU64::new(left) }
    }

    fn count(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.request.cancel();
        }
    }
}

impl Progress for Cancelled {
    fn phase(&self, _: &str, _: u64) {
        self.count();
    }

    fn advance(&self, _: u64) {
        self.count();
    }

    fn cancellation(&self) -> Option<&Cancellation> {
        Some(&self.request)
    }
}
