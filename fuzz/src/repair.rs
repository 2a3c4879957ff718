//! Damaged logs: the ranges that a repair retains.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use aofkit::ErrorKind;
use aofkit::analysis::survey::survey;
use aofkit::aof::log::{Layout, Log, Part, PartRole};
use aofkit::base::progress::Silent;
use aofkit::disk::Mapping;
use aofkit::ops::repair::decide::{PartPlan, decide};
use aofkit::ops::repair::{OpenTransaction, Output, RepairOptions, repair as run};
use tempfile::TempDir;

/// Every combination of options.
const CHOICES: [(bool, OpenTransaction); 6] = [
    (false, OpenTransaction::Ask),
    (false, OpenTransaction::Cut),
    (false, OpenTransaction::KeepFromSelect),
    (true, OpenTransaction::Ask),
    (true, OpenTransaction::Cut),
    (true, OpenTransaction::KeepFromSelect),
];

/// For every log and every combination of options: the retained and the dropped ranges cover the log without gaps or
/// overlaps, and the retained ranges form a valid log. A repair is only refused because of a broken RDB, a choice that
/// the user has not made, or more torn transactions than any server leaves.
pub fn repair(bytes: &[u8]) {
    FILES.with_borrow(|files| {
        let log = log(&files.damaged, bytes);
        let part = &log.parts[0];
        let surveys = [survey(part, &Silent).expect("the file does not shrink")];
        let mut checked = Vec::new();
        for (salvage, open_transaction) in CHOICES {
            let options =
                RepairOptions { salvage, open_transaction, ..RepairOptions::to(Output::DryRun) };
            let planned = decide(&log, &surveys, &options);
            let planned = match planned {
                Ok(planned) => planned,
                Err(error) => {
                    let broken_rdb = surveys[0].is_preamble_broken();
                    let transactions = &surveys[0].tally.transactions;
                    let no_log = transactions.dangling_count > transactions.dangling.len() as u64;
                    let undecided = open_transaction == OpenTransaction::Ask;
                    assert!(broken_rdb || no_log || undecided, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                    continue;
                }
            };
            check_ranges(&planned.parts[0], bytes.len() as u64);
            assert_eq!(planned.keeps_everything(), planned.lost_bytes() == 0);
            if checked.contains(&planned.parts[0].keep) {
                continue;
            }
            checked.push(planned.parts[0].keep.clone());
            let retained = retained(&planned.parts[0], bytes);
            let repaired = self::log(&files.repaired, &retained);
            let survey = survey(&repaired.parts[0], &Silent).expect("the file does not shrink");
            assert!(survey.is_whole(), "retained but damaged: {:?} {options:?}", survey.stop);
            let torn = survey.tally.transactions.dangling_count;
            assert_eq!(torn, 0, "a torn transaction is retained: {options:?}");
            // The report also counts commands. Some damaged logs cannot be opened by path.
            if let Ok(report) = run(&files.damaged, &options, &Silent) {
                // Changes of the whole file, and in an RDB, are undone before the ranges are chosen.
                let has_other_length =
                    report.plan.kept_bytes + report.plan.lost_bytes != bytes.len() as u64;
                if has_other_length || report.plan.undoes_changes() {
                    continue;
                }
                assert_eq!(report.plan.kept_commands, survey.tally.commands, "{options:?}");
                assert_eq!(report.plan.kept_bytes, retained.len() as u64, "{options:?}");
            }
        }
    });
}

/// Checks that the retained and the dropped ranges cover the part without gaps or overlaps.
fn check_ranges(plan: &PartPlan, bytes: u64) {
    let retained = plan.keep.iter().map(|range| (range.start, range.end));
    let dropped = plan.dropped.iter().map(|gone| (gone.offset, gone.offset + gone.bytes));
    let mut ranges: Vec<(u64, u64)> = retained.chain(dropped).collect();
    ranges.sort_unstable();
    let end = ranges.iter().fold(0, |end, range| {
        assert!(range.0 == end && range.1 > end, "a gap or an overlap at byte {end}: {plan:?}");
        range.1
    });
    assert_eq!(end, bytes, "{plan:?}");
}

fn retained(plan: &PartPlan, bytes: &[u8]) -> Vec<u8> {
    let index = |offset: u64| usize::try_from(offset).expect("within the bytes");
    plan.keep
        .iter()
        .flat_map(|range| &bytes[index(range.start)..index(range.end)])
        .copied()
        .collect()
}

/// The files of the damaged and the repaired log: logs are mapped, so they must be files. Fuzzing is faster if temporary
/// files are in memory.
struct Files {
    damaged: PathBuf,
    repaired: PathBuf,
    _directory: TempDir,
}

thread_local! {
    static FILES: RefCell<Files> = RefCell::new(Files::new());
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let file = |name: &str| directory.path().join(name);
        Files {
            damaged: file("damaged.aof"),
            repaired: file("repaired.aof"),
            _directory: directory,
        }
    }
}

fn log(path: &Path, bytes: &[u8]) -> Log {
    fs::write(path, bytes).expect("a temporary file can be written");
    let part = Part {
        name: "log".into(),
        path: path.to_path_buf(),
        role: PartRole::Single,
        index: 0,
        mapping: Mapping::open(path).expect("a readable file"),
        compressed: None,
        is_last: true,
    };
    Log {
        path: path.to_path_buf(),
        opened: path.to_path_buf(),
        chosen: None,
        layout: Layout::SingleFile,
        parts: vec![part],
        history: Vec::new(),
        manifest: None,
        others: Vec::new(),
    }
}
