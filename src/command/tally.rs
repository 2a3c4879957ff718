//! The counts of a segment of a log: commands, and everything that a loader could fail on.
//!
//! A [`Tally`] is the sink of a scan. The tallies of two adjacent segments join to the tally of
//! both, so a log can be read on all cores: whatever depends on earlier commands (such as whether a
//! transaction is open) is stored separately for the beginning of a segment until the previous
//! segment is known.

use std::collections::BTreeMap;

use super::database::database_index;
use super::plain::Plain;
use crate::aof::{Frame, Join, Sink, grammar};
use crate::base::escape::Shown;
use crate::command::lookup::lookup_prefix;
use crate::command::row::{Arity, Role};
use crate::command::table::{COUNT, CommandId, TABLE};
use crate::command::transaction_scan::Transactions;

/// The number of occurrences, and the offset of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The number of occurrences.
    pub count: u64,
    /// The offset of the first, in bytes; meaningless if the count is 0.
    pub first: u64,
}

impl Occurrence {
    const NEVER: Occurrence = Occurrence { count: 0, first: u64::MAX };

    #[inline]
    fn note(&mut self, offset: u64) {
        if self.count == 0 {
            self.first = offset;
        }
        self.count += 1;
    }

    fn join(&mut self, later: Occurrence) {
        self.count += later.count;
        self.first = self.first.min(later.first);
    }

    /// Returns the offset of the first occurrence, if there is one.
    pub fn first(&self) -> Option<u64> {
        (self.count > 0).then_some(self.first)
    }
}

impl Default for Occurrence {
    fn default() -> Self {
        Occurrence::NEVER
    }
}

/// Maximum number of distinct unknown names that are recorded; the rest is counted together.
const NAMES_KEPT: usize = 512;

/// Maximum number of bytes of an unknown name that are recorded.
const NAME_BYTES_KEPT: usize = 64;

/// The counts of a segment of a log.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Number of complete frames.
    pub commands: u64,
    /// Number of arguments of all frames, including names.
    pub arguments: u64,
    uses: Box<[Occurrence; COUNT]>,
    plain: Plain,
    /// Names that no known server has, in upper case, truncated to 64 bytes.
    pub unknown: BTreeMap<Vec<u8>, Occurrence>,
    /// Unknown names beyond the first 512 distinct ones.
    pub unknown_more: Occurrence,
    /// Subcommands of containers such as XGROUP: the container and the name of the subcommand in
    /// upper case.
    pub subcommands: BTreeMap<(CommandId, Vec<u8>), Occurrence>,
    /// Commands with a number of arguments that their row does not allow.
    pub wrong_arity: Occurrence,
    /// Commands with a number of arguments that their row allows only for older servers.
    pub outdated_arity: Occurrence,
    /// Frames that loaders accept although no server writes them like this.
    pub non_canonical: Occurrence,
    /// Frames with a header line that loaders up to Redis 6.2 cannot read.
    pub long_lines: Occurrence,
    /// Lines that begin with `#`.
    pub annotations: Occurrence,
    /// The times of `#TS:` annotations.
    pub times: Times,
    /// The databases that are used.
    pub databases: Databases,
    /// MULTI and EXEC.
    pub transactions: Transactions,
    /// The end of the last command, without the annotations after it; 0 if there is none.
    last_end: u64,
    /// The end of the command before the last MULTI: `None` if there is no MULTI, 0 if it is the
    /// first command.
    end_before_multi: Option<u64>,
    /// Expiries whose meaning depends on the time at which the log is loaded.
    pub relative_times: Occurrence,
    /// HSETEX with FXX, which Redis 8 applies differently once the time of the fields has passed.
    pub field_conditions: Occurrence,
}

/// The times of `#TS:` annotations, in Unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// The first in the log.
    pub first: Option<i64>,
    /// The last in the log.
    pub last: Option<i64>,
    /// Annotations whose time is before that of the previous one.
    pub backwards: Occurrence,
    first_at: u64,
}

impl Times {
    fn note(&mut self, offset: u64, seconds: i64) {
        match self.last {
            None => (self.first, self.first_at) = (Some(seconds), offset),
            Some(last) if seconds < last => self.backwards.note(offset),
            Some(_) => {}
        }
        self.last = Some(seconds);
    }

    fn join(&mut self, later: Times) {
        match (self.last, later.first) {
            (None, _) => (self.first, self.first_at) = (later.first, later.first_at),
            (Some(last), Some(first)) if first < last => self.backwards.note(later.first_at),
            _ => {}
        }
        self.backwards.join(later.backwards);
        self.last = later.last.or(self.last);
    }
}

