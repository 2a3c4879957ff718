//! The scan of a segment of a log for commands that destroyed data, and for the positions at which it can be cut.
//!
//! The scans of two adjacent segments are joined to a scan of both, so that a log is read on all cores. Memory is
//! bounded: a run of deletions or of the same flush is one event; of each kind only the last events are retained, and
//! the others are counted.

use crate::analysis::unknown_commands::{Unknowns, may_be_flush};
use crate::aof::{Frame, Join, Sink, grammar};
use crate::command::{
    COUNT, Destruction, Group, Role, TABLE, database_index, flush_is_executed, lookup_prefix,
};

/// The maximum number of events of a kind that are retained, which are the last ones; earlier ones are only counted.
pub(crate) const EVENTS_KEPT: usize = 1024;

/// The maximum number of other commands between two deletions of one run.
const GAP: u64 = 8;

/// The minimum number of keys that a run must name to be reported; a single DEL is routine.
const KEYS_TOLD: u64 = 100;

/// The number of commands between two sampled positions.
const PLACES_EACH: u64 = 1 << 16;

/// The effect of a command on existing data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DestructiveOp {
    Flushall,
    Flushdb,
    Flushslot,
    FunctionFlush,
    Swapdb(u32, u32),
    /// DEL or UNLINK, with the number of keys that it names.
    Delete,
    /// RENAME, or COPY with REPLACE, whose destination may have existed.
    Rename,
    /// A command that no known server has, which may be a renamed flush.
    PossibleFlush,
}

/// A command, or a run of commands of the same kind, that destroyed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventRun {
    pub(crate) op: DestructiveOp,
    /// The byte offset of the first command, and the end of the last one.
    pub(crate) offset: u64,
    pub(crate) end: u64,
    /// The ordinals of the first and the last command, from 0 in the segment.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The number of commands in the run, and the number of keys that they name.
    pub(crate) commands: u64,
    pub(crate) keys: u64,
    pub(crate) before: Context,
}

impl EventRun {
    /// Returns whether this is the same flush again with no command in between: a script that flushes every second
    /// produces very many, of which only the first destroys anything.
    fn repeats(&self, run: &EventRun) -> bool {
        matches!(
            self.op,
            DestructiveOp::Flushall | DestructiveOp::Flushdb | DestructiveOp::PossibleFlush
        ) && (self.op, self.first) == (run.op, run.last + 1)
    }

    /// Adds a later event of the same kind.
    pub(crate) fn extend(&mut self, event: EventRun) {
        self.end = event.end;
        self.last = event.last;
        self.commands += event.commands;
        self.keys += event.keys;
    }
}

/// The state at the start of an event. `None` means the state before the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Context {
    /// The selected database.
    pub(crate) db: Option<u32>,
    /// The offset of the MULTI of the enclosing transaction; `Some(None)` outside a transaction.
    pub(crate) multi: Option<Option<u64>>,
    /// The time of the last annotation, in Unix seconds.
    pub(crate) time: Option<i64>,
}

impl Context {
    fn following(self, earlier: Context) -> Context {
        Context {
            db: self.db.or(earlier.db),
            multi: self.multi.or(earlier.multi),
            time: self.time.or(earlier.time),
        }
    }
}

/// The last command whose effect is not undone by a flush, if any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Effect {
    /// The number of commands up to and including it; 0 if there is none.
    pub(crate) commands: u64,
    /// The byte offset at which it ends.
    pub(crate) end: u64,
}

/// The scan of a segment.
#[derive(Debug, Clone)]
pub(crate) struct DestructionScan {
    pub(crate) commands: u64,
    /// The flushes and similar commands, in order.
    pub(crate) flushes: LastEvents,
    /// The runs of deletions and of renames.
    pub(crate) deletions: Runs,
    pub(crate) renames: Runs,
    /// The commands that may be renamed flushes.
    pub(crate) possible_flushes: LastEvents,
    /// The number of keys named by DEL, UNLINK and GETDEL.
    pub(crate) keys_deleted: u64,
    /// The commands whose effect is unknown.
    pub(crate) unknowns: Unknowns,
    /// The last command with an effect, other than those that empty databases.
    pub(crate) effect: Effect,
    /// The same before the last MULTI; `None` if the segment contains no MULTI.
    effect_before_multi: Option<Effect>,
    /// The state at the end.
    pub(crate) at_end: Context,
    /// Sampled commands: the number of commands before each, and its byte offset.
    pub(crate) places: Vec<(u64, u64)>,
    /// The first and the last time with their positions, and whether the clock ever went backwards.
    pub(crate) times: Times,
    /// The byte offset at which the last command ends, without annotations after it.
    pub(crate) last_end: u64,
}

