//! Routing a segment of a log.

use std::ops::Range;

use super::lists::{OffsetLists, Segment, SplitKind};
use super::origin::Evidence;
use crate::aof::{Frame, Join, Sink, argument_at};
use crate::base::glob::Glob;
use crate::command::transaction_scan::Transactions;
use crate::command::{
    COUNT, Command, CommandId, Destruction, Group, Keys, Role, TABLE, database_index,
    flush_is_executed, lookup_prefix,
};
use crate::replay::partitioner::{Partitioner, hash};
use crate::replay::union_find::UnionFind;

/// The rule by which a command is assigned to shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoutingRule {
    /// It changes no key.
    Nowhere,
    /// It concerns only the key after its name.
    Key,
    /// Its key positions have to be determined. Contains whether it processes each key
    /// independently.
    Keys {
        splits: bool,
    },
    /// It may concern every key.
    Everywhere,
    /// It concerns functions.
    Functions,
    Select,
    Multi,
    Exec,
}

/// Indexed by command number.
static RULES: [RoutingRule; COUNT] = {
    let mut rules = [RoutingRule::Nowhere; COUNT];
    let mut id = 0;
    while id < COUNT {
        let row = TABLE[id];
        rules[id] = match row.role {
            Role::Select => RoutingRule::Select,
            Role::Multi => RoutingRule::Multi,
            Role::Exec => RoutingRule::Exec,
            Role::Plain => match row.destruction {
                Some(Destruction::Functions) => RoutingRule::Functions,
                Some(
                    Destruction::AllDatabases
                    | Destruction::Database
                    | Destruction::Swap
                    | Destruction::Slot,
                ) => RoutingRule::Everywhere,
                None
                | Some(Destruction::Keys | Destruction::ReturnedKey | Destruction::Destination) => {
                    by_keys(&row)
                }
            },
        };
        id += 1;
    }
    rules
};

const fn by_keys(row: &Command) -> RoutingRule {
    // Carried, because they are not supported.
    if matches!(row.group, Group::Vector) && row.writes {
        return RoutingRule::Key;
    }
    if row.apply.is_none() {
        return RoutingRule::Nowhere;
    }
    match row.keys {
        Keys::Range { first: 1, last: 1, .. } => RoutingRule::Key,
        _ => RoutingRule::Keys { splits: row.splits },
    }
}

/// The settings of a whole routing.
pub(super) struct Plan<'p> {
    pub(super) partitioner: &'p Partitioner,
    /// The shards whose lists are wanted.
    pub(super) window: Range<usize>,
    /// The key positions of commands that no known server has.
    pub(super) key_specs: &'p KeySpecs,
    /// Whether tied keys are searched for; otherwise they are already known.
    pub(super) look_for_ties: bool,
    /// Whether commands before a flush of all databases are recorded too.
    pub(super) keep_dead: bool,
    /// The keys that are left out of the result.
    pub(super) excluded: &'p [Glob],
}

/// The key positions of unknown commands.
#[derive(Debug, Clone, Default)]
pub struct KeySpecs(pub std::collections::HashMap<Vec<u8>, usize>);

impl KeySpecs {
    /// Returns the index of the key among the arguments of a command of this name.
    pub fn key_of(&self, name: &[u8]) -> usize {
        if self.0.is_empty() {
            return 1;
        }
        self.0.get(&name.to_ascii_uppercase()).copied().unwrap_or(1)
    }
}

/// The result for a segment of a part.
pub(super) struct Router<'p> {
    plan: &'p Plan<'p>,
    /// The shards whose lists are recorded. Empty once keys are found to be tied, because the log
    /// is read again in that case.
    window: Range<usize>,
    lists: Option<OffsetLists>,
    pub(super) segments: Vec<Segment>,
    pub(super) groups: UnionFind,
    pub(super) transactions: Transactions,
    /// Number of complete commands, including those before a flush of all databases.
    pub(super) commands: u64,
    /// Number of keys of commands that were split, without those before a flush of all databases.
    pub(super) split_keys: u64,
    /// The last command that empties all databases: everything before it has no effect.
    pub(super) flush: Option<Flush>,
    /// Offsets of the commands for functions.
    pub(super) functions: Vec<u64>,
    /// What the commands require of the server.
    pub(super) evidence: Evidence,
    /// Annotations with a time: the offset of each, and its Unix seconds.
    pub(super) times: Vec<(u64, i64)>,
    /// The selected database; `None` while it is the one before the segment.
    pub(super) db: Option<u32>,
}

