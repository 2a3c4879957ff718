//! Compares the command table with the servers' own lists.

use std::collections::{BTreeMap, BTreeSet};

use aofkit::base::server::{Server, redis, valkey};
use aofkit::command::{self, CommandId, Keys};
use libtest_mimic::Trial;

use crate::support::{Binary, LINES, Reply, Running, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "commands::table_matches_the_list_of_the_server", compare);
    trials.extend(on_each(&LINES, "commands::keys_match_command_getkeys", keys));
    trials.extend(on_each(&LINES, "commands::every_write_command_can_be_applied", applied));
    trials
}

/// The known differences between the table and the servers, with their reasons. A difference that is not listed here
/// fails the trial, and so does an entry for a difference that no longer exists.
#[rustfmt::skip]
const DIFFERENCES: &[(&[Server], &str, &str)] = &[
    (&[redis(8, 6), valkey(9, 0), valkey(9, 1)], "CLUSTER|SYNCSLOTS: reads there, writes here", "FINISH without success drops the slots' keys"),
    (&LINES, "DEBUG: reads there, writes here", "POPULATE and others change the data set"),
    (&LINES, "EVAL: reads there, writes here", "a script may write"),
    (&LINES, "EVALSHA: reads there, writes here", "a script may write"),
    (SINCE_7_0, "FCALL: reads there, writes here", "a function may write"),
    (&LINES, "PFCOUNT: reads there, writes here", "it stores the count in the key and is then logged"),
    (UP_TO_6_2, "MIGRATE: keys (0, 0, 0) there, (3, 3, 1) here", "later patches of 6.2 list them"),
    (UP_TO_6_0, "PFDEBUG: keys (0, 0, 0) there, (2, 2, 1) here", "later versions list them"),
    (&[redis(5, 0)], "COMMAND: arity 0 there, -1 here", "it takes any number of arguments"),
    (&[redis(5, 0)], "TOUCH: keys (1, 1, 1) there, (1, -1, 1) here", "later versions list them"),
    (&[redis(5, 0)], "XREAD: keys (1, 1, 1) there, (0, 0, 0) here", "the keys depend on the arguments"),
    (&[redis(5, 0)], "XREADGROUP: keys (1, 1, 1) there, (0, 0, 0) here", "the keys depend on the arguments"),
    (&[redis(5, 0)], "ZINTERSTORE: keys (0, 0, 0) there, (1, 1, 1) here", "later versions list the destination"),
    (&[redis(5, 0)], "ZUNIONSTORE: keys (0, 0, 0) there, (1, 1, 1) here", "later versions list the destination"),
    // Before 7.0 a container command is listed on behalf of its sub-commands.
    (UP_TO_6_2, "OBJECT: keys (2, 2, 1) there, (0, 0, 0) here", "the sub-commands have the keys"),
    (UP_TO_6_2, "XGROUP: keys (2, 2, 1) there, (0, 0, 0) here", "the sub-commands have the keys"),
    (UP_TO_6_2, "XINFO: keys (2, 2, 1) there, (0, 0, 0) here", "the sub-commands have the keys"),
    (&[redis(8, 6)], "VADD: arity -5 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VCARD: arity 2 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VDIM: arity 2 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VEMB: arity -3 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VGETATTR: arity 3 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VINFO: arity 2 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VISMEMBER: arity 3 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VLINKS: arity -3 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VRANDMEMBER: arity -2 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VREM: arity 3 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VSETATTR: arity 4 there, -1 here", VECTORS),
    (&[redis(8, 6)], "VSIM: arity -4 there, -1 here", VECTORS),
];

const VECTORS: &str = "up to 8.2 they are commands of a module, which checks the number itself";

const UP_TO_6_0: &[Server] = &[redis(5, 0), redis(6, 0)];
const UP_TO_6_2: &[Server] = &[redis(5, 0), redis(6, 0), redis(6, 2)];
const SINCE_7_0: &[Server] = LINES.split_at(UP_TO_6_2.len()).1;

