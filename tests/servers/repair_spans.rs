//! Spans of 1 to 4,096 random bytes in RDBs and in multi-part sets that servers wrote: repaired, loaded by the server that
//! wrote them, and compared key by key with what it had.
//!
//! `AOFKIT_SPANS` sets the number of RDBs, and of sets, over all families; the default keeps the trials quick.
//! `AOFKIT_SEED` is the number of the first one. With `AOFKIT_SPANS`, each trial prints what it measured.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use aofkit::aof::{Frame, Sink, scan};
use aofkit::base::progress::Silent;
use aofkit::base::server::Server;
use aofkit::ops::repair::{Output, RepairOptions, repair};
use aofkit::rdb::{Ignore, Key, Records, Visitor, Want, walk};
use libtest_mimic::Trial;
use serde_json::Value;

use super::rdb::{fill_common, fill_special, run};
use crate::support::{
    Binary, FAMILIES, Random, Reply, Running, copy_dir, on_each, temp_dir, wait_until,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "repair_spans::keys_outside_a_span_of_an_rdb", rdbs);
    let later: Vec<_> = FAMILIES.into_iter().filter(|line| line.reads_multi_part()).collect();
    trials.extend(on_each(&later, "repair_spans::keys_outside_a_span_of_a_set", sets));
    trials
}

/// Returns the numbers of the files of a trial, of which there is one for each of `families` lines.
fn rounds(families: usize) -> Range<u64> {
    let number =
        |name: &str| std::env::var(name).ok().map(|it| it.parse::<u64>().expect("a number"));
    let first = number("AOFKIT_SEED").unwrap_or(1);
    let all = number("AOFKIT_SPANS").unwrap_or(4 * families as u64);
    first..first + all.div_ceil(families as u64)
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("an index")
}

/// A database and the name of a key in it.
type KeyId = (u64, Vec<u8>);

/// What a server has: of each key, the digest of its value and its expiry.
type State = BTreeMap<KeyId, String>;

fn state(server: &mut Running, line: Server) -> State {
    let mut found = State::new();
    for db in 0..16 {
        run(server, &format!("SELECT {db}"));
        let keys = run(server, "KEYS *");
        for chunk in keys.array().chunks(200) {
            let names = chunk.iter().map(|key| {
                let Reply::Bulk(name) = key else { panic!("{key:?}") };
                name.clone()
            });
            let names: Vec<Vec<u8>> = names.collect();
            let mut query = vec![b"DEBUG".to_vec(), b"DIGEST-VALUE".to_vec()];
            query.extend(names.iter().cloned());
            let digests = server.client.call(&query);
            for (name, digest) in names.into_iter().zip(digests.array()) {
                let mut of_key = digest.text();
                if line.has_redis(7, 0) {
                    let expiry = server.client.call(&[&b"PEXPIRETIME"[..], &name]);
                    of_key += &format!(" {}", expiry.int());
                }
                found.insert((db, name), of_key);
            }
        }
    }
    run(server, "SELECT 0");
    found
}

