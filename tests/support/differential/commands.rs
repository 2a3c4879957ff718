//! A server and a keyspace of ours, given the same commands: after each they must agree whether it failed, and at
//! any time about the data.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aofkit::base::server::Server;
use aofkit::command::{self, Applied, Call, Context, Notes, Position, Unapplied};
use aofkit::keyspace::digest::{self, Flavour, Sum};
use aofkit::keyspace::{Bump, Hash, Keyspace, Value};

use super::client::{self, Reply};
use super::server::{self, Binary, Running};
use super::twin_streams;

/// A command's arguments, its name first.
pub(crate) type Args = Vec<Vec<u8>>;

/// The arguments of a line of text, separated by blanks.
pub(crate) fn args(line: &str) -> Args {
    line.split_whitespace().map(|arg| arg.as_bytes().to_vec()).collect()
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.below(from.len() as u64)).expect("an index")]
    }
}

/// Applies a command to a data set of ours, as a loader of this line does.
///
/// # Panics
///
/// When it is none that can be applied.
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
        notes: &mut Notes::default(),
    })
}

/// Whether a server of this line knows the command, and it can be applied here.
pub(crate) fn is_common(binary: &Binary, args: &Args) -> bool {
    command::lookup(&args[0])
        .is_some_and(|id| id.row().known_by(binary.line) && id.row().apply.is_some())
}

/// Runs the commands on the server, which is emptied first, and on a keyspace; compares every outcome, and every
/// `each` commands, and at the end, the data.
///
/// # Panics
///
/// At the first difference, with the commands up to it that touch the same key.
pub(crate) fn compare(server: &mut Running, binary: &Binary, commands: &[Args], each: usize) {
    server.client.call(&["FLUSHALL"]);
    server.client.call(&["SELECT", "0"]);
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let mut db = 0;
    for (number, command) in commands.iter().enumerate() {
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        let reply = answer(server, &args);
        if args[0].eq_ignore_ascii_case(b"SELECT") {
            db = std::str::from_utf8(args[1]).expect("text").parse().expect("a number");
            continue;
        }
        let row = command::lookup(args[0]).expect("a known command").row();
        // A server refuses a wrong number of arguments before it runs the command.
        if !row.arity.accepts_on(binary.line, args.len()) {
            assert!(matches!(reply, Reply::Error(_)), "{}: {reply:?}", shown(command));
            continue;
        }
        let applied = apply(binary.line, None, &args, db, &mut keyspace);
        let agree = match (&reply, &applied) {
            (_, Err(Unapplied::Refused(why))) => panic!("{}: refused, {why}", shown(command)),
            (Reply::Error(_), Err(Unapplied::Failed(_))) => true,
            (Reply::Error(_), Ok(())) | (_, Err(Unapplied::Failed(_))) => false,
            (_, Ok(())) => true,
        };
        assert!(
            agree,
            "{}: {} answers {reply:?}, we {applied:?}; before it:\n{}",
            shown(command),
            binary.line,
            history(&commands[..number], &command[1..])
        );
        if (number + 1) % each == 0 {
            same_data(server, binary, &mut keyspace, &commands[..=number]);
        }
    }
    same_data(server, binary, &mut keyspace, commands);
}

/// Compares [`SEQUENCES`] random sequences of 150 commands that the line knows.
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
            commands.filter(|args| is_common(binary, args)).take(150).collect();
        compare(&mut server, binary, &commands, 50);
    }
}

const SEQUENCES: u64 = 200;

/// Lets the server load the commands as a log, and compares the data with a keyspace to which they are
/// applied. Nothing expires in the server afterwards, so that times may lie in the past.
///
/// # Panics
///
/// At a difference, and where a number of arguments is wrong: few servers check that while they load.
pub(crate) fn compare_loaded(binary: &Binary, commands: &[Args], fields_expire_ms: Option<i64>) {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let mut log = client::log("DEBUG SET-ACTIVE-EXPIRE 0");
    let mut db = 0;
    for command in commands {
        log.extend(client::command(command));
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        if args[0].eq_ignore_ascii_case(b"SELECT") {
            db = std::str::from_utf8(args[1]).expect("text").parse().expect("a number");
            continue;
        }
        let row = command::lookup(args[0]).expect("a known command").row();
        assert!(row.arity.accepts_on(binary.line, args.len()), "{}", shown(command));
        let applied = apply(binary.line, fields_expire_ms, &args, db, &mut keyspace);
        if let Err(Unapplied::Refused(why)) = applied {
            panic!("{}: refused, {why}", shown(command));
        }
    }
    let data = tempfile::tempdir().expect("a directory");
    server::lay_out(binary.line, data.path(), &log);
    let mut server =
        Running::start(binary, data.path(), &[("appendonly", "yes")]).expect("it loads");
    same_data(&mut server, binary, &mut keyspace, commands);
}

/// In Unix milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("not that late")
}