/// The number of commands in each database. A SELECT is counted for the database that it selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Databases {
    /// Commands before the first SELECT: they belong to the database that was selected before.
    unattributed: u64,
    /// By database index: its commands, and the first SELECT of it.
    pub by_number: BTreeMap<u32, Occurrence>,
    /// SELECTs whose argument is not a database index: the server logs an error and does not change
    /// the database.
    pub invalid: Occurrence,
    current: Option<u32>,
    /// The number of commands before the last SELECT.
    counted: u64,
}

impl Databases {
    fn settle(&mut self, commands: u64) {
        let since = commands - self.counted;
        self.counted = commands;
        match self.current {
            Some(number) => self.by_number.entry(number).or_default().count += since,
            None => self.unattributed += since,
        }
    }

    fn select(&mut self, offset: u64, argument: Option<&[u8]>, commands_before: u64) {
        self.settle(commands_before);
        match argument.and_then(database_index) {
            Some(number) => {
                let seen = self.by_number.entry(number).or_default();
                seen.first = seen.first.min(offset);
                self.current = Some(number);
            }
            None => self.invalid.note(offset),
        }
    }

    fn join(&mut self, mut later: Databases, commands: u64, later_commands: u64) {
        self.settle(commands);
        later.settle(later_commands);
        match self.current {
            Some(number) => self.by_number.entry(number).or_default().count += later.unattributed,
            None => self.unattributed += later.unattributed,
        }
        for (number, seen) in later.by_number {
            self.by_number.entry(number).or_default().join(seen);
        }
        self.invalid.join(later.invalid);
        self.current = later.current.or(self.current);
        self.counted = commands + later_commands;
    }

    /// Returns the number of commands before the first SELECT of the segment, given `commands` in
    /// total.
    pub fn before_first_select(&self, commands: u64) -> u64 {
        let mut whole = self.clone();
        whole.settle(commands);
        whole.unattributed
    }

    /// Returns the number of commands in each database if the log began in database 0, as every log
    /// does.
    pub fn counts(&self, commands: u64) -> BTreeMap<u32, u64> {
        let mut whole = self.clone();
        whole.settle(commands);
        let mut counts: BTreeMap<u32, u64> =
            whole.by_number.iter().map(|(&number, seen)| (number, seen.count)).collect();
        if whole.unattributed > 0 {
            *counts.entry(0).or_default() += whole.unattributed;
        }
        counts
    }
}

/// The properties of a row that the hot path needs, in two bytes.
#[derive(Clone, Copy)]
struct Hot {
    arity: i8,
    /// A command with more arguments than this is special: more must be recorded than its
    /// occurrence.
    special_above: u8,
}

/// Indexed by command number.
static HOT: [Hot; COUNT] = {
    let mut hot = [Hot { arity: 0, special_above: u8::MAX }; COUNT];
    let mut id = 0;
    while id < COUNT {
        let row = TABLE[id];
        let special = !matches!(row.role, Role::Plain)
            || !row.subcommands.is_empty()
            || row.has_relative_time
            || id == CommandId::HSETEX.index();
        let special_above = match special {
            // SET key value: options follow.
            true if id == CommandId::SET.index() => 3,
            true => 0,
            false => u8::MAX,
        };
        hot[id] = Hot { arity: row.arity.now, special_above };
        id += 1;
    }
    hot
};

impl Default for Tally {
    fn default() -> Self {
        Tally {
            commands: 0,
            arguments: 0,
            uses: Box::new([Occurrence::NEVER; COUNT]),
            plain: Plain::default(),
            unknown: BTreeMap::new(),
            unknown_more: Occurrence::NEVER,
            subcommands: BTreeMap::new(),
            wrong_arity: Occurrence::NEVER,
            outdated_arity: Occurrence::NEVER,
            non_canonical: Occurrence::NEVER,
            long_lines: Occurrence::NEVER,
            annotations: Occurrence::NEVER,
            times: Times::default(),
            databases: Databases::default(),
            transactions: Transactions::default(),
            last_end: 0,
            end_before_multi: None,
            relative_times: Occurrence::NEVER,
            field_conditions: Occurrence::NEVER,
        }
    }
}

impl Tally {
    /// Returns the position of the first whole command that servers refuse or crash on, and the reason.
    pub fn first_unloadable(&self) -> Option<(u64, String)> {
        let arity = (self.wrong_arity.count > 0).then(|| {
            (self.wrong_arity.first, "a command with a wrong number of arguments".to_owned())
        });
        let unknown =
            self.subcommands.iter().filter(|((id, name), _)| id.row().subcommand(name).is_none());
        let unknown = unknown.map(|((id, name), seen)| {
            (seen.first, format!("unknown sub-command {id} {}", Shown(name)))
        });
        arity.into_iter().chain(unknown).min()
    }