/// A command that empties all databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flush {
    /// Offset of the command.
    pub(super) offset: u64,
    /// Number of commands before it.
    pub(super) commands_before: u64,
}

impl<'p> Router<'p> {
    pub(super) fn new(plan: &'p Plan<'p>) -> Self {
        Router {
            plan,
            window: plan.window.clone(),
            lists: None,
            segments: Vec::new(),
            groups: UnionFind::default(),
            transactions: Transactions::default(),
            commands: 0,
            split_keys: 0,
            flush: None,
            functions: Vec::new(),
            evidence: Evidence::default(),
            times: Vec::new(),
            db: None,
        }
    }

    #[inline(always)]
    fn push(&mut self, shard: usize, place: u64) {
        if self.window.contains(&shard) {
            let window = &self.window;
            let lists = self.lists.get_or_insert_with(|| OffsetLists::new(window.len(), place));
            lists.push(shard - window.start, place, self.db);
        }
    }

    #[inline(always)]
    fn key(&mut self, key: &[u8], place: u64) {
        let shard = self.plan.partitioner.shard_of(key);
        self.push(shard, place);
    }

    #[inline(never)]
    fn route_special(&mut self, rule: RoutingRule, id: Option<CommandId>, frame: &Frame<'_>) {
        let offset = frame.offset();
        match rule {
            RoutingRule::Nowhere | RoutingRule::Key => {}
            RoutingRule::Select => {
                let number = frame.args().nth(1).and_then(database_index);
                self.db = number.or(self.db);
                self.transactions.select(offset);
            }
            RoutingRule::Multi => self.transactions.multi(offset, frame.end()),
            RoutingRule::Exec => self.transactions.exec(offset, frame.end()),
            RoutingRule::Functions => self.functions.push(offset),
            RoutingRule::Everywhere => {
                let is_flush = id == Some(CommandId::FLUSHALL)
                    && flush_is_executed(frame.args().skip(1), None);
                if is_flush && !self.plan.keep_dead {
                    self.flush(offset);
                } else {
                    self.window.clone().for_each(|shard| self.push(shard, offset));
                }
            }
            // Most DELs have one key, which is then at the default position.
            RoutingRule::Keys { .. } if frame.argc() == 2 => {
                self.key(frame.first_argument().unwrap_or_default(), offset);
            }
            RoutingRule::Keys { splits } => {
                let Some(id) = id else { return };
                if splits && self.split(id, frame) {
                    return;
                }
                let args: Vec<&[u8]> = frame.args().collect();
                let mut keys = Vec::new();
                let valid =
                    id.row().visit_keys(args.len(), |at| args[at], |at| keys.push(args[at]));
                self.keys(id, &args, &keys, splits && valid, offset);
            }
        }
    }

    /// Routes a command of several keys that processes each independently, with the offset of each key. Returns `false`, and
    /// routes nothing, if it has one key, is not written as servers write it, or fails.
    fn split(&mut self, id: CommandId, frame: &Frame<'_>) -> bool {
        let Some(kind) = SplitKind::from_id(id).filter(|_| frame.is_canonical()) else {
            return false;
        };
        let (of_each, arguments) = (kind.arguments(), frame.argc() as usize - 1);
        if arguments <= of_each || !arguments.is_multiple_of(of_each) {
            return false;
        }
        let (bytes, mut at) = (frame.bytes(), frame.after_name());
        let mut ends = at;
        // Nothing is routed before all of it was read.
        for _ in 0..arguments {
            let Some(argument) = argument_at(bytes, ends) else { return false };
            ends = argument.end + 2;
        }
        for _ in 0..arguments / of_each {
            let Some(key) = argument_at(bytes, at) else { return false };
            let shard = self.plan.partitioner.shard_of(&bytes[key.clone()]);
            if self.window.contains(&shard) {
                let (window, place) = (&self.window, frame.offset());
                let lists = self.lists.get_or_insert_with(|| OffsetLists::new(window.len(), place));
                lists.push_split(shard - window.start, (place, at as u64), kind, self.db);
            }
            self.split_keys += 1;
            at = key.end + 2;
            for _ in 1..of_each {
                at = argument_at(bytes, at).map_or(ends, |value| value.end + 2);
            }
        }
        true
    }