/// A command as a server lists it. Sub-commands are named `CONTAINER|NAME`.
struct Listed {
    arity: i64,
    writes: bool,
    /// The first key, the last key, and the step.
    keys: (i64, i64, i64),
    /// The position of the number of keys and the step from key to key, if the command has a number of keys.
    counted: Option<(i64, i64)>,
    /// Whether none of the arguments that are routed like keys is a key (such as the channels of SPUBLISH).
    no_real_keys: bool,
}

fn compare(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = Running::start(binary, data.path(), &[]).expect("the server runs");
    let mut listed = BTreeMap::new();
    for entry in server.client.call(&["COMMAND"]).array() {
        list(entry, &mut listed);
    }
    let lists_subcommands = binary.line.has_redis(7, 0);

    let mut found = Vec::new();
    for (name, theirs) in &listed {
        differences(binary.line, name, theirs, &mut found);
    }
    for id in CommandId::all() {
        let row = id.row();
        if row.known_by(binary.line) && !listed.contains_key(row.name) {
            found.push(format!("{}: only here", row.name));
        }
        for sub in row.subcommands.iter().filter(|_| lists_subcommands) {
            let name = format!("{}|{}", row.name, sub.name);
            if sub.known_by(binary.line) && !listed.contains_key(&name) {
                found.push(format!("{name}: only here"));
            }
        }
    }

    let mut listed: Vec<&str> = (DIFFERENCES.iter())
        .filter(|(lines, ..)| lines.contains(&binary.line))
        .map(|(_, difference, _)| *difference)
        .collect();
    found.sort();
    listed.sort_unstable();
    assert_eq!(found, listed, "the found differences (left) are not the listed ones (right)");
}

/// The commands that write but have no `apply`, with the reason.
const NOT_APPLIED: &[(&str, &str)] = &[
    ("DEBUG", "no server logs it"),
    ("FUNCTION", "libraries belong to no shard of the keys: `command::scripting::apply_function`"),
    ("VADD", "vector sets cannot be rebuilt; their commands are retained"),
    ("VREM", "vector sets cannot be rebuilt; their commands are retained"),
    ("VSETATTR", "vector sets cannot be rebuilt; their commands are retained"),
];

/// Checks that every command that writes, according to the server or the table, is applied or listed in
/// [`NOT_APPLIED`].
fn applied(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = Running::start(binary, data.path(), &[]).expect("the server runs");
    let mut listed = BTreeMap::new();
    for entry in server.client.call(&["COMMAND"]).array() {
        list(entry, &mut listed);
    }
    let theirs = listed.iter().filter(|(_, listed)| listed.writes);
    let theirs = theirs.map(|(name, _)| name.split('|').next().unwrap_or(name));
    let ours = CommandId::all().map(CommandId::row);
    let ours = ours.filter(|row| row.writes && row.known_by(binary.line)).map(|row| row.name);
    let missing: BTreeSet<&str> = (theirs.chain(ours))
        .filter(|name| command::lookup(name.as_bytes()).is_none_or(|id| id.row().apply.is_none()))
        .filter(|name| NOT_APPLIED.iter().all(|(listed, _)| listed != name))
        .collect();
    assert!(missing.is_empty(), "nothing applies {missing:?}");
    for (name, why) in NOT_APPLIED {
        let id = command::lookup(name.as_bytes()).expect("a command");
        assert!(id.row().apply.is_none(), "{name} is applied, although {why}");
    }
}