    /// Returns the commands that occurred, with their count and first offset.
    pub fn uses(&self) -> impl Iterator<Item = (CommandId, Occurrence)> {
        let seen = CommandId::all().zip(self.uses.iter().copied());
        seen.filter(|(_, seen)| seen.count > 0)
    }

    /// Returns the count and first offset of one command.
    pub fn occurrences(&self, id: CommandId) -> Occurrence {
        self.uses[id.index()]
    }

    /// Returns the number of the line after the segment if it began at line 1. A header is one
    /// line, an argument two, an annotation one; a value counts as one line whatever it contains.
    pub fn next_line(&self) -> u64 {
        1 + self.commands + 2 * self.arguments + self.annotations.count
    }

    /// Records everything about a command, on the slow path.
    #[inline(never)]
    fn look_closely(&mut self, frame: &Frame<'_>) {
        if !frame.is_canonical() {
            self.non_canonical.note(frame.offset());
            if frame.has_long_line() {
                self.long_lines.note(frame.offset());
            }
        }
        let (name_on, name_len) = frame.bytes_from_name();
        let Some(id) = lookup_prefix(name_on, name_len) else {
            self.unknown(frame);
            return;
        };
        self.uses[id.index()].note(frame.offset());
        let Hot { arity, special_above } = HOT[id.index()];
        let argc = i64::from(frame.argc());
        let arity = i64::from(arity);
        let odd = (arity >= 0 && argc != arity) || argc < -arity;
        if odd {
            self.odd_arity(id.row().arity, frame);
        }
        // No command has options beyond 255 arguments, so commands with more arguments than the
        // limit can safely take the slow path.
        let special = frame.argc() > u32::from(special_above);
        if special {
            self.special(id, frame);
        }
        if !odd && !special {
            self.plain.remember(frame, id);
        }
    }

    #[cold]
    fn unknown(&mut self, frame: &Frame<'_>) {
        let name = frame.name();
        let name = name[..name.len().min(NAME_BYTES_KEPT)].to_ascii_uppercase();
        if self.unknown.len() >= NAMES_KEPT && !self.unknown.contains_key(&name) {
            self.unknown_more.note(frame.offset());
        } else {
            self.unknown.entry(name).or_default().note(frame.offset());
        }
    }

    /// Returns the end of the last command, without the annotations after it, which is where a
    /// loader truncates.
    pub fn last_end(&self) -> Option<u64> {
        (self.last_end > 0).then_some(self.last_end)
    }

    /// Returns the end of the command before the last MULTI, without the annotations after it.
    pub fn end_before_multi(&self) -> Option<u64> {
        self.end_before_multi.filter(|&end| end > 0)
    }

    /// Records a number of arguments that newer servers do not accept; older ones may.
    #[cold]
    fn odd_arity(&mut self, arity: Arity, frame: &Frame<'_>) {
        if arity.accepts(frame.argc() as usize) {
            self.outdated_arity.note(frame.offset());
        } else {
            self.wrong_arity.note(frame.offset());
        }
    }

    #[inline(never)]
    fn special(&mut self, id: CommandId, frame: &Frame<'_>) {
        let row = id.row();
        match row.role {
            Role::Multi => {
                self.transactions.multi(frame.offset(), frame.end());
                self.end_before_multi = Some(self.last_end);
            }
            Role::Exec => self.transactions.exec(frame.offset(), frame.end()),
            Role::Select => {
                self.databases.select(frame.offset(), frame.args().nth(1), self.commands - 1);
                self.transactions.select(frame.offset());
            }
            Role::Plain if !row.subcommands.is_empty() => {
                // A missing name is an arity error.
                let Some(name) = frame.args().nth(1) else { return };
                if let Some(sub) = row.subcommand(name)
                    && !sub.arity.accepts_now(frame.argc() as usize)
                {
                    self.odd_arity(sub.arity, frame);
                }
                let name = name[..name.len().min(NAME_BYTES_KEPT)].to_ascii_uppercase();
                if self.subcommands.len() < NAMES_KEPT {
                    self.subcommands.entry((id, name)).or_default().note(frame.offset());
                }
            }
            Role::Plain => self.times_and_conditions(id, frame),
        }
    }