    /// Routes a command whose key positions have to be determined. A command whose keys cannot be
    /// determined fails on every server, and is assigned to the shard that counts it.
    fn keys(&mut self, id: CommandId, args: &[&[u8]], keys: &[&[u8]], splits: bool, offset: u64) {
        let Some((first, more)) = keys.split_first() else {
            self.key(args.get(1).copied().unwrap_or_default(), offset);
            return;
        };
        if splits {
            for key in keys {
                let shard = self.plan.partitioner.shard_of(key);
                let pushed = |lists: &OffsetLists| {
                    let window = &self.window;
                    window.contains(&shard) && lists.ends_with(shard - window.start, offset)
                };
                if !self.lists.as_ref().is_some_and(pushed) {
                    self.push(shard, offset);
                }
            }
            return;
        }
        if self.plan.look_for_ties {
            if reads_by_pattern(id, args) {
                self.groups.union_all();
            }
            more.iter().for_each(|key| self.groups.union(hash(first), hash(key)));
            if !self.groups.is_empty() {
                self.window = 0..0;
                self.lists = None;
            }
        }
        self.key(first, offset);
    }

    /// Discards everything before this offset, because it has no effect.
    #[cold]
    fn flush(&mut self, offset: u64) {
        self.flush = Some(Flush { offset, commands_before: self.commands - 1 });
        self.lists = None;
        self.split_keys = 0;
        self.groups = UnionFind::default();
        self.window = self.plan.window.clone();
    }
}

/// The information on an omitted segment that affects the commands after it.
#[derive(Default)]
pub(super) struct Skipped {
    db: Option<u32>,
    times: Vec<(u64, i64)>,
}

impl Sink for Skipped {
    #[inline]
    fn command(&mut self, frame: Frame<'_>) {
        if frame.name().eq_ignore_ascii_case(b"SELECT") {
            self.db = frame.first_argument().and_then(database_index).or(self.db);
        }
    }

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        if let Some(seconds) = crate::aof::grammar::timestamp(line) {
            self.times.push((offset, seconds));
        }
    }
}

impl Join for Skipped {
    fn join(&mut self, later: Self) {
        self.db = later.db.or(self.db);
        self.times.extend(later.times);
    }
}

impl Router<'_> {
    /// Skips an omitted segment.
    pub(super) fn skip(&mut self, skipped: Skipped) {
        self.db = skipped.db.or(self.db);
        self.times.extend(skipped.times);
    }
}

/// Returns whether the command is a SORT with STORE and a pattern that reads other keys.
fn reads_by_pattern(id: CommandId, args: &[&[u8]]) -> bool {
    id == CommandId::SORT
        && args.windows(2).any(|pair| {
            let by = |option: &[u8]| pair[0].eq_ignore_ascii_case(option);
            (by(b"BY") || by(b"GET")) && pair[1].contains(&b'*')
        })
}

impl Sink for Router<'_> {
    #[inline(always)]
    fn command(&mut self, frame: Frame<'_>) {
        self.commands += 1;
        let (name_on, name_len) = frame.bytes_from_name();
        let id = lookup_prefix(name_on, name_len);
        let rule = id.map_or(RoutingRule::Key, |id| {
            self.evidence.note(id, &frame);
            RULES[id.index()]
        });
        if rule == RoutingRule::Key {
            let key = match id {
                Some(_) => frame.first_argument(),
                None => frame.args().nth(self.plan.key_specs.key_of(frame.name())),
            };
            self.key(key.unwrap_or_default(), frame.offset());
        } else {
            self.route_special(rule, id, &frame);
        }
    }

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        if let Some(seconds) = crate::aof::grammar::timestamp(line) {
            self.times.push((offset, seconds));
        }
    }
}

impl Join for Router<'_> {
    fn join(&mut self, later: Self) {
        if let Some(flush) = later.flush {
            let commands_before = self.commands + flush.commands_before;
            self.flush = Some(Flush { commands_before, ..flush });
            self.segments.clear();
            self.split_keys = 0;
            self.groups = UnionFind::default();
        }
        self.commands += later.commands;
        self.split_keys += later.split_keys;
        self.evidence.join(later.evidence);
        self.groups.join(&later.groups);
        self.transactions.join(later.transactions);
        self.functions.extend(later.functions);
        self.times.extend(later.times);
        let db = self.db;
        self.segments.extend(later.segments.into_iter().map(|mut segment| {
            segment.start_db = segment.start_db.or(db);
            segment
        }));
        self.db = later.db.or(self.db);
    }

    fn finish(&mut self) {
        self.segments.extend(self.lists.take().and_then(|mut lists| lists.take()));
    }
}

/// Returns whether a key is left out of the result.
pub(super) fn is_excluded(key: Option<&[u8]>, excluded: &[Glob]) -> bool {
    key.is_some_and(|key| excluded.iter().any(|glob| glob.matches(key)))
}
