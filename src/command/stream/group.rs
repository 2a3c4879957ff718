//! XGROUP, XACK and XSETID (`xgroupCommand`, `xackCommand`, `xsetidCommand` in `t_stream.c`).

use super::super::apply::{Applied, Call, Unapplied};
use super::super::number;
use super::id;
use crate::base::server::{Product, Server};
use crate::keyspace::stream::{Stream, StreamId};

const UNKNOWN: Unapplied = Unapplied::Failed(
    "ERR unknown subcommand or wrong number of arguments for 'XGROUP'. Try XGROUP HELP.",
);
const NO_KEY: Unapplied = Unapplied::Failed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
     the MKSTREAM option to create an empty stream automatically.",
);
const NO_GROUP: Unapplied = Unapplied::Failed("NOGROUP No such consumer group for key name");
const BUSY: Unapplied = Unapplied::Failed("BUSYGROUP Consumer Group name already exists");
const ENTRIES_READ: Unapplied =
    Unapplied::Failed("ERR value for ENTRIESREAD must be positive or -1");
const ENTRIES_ADDED: Unapplied = Unapplied::Failed("ERR entries_added must be positive");
const BELOW_GIVEN_DELETED: Unapplied = Unapplied::Failed(
    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
const BELOW_DELETED: Unapplied = Unapplied::Failed(
    "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
);
const BELOW_TOP: Unapplied =
    Unapplied::Failed("ERR The ID specified in XSETID is smaller than the target stream top item");
const BELOW_LENGTH: Unapplied = Unapplied::Failed(
    "ERR The entries_added specified in XSETID is smaller than the target stream length",
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Create,
    SetId,
    Destroy,
    CreateConsumer,
    DeleteConsumer,
}

impl Doing {
    fn parse(name: &[u8], server: Server) -> Option<Doing> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("CREATE") {
            Some(Doing::Create)
        } else if is("SETID") {
            Some(Doing::SetId)
        } else if is("DESTROY") {
            Some(Doing::Destroy)
        } else if is("CREATECONSUMER") && server.has_redis(6, 2) {
            Some(Doing::CreateConsumer)
        } else if is("DELCONSUMER") {
            Some(Doing::DeleteConsumer)
        } else {
            None
        }
    }
}

/// The options of CREATE and SETID.
#[derive(Debug, Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: &[&[u8]], doing: Doing, server: Server) -> Result<Options, Unapplied> {
        let mut options = Options::default();
        let takes_entries_read =
            matches!(doing, Doing::Create | Doing::SetId) && server.has_redis(7, 0);
        let mut rest = args;
        while let [option, after @ ..] = rest {
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            if doing == Doing::Create && is("MKSTREAM") {
                options.make_stream = true;
                rest = after;
            } else if let [count, after @ ..] = after
                && takes_entries_read
                && is("ENTRIESREAD")
            {
                let count = number::integer(count).ok_or(Unapplied::NOT_AN_INTEGER)?;
                if count < -1 {
                    return Err(ENTRIES_READ);
                }
                options.entries_read = u64::try_from(count).ok();
                rest = after;
            } else {
                return Err(UNKNOWN);
            }
        }
        Ok(options)
    }
}