/// Writes one value of a random type and size. Names are unique over all databases.
fn write_key(server: &mut Running, line: Server, random: &mut Random, db: u64, number: u64) {
    const PREFIXES: [&str; 4] = ["user", "sess:f81d4fae", "cart", "q"];
    let prefix = random.pick(&PREFIXES);
    let key = format!("{prefix}:{db}:{number}");
    let words = |random: &mut Random, longest: u64| {
        let len = 1 + random.below(longest);
        let mut text = String::new();
        while (text.len() as u64) < len {
            text += random.pick(&["lorem ", "42", "ipsum-", "\u{e9}t\u{e9} ", "x=1;", "0000"]);
        }
        text
    };
    let most = [4, 20, 300][index(random.below(3))];
    let items = 1 + random.below(most);
    let mut args: Vec<String> = Vec::new();
    match random.below(12) {
        0 | 1 => args.extend(["SET".into(), key.clone(), words(random, 60)]),
        2 => args.extend(["SET".into(), key.clone(), random.below(1 << 40).to_string()]),
        3 => args.extend(["SET".into(), key.clone(), words(random, 6000)]),
        4 => {
            args.extend(["RPUSH".into(), key.clone()]);
            args.extend((0..items).map(|_| words(random, 40)));
        }
        5 => {
            args.extend(["SADD".into(), key.clone()]);
            args.extend((0..items).map(|at| (at * 7).to_string()));
        }
        6 => {
            args.extend(["SADD".into(), key.clone()]);
            args.extend((0..items).map(|at| format!("{}{at}", words(random, 20))));
        }
        7 => {
            args.extend(["ZADD".into(), key.clone()]);
            args.extend((0..items).flat_map(|at| [(at * 3 / 2).to_string(), format!("m{at}")]));
        }
        8 | 9 => {
            args.extend(["HSET".into(), key.clone()]);
            args.extend((0..items).flat_map(|at| [format!("f{at}"), words(random, 30)]));
        }
        10 => {
            for at in 1..=items.min(60) {
                let entry = words(random, 30);
                let id = format!("{at}-1");
                server.client.call(&["XADD", &key, &id, "temp", &entry, "place", "p"]);
            }
            return;
        }
        _ => {
            args.extend(["PFADD".into(), key.clone()]);
            args.extend((0..items).map(|at| format!("e{at}")));
        }
    }
    let reply = server.client.call(&args);
    // A key of this name can have another type; its commands are not logged then.
    let is_refused = matches!(&reply, Reply::Error(error) if !error.starts_with("WRONGTYPE"));
    assert!(!is_refused, "{reply:?}");
    if random.once_in(6) {
        let at = 4_102_444_800_000 + random.below(1_000_000);
        server.client.call(&["PEXPIREAT", &key, &at.to_string()]);
    }
    if random.once_in(20) && super::rdb::has_field_expiry(line) && args[0] == "HSET" {
        let at = "4102444800000";
        server.client.call(&["HPEXPIREAT", &key, at, "FIELDS", "1", "f0"]);
    }
}

/// Writes random keys to a few databases; with `all`, also those of every encoding.
fn fill(server: &mut Running, line: Server, random: &mut Random, all: bool) {
    let databases = 1 + random.below(3);
    for db in 0..databases {
        run(server, &format!("SELECT {}", db * 3));
        for number in 0..80 + random.below(200) {
            write_key(server, line, random, db * 3, number);
        }
    }
    run(server, "SELECT 0");
    if all {
        fill_common(server, line);
        fill_special(server, line);
    }
}

fn clear(server: &mut Running, line: Server) {
    run(server, "FLUSHALL");
    if line.has_redis(7, 0) {
        run(server, "FUNCTION FLUSH");
    }
}

fn fill_vectors(server: &mut Running, line: Server) {
    if line.has_redis(8, 0) {
        for at in 0..20 {
            run(server, &format!("VADD vectors VALUES 3 {at} 1.5 -2 e{at}"));
        }
    }
}

/// Replaces a span of random length at a random place, and returns it.
fn damage(bytes: &mut [u8], random: &mut Random) -> Range<u64> {
    let longest = [16, 256, 4096, 4096][index(random.below(4))].min(bytes.len() as u64);
    let len = 1 + random.below(longest);
    let start = random.below(bytes.len() as u64 - len + 1);
    let are_zeros = random.once_in(4);
    for byte in &mut bytes[index(start)..index(start + len)] {
        let new = if are_zeros { 0 } else { random.below(256) };
        *byte = u8::try_from(new).expect("a byte");
    }
    start..start + len
}

fn touches(span: &Range<u64>, of: &Range<u64>) -> bool {
    of.start < span.end && span.start < of.end
}

/// The offset of each key's record, by database and name.
#[derive(Default)]
struct Offsets(BTreeMap<KeyId, u64>);

