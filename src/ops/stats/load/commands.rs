//! A sample of the commands of a log.
//!
//! Two are taken in one scan. *Stories* has all commands of a random part of the keys: so what a command finds there is what
//! it finds in the log, such as a key that it replaces, or a long list. *Windows* has the commands of stretches that are spread
//! evenly over the log. It is used if a few keys have most of the commands: then a part of the keys represents nothing.
//! SELECT, MULTI and EXEC are taken with the commands that need them.

use xxhash_rust::xxh3::xxh3_64;

use super::cost::CommandMix;
use super::place::{Place, push};
use crate::aof::log::Log;
use crate::aof::{Frame, Sink, scan};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::{CommandId, Group, Keys, Role, lookup_prefix};

/// The number of stretches.
const WINDOWS: u64 = 64;
/// The part of a sample that is loaded by itself, too.
const QUARTER: u64 = 4;
/// The number of bytes that are scanned between two checks for a cancellation.
const STEP: usize = 8 << 20;
/// A selection with so many times the wanted bytes is given up.
const OVERFULL: u64 = 3;

/// A sample, and about a quarter of it, by which it is seen how the time grows with the size.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) whole: CommandSample,
    pub(super) quarter: CommandSample,
}

/// A sample of the commands of a log.
#[derive(Debug)]
pub(super) struct CommandSample {
    pub(super) places: Vec<Place>,
    pub(super) mix: CommandMix,
    /// Whether it ends within a transaction.
    pub(super) is_open: bool,
}

/// Takes a sample of about so many bytes from a log with these commands; `None` if there is none that represents it.
/// `rdb_lens` are the lengths of the RDBs at the beginning of its parts.
pub(super) fn sample(
    log: &Log,
    rdb_lens: &[usize],
    of_log: &CommandMix,
    wanted: u64,
    progress: &dyn Progress,
) -> Result<Option<Samples>> {
    let log_bytes = of_log.bytes();
    let mut sampler = Sampler {
        part: 0,
        before: 0,
        one_in: log_bytes.div_ceil(wanted.max(1)).max(1),
        stride: (log_bytes / WINDOWS).max(1),
        window: (wanted / WINDOWS).max(1),
        stories: Nested::new(wanted * OVERFULL),
        windows: Nested::new(wanted * OVERFULL),
    };
    progress.phase("sample", log_bytes);
    for ((number, part), rdb_len) in (0_u32..).zip(&log.parts).zip(rdb_lens) {
        let bytes = part.mapping.bytes();
        let mut at = *rdb_len;
        let end = part.read_end(bytes, at).min(bytes.len());
        sampler.part = number;
        while at < end {
            progress.check()?;
            let stop = scan(&bytes[..end], at..at.saturating_add(STEP).min(end), &mut sampler);
            progress.advance((stop.at - at) as u64);
            if stop.fault.is_some() || stop.at == at {
                break;
            }
            at = stop.at;
        }
        part.mapping.check()?;
        sampler.before += part.mapping.len();
    }
    let Sampler { stories, windows, .. } = sampler;
    let is_good = |nested: &Nested| nested.is_usable() && nested.whole.mix.is_like(of_log);
    let chosen = match is_good(&stories) {
        true => Some(stories),
        // A skewed sample is better than none.
        false => [windows, stories].into_iter().find(Nested::is_usable),
    };
    Ok(chosen.map(|nested| Samples {
        whole: nested.whole.into_sample(),
        quarter: nested.quarter.into_sample(),
    }))
}

/// What is taken for a sample, and for a quarter of it.
struct Nested {
    whole: Selection,
    quarter: Selection,
}

impl Nested {
    fn new(most: u64) -> Nested {
        Nested { whole: Selection::new(most), quarter: Selection::new(most) }
    }

    fn is_usable(&self) -> bool {
        !self.whole.is_full && !self.whole.places.is_empty()
    }

    fn special(&mut self, role: Role, id: CommandId, place: Place) {
        self.whole.special(role, id, place);
        self.quarter.special(role, id, place);
    }

    fn take(&mut self, is_in_quarter: bool, id: CommandId, place: Place) {
        self.whole.take(id, place);
        if is_in_quarter {
            self.quarter.take(id, place);
        }
    }
}

