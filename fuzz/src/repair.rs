//! Damaged logs: what repair would keep of them.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use aofkit::ErrorKind;
use aofkit::analysis::survey::survey;
use aofkit::aof::log::{Layout, Log, Part, PartRole};
use aofkit::base::progress::Silent;
use aofkit::disk::Mapping;
use aofkit::ops::repair::plan::{PartPlan, plan};
use aofkit::ops::repair::{OpenTransaction, Options, Output, repair as run};
use tempfile::TempDir;

/// Every choice that a person has.
const CHOICES: [(bool, OpenTransaction); 6] = [
    (false, OpenTransaction::Ask),
    (false, OpenTransaction::Cut),
    (false, OpenTransaction::KeepFromSelect),
    (true, OpenTransaction::Ask),
    (true, OpenTransaction::Cut),
    (true, OpenTransaction::KeepFromSelect),
];

/// However the log is damaged and whatever is chosen: what is kept and what is dropped tile it, and what
/// is kept is whole. Nothing is refused but a broken RDB, a choice that was not made,
/// and a log with more torn transactions than any server leaves.
pub fn repair(bytes: &[u8]) {
    ROOM.with_borrow(|room| {
        let log = log(&room.damaged, bytes);
        let part = &log.parts[0];
        let surveys = [survey(part, &Silent).expect("nobody cuts the file")];
        let mut checked = Vec::new();
        for (salvage, open_transaction) in CHOICES {
            let options = Options { salvage, open_transaction, ..Options::to(Output::DryRun) };
            let planned = plan(&log, &surveys, &options);
            let planned = match planned {
                Ok(planned) => planned,
                Err(error) => {
                    let broken_rdb = surveys[0].is_preamble_broken();
                    let seen = &surveys[0].tally.transactions;
                    let no_log = seen.dangling_count > seen.dangling.len() as u64;
                    let unasked = open_transaction == OpenTransaction::Ask;
                    assert!(broken_rdb || no_log || unasked, "{error}");
                    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
                    continue;
                }
            };
            tiles(&planned.parts[0], bytes.len() as u64);
            assert_eq!(planned.keeps_everything(), planned.lost_bytes() == 0);
            if checked.contains(&planned.parts[0].keep) {
                continue;
            }
            checked.push(planned.parts[0].keep.clone());
            let kept = kept(&planned.parts[0], bytes);
            let mended = self::log(&room.mended, &kept);
            let survey = survey(&mended.parts[0], &Silent).expect("nobody cuts the file");
            assert!(survey.is_whole(), "kept, but not whole: {:?} {options:?}", survey.stop);
            let torn = survey.tally.transactions.dangling_count;
            assert_eq!(torn, 0, "a torn transaction is kept: {options:?}");
            // The report counts commands as well. Not every log is one that opens.
            if let Ok(report) = run(&room.damaged, &options, &Silent) {
                assert_eq!(report.kept_commands, survey.tally.commands, "{options:?}");
                assert_eq!(report.kept_bytes, kept.len() as u64, "{options:?}");
            }
        }
    });
}

/// What is kept and what is dropped lie side by side, and make up the part.
fn tiles(plan: &PartPlan, bytes: u64) {
    let kept = plan.keep.iter().map(|range| (range.start, range.end));
    let dropped = plan.dropped.iter().map(|gone| (gone.offset, gone.offset + gone.bytes));
    let mut tiles: Vec<(u64, u64)> = kept.chain(dropped).collect();
    tiles.sort_unstable();
    let end = tiles.iter().fold(0, |end, tile| {
        assert!(tile.0 == end && tile.1 > end, "a gap or an overlap at byte {end}: {plan:?}");
        tile.1
    });
    assert_eq!(end, bytes, "{plan:?}");
}

fn kept(plan: &PartPlan, bytes: &[u8]) -> Vec<u8> {
    let index = |offset: u64| usize::try_from(offset).expect("within the bytes");
    plan.keep
        .iter()
        .flat_map(|range| &bytes[index(range.start)..index(range.end)])
        .copied()
        .collect()
}

/// Files to write logs to: a log is mapped, and only files can be. Faster where temporary files are
/// in memory.
struct Room {
    damaged: PathBuf,
    mended: PathBuf,
    _directory: TempDir,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::new(Room::new());
}

impl Room {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        let file = |name: &str| directory.path().join(name);
        Room { damaged: file("damaged.aof"), mended: file("mended.aof"), _directory: directory }
    }
}

fn log(path: &Path, bytes: &[u8]) -> Log {
    fs::write(path, bytes).expect("a temporary file can be written");
    let part = Part {
        name: "log".into(),
        path: path.to_path_buf(),
        role: PartRole::Single,
        index: 0,
        mapping: Mapping::open(path).expect("a file just written can be mapped"),
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