impl<'a> Visitor<'a> for Offsets {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.insert((key.db, key.name.to_vec()), key.offset);
        Want::Value
    }
}

/// The bytes of each key's record in an RDB, and the length of the RDB.
fn records(rdb: &[u8]) -> (BTreeMap<KeyId, Range<u64>>, u64) {
    let mut offsets = Offsets::default();
    let whole = walk(rdb, &mut offsets, &Silent).expect("a valid RDB");
    let mut records = Records::new(rdb).expect("a valid RDB");
    let mut end = |db, at| records.read(db, at, &mut Ignore).expect("a valid record");
    let found = offsets.0.into_iter().map(|(key, at)| (key.clone(), at..end(key.0, at)));
    (found.collect(), whole.len)
}

/// What was measured in a trial.
#[derive(Default)]
struct Measured {
    cases: u64,
    /// The share of the keys outside the span that were kept, of each case.
    shares: Vec<f64>,
    kept: usize,
    outside: usize,
    set_back: u64,
    /// Cases in which nothing was found to be wrong.
    unnoticed: u64,
    invented: usize,
    /// Values of keys inside the span that are there and wrong.
    wrong: usize,
    moved: usize,
}

impl Measured {
    #[allow(clippy::print_stderr)] // Figures that were asked for.
    fn report(&mut self, what: &str) {
        if std::env::var_os("AOFKIT_SPANS").is_none() {
            return;
        }
        self.shares.sort_by(f64::total_cmp);
        let share = |at: usize| self.shares.get(at).copied().unwrap_or(1.0) * 100.0;
        eprintln!(
            "{what}: {} cases, {} set back, {} unnoticed; kept outside the span: {} of {}, share min {:.2} median {:.2} %; \
             invented {}, wrong inside the span {}, in another database {}",
            self.cases,
            self.set_back,
            self.unnoticed,
            self.kept,
            self.outside,
            share(0),
            share(self.shares.len() / 2),
            self.invented,
            self.wrong,
            self.moved,
        );
    }
}

/// What is expected of the keys of a damaged log.
struct Expected<'e> {
    original: &'e State,
    /// The keys that the span may have changed.
    inside: &'e BTreeSet<KeyId>,
    /// All keys that there ever were.
    known: &'e BTreeSet<KeyId>,
    /// Whether keys may be in another database, as the report says.
    may_move: bool,
    what: &'e str,
}

/// Compares what a server loaded with what it had, and returns the keys that there never were.
fn compare(expected: &Expected<'_>, loaded: &State, measured: &mut Measured) -> Vec<KeyId> {
    let Expected { original, inside, known, may_move, what } = *expected;
    let by_name: BTreeMap<&[u8], (u64, &String)> =
        loaded.iter().map(|(key, state)| (key.1.as_slice(), (key.0, state))).collect();
    let (mut outside, mut kept) = (0, 0);
    let mut lost = Vec::new();
    for (key, state) in original.iter().filter(|(key, _)| !inside.contains(*key)) {
        outside += 1;
        match loaded.get(key) {
            Some(found) => {
                assert_eq!(found, state, "{}, db {}: {what}", key.1.escape_ascii(), key.0);
                kept += 1;
            }
            None if may_move && by_name.get(key.1.as_slice()).is_some_and(|it| it.1 == state) => {
                measured.moved += 1;
                kept += 1;
            }
            None => lost.push(key.1.escape_ascii().to_string()),
        }
    }
    // A few keys next to damage can be lost in a file of few keys.
    let is_most = kept * 100 >= outside * 95 || outside - kept <= 4;
    assert!(is_most, "{kept} of {outside}, without {lost:?}: {what}");
    measured.kept += kept;
    measured.outside += outside;
    if outside > 0 {
        #[allow(clippy::cast_precision_loss)]
        measured.shares.push(kept as f64 / outside as f64);
    }
    let is_wrong = |key: &&KeyId| loaded.get(*key).is_some_and(|it| Some(it) != original.get(*key));
    measured.wrong += inside.iter().filter(is_wrong).count();
    let is_known =
        |key: &KeyId| known.contains(key) || may_move && known.iter().any(|known| known.1 == key.1);
    loaded.keys().filter(|key| !is_known(key)).cloned().collect()
}

