//! XNACK (Redis 8.8 and later), as documented: entries are given back to their group.

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use super::id;
use crate::keyspace::stream::{Stream, StreamId};

const NO_GROUP: Unapplied = Unapplied::Failed("NOGROUP No such key or consumer group");
const MODE: Unapplied = Unapplied::Failed("ERR mode must be SILENT, FAIL, or FATAL");
const MISCOUNTED: Unapplied =
    Unapplied::Failed("ERR The `numids` parameter must match the number of arguments");
const RETRY_COUNT: Unapplied =
    Unapplied::Failed("ERR Invalid RETRYCOUNT option argument for XNACK");

/// The number of deliveries of an entry that cannot be processed.
const MOST: u64 = i64::MAX as u64;

/// The change to the number of deliveries.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// SILENT: the last delivery does not count.
    OneLess,
    /// FAIL: it is unchanged.
    Same,
    /// FATAL: the highest number.
    Most,
}

impl Mode {
    fn parse(option: &[u8]) -> Result<Mode, Unapplied> {
        let modes =
            [(&b"SILENT"[..], Mode::OneLess), (b"FAIL", Mode::Same), (b"FATAL", Mode::Most)];
        let found = modes.into_iter().find(|(name, _)| option.eq_ignore_ascii_case(name));
        found.map(|(_, mode)| mode).ok_or(MODE)
    }

    fn of(self, before: Option<u64>) -> u64 {
        match self {
            Mode::OneLess => before.unwrap_or_default().saturating_sub(1),
            Mode::Same => before.unwrap_or_default(),
            Mode::Most => MOST,
        }
    }
}

struct Options {
    ids: Vec<StreamId>,
    retry_count: Option<u64>,
    force: bool,
}

impl Options {
    fn parse(args: &[&[u8]]) -> Result<Options, Unapplied> {
        let mut options = Options { ids: Vec::new(), retry_count: None, force: false };
        let mut rest = args;
        while let [option, after @ ..] = rest {
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            rest = if is("FORCE") {
                options.force = true;
                after
            } else if is("RETRYCOUNT")
                && let [count, after @ ..] = after
            {
                let count = number::integer(count).and_then(|count| u64::try_from(count).ok());
                options.retry_count = Some(count.ok_or(RETRY_COUNT)?);
                after
            } else if is("IDS")
                && let [count, after @ ..] = after
            {
                let count = number::integer(count).filter(|count| *count > 0);
                let count =
                    count.and_then(|count| usize::try_from(count).ok()).ok_or(MISCOUNTED)?;
                let (ids, after) = after.split_at_checked(count).ok_or(MISCOUNTED)?;
                options.ids = ids.iter().map(|text| id::id(text)).collect::<Result<_, _>>()?;
                after
            } else {
                return Err(Unapplied::SYNTAX);
            };
        }
        if options.ids.is_empty() { Err(Unapplied::SYNTAX) } else { Ok(options) }
    }
}

pub(super) fn xnack(call: &mut Call<'_, '_>) -> Applied {
    let (key, name, mode) = (call.key(), call.args[2], Mode::parse(call.args[3])?);
    let options = Options::parse(&call.args[4..])?;
    let stream: &mut Stream<'_> = call.db().find_mut(key)?.ok_or(NO_GROUP)?;
    if stream.group(name).is_none() {
        return Err(NO_GROUP);
    }
    for id in options.ids {
        let (exists, Some(group)) = stream.contains_and_group(id, name) else { continue };
        let before = group.pending_at(id).map(|(pending, _)| pending.deliveries);
        if before.is_some() || options.force && exists {
            group.give_back(id, options.retry_count.unwrap_or_else(|| mode.of(before)));
        }
    }
    Ok(())
}