/// The last events of a kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastEvents {
    pub(crate) events: Vec<EventRun>,
    /// The number of earlier events.
    pub(crate) more: u64,
}

impl LastEvents {
    fn push(&mut self, event: EventRun) {
        if let Some(run) = self.events.last_mut().filter(|run| event.repeats(run)) {
            run.extend(event);
            return;
        }
        if self.events.len() >= 2 * EVENTS_KEPT {
            self.events.drain(..EVENTS_KEPT);
            self.more += EVENTS_KEPT as u64;
        }
        self.events.push(event);
    }

    fn join(&mut self, later: LastEvents, moved: impl Fn(EventRun) -> EventRun) {
        if later.more > 0 {
            // Events before so many others are dropped.
            self.more += self.events.len() as u64 + later.more;
            self.events.clear();
        }
        later.events.into_iter().for_each(|event| self.push(moved(event)));
    }
}

/// The runs of one kind of command.
#[derive(Debug, Clone)]
pub(crate) struct Runs {
    /// Closed runs that are long enough to be reported, or may continue a run of the previous segment.
    pub(crate) closed: LastEvents,
    /// The last run, which may continue.
    pub(crate) open: Option<EventRun>,
    /// The minimum number of keys that a run must name.
    told_from: u64,
}

impl Runs {
    fn is_reported(&self, run: &EventRun) -> bool {
        run.keys >= self.told_from
    }

    fn note(&mut self, event: EventRun) {
        match &mut self.open {
            Some(run) if event.first - run.last <= GAP + 1 => {
                run.extend(event);
            }
            _ => {
                self.close();
                self.open = Some(event);
            }
        }
    }

    /// Ends a run; it is retained if it is long, or may continue a run of the previous segment.
    fn close(&mut self) {
        if let Some(run) = self.open.take()
            && (self.is_reported(&run) || run.first <= GAP)
        {
            self.closed.push(run);
        }
    }

    fn join(&mut self, later: Runs, moved: impl Fn(EventRun) -> EventRun) {
        if later.closed.more > 0 {
            self.close();
            self.closed.join(later.closed, &moved);
        } else {
            later.closed.events.into_iter().for_each(|run| self.note(moved(run)));
        }
        if let Some(run) = later.open {
            self.note(moved(run));
        }
    }

    /// Returns all runs to report, in order.
    pub(crate) fn finish(mut self) -> LastEvents {
        self.close();
        let told_from = self.told_from;
        self.closed.events.retain(|run| run.keys >= told_from);
        self.closed
    }
}

/// The times of annotations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    pub(crate) backwards: bool,
}

impl Times {
    pub(crate) fn join(&mut self, later: Times) {
        if let (Some(last), Some(first)) = (self.last, later.first) {
            self.backwards |= first < last;
        }
        self.backwards |= later.backwards;
        self.first = self.first.or(later.first);
        self.last = later.last.or(self.last);
    }
}

/// The class of a command in this scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It changes nothing.
    Nothing,
    /// It may write.
    Write,
    /// No known server has it.
    Unknown,
    /// It runs a script or a function.
    Script,
    Delete,
    Getdel,
    Rename,
    Flushall,
    Flushdb,
    Swapdb,
    Cluster,
    Function,
    Select,
    Multi,
    Exec,
}