/// Returns whether a report marks a key as doubtful.
fn is_doubtful(report: &Value, key: &KeyId) -> bool {
    let name = key.1.escape_ascii().to_string();
    let of_rdbs = report["rdb"].as_array().into_iter().flatten();
    of_rdbs
        .flat_map(|rdb| rdb["doubtful"].as_array().into_iter().flatten())
        .any(|doubtful| doubtful["key"] == name && doubtful["db"] == key.0)
}

/// Repairs a log, and returns the report, or the error.
fn repaired(path: &Path, new: &Path, line: Server) -> Result<Value, String> {
    let options = RepairOptions {
        salvage: true,
        servers: vec![line],
        ..RepairOptions::to(Output::New(new.to_owned()))
    };
    match repair(path, &options, &Silent) {
        Ok(report) => Ok(serde_json::to_value(report).expect("a report")),
        Err(error) => Err(error.to_string()),
    }
}

/// Saves the files of a case that failed to be looked at.
fn save(bytes: &[u8], original: &[u8], name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::create_dir_all(&place);
    fs::write(place.join("damaged"), bytes).expect("a file");
    fs::write(place.join("original"), original).expect("a file");
    place
}

fn rdbs(binary: &Binary) {
    let line = binary.line;
    let data = temp_dir();
    let mut server = Running::start(binary, data.path(), &[]).expect("the server starts");
    let mut measured = Measured::default();
    for round in rounds(FAMILIES.len()) {
        let mut random = Random::new(round);
        clear(&mut server, line);
        let compression = if random.once_in(3) { "no" } else { "yes" };
        run(&mut server, &format!("CONFIG SET rdbcompression {compression}"));
        fill(&mut server, line, &mut random, round % 4 == 0);
        if round % 4 == 0 {
            fill_vectors(&mut server, line);
        }
        run(&mut server, "SAVE");
        let original = fs::read(data.path().join("dump.rdb")).expect("an RDB");
        let had = state(&mut server, line);
        let (records, len) = records(&original);
        assert_eq!(len, original.len() as u64);
        assert_eq!(records.len(), had.len());
        let mut bytes = original.clone();
        let span = damage(&mut bytes, &mut random);
        if bytes == original {
            continue;
        }
        measured.cases += 1;
        let place = temp_dir();
        let [path, new] = ["damaged.rdb", "dump.rdb"].map(|name| place.path().join(name));
        fs::write(&path, &bytes).expect("a file");
        let what = || {
            let place = save(&bytes, &original, &format!("rdb-{line}-{round}"));
            format!(
                "AOFKIT_SEED={round} on {line}, {span:?} of {}, in {}",
                original.len(),
                place.display()
            )
        };
        let report =
            repaired(&path, &new, line).unwrap_or_else(|error| panic!("{error}: {}", what()));
        let result = fs::read(&new).unwrap_or_else(|_| panic!("no result: {report:#}, {}", what()));
        let of_rdb = &report["rdb"][0];
        if !of_rdb["corrected"].is_null() {
            assert!(result == original, "{}", what());
            measured.set_back += 1;
            continue;
        }
        assert!(of_rdb["values_uncertain"] == true, "{report:#}: {}", what());
        let _ = fs::remove_file(&path);
        let mut other = Running::start(binary, place.path(), &[])
            .unwrap_or_else(|ended| panic!("it does not start: {}, {}", ended.log, what()));
        let loaded = state(&mut other, line);
        let inside: BTreeSet<KeyId> = records
            .iter()
            .filter(|(_, it)| touches(&span, it))
            .map(|(key, _)| key.clone())
            .collect();
        let known: BTreeSet<KeyId> = records.keys().cloned().collect();
        let what = what();
        let expected = Expected {
            original: &had,
            inside: &inside,
            known: &known,
            may_move: of_rdb["database_uncertain"].as_u64() > Some(0),
            what: &format!("{what}: {report:#}"),
        };
        let invented = compare(&expected, &loaded, &mut measured);
        measured.invented += invented.len();
        let unmarked: Vec<String> = invented
            .iter()
            .filter(|key| !is_doubtful(&report, key))
            .map(|key| key.1.escape_ascii().to_string())
            .collect();
        // A name that the span changed is of the record that was there.
        let is_renamed = records.values().any(|it| touches(&span, it) && it.start < span.start);
        let allowed = usize::from(is_renamed);
        assert!(unmarked.len() <= allowed, "{unmarked:?}: {what}: {report:#}");
    }
    measured.report(&format!("RDBs of {line}"));
}

