//! The server itself: its memory, its configuration, its replicas.
//!
//! FLUSHALL, FLUSHDB and SWAPDB are in this group because the servers list them here.

use super::apply::{Applied, Call, Unapplied};
use super::database::{self, flush_is_executed};
use super::restore::restore;
use super::row::{
    Command, Destruction, KEY, NO_KEYS, SECOND, Subcommand, between, plain, redis_only, since, sub,
    valkey_only, write,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    plain("ACL",            -2, since(6, 0),             NO_KEYS).with(ACL),
    plain("BGREWRITEAOF",    1, since(1, 0),             NO_KEYS),
    plain("BGSAVE",         -1, since(1, 0),             NO_KEYS),
    // Up to Redis 5.0 the arity was 0, which any number of arguments satisfies as well.
    plain("COMMAND",        -1, since(2, 8),             NO_KEYS).with(COMMAND),
    plain("COMMANDLOG",     -2, valkey_only(8, 1),       NO_KEYS).with(COMMANDLOG),
    plain("CONFIG",         -2, since(2, 0),             NO_KEYS).with(CONFIG),
    plain("DBSIZE",          1, since(1, 0),             NO_KEYS),
    // POPULATE and similar subcommands change the data set.
    write("DEBUG",          -2, since(1, 0),             NO_KEYS).until(since(5, 0), -1),
    plain("FAILOVER",       -1, since(6, 2),             NO_KEYS),
    // Logged even if there was nothing to remove.
    write("FLUSHALL",       -1, since(1, 0),             NO_KEYS).by(flushall).destroys(Destruction::AllDatabases),
    write("FLUSHDB",        -1, since(1, 0),             NO_KEYS).by(flushdb).destroys(Destruction::Database),
    // HOST: and POST are in the table of Redis up to 6.2 to detect browsers that speak HTTP to it.
    plain("HOST:",          -1, between((3, 2), (7, 0)), NO_KEYS),
    plain("HOTKEYS",        -2, redis_only(8, 6),        NO_KEYS).with(HOTKEYS),
    plain("INFO",           -1, since(1, 0),             NO_KEYS),
    plain("LASTSAVE",        1, since(1, 0),             NO_KEYS),
    plain("LATENCY",        -2, since(2, 8),             NO_KEYS).with(LATENCY),
    plain("LOLWUT",         -1, since(5, 0),             NO_KEYS),
    plain("MEMORY",         -2, since(4, 0),             NO_KEYS).with(MEMORY),
    plain("MODULE",         -2, since(4, 0),             NO_KEYS).with(MODULE),
    plain("MONITOR",         1, since(1, 0),             NO_KEYS),
    plain("POST",           -1, between((3, 2), (7, 0)), NO_KEYS),
    plain("PSYNC",          -3, since(2, 8),             NO_KEYS).until(since(6, 2), 3),
    plain("REPLCONF",       -1, since(3, 0),             NO_KEYS),
    plain("REPLICAOF",       3, since(5, 0),             NO_KEYS),
    // RESTORE for a slot that is being imported; MIGRATE sends it within a cluster.
    write("RESTORE-ASKING", -4, since(3, 0),             KEY).by(restore).relative_time(),
    plain("ROLE",            1, since(2, 8),             NO_KEYS),
    plain("SAVE",            1, since(1, 0),             NO_KEYS),
    plain("SHUTDOWN",       -1, since(1, 0),             NO_KEYS),
    plain("SLAVEOF",         3, since(1, 0),             NO_KEYS),
    plain("SLOWLOG",        -2, since(2, 2),             NO_KEYS).with(SLOWLOG),
    write("SWAPDB",          3, since(4, 0),             NO_KEYS).by(swapdb).destroys(Destruction::Swap),
    plain("SYNC",            1, since(1, 0),             NO_KEYS),
    plain("TIME",            1, since(2, 6),             NO_KEYS),
    // Removes the keys of slots that another node took.
    write("TRIMSLOTS",      -5, redis_only(8, 4),        NO_KEYS).name_only(),
];

#[rustfmt::skip]
const HOTKEYS: &[Subcommand] = &[
    sub("GET",    2, redis_only(8, 6), NO_KEYS),
    sub("HELP",   2, redis_only(8, 6), NO_KEYS),
    sub("RESET",  2, redis_only(8, 6), NO_KEYS),
    sub("START", -2, redis_only(8, 6), NO_KEYS),
    sub("STOP",   2, redis_only(8, 6), NO_KEYS),
];