    fn times_and_conditions(&mut self, id: CommandId, frame: &Frame<'_>) {
        let has = |option: &[u8], from: usize| {
            frame.args().skip(from).any(|arg| arg.eq_ignore_ascii_case(option))
        };
        let relative = match id {
            CommandId::SET => frame.argc() > 4 && (has(b"EX", 3) || has(b"PX", 3)),
            // A time to live of 0 means none, and ABSTTL makes it absolute.
            CommandId::RESTORE | CommandId::RESTORE_ASKING => {
                frame.args().nth(2).is_some_and(|ttl| ttl != b"0") && !has(b"ABSTTL", 4)
            }
            CommandId::HSETEX => {
                if has(b"FXX", 2) {
                    self.field_conditions.note(frame.offset());
                }
                false
            }
            _ => true,
        };
        if relative {
            self.relative_times.note(frame.offset());
        }
    }
}

impl Sink for Tally {
    #[inline(always)]
    fn command(&mut self, frame: Frame<'_>) {
        self.commands += 1;
        self.arguments += u64::from(frame.argc());
        match self.plain.find(&frame) {
            Some(id) => self.uses[id.index()].count += 1,
            None => self.look_closely(&frame),
        }
        // Must be last, because a MULTI needs the end of the previous command.
        self.last_end = frame.end();
    }

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        self.annotations.note(offset);
        if let Some(seconds) = grammar::timestamp(line) {
            self.times.note(offset, seconds);
        }
    }

    fn ends_at(&mut self, end: u64) {
        self.last_end = end;
    }
}

impl Join for Tally {
    fn join(&mut self, later: Self) {
        self.databases.join(later.databases, self.commands, later.commands);
        self.commands += later.commands;
        self.arguments += later.arguments;
        for (mine, theirs) in self.uses.iter_mut().zip(later.uses.iter()) {
            mine.join(*theirs);
        }
        for (name, seen) in later.unknown {
            if self.unknown.len() >= NAMES_KEPT && !self.unknown.contains_key(&name) {
                self.unknown_more.join(seen);
            } else {
                self.unknown.entry(name).or_default().join(seen);
            }
        }
        self.unknown_more.join(later.unknown_more);
        for (name, seen) in later.subcommands {
            self.subcommands.entry(name).or_default().join(seen);
        }
        self.wrong_arity.join(later.wrong_arity);
        self.outdated_arity.join(later.outdated_arity);
        self.non_canonical.join(later.non_canonical);
        self.long_lines.join(later.long_lines);
        self.annotations.join(later.annotations);
        self.times.join(later.times);
        self.transactions.join(later.transactions);
        if let Some(end) = later.end_before_multi {
            self.end_before_multi = Some(if end > 0 { end } else { self.last_end });
        }
        self.last_end = self.last_end.max(later.last_end);
        self.relative_times.join(later.relative_times);
        self.field_conditions.join(later.field_conditions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::scan;

    #[test]
    fn expiry_of_every_restore_is_relative_without_absttl() {
        for (args, relative) in [
            (&["RESTORE", "k", "5", "x"][..], 1),
            (&["RESTORE-ASKING", "k", "5", "x"], 1),
            (&["RESTORE-ASKING", "k", "0", "x"], 0),
            (&["RESTORE-ASKING", "k", "5", "x", "ABSTTL"], 0),
        ] {
            let text: String =
                args.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len())).collect();
            let log = format!("*{}\r\n{text}", args.len());
            let mut tally = Tally::default();
            scan(log.as_bytes(), 0..log.len(), &mut tally);
            assert_eq!(tally.relative_times.count, relative, "{args:?}");
        }
    }

    #[test]
    fn truncation_points_do_not_depend_on_how_a_log_is_split() {
        let ping = "*1\r\n$4\r\nPING\r\n";
        let multi = "*1\r\n$5\r\nMULTI\r\n";
        let pieces = ["#a\n", multi, "#b\n", ping, "#c\n", "#d\n", multi, "#e\n", ping, "#f\n"];
        let log = pieces.concat();
        let tally = |from: usize, to: usize| {
            let mut tally = Tally::default();
            scan(log.as_bytes(), from..to, &mut tally);
            tally
        };
        let ends: Vec<usize> = (0..=pieces.len()).map(|n| pieces[..n].concat().len()).collect();
        for &first in &ends {
            for &second in ends.iter().filter(|&&end| end >= first) {
                let mut joined = tally(0, first);
                joined.join(tally(first, second));
                joined.join(tally(second, log.len()));
                assert_eq!(joined.last_end(), Some(ends[9] as u64));
                assert_eq!(joined.end_before_multi(), Some(ends[4] as u64));
            }
        }
        assert_eq!(tally(0, ends[2]).end_before_multi(), None);
        assert_eq!(tally(0, ends[1]).last_end(), None);
    }
}