/// The commands of a part, with what they change.
#[derive(Default)]
struct Commands {
    db: u64,
    /// The bytes of each command, or of the whole transaction that it is in, and the key.
    found: Vec<(Range<u64>, KeyId)>,
    /// The first byte of the open transaction, and how many commands were found before it.
    multi: Option<(u64, usize)>,
    /// Each SELECT, and how many commands were found before it.
    selects: Vec<(Range<u64>, usize)>,
}

impl Sink for Commands {
    fn command(&mut self, frame: Frame<'_>) {
        let args: Vec<&[u8]> = frame.args().collect();
        let bytes = frame.offset()..frame.end();
        match args[0].to_ascii_uppercase().as_slice() {
            b"SELECT" => {
                self.db =
                    std::str::from_utf8(args[1]).expect("a number").parse().expect("a number");
                self.selects.push((bytes, self.found.len()));
            }
            b"MULTI" => self.multi = Some((frame.offset(), self.found.len())),
            b"EXEC" => {
                let (start, first) = self.multi.take().expect("a MULTI");
                for command in &mut self.found[first..] {
                    command.0 = start..frame.end();
                }
            }
            b"FUNCTION" | b"FLUSHALL" | b"FLUSHDB" => {}
            b"XGROUP" => self.found.push((bytes, (self.db, args[2].to_vec()))),
            _ => self.found.push((bytes, (self.db, args[1].to_vec()))),
        }
    }

    fn annotation(&mut self, _: u64, _: &[u8]) {}
}

/// Changes random keys.
fn change_keys(server: &mut Running, line: Server, random: &mut Random, commands: u64) {
    let mut db = 0;
    for _ in 0..commands {
        if random.once_in(15) {
            db = random.below(3) * 3;
            run(server, &format!("SELECT {db}"));
        }
        let number = random.below(250);
        match random.below(8) {
            0 => {
                for prefix in ["user", "cart", "q"] {
                    run(server, &format!("DEL {prefix}:{db}:{number}"));
                }
            }
            1 => {
                run(server, "MULTI");
                run(server, &format!("SET tx:{db}:{number} one"));
                run(server, &format!("APPEND tx:{db}:{number} two"));
                run(server, &format!("INCR counter:{db}:{number}"));
                run(server, "EXEC");
            }
            2 => drop(run(server, &format!("INCR counter:{db}:{number}"))),
            3 => drop(server.client.call(&[
                "RPUSH",
                &format!("list:{db}:{}", number % 30),
                "x",
                "yy",
            ])),
            _ => {
                let key = 1000 + random.below(400);
                write_key(server, line, random, db, key);
            }
        }
    }
    run(server, "SELECT 0");
}

