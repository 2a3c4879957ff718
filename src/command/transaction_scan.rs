//! MULTI and EXEC: which transactions are complete, open or dangling.
//!
//! Servers write `MULTI .. EXEC` at once and never nest them. A MULTI that another MULTI follows
//! before any EXEC was therefore torn: its server stopped in the middle, and a later server
//! appended to the file. Up to Redis 8.2, loaders queue everything from there, and discard all of
//! it at the next start if no EXEC follows.

/// A MULTI without an EXEC so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Offset of the MULTI.
    pub multi: u64,
    /// End offset of the MULTI.
    pub multi_end: u64,
    /// Offset of the MULTI at which a loader began to queue: an earlier one if that is dangling.
    pub block: u64,
    /// Offset of the first SELECT after it, except one directly after it (which Redis 7.2 and later
    /// write as a part of the transaction). A restarted server writes a SELECT before its first
    /// write, so later writes, if there are any, begin here.
    pub select: Option<u64>,
}

/// A MULTI that was never closed, although other transactions follow in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dangling {
    /// The MULTI.
    pub open: Open,
    /// Offset of the next MULTI, which proves that the first was torn.
    pub next_multi: u64,
}

/// Maximum number of offsets of a kind that are recorded; the rest is counted. Only a log that no
/// server wrote has more.
const PLACES_KEPT: usize = 1024;

/// The transactions of a segment of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transactions {
    /// Number of complete transactions.
    pub whole: u64,
    /// Torn transactions with other transactions after them; at most 1024 are recorded.
    pub dangling: Vec<Dangling>,
    /// Number of torn transactions.
    pub dangling_count: u64,
    /// Offsets of EXECs without a MULTI; at most 1024 are recorded. The servers log an error and
    /// continue.
    pub stray_execs: Vec<u64>,
    /// Number of EXECs without a MULTI.
    pub stray_exec_count: u64,
    /// The beginning of the segment, as long as the previous segment is unknown.
    head: Head,
    state: State,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// No MULTI and no EXEC yet: the state is that of the previous segment.
    #[default]
    AsBefore,
    Closed,
    Open(Open),
}

/// The events of a segment up to and including its first MULTI or EXEC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Head {
    /// The first two SELECTs: the first may belong to a MULTI directly before it.
    selects: [Option<u64>; 2],
    /// The first MULTI or EXEC.
    mark: Option<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Multi(u64),
    Exec { offset: u64, end: u64 },
}

impl Transactions {
    pub(crate) fn multi(&mut self, offset: u64, end: u64) {
        match self.state {
            State::AsBefore => self.head.mark = Some(Mark::Multi(offset)),
            State::Closed => {}
            State::Open(open) => self.dangles(Dangling { open, next_multi: offset }),
        }
        let block = self.open().map_or(offset, |open| open.block);
        self.state = State::Open(Open { multi: offset, multi_end: end, block, select: None });
    }

    pub(crate) fn exec(&mut self, offset: u64, end: u64) {
        match self.state {
            State::AsBefore => self.head.mark = Some(Mark::Exec { offset, end }),
            State::Closed => self.strays(offset),
            State::Open(_) => self.whole += 1,
        }
        self.state = State::Closed;
    }

    pub(crate) fn select(&mut self, offset: u64) {
        match &mut self.state {
            State::AsBefore => {
                if let Some(free) = self.head.selects.iter_mut().find(|select| select.is_none()) {
                    *free = Some(offset);
                }
            }
            State::Closed => {}
            State::Open(open) => open.meets_select(offset),
        }
    }

    fn dangles(&mut self, dangling: Dangling) {
        self.dangling_count += 1;
        if self.dangling.len() < PLACES_KEPT {
            self.dangling.push(dangling);
        }
    }

    fn strays(&mut self, offset: u64) {
        self.stray_exec_count += 1;
        if self.stray_execs.len() < PLACES_KEPT {
            self.stray_execs.push(offset);
        }
    }