/// The commands that are taken, with what precedes the next one.
struct Selection {
    places: Vec<Place>,
    mix: CommandMix,
    bytes: u64,
    most: u64,
    is_full: bool,
    /// A SELECT and a MULTI that are taken with the next command.
    select: Option<Place>,
    multi: Option<Place>,
    /// Whether a MULTI was taken.
    is_open: bool,
}

impl Selection {
    fn new(most: u64) -> Selection {
        Selection {
            places: Vec::new(),
            mix: CommandMix::new(),
            bytes: 0,
            most,
            is_full: false,
            select: None,
            multi: None,
            is_open: false,
        }
    }

    fn into_sample(self) -> CommandSample {
        CommandSample { places: self.places, mix: self.mix, is_open: self.is_open }
    }

    fn push(&mut self, place: Place) {
        self.bytes += place.to - place.from;
        push(&mut self.places, place);
        if self.bytes > self.most && !self.is_full {
            self.is_full = true;
            self.places = Vec::new();
        }
    }

    fn special(&mut self, role: Role, id: CommandId, place: Place) {
        match role {
            Role::Select => self.select = Some(place),
            Role::Multi => self.multi = Some(place),
            Role::Exec => {
                self.multi = None;
                if std::mem::take(&mut self.is_open) {
                    self.mix.add(id, place.to - place.from);
                    self.push(place);
                }
            }
            Role::Plain => self.take(id, place),
        }
    }

    fn take(&mut self, id: CommandId, place: Place) {
        if self.is_full {
            return;
        }
        if let Some(select) = self.select.take() {
            self.push(select);
        }
        if let Some(multi) = self.multi.take() {
            self.push(multi);
            self.is_open = true;
        }
        self.mix.add(id, place.to - place.from);
        self.push(place);
    }
}

struct Sampler {
    part: u32,
    /// The bytes of the parts before.
    before: u64,
    /// One of so many keys is in the stories.
    one_in: u64,
    /// The distance between the starts of two windows, and the length of each.
    stride: u64,
    window: u64,
    stories: Nested,
    windows: Nested,
}

impl Sink for Sampler {
    #[inline]
    fn command(&mut self, frame: Frame<'_>) {
        let (name_on, name_len) = frame.bytes_from_name();
        let Some(id) = lookup_prefix(name_on, name_len) else { return };
        let row = id.row();
        let place = Place { part: self.part, from: frame.offset(), to: frame.end() };
        if row.role != Role::Plain {
            self.stories.special(row.role, id, place);
            self.windows.special(row.role, id, place);
            return;
        }
        let at = self.before + frame.offset();
        let (window, within) = (at / self.stride, at % self.stride);
        // What other commands depend on, wherever they are.
        let is_keyless = matches!(row.keys, Keys::None);
        let is_for_all = is_keyless && matches!(row.group, Group::Scripting | Group::Server);
        let number = match first_key(&frame, row.keys) {
            Some(key) => xxh3_64(key),
            None => xxh3_64(&at.to_le_bytes()),
        };
        if is_for_all || number.is_multiple_of(self.one_in) {
            let is_in_quarter = is_for_all || number.is_multiple_of(self.one_in * QUARTER);
            self.stories.take(is_in_quarter, id, place);
        }
        if is_for_all || within < self.window {
            self.windows.take(is_for_all || window.is_multiple_of(QUARTER), id, place);
        }
    }

    fn annotation(&mut self, _: u64, _: &[u8]) {}
}

/// Returns the key by which a command is chosen: the first of its arguments that is one.
fn first_key<'a>(frame: &Frame<'a>, keys: Keys) -> Option<&'a [u8]> {
    match keys {
        Keys::None => None,
        Keys::Range { first: 1, .. } => frame.first_argument(),
        Keys::Range { first, .. } => frame.args().nth(usize::from(first)),
        Keys::Counted { dest: Some(dest), .. } => frame.args().nth(usize::from(dest)),
        Keys::Counted { dest: None, at, .. } => frame.args().nth(usize::from(at) + 1),
        _ => frame.first_argument(),
    }
}