/// Lets the server write a set of several parts, and copies it to `to`.
fn write_set(
    server: &mut Running,
    line: Server,
    random: &mut Random,
    data: &Path,
    to: &Path,
    all: bool,
) {
    clear(server, line);
    fill(server, line, random, all);
    server.rewrite();
    let commands = 100 + random.below(400);
    change_keys(server, line, random, commands);
    let is_interrupted = random.once_in(2);
    if is_interrupted {
        // The rewrite that begins another incremental file is not finished when the set is copied.
        run(server, "CONFIG SET rdb-key-save-delay 1000000");
        run(server, "BGREWRITEAOF");
        let commands = 50 + random.below(300);
        change_keys(server, line, random, commands);
    }
    copy_dir(data, to).expect("a copy");
    if is_interrupted {
        run(server, "CONFIG SET rdb-key-save-delay 0");
        run(server, "CONFIG SET appendonly no");
        run(server, "CONFIG SET appendonly yes");
        wait_until("the end of the rewrite", || server.has_finished_rewriting());
    }
}

/// The parts of a set in load order.
fn parts(set: &Path) -> Vec<PathBuf> {
    let log = aofkit::input::files::open_files(set).expect("a set");
    log.parts.iter().map(|part| part.path.clone()).collect()
}

/// The keys of a set: those of which bytes are in the span of a part, those of which the database is lost with a SELECT in
/// it, and all of them.
#[derive(Default)]
struct KeysOfSet {
    inside: BTreeSet<KeyId>,
    displaced: BTreeSet<KeyId>,
    known: BTreeSet<KeyId>,
    /// The number of arguments in which the span is whole: no structure is damaged there.
    in_argument: bool,
}

fn keys_of_set(parts: &[Vec<u8>], damaged: usize, span: &Range<u64>) -> KeysOfSet {
    let mut keys = KeysOfSet::default();
    for (at, bytes) in parts.iter().enumerate() {
        let is_inside = |it: &Range<u64>| at == damaged && touches(span, it);
        let mut start = 0;
        if bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY") {
            let (records, len) = records(bytes);
            start = index(len);
            for (key, record) in records {
                if is_inside(&record) {
                    keys.inside.insert(key.clone());
                }
                keys.known.insert(key);
            }
        }
        let mut commands = Commands::default();
        scan(bytes, start..bytes.len(), &mut commands);
        for (range, key) in &commands.found {
            if is_inside(range) {
                keys.inside.insert(key.clone());
            }
            keys.known.insert(key.clone());
        }
        for (number, (select, first)) in commands.selects.iter().enumerate() {
            if is_inside(select) {
                let next = commands.selects.get(number + 1).map_or(commands.found.len(), |it| it.1);
                keys.displaced.extend(commands.found[*first..next].iter().map(|it| it.1.clone()));
            }
        }
        if at == damaged {
            keys.in_argument = is_in_argument(&bytes[..], start, span);
        }
    }
    // A key that is there twice, in the right and in a wrong database, is of both.
    keys.inside.extend(keys.displaced.iter().cloned());
    keys
}

/// Whether a span is inside one argument of a command.
fn is_in_argument(bytes: &[u8], start: usize, span: &Range<u64>) -> bool {
    struct Inside<'s>(&'s Range<u64>, bool);
    impl Sink for Inside<'_> {
        fn command(&mut self, frame: Frame<'_>) {
            if !(frame.offset() <= self.0.start && self.0.end <= frame.end()) {
                return;
            }
            let base = frame.bytes().as_ptr() as usize;
            for arg in frame.args() {
                let from = frame.offset() + (arg.as_ptr() as usize - base) as u64;
                // Servers do not check the line end after it.
                self.1 |= from <= self.0.start && self.0.end <= from + arg.len() as u64 + 2;
            }
        }
        fn annotation(&mut self, _: u64, _: &[u8]) {}
    }
    let mut inside = Inside(span, false);
    scan(bytes, start..bytes.len(), &mut inside);
    inside.1
}