fn differences(line: Server, name: &str, theirs: &Listed, found: &mut Vec<String>) {
    let mut differ = |what: String| found.push(format!("{name}: {what}"));
    let (container, sub) = name.split_once('|').unwrap_or((name, ""));
    let Some(id) = command::lookup(container.as_bytes()) else {
        return differ("only there".to_string());
    };
    let row = id.row();
    let (known, arity, writes, keys) = if sub.is_empty() {
        (row.known_by(line), row.arity.on(line), row.writes, row.keys)
    } else {
        match row.subcommand(sub.as_bytes()) {
            Some(sub) => (sub.known_by(line), sub.arity.on(line), sub.writes, sub.keys),
            None => return differ("only there".to_string()),
        }
    };
    if !known {
        differ("unknown here".to_string());
    }
    if i64::from(arity) != theirs.arity {
        differ(format!("arity {} there, {arity} here", theirs.arity));
    }
    // In the table a container writes if one of its sub-commands does; the servers list flags of its own.
    if writes != theirs.writes && (row.subcommands.is_empty() || !sub.is_empty()) {
        let [there, here] = [theirs.writes, writes].map(|w| if w { "writes" } else { "reads" });
        differ(format!("{there} there, {here} here"));
    }
    let ours = range(keys);
    if ours != theirs.keys && !(keys == Keys::None && theirs.no_real_keys) {
        differ(format!("keys {:?} there, {ours:?} here", theirs.keys));
    }
    let counted = match keys {
        Keys::Counted { at, step, .. } => Some((i64::from(at), i64::from(step))),
        _ => None,
    };
    if counted != theirs.counted && line.has_redis(7, 0) {
        differ(format!("counted {:?} there, {counted:?} here", theirs.counted));
    }
}

/// Returns the keys as COMMAND reports them: a range, or zeros if they depend on the arguments.
fn range(keys: Keys) -> (i64, i64, i64) {
    match keys {
        Keys::Range { first, last, step } => (first.into(), last.into(), step.into()),
        Keys::Counted { dest: Some(dest), .. } => (dest.into(), dest.into(), 1),
        Keys::Sort | Keys::Geo { .. } => (1, 1, 1),
        Keys::Migrate => (3, 3, 1),
        Keys::None | Keys::Counted { dest: None, .. } | Keys::Streams | Keys::Stralgo => (0, 0, 0),
    }
}

/// Reads one entry of COMMAND: name, arity, flags, first, last, step, and since Redis 7.0 also
/// categories, tips, key specifications and sub-commands.
fn list(entry: &Reply, listed: &mut BTreeMap<String, Listed>) {
    let entry = entry.array();
    let specs = entry.get(8).map(Reply::array).unwrap_or_default();
    let specs: Vec<_> = specs.iter().map(fields).collect();
    let counted = specs.iter().find_map(|spec| {
        let find = fields(&spec["find_keys"]);
        (find["type"].text() == "keynum").then(|| {
            let begin = fields(&fields(&spec["begin_search"])["spec"].clone())["index"].int();
            let find = fields(&find["spec"]);
            (begin + find["keynumidx"].int(), find["keystep"].int())
        })
    });
    let has_flag = |flags: &Reply, flag: &str| flags.array().iter().any(|f| f.text() == flag);
    let name = entry[0].text().to_uppercase();
    let theirs = Listed {
        arity: entry[1].int(),
        writes: has_flag(&entry[2], "write"),
        keys: (entry[3].int(), entry[4].int(), entry[5].int()),
        counted,
        no_real_keys: !specs.is_empty() && specs.iter().all(|s| has_flag(&s["flags"], "not_key")),
    };
    listed.insert(name, theirs);
    for sub in entry.get(9).map(Reply::array).unwrap_or_default() {
        list(sub, listed);
    }
}

/// Returns a flat array of names and values as a map.
fn fields(reply: &Reply) -> BTreeMap<String, Reply> {
    (reply.array().chunks_exact(2)).map(|pair| (pair[0].text(), pair[1].clone())).collect()
}