/// The class of each command, by command ID.
static CLASSES: [Class; COUNT] = {
    let mut classes = [Class::Nothing; COUNT];
    let mut id = 0;
    while id < COUNT {
        let row = TABLE[id];
        classes[id] = match row.role {
            Role::Select => Class::Select,
            Role::Multi => Class::Multi,
            Role::Exec => Class::Exec,
            Role::Plain => match row.destruction {
                Some(Destruction::AllDatabases) => Class::Flushall,
                Some(Destruction::Database) => Class::Flushdb,
                Some(Destruction::Swap) => Class::Swapdb,
                Some(Destruction::Slot) => Class::Cluster,
                Some(Destruction::Functions) => Class::Function,
                Some(Destruction::Keys) => Class::Delete,
                Some(Destruction::ReturnedKey) => Class::Getdel,
                Some(Destruction::Destination) => Class::Rename,
                None if row.writes && matches!(row.group, Group::Scripting) => Class::Script,
                None if row.writes => Class::Write,
                None => Class::Nothing,
            },
        };
        id += 1;
    }
    classes
};

impl DestructionScan {
    pub(crate) fn new() -> Self {
        let runs = |told_from| Runs { closed: LastEvents::default(), open: None, told_from };
        DestructionScan {
            commands: 0,
            flushes: LastEvents::default(),
            deletions: runs(KEYS_TOLD),
            renames: runs(1),
            possible_flushes: LastEvents::default(),
            keys_deleted: 0,
            unknowns: Unknowns::default(),
            effect: Effect::default(),
            effect_before_multi: None,
            at_end: Context::default(),
            places: Vec::new(),
            times: Times::default(),
            last_end: 0,
        }
    }

    fn event_run(&self, op: DestructiveOp, frame: &Frame<'_>, keys: u64) -> EventRun {
        let number = self.commands - 1;
        EventRun {
            op,
            offset: frame.offset(),
            end: frame.end(),
            first: number,
            last: number,
            commands: 1,
            keys,
            before: self.at_end,
        }
    }

    fn writes(&mut self, frame: &Frame<'_>) {
        self.effect = Effect { commands: self.commands, end: frame.end() };
    }

    #[inline(never)]
    fn special(&mut self, class: Class, frame: &Frame<'_>) {
        match class {
            Class::Nothing => {}
            Class::Write => self.writes(frame),
            Class::Unknown => {
                self.unknowns.note(frame);
                if may_be_flush(frame) {
                    self.possible_flushes.push(self.event_run(
                        DestructiveOp::PossibleFlush,
                        frame,
                        0,
                    ));
                }
                self.writes(frame);
            }
            Class::Script => {
                self.unknowns.note(frame);
                self.writes(frame);
            }
            Class::Getdel => {
                self.keys_deleted += 1;
                self.writes(frame);
            }
            Class::Delete => {
                let keys = u64::from(frame.argc()).saturating_sub(1);
                self.keys_deleted += keys;
                self.deletions.note(self.event_run(DestructiveOp::Delete, frame, keys));
                self.writes(frame);
            }
            Class::Rename => {
                let replaces = |arg: &[u8]| arg.eq_ignore_ascii_case(b"REPLACE");
                if frame.argc() == 3 || frame.args().skip(3).any(replaces) {
                    self.renames.note(self.event_run(DestructiveOp::Rename, frame, 1));
                }
                self.writes(frame);
            }
            Class::Flushall if flush_is_executed(frame.args().skip(1), None) => {
                self.flushes.push(self.event_run(DestructiveOp::Flushall, frame, 0));
            }
            Class::Flushdb if flush_is_executed(frame.args().skip(1), None) => {
                self.flushes.push(self.event_run(DestructiveOp::Flushdb, frame, 0));
            }
            // A server replies with an error.
            Class::Flushall | Class::Flushdb => {}
            Class::Swapdb => {
                if let (Some(one), Some(other)) = (database(frame, 1), database(frame, 2))
                    && one != other
                {
                    self.flushes.push(self.event_run(DestructiveOp::Swapdb(one, other), frame, 0));
                }
            }
            Class::Cluster => {
                let sub = frame.args().nth(1).unwrap_or_default();
                if sub.eq_ignore_ascii_case(b"FLUSHSLOT") {
                    self.flushes.push(self.event_run(DestructiveOp::Flushslot, frame, 0));
                }
                self.writes(frame);
            }
            Class::Function => {
                let sub = frame.args().nth(1).unwrap_or_default();
                if sub.eq_ignore_ascii_case(b"FLUSH") {
                    self.flushes.push(self.event_run(DestructiveOp::FunctionFlush, frame, 0));
                }
                self.writes(frame);
            }
            Class::Select => self.at_end.db = database(frame, 1).or(self.at_end.db),
            Class::Multi => {
                self.effect_before_multi = Some(self.effect);
                self.at_end.multi = Some(Some(frame.offset()));
            }
            Class::Exec => self.at_end.multi = Some(None),
        }
    }

