//! XADD and XTRIM (`xaddCommand`, `xtrimCommand`, `streamTrim` in `t_stream.c`).

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use super::id::{self, HIGHEST, NewId};
use super::idmp::{self, Produced};
use crate::base::server::Server;
use crate::command::stream::references::{References, is_acknowledged};
use crate::keyspace::stream::{Fields, Stream, StreamId};

/// Maximum total size in bytes of the fields of an entry.
const LARGEST_ENTRY: usize = 1 << 30;

const WRONG_ARITY: Unapplied =
    Unapplied::Failed("ERR wrong number of arguments for 'xadd' command");
const ZERO: Unapplied = Unapplied::Failed("ERR The ID specified in XADD must be greater than 0-0");
const EXHAUSTED: Unapplied = Unapplied::Failed(
    "ERR The stream has exhausted the last possible ID, unable to add more items",
);
const NOT_ABOVE: Unapplied = Unapplied::Failed(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const TOO_LARGE: Unapplied = Unapplied::Failed("ERR Elements are too large to be stored");
const TWO_STRATEGIES: Unapplied = Unapplied::Failed(
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
);
const NO_STRATEGY: Unapplied =
    Unapplied::Failed("ERR syntax error, XTRIM must be called with a trimming strategy");
const LIMIT_ALONE: Unapplied = Unapplied::Failed(
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
const NEGATIVE_LENGTH: Unapplied = Unapplied::Failed("ERR The MAXLEN argument must be >= 0.");
const NEGATIVE_LIMIT: Unapplied = Unapplied::Failed("ERR The LIMIT argument must be >= 0.");

/// A server logs `=` and the result instead, so only logs that were not written by a server contain
/// it.
const APPROXIMATE: Unapplied =
    Unapplied::Refused("how much `~` trims depends on how the server packed the stream");

/// The trimming strategy.
#[derive(Debug, Clone, Copy)]
enum Strategy {
    /// Retain this number of entries.
    Length(usize),
    /// Remove all entries below this id.
    Below(StreamId),
}

#[derive(Debug, Clone, Copy)]
struct Trim {
    strategy: Strategy,
    /// `~`: remove only whole nodes of the server's tree.
    approximate: bool,
}

/// The options of XADD and XTRIM.
#[derive(Debug, Default)]
struct Options<'a> {
    trim: Option<Trim>,
    references: References,
    no_new_stream: bool,
    produced: Option<Produced<'a>>,
    /// The index of the first argument that is not an option: XADD's id.
    end: usize,
}

impl<'a> Options<'a> {
    /// Parses the options. LIMIT is ignored: a loader assumes that the log already respects it.
    fn parse(args: &[&'a [u8]], is_add: bool, server: Server) -> Result<Options<'a>, Unapplied> {
        let (has_more_options, has_references) =
            (server.has_redis(6, 2), References::known(server));
        let has_producers = is_add && idmp::known(server);
        let mut options = Options::default();
        let (mut limited, mut has_mode) = (false, false);
        let mut at = 2;
        while at < args.len() {
            let is = |name: &str| args[at].eq_ignore_ascii_case(name.as_bytes());
            let more = args.len() - 1 - at;
            if is_add && args[at] == b"*" {
                break;
            } else if more > 0 && (is("MAXLEN") || (is("MINID") && has_more_options)) {
                let by_length = is("MAXLEN");
                if options.trim.is_some() && has_more_options {
                    return Err(TWO_STRATEGIES);
                }
                let sign = if more >= 2 { args[at + 1] } else { b"" };
                let approximate = sign == b"~";
                at += if approximate || sign == b"=" { 2 } else { 1 };
                let strategy = if by_length {
                    let length = number::integer(args[at]).ok_or(Unapplied::NOT_AN_INTEGER)?;
                    Strategy::Length(usize::try_from(length).map_err(|_| NEGATIVE_LENGTH)?)
                } else {
                    Strategy::Below(id::id(args[at])?)
                };
                options.trim = Some(Trim { strategy, approximate });
            } else if more > 0 && is("LIMIT") && has_more_options {
                at += 1;
                let limit = number::integer(args[at]).ok_or(Unapplied::NOT_AN_INTEGER)?;
                if limit < 0 {
                    return Err(NEGATIVE_LIMIT);
                }
                limited = limit > 0;
            } else if is_add && is("NOMKSTREAM") && has_more_options {
                options.no_new_stream = true;
            } else if has_references
                && !has_mode
                && let Some(references) = References::parse(args[at])
            {
                options.references = references;
                has_mode = true;
            } else if has_producers
                && let Some((produced, taken)) = Produced::parse(&args[at..], options.produced)?
            {
                options.produced = Some(produced);
                at += taken - 1;
            } else if is_add {
                break;
            } else {
                return Err(Unapplied::SYNTAX);
            }
            at += 1;
        }
        options.end = at;
        if limited && options.trim.is_none() {
            return Err(LIMIT_ALONE);
        }
        Ok(options)
    }

    /// Returns whether the number of removed entries is certain for a stream of `length` entries
    /// that begins with `first`: an exact number, none in any case, or all.
    fn is_certain(&self, length: usize, first: StreamId) -> bool {
        match self.trim {
            Some(Trim { strategy, approximate: true }) => match strategy {
                Strategy::Length(0) if self.references == References::Keep => true,
                Strategy::Length(most) => length <= most,
                Strategy::Below(id) => first >= id,
            },
            _ => true,
        }
    }

    /// Trims a stream: removes the entries that are [`marked`](Self::marked), or simply the oldest.
    fn trim(&self, stream: &mut Stream<'_>, marked: &[StreamId]) {
        match (self.references, self.trim.map(|trim| trim.strategy)) {
            (_, None) => {}
            (References::Keep, Some(Strategy::Length(length))) => stream.trim_to_length(length),
            (References::Keep, Some(Strategy::Below(id))) => stream.trim_below(id),
            (references, Some(_)) => {
                for id in marked {
                    stream.trim_entry(*id);
                    if references == References::Delete {
                        stream.forget_pending(*id);
                    }
                }
            }
        }
    }

    /// Returns the entries to remove if each has to be checked. `added` follows the existing ones.
    /// With ACKED, referenced entries remain, and later ones are removed instead.
    fn marked(
        &self,
        stream: &Stream<'_>,
        added: Option<StreamId>,
    ) -> Result<Vec<StreamId>, Unapplied> {
        let mut marked = Vec::new();
        let Some(Trim { strategy, .. }) = self.trim else { return Ok(marked) };
        if self.references == References::Keep {
            return Ok(marked);
        }
        let mut left = stream.len() + usize::from(added.is_some());
        for id in stream.entries().map(|(id, _)| id).chain(added) {
            let done = match strategy {
                Strategy::Length(length) => left <= length,
                Strategy::Below(bound) => id >= bound,
            };
            if done {
                break;
            }
            if self.references == References::Delete || is_acknowledged(stream, id)? {
                marked.push(id);
                left -= 1;
            }
        }
        Ok(marked)
    }
}

pub(super) fn xadd(call: &mut Call<'_, '_>) -> Applied {
    let server = call.context.server;
    let options = Options::parse(call.args, true, server)?;
    let Some(text) = call.args.get(options.end) else { return Err(WRONG_ARITY) };
    let given = id::new_id(text, server.has_redis(7, 0))?;
    let pairs = &call.args[options.end + 1..];
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(WRONG_ARITY);
    }
    // Redis 5.0 makes the stream before it refuses the id. Its rewrites depend on that: of an empty stream with this
    // last id they write such an XADD (observed on 5.0.6).
    if given == NewId::Given(StreamId::default()) && server.has_redis(6, 0) {
        return Err(ZERO);
    }
    if let Some(produced) = options.produced {
        let key = call.key();
        if let Some(stream) = call.db().find_mut::<Stream<'_>>(key)?
            && produced.is_duplicate(stream, pairs, given == NewId::Clock)
        {
            return Ok(());
        }
    }
    let now_ms = if given == NewId::Clock { call.now_ms() } else { 0 };
    let (key, frame, arena) = (call.key(), call.frame, call.keyspace.arena());

    let db = call.db();
    let stream: &mut Stream<'_> = if options.no_new_stream {
        match db.find_mut(key)? {
            Some(stream) => stream,
            None => return Ok(()),
        }
    } else {
        db.find_or_make(key)?
    };
    let last = stream.last_id();
    if last == HIGHEST {
        return Err(EXHAUSTED);
    }
    let id = match given {
        NewId::Given(id) => Some(id),
        NewId::Next(ms) if ms == last.ms => last.seq.checked_add(1).map(|seq| StreamId { ms, seq }),
        NewId::Next(ms) => Some(StreamId { ms, seq: 0 }),
        NewId::Clock => match u64::try_from(now_ms) {
            Ok(ms) if ms > last.ms => Some(StreamId { ms, seq: 0 }),
            _ => id::after(last),
        },
    };
    let id = id.filter(|id| *id > last).ok_or(NOT_ABOVE)?;
    let bytes = pairs.iter().map(|bytes| bytes.len());
    if bytes.fold(0_usize, usize::saturating_add) > LARGEST_ENTRY {
        return Err(TOO_LARGE);
    }
    let first = stream.first_id().unwrap_or(id);
    if !options.is_certain(stream.len() + 1, first) {
        return Err(APPROXIMATE);
    }
    let marked = options.marked(stream, Some(id))?;
    stream.add(id, Fields::of_args(pairs, frame, arena)).map_err(|_| NOT_ABOVE)?;
    if let Some(produced) = options.produced {
        produced.record(stream, pairs, id);
    }
    options.trim(stream, &marked);
    Ok(())
}

pub(super) fn xtrim(call: &mut Call<'_, '_>) -> Applied {
    let options = Options::parse(call.args, false, call.context.server)?;
    if options.trim.is_none() {
        return Err(NO_STRATEGY);
    }
    let key = call.key();
    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { return Ok(()) };
    let Some(first) = stream.first_id() else { return Ok(()) };
    if !options.is_certain(stream.len(), first) {
        return Err(APPROXIMATE);
    }
    let marked = options.marked(stream, None)?;
    options.trim(stream, &marked);
    Ok(())
}