/// Commands whose keys depend on their arguments; `''` is an empty argument.
const COMPUTED: &[&str] = &[
    "EVAL return 2 a b c",
    "EVALSHA 0123 1 a",
    "FCALL f 2 a b c",
    "SINTERCARD 2 a b LIMIT 1",
    "ZUNION 2 a b WITHSCORES",
    "ZUNIONSTORE d 2 a b WEIGHTS 1 2",
    "ZINTERSTORE d 1 a AGGREGATE MAX",
    "ZDIFFSTORE d 2 a b",
    "LMPOP 2 a b LEFT COUNT 3",
    "BLMPOP 0 2 a b LEFT",
    "BZMPOP 0 1 a MIN",
    "MSETEX 2 a 1 b 2 EX 9",
    "SORT l STORE d",
    "SORT l BY store GET x LIMIT 0 1 ALPHA STORE d",
    "SORT l STORE d STORE e",
    "SORT_RO l",
    "GEORADIUS g 0 0 1 m STORE d",
    "GEORADIUS g 0 0 1 m COUNT 1 STOREDIST e",
    "GEORADIUSBYMEMBER g m 1 m STORE d",
    "XREAD STREAMS a b 0 0",
    "XREAD COUNT 2 BLOCK 0 STREAMS a b 0 0",
    "XREADGROUP GROUP g c NOACK STREAMS a b > >",
    "MIGRATE h 1 k 0 9",
    "MIGRATE h 1 '' 0 9 COPY KEYS a b",
    "STRALGO LCS KEYS a b LEN",
    "MEMORY USAGE k",
    "OBJECT ENCODING k",
    "XGROUP CREATE s g $ MKSTREAM",
    "XINFO STREAM s FULL",
];

/// The commands of which COMMAND GETKEYS of old servers does not find all keys.
const GETKEYS_DIFFERS: &[(&[Server], &str)] =
    &[(UP_TO_6_0, "PFDEBUG"), (&[redis(5, 0)], "MEMORY"), (&[redis(5, 0)], "TOUCH")];

fn keys(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = Running::start(binary, data.path(), &[]).expect("the server runs");
    let mut cases: Vec<Vec<String>> = (COMPUTED.iter())
        .map(|line| line.split(' ').map(|arg| arg.replace("''", "")).collect())
        .collect();
    // Ranges are tested with the exact number of arguments, or, if the number varies, with the minimum plus one and
    // plus three. (With the minimum for PFMERGE, COMMAND GETKEYS fails.)
    for row in CommandId::all().map(CommandId::row) {
        if matches!(row.keys, Keys::Range { .. }) {
            let arity = row.arity.on(binary.line);
            let fewest = usize::from(arity.unsigned_abs());
            let counts = if arity < 0 { vec![fewest + 1, fewest + 3] } else { vec![fewest] };
            for argc in counts {
                let args = (1..argc).map(|at| format!("argument-{at}"));
                cases.push([row.name.to_string()].into_iter().chain(args).collect());
            }
        }
    }

    let mut tried = 0;
    for args in &cases {
        let row = command::lookup(args[0].as_bytes()).expect("a command").row();
        if !row.known_by(binary.line) {
            continue;
        }
        let mut ours = Vec::new();
        let is_valid =
            row.visit_keys(args.len(), |at| args[at].as_bytes(), |at| ours.push(&args[at]));
        assert!(is_valid, "{args:?}");
        let request: Vec<&str> =
            ["COMMAND", "GETKEYS"].into_iter().chain(args.iter().map(String::as_str)).collect();
        let theirs = server.client.call(&request);
        if binary.line == redis(8, 6) && args[0].starts_with('V') {
            continue; // See `VECTORS`.
        }
        if GETKEYS_DIFFERS
            .iter()
            .any(|(lines, name)| lines.contains(&binary.line) && args[0] == *name)
        {
            continue;
        }
        let Reply::Array(theirs) = &theirs else { panic!("{args:?}: {theirs:?}") };
        let mut theirs: Vec<_> = theirs.iter().map(Reply::text).collect();
        // Redis 6.2 lists the destination of a ZUNIONSTORE last.
        theirs.sort();
        ours.sort();
        assert!(
            theirs.iter().eq(ours.iter().copied()),
            "{args:?}: {theirs:?} there, {ours:?} here"
        );
        tried += 1;
    }
    assert!(tried > 150, "only {tried} commands were tried");
}