fn sets(binary: &Binary) {
    let line = binary.line;
    let families = FAMILIES.iter().filter(|line| line.reads_multi_part()).count();
    let mut measured = Measured::default();
    let data = temp_dir();
    let config =
        [("appendonly", "yes"), ("appendfsync", "no"), ("auto-aof-rewrite-percentage", "0")];
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
    for round in rounds(families) {
        let mut random = Random::new(round ^ 0x5e75);
        let preamble = if random.once_in(3) { "no" } else { "yes" };
        run(&mut server, &format!("CONFIG SET aof-use-rdb-preamble {preamble}"));
        let place = temp_dir();
        write_set(&mut server, line, &mut random, data.path(), place.path(), round % 4 == 0);
        let had = state(&mut server, line);
        let set = place.path().join("appendonlydir");
        let paths = parts(&set);
        let originals: Vec<Vec<u8>> =
            paths.iter().map(|path| fs::read(path).expect("a part")).collect();
        let damaged = index(random.below(paths.len() as u64));
        let mut bytes = originals[damaged].clone();
        let span = damage(&mut bytes, &mut random);
        if bytes == originals[damaged] {
            continue;
        }
        fs::write(&paths[damaged], &bytes).expect("a part");
        measured.cases += 1;
        let what = || {
            let name = paths[damaged].file_name().expect("a name").display().to_string();
            let saved = save(&bytes, &originals[damaged], &format!("set-{line}-{round}"));
            let _ = fs::create_dir_all(saved.join("data"));
            let _ = copy_dir(place.path(), &saved.join("data"));
            format!(
                "AOFKIT_SEED={round} on {line}, {name}, {span:?} of {}, in {}",
                bytes.len(),
                saved.display()
            )
        };
        let moved = temp_dir();
        let new = moved.path().join("appendonlydir");
        let report =
            repaired(&set, &new, line).unwrap_or_else(|error| panic!("{error}: {}", what()));
        let keys = keys_of_set(&originals, damaged, &span);
        if report["damaged"] == false {
            // An append-only file has no checksum.
            assert!(keys.in_argument, "unnoticed: {}", what());
            measured.unnoticed += 1;
            continue;
        }
        assert!(new.is_dir(), "no result: {report:#}, {}", what());
        let mut other = Running::start(binary, moved.path(), &config)
            .unwrap_or_else(|ended| panic!("it does not start: {}, {}", ended.log, what()));
        let loaded = state(&mut other, line);
        let of_dropped = report["dropped"].as_array().into_iter().flatten();
        let of_rdb = report["rdb"].as_array().into_iter().flatten();
        let is_marked = of_dropped.clone().any(|it| it["database_uncertain"].as_u64() > Some(0))
            || of_rdb.clone().any(|it| {
                it["database_uncertain"].as_u64() > Some(0)
                    || it["commands_uncertain"].as_u64() > Some(0)
            });
        let what = what();
        let what = format!("{what}: {report:#}");
        if of_rdb.clone().any(|it| !it["corrected"].is_null()) {
            assert!(loaded == had, "{what}");
            measured.set_back += 1;
            continue;
        }
        let is_in_rdb = of_rdb.count() > 0;
        assert!(!is_in_rdb || report["rdb"][0]["values_uncertain"] == true, "{what}");
        assert!(is_in_rdb || report["values_unchecked"] == true, "{what}");
        let expected = Expected {
            original: &had,
            inside: &keys.inside,
            known: &keys.known,
            may_move: is_marked,
            what: &what,
        };
        let invented = compare(&expected, &loaded, &mut measured);
        measured.invented += invented.len();
        let unmarked: Vec<String> = invented
            .iter()
            .filter(|key| !is_doubtful(&report, key))
            .map(|key| key.1.escape_ascii().to_string())
            .collect();
        // A name that the span changed is of the record or the command that was there.
        assert!(unmarked.len() <= 1, "{unmarked:?}: {what}");
    }
    measured.report(&format!("sets of {line}"));
}