/// What the server answers. A command that could block is sent in a transaction, where none does.
fn answer(server: &mut Running, args: &[&[u8]]) -> Reply {
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

fn same_data(server: &mut Running, binary: &Binary, keyspace: &mut Keyspace<'_>, done: &[Args]) {
    let flavour = Flavour::of(binary.line);
    let mut sum = Sum::default();
    sum.add_all(keyspace, flavour);
    if sum.finish().to_string() != server.digest() {
        explain(server, binary, keyspace, done);
    }
    same_expiries(server, binary, keyspace, done);
    twin_streams::same_streams(server, binary, keyspace, |key| history(done, &[key.to_vec()]));
    // Both have looked into other databases.
    let last = done.iter().rev().find(|args| args[0].eq_ignore_ascii_case(b"SELECT"));
    server.client.call(&[&b"SELECT"[..], last.map_or(b"0", |args| &args[1])]);
}

/// The digest does not show when a key expires.
fn same_expiries(server: &mut Running, binary: &Binary, keyspace: &Keyspace<'_>, done: &[Args]) {
    // Before Redis 7.0 there is only the time that is left.
    if !binary.line.has_redis(7, 0) {
        return;
    }
    let knows_field_expiry =
        command::lookup(b"HPEXPIRETIME").is_some_and(|id| id.row().known_by(binary.line));
    for db in keyspace.databases().filter(|db| !db.is_empty()) {
        server.client.call(&["SELECT", &db.number().to_string()]);
        for entry in db.entries() {
            let theirs = server.client.call(&[&b"PEXPIRETIME"[..], entry.key()]).int();
            let ours = entry.expires_ms().unwrap_or(-1);
            let key = entry.key().to_vec();
            assert_eq!(ours, theirs, "expiry of {}", history(done, &[key]));
            if let Value::Hash(hash) = &entry.value
                && knows_field_expiry
            {
                same_field_expiries(server, entry.key(), hash, done);
            }
        }
    }
}

/// Nor does Valkey's show that a field does.
fn same_field_expiries(server: &mut Running, key: &[u8], hash: &Hash<'_>, done: &[Args]) {
    let count = hash.len().to_string();
    let mut command: Vec<&[u8]> = vec![b"HPEXPIRETIME", key, b"FIELDS", count.as_bytes()];
    command.extend(hash.fields().map(|(field, _, _)| field));
    let theirs = server.client.call(&command);
    let theirs: Vec<i64> = theirs.array().iter().map(Reply::int).collect();
    // A field whose time has passed is not there for who asks.
    let now_ms = now_ms();
    let seen = |at_ms: i64| if at_ms < now_ms { -2 } else { at_ms };
    let ours: Vec<i64> = hash.fields().map(|(_, _, expiry)| expiry.map_or(-1, seen)).collect();
    let shown = shown(&command.iter().map(|arg| arg.to_vec()).collect());
    assert_eq!(ours, theirs, "{shown} after {}", history(done, &[key.to_vec()]));
}

/// The data differ: says where.
fn explain(server: &mut Running, binary: &Binary, keyspace: &mut Keyspace<'_>, done: &[Args]) -> ! {
    let flavour = Flavour::of(binary.line);
    let mut numbers: Vec<u32> = keyspace.databases().map(|db| db.number()).collect();
    numbers.extend(0..16);
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        server.client.call(&["SELECT", &number.to_string()]);
        let theirs = server.client.call(&["KEYS", "*"]);
        let mut keys: Vec<Vec<u8>> = (theirs.array().iter())
            .map(|key| match key {
                Reply::Bulk(key) => key.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        let db = keyspace.db(number);
        keys.extend(db.entries().map(|entry| entry.key().to_vec()));
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let reply = server.client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", &key]);
            let theirs = reply.array()[0].text();
            let ours = keyspace.db(number).get(&key).map(|entry| {
                (digest::of_value(entry, flavour).to_string(), format!("{:?}", entry.value))
            });
            if ours.as_ref().map(|(digest, _)| digest.as_str()) != Some(theirs.as_str()) {
                let dump = server.client.call(&[&b"DUMP"[..], &key]);
                panic!(
                    "{} in database {number} differs from {}: ours is {ours:?}, theirs {theirs}, dumped {dump:?}; after:\n{}",
                    key.escape_ascii(),
                    binary.line,
                    history(done, std::slice::from_ref(&key))
                );
            }
        }
    }
    panic!("the digests differ from {}, but of no key's", binary.line);
}

/// The commands that name one of these arguments.
fn history(done: &[Args], words: &[Vec<u8>]) -> String {
    let same = |args: &&Args| args.iter().any(|arg| words.first() == Some(arg));
    let lines: Vec<String> = done.iter().filter(same).map(shown).collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn shown(args: &Args) -> String {
    let shown: Vec<String> = args.iter().map(|arg| arg.escape_ascii().to_string()).collect();
    shown.join(" ")
}

/// Starts a server for [`compare`].
///
/// # Panics
///
/// When it does not start.
pub(crate) fn start(binary: &Binary, data: &Path) -> Running {
    let config = [("hll-sparse-max-bytes", "3000"), ("databases", "16")];
    Running::start(binary, data, &config).expect("an empty server starts")
}
