//! XREADGROUP (`xreadCommand`, `streamReplyWithRange` in `t_stream.c`). It is never logged under
//! its own name.

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use super::claim::find_or_make;
use super::id::{self, HIGHEST};
use crate::base::server::{Product, Server};
use crate::keyspace::stream::{Claim, Deliveries, Stream, StreamId};

const NO_GROUP: Unapplied =
    Unapplied::Failed("NOGROUP No such key or consumer group in XREADGROUP with GROUP option");
const MISSING_GROUP: Unapplied = Unapplied::Failed("ERR Missing GROUP option for XREADGROUP");
const UNBALANCED: Unapplied = Unapplied::Failed(
    "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
);
const DOLLAR: Unapplied =
    Unapplied::Failed("ERR The $ ID is meaningless in the context of XREADGROUP");
const PLUS: Unapplied =
    Unapplied::Failed("ERR The + ID is meaningless in the context of XREADGROUP");
const TIMEOUT: Unapplied = Unapplied::Failed("ERR timeout is not an integer or out of range");
const NEGATIVE_TIMEOUT: Unapplied = Unapplied::Failed("ERR timeout is negative");

/// The options, and the streams with the id after which each is to be read.
struct Options<'c, 'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// 0 means all.
    count: usize,
    no_ack: bool,
    keys: &'c [&'a [u8]],
    ids: &'c [&'a [u8]],
}

impl<'c, 'a> Options<'c, 'a> {
    fn parse(args: &'c [&'a [u8]]) -> Result<Self, Unapplied> {
        let (mut group, mut count, mut no_ack) = (None, 0, false);
        let mut rest = &args[1..];
        let streams = loop {
            let [option, after @ ..] = rest else { return Err(Unapplied::SYNTAX) };
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            match after {
                [timeout, after @ ..] if is("BLOCK") => {
                    if number::integer(timeout).ok_or(TIMEOUT)? < 0 {
                        return Err(NEGATIVE_TIMEOUT);
                    }
                    rest = after;
                }
                [most, after @ ..] if is("COUNT") => {
                    let most = number::integer(most).ok_or(Unapplied::NOT_AN_INTEGER)?;
                    count = usize::try_from(most).unwrap_or(0);
                    rest = after;
                }
                [_, ..] if is("STREAMS") => break after,
                [name, consumer, after @ ..] if is("GROUP") => {
                    group = Some((*name, *consumer));
                    rest = after;
                }
                _ if is("NOACK") => {
                    no_ack = true;
                    rest = after;
                }
                _ => return Err(Unapplied::SYNTAX),
            }
        };
        if !streams.len().is_multiple_of(2) {
            return Err(UNBALANCED);
        }
        let (group, consumer) = group.ok_or(MISSING_GROUP)?;
        let (keys, ids) = streams.split_at(streams.len() / 2);
        Ok(Options { group, consumer, count, no_ack, keys, ids })
    }
}

pub(super) fn xreadgroup(call: &mut Call<'_, '_>) -> Applied {
    let options = Options::parse(call.args)?;
    let (server, arena) = (call.context.server, call.keyspace.arena());
    let mut from = Vec::with_capacity(options.keys.len());
    for (key, text) in options.keys.iter().zip(options.ids) {
        let stream = call.db().find::<Stream<'_>>(key)?;
        if stream.is_none_or(|stream| stream.group(options.group).is_none()) {
            return Err(NO_GROUP);
        }
        from.push(match *text {
            b"$" => return Err(DOLLAR),
            b"+" if server.has_redis(7, 4) || server.has_valkey(8, 0) => return Err(PLUS),
            b">" => HIGHEST,
            text => id::id(text)?,
        });
    }
    let now_ms = call.now_ms();
    for (key, from) in options.keys.iter().zip(from) {
        let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { continue };
        let (top, is_history) = (stream.top_id(), from != HIGHEST);
        let Some(group) = stream.group_mut(options.group) else { continue };
        let after = if is_history { from } else { group.last_id() };
        let is_served = is_history || top.is_some_and(|top| top > after);
        // Up to Redis 7.0 a consumer that receives no entries is not created.
        if !is_served && !server.has_redis(7, 2) {
            continue;
        }
        let Some(number) = find_or_make(group, options.consumer, now_ms, arena) else { continue };
        let Some(first) = id::after(after).filter(|_| is_served) else { continue };
        if is_history {
            deliver_again(stream, &options, first, now_ms);
            continue;
        }
        let most = if options.count == 0 { usize::MAX } else { options.count };
        let ids: Vec<StreamId> = stream.entries_from(first).map(|(id, _)| id).take(most).collect();
        for id in ids {
            let entries_read = counted(stream, options.group, id, server);
            let Some(group) = stream.group_mut(options.group) else { break };
            if id > group.last_id() {
                group.set_position(id, entries_read);
            }
            if !options.no_ack {
                group.claim(
                    id,
                    number,
                    Claim { delivered_ms: now_ms, deliveries: Deliveries::Set(1) },
                );
                group.touch(number, None, Some(now_ms));
            }
        }
    }
    Ok(())
}

/// Returns the number of entries that a group has read, once it has read this one.
fn counted(stream: &Stream<'_>, group: &[u8], id: StreamId, server: Server) -> Option<u64> {
    if !server.has_redis(7, 0) {
        return None;
    }
    let group = stream.group(group)?;
    let counts_on = if is_at_or_after(server) {
        let last = group.last_id();
        stream.first_id().is_some_and(|first| last >= first) && !stream.has_gaps_from(last)
    } else {
        !stream.has_gaps_from(id)
    };
    match group.entries_read() {
        Some(count) if counts_on => Some(count.wrapping_add(1)),
        known if stream.entries_added() == 0 => known,
        _ => stream.entries_up_to(id),
    }
}

/// Returns whether a server trusts a group's counter only if nothing was trimmed or deleted after
/// the last entry that the group read, and not just after the one that it reads now. *Observed* for
/// Redis 7.0 (does not), 8.2 and Valkey 9.1 (do).
fn is_at_or_after(server: Server) -> bool {
    match server.product {
        Product::Redis => server.has_redis(8, 0),
        Product::Valkey => server.has_valkey(8, 1),
    }
}

/// Delivers a consumer's pending entries again: each that is still in the stream counts one more
/// delivery.
fn deliver_again(stream: &mut Stream<'_>, options: &Options<'_, '_>, first: StreamId, now_ms: i64) {
    let Some(group) = stream.group(options.group) else { return };
    let Some(number) = group.consumer(options.consumer) else { return };
    let most = if options.count == 0 { usize::MAX } else { options.count };
    let ids: Vec<StreamId> = group.pending_of(number, first).take(most).collect();
    for id in ids {
        if let (true, Some(group)) = stream.contains_and_group(id, options.group) {
            let claim = Claim { delivered_ms: now_ms, deliveries: Deliveries::OneMore };
            group.claim(id, number, claim);
        }
    }
}
