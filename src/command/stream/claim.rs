//! XCLAIM and XAUTOCLAIM (`xclaimCommand`, `xautoclaimCommand` in `t_stream.c`).
//!
//! Every delivery is logged as XCLAIM. XAUTOCLAIM is never logged under its own name.

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use super::id;
use crate::keyspace::Bump;
use crate::keyspace::stream::{Claim, ConsumerNumber, Deliveries, Group, Stream, StreamId};

const NO_GROUP: Unapplied = Unapplied::Failed("NOGROUP No such key or consumer group");
const MIN_IDLE: Unapplied = Unapplied::Failed("ERR Invalid min-idle-time argument for XCLAIM");
const AUTO_MIN_IDLE: Unapplied =
    Unapplied::Failed("ERR Invalid min-idle-time argument for XAUTOCLAIM");
const IDLE: Unapplied = Unapplied::Failed("ERR Invalid IDLE option argument for XCLAIM");
const TIME: Unapplied = Unapplied::Failed("ERR Invalid TIME option argument for XCLAIM");
const RETRY_COUNT: Unapplied =
    Unapplied::Failed("ERR Invalid RETRYCOUNT option argument for XCLAIM");
const UNRECOGNIZED: Unapplied = Unapplied::Failed("ERR Unrecognized XCLAIM option");
const COUNT: Unapplied = Unapplied::Failed("ERR COUNT must be > 0");
const START: Unapplied = Unapplied::Failed("ERR invalid start ID for the interval");

/// Number of entries that XAUTOCLAIM scans for each that it may claim.
const ATTEMPTS: i64 = 10;

/// The options of XCLAIM. If no time is given, it is that of the command.
#[derive(Debug, Default)]
struct Options {
    force: bool,
    just_id: bool,
    delivered: Option<Delivered>,
    retry_count: Option<u64>,
    last_id: StreamId,
}

#[derive(Debug, Clone, Copy)]
enum Delivered {
    /// At this time, in Unix milliseconds.
    At(i64),
    /// This many milliseconds ago.
    Ago(i64),
}

impl Options {
    fn parse(args: &[&[u8]]) -> Result<Options, Unapplied> {
        let mut options = Options::default();
        let mut rest = args;
        while let [option, after @ ..] = rest {
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            let value = after.first();
            rest = after.get(1..).unwrap_or_default();
            if is("FORCE") {
                options.force = true;
                rest = after;
            } else if is("JUSTID") {
                options.just_id = true;
                rest = after;
            } else if let Some(value) = value {
                if is("IDLE") {
                    let ago = number::integer(value).ok_or(IDLE)?;
                    options.delivered = Some(Delivered::Ago(ago));
                } else if is("TIME") {
                    let time = number::integer(value).ok_or(TIME)?;
                    // -1 means that no time is given.
                    options.delivered = Some(Delivered::At(time)).filter(|_| time != -1);
                } else if is("RETRYCOUNT") {
                    let count = number::integer(value).ok_or(RETRY_COUNT)?;
                    // The same applies to a negative count.
                    options.retry_count = u64::try_from(count).ok();
                } else if is("LASTID") {
                    options.last_id = id::id(value)?;
                } else {
                    return Err(UNRECOGNIZED);
                }
            } else {
                return Err(UNRECOGNIZED);
            }
        }
        Ok(options)
    }

    /// Returns the change to the number of deliveries.
    fn deliveries(&self) -> Deliveries {
        match self.retry_count {
            Some(count) => Deliveries::Set(count),
            None if self.just_id => Deliveries::Same,
            None => Deliveries::OneMore,
        }
    }

    /// Returns the time of delivery, and whether it depends on the time of the command. Times after
    /// that of the command are retained: only a clock that was wrong can have logged them.
    fn delivered_ms(&self, now_ms: i64) -> (i64, bool) {
        match self.delivered {
            Some(Delivered::At(time)) if time >= 0 => (time, false),
            Some(Delivered::Ago(ago)) => match now_ms.wrapping_sub(ago) {
                time if (0..=now_ms).contains(&time) => (time, true),
                _ => (now_ms, true),
            },
            Some(Delivered::At(_)) | None => (now_ms, true),
        }
    }
}

/// Returns the consumer of a group, creating it if necessary.
pub(super) fn find_or_make<'a>(
    group: &mut Group<'a>,
    name: &[u8],
    seen_ms: i64,
    arena: &'a Bump,
) -> Option<ConsumerNumber> {
    match group.consumer(name) {
        Some(number) => {
            group.touch(number, Some(seen_ms), None);
            Some(number)
        }
        None => group.add_consumer(arena.alloc_slice_copy(name), seen_ms, Some(-1)),
    }
}

