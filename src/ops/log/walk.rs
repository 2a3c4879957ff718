//! Scanning a segment of a part for matching commands and for the state after it.

use super::wanted::{Filter, Names};
use crate::analysis::position::{LogPosition, Mark};
use crate::aof::{Frame, Sink, grammar};
use crate::command::{CommandId, Position, Role, database_index, lookup_prefix};

/// The criteria of a search.
pub(super) struct Search<'s> {
    pub(super) filter: &'s Filter,
    pub(super) names: Option<Names>,
    /// The position from which commands are shown; `None` for the start of the log.
    pub(super) since: Option<Mark>,
    /// The position before which commands are shown; `None` for the end of the log.
    pub(super) until: Option<Mark>,
}

/// The state at a boundary between commands.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// The number of commands before it, in all parts.
    pub(super) commands: u64,
    db: u32,
    time: Option<i64>,
    pub(super) multi: Option<Multi>,
    /// Whether the positions were reached.
    pub(super) since: bool,
    pub(super) until: bool,
    /// Whether any annotation contained a time.
    pub(super) tells_times: bool,
}

/// A MULTI without an EXEC so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Multi {
    pub(super) ordinal: u64,
    pub(super) offset: u64,
}

impl State {
    /// Returns the state at the start of a log.
    pub(super) fn at_start(search: &Search<'_>) -> State {
        State {
            commands: 0,
            db: 0,
            time: None,
            multi: None,
            since: search.since.is_none(),
            until: false,
            tells_times: false,
        }
    }

    /// Resets the state at the start of a part: a server reads each part as if from a new connection.
    pub(super) fn enter_part(&mut self) {
        (self.db, self.time, self.multi) = (0, None, None);
    }
}

/// A matching command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub(super) id: Option<CommandId>,
    pub(super) offset: u64,
    pub(super) ordinal: u64,
    pub(super) db: u32,
    pub(super) time: Option<i64>,
    pub(super) transaction: Option<u64>,
}

/// The scan of a segment.
pub(super) struct Walker<'s> {
    pub(super) search: &'s Search<'s>,
    pub(super) part: u32,
    pub(super) state: State,
    /// The matching commands; `None` if only the state after the segment is needed.
    pub(super) found: Option<Vec<Match>>,
}

impl Walker<'_> {
    /// Checks whether the command reaches a position that was not reached before.
    fn look_for_marks(&mut self, offset: u64) {
        let place = LogPosition {
            at: Position { part: self.part, offset },
            ordinal: self.state.commands,
            time: self.state.time,
        };
        let reached = |mark: &Option<Mark>| mark.is_some_and(|mark| mark.is_reached(&place));
        self.state.since |= reached(&self.search.since);
        self.state.until |= reached(&self.search.until);
    }

    /// Updates the state for a command; returns the transaction that it belongs to.
    #[inline]
    fn follow(&mut self, id: Option<CommandId>, frame: &Frame<'_>) -> Option<u64> {
        let before = self.state.multi.map(|multi| multi.ordinal);
        match id.map_or(Role::Plain, |id| id.row().role) {
            Role::Plain => before,
            Role::Select => {
                self.state.db =
                    frame.args().nth(1).and_then(database_index).unwrap_or(self.state.db);
                before
            }
            Role::Multi => {
                let multi = Multi { ordinal: self.state.commands, offset: frame.offset() };
                self.state.multi = Some(multi);
                Some(multi.ordinal)
            }
            Role::Exec => {
                self.state.multi = None;
                before
            }
        }
    }
}

impl Sink for Walker<'_> {
    #[inline]
    fn command(&mut self, frame: Frame<'_>) {
        self.state.commands += 1;
        if self.search.since.is_some() || self.search.until.is_some() {
            self.look_for_marks(frame.offset());
        }
        let (name_on, name_len) = frame.bytes_from_name();
        let id = lookup_prefix(name_on, name_len);
        let transaction = self.follow(id, &frame);
        let State { commands, db, time, since, until, .. } = self.state;
        let Some(found) = &mut self.found else { return };
        let Search { filter, names, .. } = self.search;
        let wanted = since
            && !until
            && names.as_ref().is_none_or(|names| names.has(id, frame.name()))
            && filter.keys.wants_db(db);
        if wanted {
            let (offset, ordinal) = (frame.offset(), commands);
            found.push(Match { id, offset, ordinal, db, time, transaction });
        }
    }

    fn annotation(&mut self, _: u64, line: &[u8]) {
        if let Some(seconds) = grammar::timestamp(line) {
            self.state.time = Some(seconds);
            self.state.tells_times = true;
        }
    }
}