    /// Returns the last command with an effect that a loader runs: a transaction that is open at the end is not run.
    pub(crate) fn effect_that_is_run(&self) -> Effect {
        match self.at_end.multi {
            Some(Some(_)) => self.effect_before_multi.unwrap_or(self.effect),
            _ => self.effect,
        }
    }

    /// Returns the scan of a segment at the start of a file: database 0, no transaction.
    pub(crate) fn of_whole_part(mut self) -> Self {
        let start = Context { db: Some(0), multi: Some(None), time: None };
        let resolve = |event: &mut EventRun| event.before = event.before.following(start);
        let closed = [&mut self.deletions.closed, &mut self.renames.closed];
        for kept in [&mut self.flushes, &mut self.possible_flushes].into_iter().chain(closed) {
            kept.events.iter_mut().for_each(resolve);
        }
        self.deletions.open.iter_mut().for_each(resolve);
        self.renames.open.iter_mut().for_each(resolve);
        self.at_end = self.at_end.following(start);
        self
    }
}

/// The database index at position `at` of the arguments.
fn database(frame: &Frame<'_>, at: usize) -> Option<u32> {
    frame.args().nth(at).and_then(database_index)
}

impl Sink for DestructionScan {
    #[inline(always)]
    fn command(&mut self, frame: Frame<'_>) {
        if self.commands.is_multiple_of(PLACES_EACH) {
            self.places.push((self.commands, frame.offset()));
        }
        self.commands += 1;
        self.last_end = frame.end();
        let (name_on, name_len) = frame.bytes_from_name();
        // A command that no known server has may write.
        let class =
            lookup_prefix(name_on, name_len).map_or(Class::Unknown, |id| CLASSES[id.index()]);
        if class == Class::Write {
            self.effect = Effect { commands: self.commands, end: self.last_end };
        } else {
            self.special(class, &frame);
        }
    }

    fn annotation(&mut self, _: u64, line: &[u8]) {
        if let Some(seconds) = grammar::timestamp(line) {
            self.times.join(Times { first: Some(seconds), last: Some(seconds), backwards: false });
            self.at_end.time = Some(seconds);
        }
    }
}

impl Join for DestructionScan {
    fn join(&mut self, later: Self) {
        let (commands, before) = (self.commands, self.at_end);
        let moved = |mut event: EventRun| {
            event.first += commands;
            event.last += commands;
            event.before = event.before.following(before);
            event
        };
        self.flushes.join(later.flushes, moved);
        self.deletions.join(later.deletions, moved);
        self.renames.join(later.renames, moved);
        self.possible_flushes.join(later.possible_flushes, moved);
        self.keys_deleted += later.keys_deleted;
        self.unknowns.join(later.unknowns);
        let place = |effect: Effect| match effect.commands {
            0 => self.effect,
            some => Effect { commands: commands + some, ..effect },
        };
        self.effect_before_multi =
            later.effect_before_multi.map(place).or(self.effect_before_multi);
        self.effect = place(later.effect);
        self.at_end = later.at_end.following(before);
        self.places.extend(later.places.into_iter().map(|(n, offset)| (commands + n, offset)));
        self.times.join(later.times);
        self.commands += later.commands;
        self.last_end = self.last_end.max(later.last_end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::aof::scan;

    fn frame(args: &[&str]) -> String {
        let text: String = args.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len())).collect();
        format!("*{}\r\n{text}", args.len())
    }

