//! The databases of a log, where a SELECT may be among the bytes that a repair removes.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::analysis::survey::Survey;
use crate::aof::{Frame, Sink, scan};
use crate::command::{CommandId, lookup};

/// Returns the databases that are in use, in order. `after_damage`: those selected after damage are among them.
pub(super) fn in_use(surveys: &[Survey<'_>], after_damage: bool) -> Vec<u32> {
    let mut found = BTreeSet::new();
    for survey in surveys {
        let of_rdb = survey.rdb().into_iter().flat_map(|rdb| &rdb.databases);
        let of_rdb = of_rdb.filter(|database| database.keys > 0);
        found.extend(of_rdb.filter_map(|database| u32::try_from(database.db).ok()));
        found.extend(survey.tally.databases.counts(survey.tally.commands).into_keys());
        if after_damage && survey.stop.fault.is_some() {
            found.extend(survey.intact_ranges().iter().flat_map(|range| &range.databases));
        }
    }
    found.into_iter().collect()
}

/// Returns the bytes of the last SELECT in a range of whole commands.
pub(super) fn last_select(bytes: &[u8], range: &Range<u64>) -> Option<Range<u64>> {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let mut last = LastSelect(None);
    scan(bytes, index(range.start)..index(range.end), &mut last);
    last.0
}

struct LastSelect(Option<Range<u64>>);

impl Sink for LastSelect {
    fn command(&mut self, frame: Frame<'_>) {
        if lookup(frame.name()) == Some(CommandId::SELECT) {
            self.0 = Some(frame.offset()..frame.end());
        }
    }

    fn annotation(&mut self, _: u64, _: &[u8]) {}
}
