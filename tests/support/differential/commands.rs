//! Runs commands on a server and on a keyspace.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aofkit::base::server::Server;
use aofkit::command::{self, Applied, Call, Context, Position, Unapplied, Warnings};
use aofkit::keyspace::{Bump, Keyspace};

use super::data::{assert_same_data, history, show};
use crate::support::{self, Args, Binary, Random, Reply, Running, lay_out, log};

/// Applies a command to a keyspace as a server of this line does while loading.
///
/// # Panics
///
/// If the command is unknown or cannot be applied.
pub(crate) fn apply<'a>(
    line: Server,
    fields_expire_ms: Option<i64>,
    args: &[&'a [u8]],
    db: u32,
    keyspace: &mut Keyspace<'a>,
) -> Applied {
    let row = command::lookup(args[0]).expect("a known command").row();
    let apply = row.apply.unwrap_or_else(|| panic!("{} cannot be applied", row.name));
    let context = Context {
        server: line,
        fields_expire_ms,
        hll_sparse_max_bytes: 3000,
        clock: &|_| 0,
        owns: &|_| true,
    };
    apply(&mut Call {
        args,
        frame: &[],
        at: Position::default(),
        db,
        keyspace,
        context: &context,
        warnings: &mut Warnings::default(),
    })
}

/// Returns whether a server of this line knows the command and aofkit can apply it.
pub(crate) fn is_supported(binary: &Binary, args: &Args) -> bool {
    command::lookup(&args[0])
        .is_some_and(|id| id.row().known_by(binary.line) && id.row().apply.is_some())
}

/// Runs the commands on the server, which is emptied first, and on a keyspace. Compares the outcome of every
/// command, and the data after every `interval` commands and at the end.
///
/// # Panics
///
/// At the first difference, with the preceding commands that name the same key.
pub(crate) fn compare(server: &mut Running, binary: &Binary, commands: &[Args], interval: usize) {
    server.client.call(&["FLUSHALL"]);
    server.client.call(&["SELECT", "0"]);
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let mut db = 0;
    for (number, command) in commands.iter().enumerate() {
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        let reply = call(server, &args);
        if args[0].eq_ignore_ascii_case(b"SELECT") {
            db = std::str::from_utf8(args[1]).expect("text").parse().expect("a number");
            continue;
        }
        let row = command::lookup(args[0]).expect("a known command").row();
        // A server rejects a wrong number of arguments before it runs the command.
        if !row.arity.accepts_on(binary.line, args.len()) {
            assert!(matches!(reply, Reply::Error(_)), "{}: {reply:?}", show(command));
            continue;
        }
        let applied = apply(binary.line, None, &args, db, &mut keyspace);
        let agree = match (&reply, &applied) {
            (_, Err(Unapplied::Refused(why))) => panic!("{}: refused, {why}", show(command)),
            (Reply::Error(_), Err(Unapplied::Failed(_))) => true,
            (Reply::Error(_), Ok(())) | (_, Err(Unapplied::Failed(_))) => false,
            (_, Ok(())) => true,
        };
        assert!(
            agree,
            "{}: {} replies {reply:?}, aofkit {applied:?}; preceding commands:\n{}",
            show(command),
            binary.line,
            history(&commands[..number], &command[1..])
        );
        if (number + 1) % interval == 0 {
            assert_same_data(server, binary, &mut keyspace, &commands[..=number]);
        }
    }
    assert_same_data(server, binary, &mut keyspace, commands);
}

/// Compares [`SEQUENCES`] random sequences of 150 supported commands.
///
/// # Panics
///
/// At the first difference.
pub(crate) fn random_sequences(binary: &Binary, command: fn(&mut Random) -> Args) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = start(binary, data.path());
    for seed in 0..SEQUENCES {
        let mut random = Random::new(seed);
        let commands = std::iter::repeat_with(|| command(&mut random));
        let commands: Vec<Args> =
            commands.filter(|args| is_supported(binary, args)).take(150).collect();
        compare(&mut server, binary, &commands, 50);
    }
}

const SEQUENCES: u64 = 200;

/// Lets the server load the commands as a log, and compares its data with a keyspace to which they are applied.
/// Active expiry is switched off in the server, so expiry times may be in the past.
///
/// # Panics
///
/// At a difference, or if a command has a wrong number of arguments, which few servers check while loading.
pub(crate) fn compare_loaded(binary: &Binary, commands: &[Args], fields_expire_ms: Option<i64>) {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let mut bytes = log("DEBUG SET-ACTIVE-EXPIRE 0");
    let mut db = 0;
    for command in commands {
        bytes.extend(support::command(command));
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        if args[0].eq_ignore_ascii_case(b"SELECT") {
            db = std::str::from_utf8(args[1]).expect("text").parse().expect("a number");
            continue;
        }
        let row = command::lookup(args[0]).expect("a known command").row();
        assert!(row.arity.accepts_on(binary.line, args.len()), "{}", show(command));
        let applied = apply(binary.line, fields_expire_ms, &args, db, &mut keyspace);
        if let Err(Unapplied::Refused(why)) = applied {
            panic!("{}: refused, {why}", show(command));
        }
    }
    let data = tempfile::tempdir().expect("a directory");
    lay_out(binary.line, data.path(), &bytes);
    let mut server =
        Running::start(binary, data.path(), &[("appendonly", "yes")]).expect("it loads");
    assert_same_data(&mut server, binary, &mut keyspace, commands);
}

/// Starts an empty server for [`compare`], with the settings that [`apply`] assumes.
///
/// # Panics
///
/// If it does not start.
pub(crate) fn start(binary: &Binary, data: &Path) -> Running {
    let config = [("hll-sparse-max-bytes", "3000"), ("databases", "16")];
    Running::start(binary, data, &config).expect("an empty server starts")
}

/// Returns the current time in Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("not that late")
}

/// Returns the reply of the server. A command that could block is sent in a transaction, where no command blocks.
fn call(server: &mut Running, args: &[&[u8]]) -> Reply {
    const BLOCKING: [&str; 8] =
        ["BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN"];
    if !BLOCKING.iter().any(|name| args[0].eq_ignore_ascii_case(name.as_bytes())) {
        return server.client.call(args);
    }
    server.client.call(&["MULTI"]);
    let queued = server.client.call(args);
    match (queued, server.client.call(&["EXEC"])) {
        (Reply::Simple(_), Reply::Array(mut replies)) => replies.remove(0),
        (refused, _) => refused,
    }
}