    pub(crate) fn join(&mut self, later: Transactions) {
        let Head { selects, mark } = later.head;
        for select in selects.into_iter().flatten() {
            self.select(select);
        }
        match mark {
            Some(Mark::Multi(offset)) => self.multi(offset, offset),
            Some(Mark::Exec { offset, end }) => self.exec(offset, end),
            None => {}
        }
        // Events that are still in the block that was open at the border of the segments.
        let block = self.open().map(|open| open.block);
        let in_the_block = |open: &mut Open| {
            if let (Some(Mark::Multi(first)), Some(block)) = (mark, block)
                && open.block == first
            {
                open.block = block;
            }
        };
        self.whole += later.whole;
        self.dangling_count += later.dangling_count;
        self.dangling.extend(later.dangling.into_iter().map(|mut dangling| {
            in_the_block(&mut dangling.open);
            dangling
        }));
        self.dangling.truncate(PLACES_KEPT);
        self.stray_exec_count += later.stray_exec_count;
        self.stray_execs.extend(later.stray_execs);
        self.stray_execs.truncate(PLACES_KEPT);
        if mark.is_some() {
            self.state = later.state;
            if let State::Open(open) = &mut self.state {
                in_the_block(open);
            }
        }
    }

    /// Returns the same for a segment at the beginning of a file, where no transaction is open.
    #[must_use]
    pub fn at_start_of_log(mut self) -> Self {
        if let Some(Mark::Exec { offset, .. }) = self.head.mark {
            self.stray_exec_count += 1;
            self.stray_execs.insert(0, offset);
            self.stray_execs.truncate(PLACES_KEPT);
        }
        self
    }

    /// Returns the end of the EXEC that precedes any MULTI in the segment: everything up to there
    /// belongs to a transaction that began before the segment.
    pub fn leading_exec_end(&self) -> Option<u64> {
        match self.head.mark {
            Some(Mark::Exec { end, .. }) => Some(end),
            Some(Mark::Multi(_)) | None => None,
        }
    }

    /// Returns whether there is any MULTI or EXEC in the segment.
    pub fn has_marks(&self) -> bool {
        self.head.mark.is_some()
    }

    /// Returns the transaction that is open at the end, if there is one.
    pub fn open(&self) -> Option<Open> {
        match self.state {
            State::Open(open) => Some(open),
            State::AsBefore | State::Closed => None,
        }
    }
}

impl Open {
    fn meets_select(&mut self, offset: u64) {
        if self.select.is_none() && offset != self.multi_end {
            self.select = Some(offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// M = MULTI, E = EXEC, S = SELECT, anything else a plain command; each is ten bytes long.
    fn read(text: &str, from: usize) -> Transactions {
        let mut seen = Transactions::default();
        for (index, what) in text.chars().enumerate() {
            let offset = (from + index) as u64 * 10;
            match what {
                'M' => seen.multi(offset, offset + 10),
                'E' => seen.exec(offset, offset + 10),
                'S' => seen.select(offset),
                _ => {}
            }
        }
        seen
    }

    #[test]
    fn complete_transactions_are_counted() {
        let seen = read("M..E.SMS.E", 0).at_start_of_log();
        assert_eq!((seen.whole, seen.dangling_count, seen.stray_exec_count), (2, 0, 0));
        assert_eq!(seen.open(), None);
    }

    #[test]
    fn a_multi_before_another_multi_dangles_and_later_writes_begin_at_the_select() {
        let seen = read("M.S.M.E", 0).at_start_of_log();
        assert_eq!(seen.dangling[0].open.multi, 0);
        assert_eq!(seen.dangling[0].open.select, Some(20));
        assert_eq!(seen.dangling[0].next_multi, 40);
    }

    #[test]
    fn a_select_directly_after_a_multi_belongs_to_it() {
        assert_eq!(read("MS.", 0).open().unwrap().select, None);
        assert_eq!(read("MS.S", 0).open().unwrap().select, Some(30));
    }

    #[test]
    fn a_loader_queues_from_the_first_multi_without_exec() {
        assert_eq!(read("MEM.M.M.", 0).open().unwrap().block, 20);
        assert_eq!(read("M.MEM.", 0).open().unwrap().block, 40);
    }

    #[test]
    fn an_exec_at_the_start_of_a_file_is_stray() {
        assert_eq!(read(".E.", 0).at_start_of_log().stray_execs, [10]);
        assert_eq!(read("ME.E", 0).at_start_of_log().stray_execs, [30]);
    }

    proptest! {
        #[test]
        fn segments_join_to_the_whole(text in "[MESSS.]{0,30}", cuts in proptest::collection::vec(0_usize..30, 0..4)) {
            let whole = read(&text, 0).at_start_of_log();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut joined = Transactions::default();
            for pair in cuts.windows(2) {
                joined.join(read(&text[pair[0]..pair[1]], pair[0]));
            }
            prop_assert_eq!(joined.at_start_of_log(), whole);
        }
    }
}