pub(super) fn xclaim(call: &mut Call<'_, '_>) -> Applied {
    let (key, name, consumer_name) = (call.key(), call.args[2], call.args[3]);
    let (server, arena, args) = (call.context.server, call.keyspace.arena(), call.args);
    let stream = call.db().find_mut::<Stream<'_>>(key)?;
    if stream.is_none_or(|stream| stream.group(name).is_none()) {
        return Err(NO_GROUP);
    }
    let min_idle = number::integer(args[4]).ok_or(MIN_IDLE)?.max(0);
    let ids = args[5..].iter().take_while(|text| id::id(text).is_ok()).count();
    let (ids, options) = (&args[5..5 + ids], Options::parse(&args[5 + ids..])?);
    let mut now_ms = (call.context.clock)(call.at);
    let (delivered_ms, is_relative) = options.delivered_ms(now_ms);
    if is_relative || min_idle > 0 {
        now_ms = call.now_ms();
    }

    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { return Err(NO_GROUP) };
    let drops_deleted = server.has_redis(7, 0);
    // Up to Redis 7.0 a consumer that claims nothing is not created.
    let mut consumer = None;
    if let Some(group) = stream.group_mut(name) {
        if options.last_id > group.last_id() {
            group.set_position(options.last_id, group.entries_read());
        }
        if server.has_redis(7, 2) {
            consumer = find_or_make(group, consumer_name, now_ms, arena);
        }
    }
    let claim = Claim { delivered_ms, deliveries: options.deliveries() };
    for text in ids {
        let id = id::id(text)?;
        let (exists, Some(group)) = stream.contains_and_group(id, name) else { break };
        let pending = group.pending_at(id);
        if !exists && drops_deleted {
            group.acknowledge(id);
            continue;
        }
        let can_be_claimed = match pending {
            Some((pending, _)) => {
                min_idle == 0 || now_ms.wrapping_sub(pending.delivered_ms) >= min_idle
            }
            None => options.force && exists,
        };
        if !can_be_claimed {
            continue;
        }
        if consumer.is_none() {
            consumer = find_or_make(group, consumer_name, now_ms, arena);
        }
        let Some(number) = consumer else { break };
        group.claim(id, number, claim);
        group.touch(number, None, Some(now_ms));
    }
    Ok(())
}

pub(super) fn xautoclaim(call: &mut Call<'_, '_>) -> Applied {
    let (key, name, consumer_name) = (call.key(), call.args[2], call.args[3]);
    let (server, arena, args) = (call.context.server, call.keyspace.arena(), call.args);
    let min_idle = number::integer(args[4]).ok_or(AUTO_MIN_IDLE)?.max(0);
    let start = match args[5] {
        [b'(', text @ ..] if !text.is_empty() => id::after(id::id(text)?).ok_or(START)?,
        text => id::id_or_bound(text)?,
    };
    let (mut count, mut just_id) = (100, false);
    let mut rest = &args[6..];
    while let [option, after @ ..] = rest {
        rest = after;
        if let [text, after @ ..] = after
            && option.eq_ignore_ascii_case(b"COUNT")
        {
            let most = if server.has_redis(7, 0) { i64::MAX / 16 } else { i64::MAX };
            count =
                number::integer(text).filter(|count| (1..=most).contains(count)).ok_or(COUNT)?;
            rest = after;
        } else if option.eq_ignore_ascii_case(b"JUSTID") {
            just_id = true;
        } else {
            return Err(Unapplied::SYNTAX);
        }
    }
    let now_ms = call.now_ms();
    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { return Err(NO_GROUP) };
    if stream.group(name).is_none() {
        return Err(NO_GROUP);
    }
    let mut consumer = None;
    if server.has_redis(7, 2)
        && let Some(group) = stream.group_mut(name)
    {
        consumer = find_or_make(group, consumer_name, now_ms, arena);
    }
    let deliveries = if just_id { Deliveries::Same } else { Deliveries::OneMore };
    let mut attempts = count.saturating_mul(ATTEMPTS);
    let mut next = Some(start);
    while attempts > 0
        && count > 0
        && let Some(from) = next
        && let Some(found) = stream.group(name).and_then(|group| group.pending_from(from).next())
    {
        attempts -= 1;
        let id = found.0.id;
        next = id::after(id);
        let (exists, Some(group)) = stream.contains_and_group(id, name) else { break };
        if !exists && server.has_redis(7, 0) {
            group.acknowledge(id);
            count -= 1;
            continue;
        }
        if min_idle > 0 && now_ms.wrapping_sub(found.0.delivered_ms) < min_idle {
            continue;
        }
        if consumer.is_none() {
            consumer = find_or_make(group, consumer_name, now_ms, arena);
        }
        let Some(number) = consumer else { break };
        group.claim(id, number, Claim { delivered_ms: now_ms, deliveries });
        group.touch(number, None, Some(now_ms));
        count -= 1;
    }
    Ok(())
}