    /// Encodes the command for a letter.
    fn piece(letter: char) -> String {
        match letter {
            'F' => frame(&["flushall", "ASYNC"]),
            'X' => frame(&["FLUSHALL", "NOW"]),
            'D' => frame(&["FLUSHDB"]),
            'W' => frame(&["SWAPDB", "0", "1"]),
            'd' => frame(&[&["DEL"][..], &["k"; 60]].concat()),
            'r' => frame(&["RENAME", "a", "b"]),
            's' => frame(&["SELECT", "3"]),
            'M' => frame(&["MULTI"]),
            'E' => frame(&["EXEC"]),
            'p' => frame(&["PING"]),
            'u' => frame(&["WIPE_9F"]),
            'm' => frame(&["JSON.SET", "k", "$", "1"]),
            'e' => frame(&["EVAL", "return 1", "0"]),
            '#' => "#TS:1700000000\r\n".to_owned(),
            '-' => "#TS:1600000000\r\n".to_owned(),
            _ => frame(&["SET", "k", "v"]),
        }
    }

    /// Returns the joined scans of the segments between `cuts`.
    fn scouted(letters: &str, cuts: &[usize]) -> DestructionScan {
        let pieces: Vec<String> = letters.chars().map(piece).collect();
        let log = pieces.concat();
        let place = |cut: usize| pieces[..cut.min(pieces.len())].concat().len();
        let mut ends: Vec<usize> = cuts.iter().map(|cut| place(*cut)).collect();
        ends.extend([0, log.len()]);
        ends.sort_unstable();
        let mut joined = DestructionScan::new();
        for pair in ends.windows(2) {
            let mut found = DestructionScan::new();
            scan(log.as_bytes(), pair[0]..pair[1], &mut found);
            joined.join(found);
        }
        joined.of_whole_part()
    }

    /// Returns everything in a scan that must not depend on where the log was split.
    fn found(found: DestructionScan) -> impl PartialEq + std::fmt::Debug {
        let effect = found.effect_that_is_run();
        (
            (found.commands, found.last_end, effect, found.at_end, found.times),
            (found.flushes.events, found.flushes.more),
            (found.deletions.finish().events, found.renames.finish().events),
            (found.possible_flushes.events, found.keys_deleted, found.unknowns),
        )
    }

    proptest! {
        #[test]
        fn scan_result_does_not_depend_on_split(
            letters in "[FXDWdddrsMEpume#S-]{0,60}",
            cuts in proptest::collection::vec(0_usize..60, 0..6),
        ) {
            prop_assert_eq!(found(scouted(&letters, &cuts)), found(scouted(&letters, &[])));
        }
    }

    #[test]
    fn valid_flushes_are_found_and_rejected_ones_ignored() {
        let found = scouted("SFXDW", &[]);
        let deeds: Vec<DestructiveOp> = found.flushes.events.iter().map(|event| event.op).collect();
        assert_eq!(
            deeds,
            [DestructiveOp::Flushall, DestructiveOp::Flushdb, DestructiveOp::Swapdb(0, 1)]
        );
        assert_eq!(found.effect.commands, 1, "the SET is the last that a flush does not undo");
    }

    #[test]
    fn open_transaction_has_no_effect() {
        assert_eq!(scouted("SFMSS", &[]).effect_that_is_run().commands, 1);
        assert_eq!(scouted("SFMSSE", &[]).effect_that_is_run().commands, 5);
    }

    #[test]
    fn distant_or_few_deletions_are_not_reported() {
        let runs = |letters: &str| scouted(letters, &[]).deletions.finish().events;
        assert!(runs("SdS").is_empty());
        assert_eq!(runs("SddS").iter().map(|run| (run.commands, run.keys)).next(), Some((2, 120)));
        assert_eq!(runs(&format!("d{}d", "S".repeat(8))).len(), 1);
        assert!(runs(&format!("d{}d", "S".repeat(9))).is_empty());
    }

    #[test]
    fn last_flushes_are_retained_and_earlier_ones_counted() {
        let found = scouted(&"FS".repeat(3000), &[100, 2500, 5999]);
        let kept = found.flushes.events.len();
        assert!((EVENTS_KEPT..=2 * EVENTS_KEPT).contains(&kept), "{kept}");
        assert_eq!(found.flushes.more + kept as u64, 3000);
        assert_eq!(found.flushes.events.last().map(|event| event.first), Some(5998));
    }
}