#[rustfmt::skip]
const ACL: &[Subcommand] = &[
    sub("CAT",     -2, since(6, 0), NO_KEYS),
    sub("DELUSER", -3, since(6, 0), NO_KEYS),
    sub("DRYRUN",  -4, since(7, 0), NO_KEYS),
    sub("GENPASS", -2, since(6, 0), NO_KEYS),
    sub("GETUSER",  3, since(6, 0), NO_KEYS),
    sub("HELP",     2, since(6, 0), NO_KEYS),
    sub("LIST",     2, since(6, 0), NO_KEYS),
    sub("LOAD",     2, since(6, 0), NO_KEYS),
    sub("LOG",     -2, since(6, 0), NO_KEYS),
    sub("SAVE",     2, since(6, 0), NO_KEYS),
    sub("SETUSER", -3, since(6, 0), NO_KEYS),
    sub("USERS",    2, since(6, 0), NO_KEYS),
    sub("WHOAMI",   2, since(6, 0), NO_KEYS),
];

#[rustfmt::skip]
const COMMAND: &[Subcommand] = &[
    sub("COUNT",            2, since(2, 8), NO_KEYS),
    sub("DOCS",            -2, since(7, 0), NO_KEYS),
    sub("GETKEYS",         -3, since(2, 8), NO_KEYS).until(since(7, 2), -4),
    sub("GETKEYSANDFLAGS", -3, since(7, 0), NO_KEYS).until(since(7, 2), -4),
    sub("HELP",             2, since(5, 0), NO_KEYS),
    sub("INFO",            -2, since(2, 8), NO_KEYS),
    sub("LIST",            -2, since(7, 0), NO_KEYS),
];

#[rustfmt::skip]
const COMMANDLOG: &[Subcommand] = &[
    sub("GET",    4, valkey_only(8, 1), NO_KEYS),
    sub("HELP",   2, valkey_only(8, 1), NO_KEYS),
    sub("LEN",    3, valkey_only(8, 1), NO_KEYS),
    sub("RESET",  3, valkey_only(8, 1), NO_KEYS),
];

#[rustfmt::skip]
const CONFIG: &[Subcommand] = &[
    sub("GET",       -3, since(2, 0), NO_KEYS),
    sub("HELP",       2, since(5, 0), NO_KEYS),
    sub("RESETSTAT",  2, since(2, 0), NO_KEYS),
    sub("REWRITE",    2, since(2, 8), NO_KEYS),
    sub("SET",       -4, since(2, 0), NO_KEYS),
];

#[rustfmt::skip]
const LATENCY: &[Subcommand] = &[
    sub("DOCTOR",     2, since(2, 8), NO_KEYS),
    sub("GRAPH",      3, since(2, 8), NO_KEYS),
    sub("HELP",       2, since(2, 8), NO_KEYS),
    sub("HISTOGRAM", -2, since(7, 0), NO_KEYS),
    sub("HISTORY",    3, since(2, 8), NO_KEYS),
    sub("LATEST",     2, since(2, 8), NO_KEYS),
    sub("RESET",     -2, since(2, 8), NO_KEYS),
];

#[rustfmt::skip]
const MEMORY: &[Subcommand] = &[
    sub("DOCTOR",        2, since(4, 0), NO_KEYS),
    sub("HELP",          2, since(4, 0), NO_KEYS),
    sub("MALLOC-STATS",  2, since(4, 0), NO_KEYS),
    sub("PURGE",         2, since(4, 0), NO_KEYS),
    sub("STATS",         2, since(4, 0), NO_KEYS),
    sub("USAGE",        -3, since(4, 0), SECOND),
];

#[rustfmt::skip]
const MODULE: &[Subcommand] = &[
    sub("HELP",    2, since(5, 0), NO_KEYS),
    sub("LIST",    2, since(4, 0), NO_KEYS),
    sub("LOAD",   -3, since(4, 0), NO_KEYS),
    sub("LOADEX", -3, since(7, 0), NO_KEYS),
    sub("UNLOAD",  3, since(4, 0), NO_KEYS),
];

#[rustfmt::skip]
const SLOWLOG: &[Subcommand] = &[
    sub("GET",   -2, since(2, 2), NO_KEYS),
    sub("HELP",   2, since(6, 2), NO_KEYS),
    sub("LEN",    2, since(2, 2), NO_KEYS),
    sub("RESET",  2, since(2, 2), NO_KEYS),
];

fn flushall(call: &mut Call<'_, '_>) -> Applied {
    flush_mode(call)?;
    call.keyspace.clear();
    Ok(())
}

fn flushdb(call: &mut Call<'_, '_>) -> Applied {
    flush_mode(call)?;
    call.db().clear();
    Ok(())
}

/// The mode of freeing the memory does not matter, but the server refuses an unknown option.
fn flush_mode(call: &Call<'_, '_>) -> Applied {
    let options = call.args[1..].iter().copied();
    flush_is_executed(options, Some(call.context.server)).then_some(()).ok_or(Unapplied::SYNTAX)
}

fn swapdb(call: &mut Call<'_, '_>) -> Applied {
    let one = database::parse(call.args[1], Unapplied::Failed("ERR invalid first DB index"))?;
    let other = database::parse(call.args[2], Unapplied::Failed("ERR invalid second DB index"))?;
    call.keyspace.swap(one, other);
    Ok(())
}