pub(super) fn xgroup(call: &mut Call<'_, '_>) -> Applied {
    let (args, server, arena) = (call.args, call.context.server, call.keyspace.arena());
    if args[1].eq_ignore_ascii_case(b"HELP") && args.len() == 2 {
        return Ok(());
    }
    let doing = Doing::parse(args[1], server).ok_or(UNKNOWN)?;
    let takes = match doing {
        Doing::Create if server.has_redis(7, 0) => 5..=8,
        Doing::SetId if server.has_redis(7, 0) => 5..=7,
        Doing::Create => 5..=6,
        Doing::SetId | Doing::CreateConsumer | Doing::DeleteConsumer => 5..=5,
        Doing::Destroy => 4..=4,
    };
    if !takes.contains(&args.len()) {
        return Err(UNKNOWN);
    }
    let has_options = matches!(doing, Doing::Create | Doing::SetId);
    let options = Options::parse(if has_options { &args[5..] } else { &[] }, doing, server)?;
    let (key, name) = (args[2], args[3]);
    let seen_ms = (call.context.clock)(call.at);

    let stream = match call.db().find_mut::<Stream<'_>>(key)? {
        Some(stream) => stream,
        None if options.make_stream => {
            let id = if args[4] == b"$" { StreamId::default() } else { id::id(args[4])? };
            let stream = call.db().find_or_make::<Stream<'_>>(key)?;
            let entries_read = counted(options.entries_read, stream, server);
            stream.add_group(arena.alloc_slice_copy(name), id, entries_read);
            return Ok(());
        }
        None => return Err(NO_KEY),
    };
    let last_id = stream.last_id();
    let entries_read = counted(options.entries_read, stream, server);
    if doing == Doing::Create {
        let id = if args[4] == b"$" { last_id } else { id::id(args[4])? };
        if stream.group(name).is_some() {
            return Err(BUSY);
        }
        stream.add_group(arena.alloc_slice_copy(name), id, entries_read);
        return Ok(());
    }
    if doing == Doing::Destroy {
        stream.remove_group(name);
        return Ok(());
    }
    let group = stream.group_mut(name).ok_or(NO_GROUP)?;
    match doing {
        Doing::SetId => {
            let id = if args[4] == b"$" { last_id } else { id::id_or_bound(args[4])? };
            group.set_position(id, entries_read);
        }
        Doing::CreateConsumer if group.consumer(args[4]).is_none() => {
            group.add_consumer(arena.alloc_slice_copy(args[4]), seen_ms, Some(-1));
        }
        Doing::DeleteConsumer => {
            group.remove_consumer(args[4]);
        }
        Doing::CreateConsumer | Doing::Create | Doing::Destroy => {}
    }
    Ok(())
}

/// Redis 8 does not accept more entries read than were added.
fn counted(entries_read: Option<u64>, stream: &Stream<'_>, server: Server) -> Option<u64> {
    let most = match server.product {
        Product::Redis if server.has_redis(8, 0) => stream.entries_added(),
        Product::Redis | Product::Valkey => u64::MAX,
    };
    entries_read.map(|count| count.min(most))
}

pub(super) fn xack(call: &mut Call<'_, '_>) -> Applied {
    let (key, name, ids) = (call.key(), call.args[2], &call.args[3..]);
    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else { return Ok(()) };
    let Some(group) = stream.group_mut(name) else { return Ok(()) };
    // All ids are parsed before any is acknowledged.
    if let [one] = ids {
        group.acknowledge(id::id(one)?);
        return Ok(());
    }
    let ids: Vec<StreamId> = ids.iter().map(|text| id::id(text)).collect::<Result<_, _>>()?;
    for id in ids {
        group.acknowledge(id);
    }
    Ok(())
}

pub(super) fn xsetid(call: &mut Call<'_, '_>) -> Applied {
    let (key, server) = (call.key(), call.context.server);
    let id = id::id(call.args[2]);
    let (mut entries_added, mut max_deleted_id) = (None, None);
    let mut rest = &call.args[3..];
    if !rest.is_empty() && !server.has_redis(7, 0) {
        return Err(Unapplied::SYNTAX);
    }
    while let [option, value, after @ ..] = rest {
        if option.eq_ignore_ascii_case(b"ENTRIESADDED") {
            let count = number::integer(value).ok_or(Unapplied::NOT_AN_INTEGER)?;
            entries_added = Some(u64::try_from(count).map_err(|_| ENTRIES_ADDED)?);
        } else if option.eq_ignore_ascii_case(b"MAXDELETEDID") {
            let deleted = id::id(value)?;
            if id? < deleted {
                return Err(BELOW_GIVEN_DELETED);
            }
            // 0-0 means that nothing is given.
            max_deleted_id = Some(deleted).filter(|id| *id != StreamId::default());
        } else {
            return Err(Unapplied::SYNTAX);
        }
        rest = after;
    }
    if !rest.is_empty() {
        return Err(Unapplied::SYNTAX);
    }
    let Some(stream) = call.db().find_mut::<Stream<'_>>(key)? else {
        return Err(Unapplied::NO_SUCH_KEY);
    };
    let id = id?;
    if server.has_redis(7, 2) && id < stream.max_deleted_id() {
        return Err(BELOW_DELETED);
    }
    if let Some(top) = stream.top_id() {
        if id < top {
            return Err(BELOW_TOP);
        }
        if entries_added.is_some_and(|count| count < stream.len() as u64) {
            return Err(BELOW_LENGTH);
        }
    }
    stream.set_counters(id, entries_added, max_deleted_id);
    Ok(())
}
