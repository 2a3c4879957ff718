//! Commands on keys of any type. The values are restored from dumps of the server, so that every type occurs in every
//! encoding.

use libtest_mimic::Trial;

use crate::support::{Args, Binary, FAMILIES, Random, Reply, Running, args, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(
        &FAMILIES,
        "apply::generic::random_commands_agree_with_the_server",
        random_sequences,
    );
    trials.extend(on_each(
        &FAMILIES,
        "apply::generic::sort_by_text_of_other_keys_agrees_with_the_server",
        sort_by_text,
    ));
    trials.extend(on_each(&FAMILIES, "apply::generic::errors_agree_with_the_server", errors));
    trials
}

/// The year 2100, in Unix milliseconds.
const FAR_MS: i64 = 4_102_444_800_000;

fn random_sequences(binary: &Binary) {
    let sequences = std::env::var("AOFKIT_SEQUENCES").ok().and_then(|count| count.parse().ok());
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    let dumps = dumps(&mut server, binary);
    for seed in 0..sequences.unwrap_or(40) {
        let mut random = Random::new(seed);
        let mut commands = Vec::new();
        for _ in 0..120 {
            commands.push(command(&mut random, &dumps));
        }
        differential::compare(&mut server, binary, &commands, 40);
    }
}

/// Returns dumps of values of every type and encoding.
fn dumps(server: &mut Running, binary: &Binary) -> Vec<Vec<u8>> {
    let many = |start: &str, one: &dyn Fn(u64) -> String| -> String {
        (0..300).fold(start.to_string(), |line, i| line + " " + &one(i))
    };
    let mut lines = vec![
        "SET v text".to_string(),
        "SET v 17".to_string(),
        "SET v -9223372036854775808".to_string(),
        format!("SET v {}", "abc".repeat(1000)),
        "RPUSH v 3 1 2 10 -5".to_string(),
        "RPUSH v 1.5 2 1e3 +7 .5 -inf 2".to_string(),
        "RPUSH v b a c B".to_string(),
        "RPUSH v 1 2 3 4 5 6 7 8".to_string(),
        many("RPUSH v", &|i| (i * 7919 % 1009).to_string()),
        format!("RPUSH v 5 {}", "long".repeat(3000)),
        "SADD v 1 2 3 100000 -7".to_string(),
        "SADD v 1 2 x".to_string(),
        many("SADD v", &|i| format!("m{i}")),
        "ZADD v 1 3 2 2 3 1".to_string(),
        "ZADD v 1 b 1 a -inf 5 0.25 4".to_string(),
        many("ZADD v", &|i| format!("{} m{i}", i % 7)),
        "HSET v f 1 g two".to_string(),
        "HSET v f -3.5 a b c d".to_string(),
        many("HSET v", &|i| format!("f{i} {i}")),
        "XADD v 1-1 f v g w".to_string(),
    ];
    if binary.line.has_redis(7, 4) || binary.line.has_valkey(9, 0) {
        lines.push(format!("HSET v f 1 g 2|HPEXPIREAT v {FAR_MS} FIELDS 1 f"));
    }
    lines.push("XADD v 1-1 f v|XADD v 1-2 f v|XGROUP CREATE v g 0|XDEL v 1-1".into());
    let mut dumps = Vec::new();
    for line in lines {
        server.client.call(&["DEL", "v"]);
        for command in line.split('|') {
            let reply = server.client.call(&args(command));
            assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
        }
        let Reply::Bulk(dump) = server.client.call(&["DUMP", "v"]) else { panic!("no dump") };
        dumps.push(dump);
    }
    dumps
}

fn key(random: &mut Random) -> Vec<u8> {
    let keys: [&[u8]; 14] = [
        b"a",
        b"b",
        b"c",
        b"d",
        b"e",
        b"",
        b"bin\r\n\0\xff",
        b"w_1",
        b"w_2",
        b"w_3",
        b"h_1",
        b"h_2",
        b"h_x",
        b"w_m7",
    ];
    random.pick(&keys).to_vec()
}

fn command(random: &mut Random, dumps: &[Vec<u8>]) -> Args {
    let mut command = match random.below(100) {
        0..24 => return restore(random, dumps),
        24..30 => {
            let value = random.pick(&["1", "2", "-7", "1.25", "x", " 4", "0x1F", "", "-0", "1e2"]);
            return vec![b"SET".to_vec(), key(random), value.as_bytes().to_vec()];
        }
        30..36 => vec![random.pick(&["DEL", "unlink"]).into(), key(random)],
        36..50 => return expire(random),
        50..54 => vec![b"PERSIST".to_vec(), key(random)],
        54..60 => vec![random.pick(&["RENAME", "RenameNX"]).into(), key(random), key(random)],
        60..68 => return copy(random),
        68..73 => {
            let db = random.pick(&["0", "1", "2", "-1", "x", "1.5", "", "4294967296"]);
            vec![b"MOVE".to_vec(), key(random), db.into()]
        }
        73..75 => {
            let mut db = || random.pick(&["0", "0", "1", "1", "2", "-1", "x", "4294967297"]);
            args("SWAPDB").into_iter().chain([db().into(), db().into()]).collect()
        }
        75..80 => args(&format!("SELECT {}", random.pick(&["0", "0", "0", "1", "2"]))),
        80 => args(random.pick(&["FLUSHDB", "FLUSHDB sync", "FLUSHDB ASYNC", "FLUSHDB now"])),
        81 if random.once_in(3) => {
            args(random.pick(&["flushall", "FLUSHALL ASYNC", "FLUSHALL x", "FLUSHALL SYNC x"]))
        }
        _ => return sort(random),
    };
    if matches!(&command[0][..], b"DEL" | b"unlink") {
        for _ in 0..random.below(4) {
            command.push(key(random));
        }
    }
    command
}

fn restore(random: &mut Random, dumps: &[Vec<u8>]) -> Args {
    let at = usize::try_from(random.below(dumps.len() as u64)).expect("an index");
    let mut dump = dumps[at].clone();
    if random.once_in(12) {
        let at = usize::try_from(random.below(dump.len() as u64)).expect("an index");
        dump[at] ^= 1 << random.below(8);
    }
    if random.once_in(40) {
        dump.truncate(dump.len() / 2);
    }
    let absolute = random.once_in(3);
    let ttl = match random.below(20) {
        0 => "-1".to_string(),
        1 => "x".to_string(),
        2 if absolute => "9223372036854775808".to_string(),
        // The result of a relative time depends on the server's clock.
        3..12 if absolute => {
            (FAR_MS + i64::try_from(random.below(1000)).expect("a small one")).to_string()
        }
        _ => "0".to_string(),
    };
    let name = if random.once_in(10) { "RESTORE-ASKING" } else { "RESTORE" };
    let mut command = vec![name.into(), key(random), ttl.into_bytes(), dump];
    if absolute {
        command.push(random.pick(&["ABSTTL", "absttl"]).into());
    }
    if !random.once_in(4) {
        command.push(b"REPLACE".to_vec());
    }
    if random.once_in(8) {
        let options = [
            "IDLETIME 5",
            "FREQ 255",
            "FREQ 256",
            "IDLETIME -1",
            "IDLETIME x",
            "FREQ 1 IDLETIME 1",
            "IDLETIME 1 FREQ 1",
            "FREQ",
            "IDLETIME",
            "FREQ 1 FREQ 2",
            "OTHER",
            "replace Replace",
        ];
        command.extend(args(random.pick(&options)));
    }
    command
}

fn expire(random: &mut Random) -> Args {
    let later = i64::try_from(random.below(4)).expect("a small one") * 1000;
    let (name, time) = match random.below(12) {
        0..6 => ("PEXPIREAT", (FAR_MS + later).to_string()),
        6..9 => ("ExpireAt", ((FAR_MS + later) / 1000).to_string()),
        9 => {
            ("EXPIREAT", random.pick(&["9223372036854775", "9223372036854776", "x", "1e3"]).into())
        }
        10 => {
            ("PEXPIREAT", random.pick(&["9223372036854775807", "9223372036854775808", ""]).into())
        }
        // The results of other relative times depend on the server's clock.
        _ => ("EXPIRE", random.pick(&["9223372036854776", "+1", "1.0"]).into()),
    };
    let mut command = vec![name.into(), key(random), time.into_bytes()];
    while random.once_in(2) {
        command.push(random.pick(&["NX", "XX", "GT", "LT", "gt", "xx", "lt", "nope"]).into());
    }
    command
}

fn copy(random: &mut Random) -> Args {
    let mut command = vec![b"COPY".to_vec(), key(random), key(random)];
    while random.once_in(2) {
        let options =
            ["REPLACE", "replace", "DB 0", "db 1", "DB 2", "DB -1", "DB x", "DB", "OTHER"];
        command.extend(args(random.pick(&options)));
    }
    command
}

fn sort(random: &mut Random) -> Args {
    let mut command = vec![b"SORT".to_vec(), key(random)];
    let stored = !random.once_in(6);
    let (mut by, mut alpha) = (false, false);
    while !random.once_in(3) {
        match random.below(9) {
            0 => command.push(b"DESC".to_vec()),
            1 => command.push(b"asc".to_vec()),
            2 if !(by && stored) => {
                alpha = true;
                command.push(b"ALPHA".to_vec());
            }
            3 => {
                let limits = [
                    "0 2",
                    "1 1",
                    "2 -1",
                    "-3 2",
                    "100 5",
                    "1 0",
                    "0 9223372036854775807",
                    "x 1",
                    "1",
                ];
                command.extend(args("LIMIT"));
                command.extend(args(random.pick(&limits)));
            }
            4 => command.extend(args(random.pick(&["BY nosort", "by other"]))),
            // The order of equal texts is undefined.
            5 if !(alpha && stored) => {
                by = true;
                let patterns = ["BY w_*", "BY h_*->f", "BY *", "BY w_*->f", "BY h_*->"];
                command.extend(args(random.pick(&patterns)));
            }
            6 | 7 => {
                let patterns = [
                    "GET #",
                    "GET w_*",
                    "GET h_*->f",
                    "GET h_*->g",
                    "GET nostar",
                    "GET *",
                    "GET h_*->",
                    "GET",
                ];
                command.extend(args(random.pick(&patterns)));
            }
            _ if random.once_in(10) => command.push(b"OTHER".to_vec()),
            _ => {}
        }
    }
    if stored {
        command.extend([b"STORE".to_vec(), key(random)]);
    }
    command
}

/// Sorts by the text of other keys, which are all different and of which at most one is missing.
fn sort_by_text(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    let dump = |server: &mut Running, line: &str| {
        server.client.call(&["DEL", "v"]);
        server.client.call(&args(line));
        let Reply::Bulk(dump) = server.client.call(&["DUMP", "v"]) else { panic!("no dump") };
        dump
    };
    let mut commands = vec![];
    for line in ["RPUSH v 1 2 3 4 5", "SADD v 1 2 3 4 5", "ZADD v 5 1 4 2 3 3 2 4 1 5"] {
        let list = dump(&mut server, line);
        commands.push(vec![
            b"RESTORE".to_vec(),
            b"v".to_vec(),
            b"0".to_vec(),
            list,
            b"REPLACE".to_vec(),
        ]);
        for (at, text) in ["10", "9", "", "ab"].iter().enumerate() {
            commands.push(vec![b"SET".to_vec(), format!("w_{}", at + 1).into(), (*text).into()]);
        }
        for options in
            ["", "DESC", "LIMIT 1 2", "DESC LIMIT 0 1 GET # GET w_*", "BY nosort", "LIMIT 4 9"]
        {
            commands.push(args(&format!("SORT v BY w_* ALPHA {options} STORE d")));
            // Copied before the next SORT overwrites it.
            commands.push(args("COPY d e REPLACE"));
            commands.push(args("SORT e ALPHA DESC STORE f"));
        }
    }
    differential::compare(&mut server, binary, &commands, 1);
}

/// Provokes one error after the other.
fn errors(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    let lines = "\
        SET k v|RENAME none k|RENAME none none|RENAME k k|RENAMENX k k|RENAMENX none k|\
        MOVE k 0|MOVE k x|MOVE none x|MOVE none -1|COPY k k|COPY k k DB 0|COPY k k DB 1|COPY none none|\
        COPY k j DB|COPY k j REPLACE x|COPY none j DB x|SWAPDB 0 0|SWAPDB x 0|SWAPDB 0 x|SWAPDB -1 0|SWAPDB 0 1|\
        SELECT 1|COPY k l DB 0|SELECT 0|PEXPIREAT none x|PEXPIREAT none 1 nope|EXPIREAT none 9223372036854776|\
        PEXPIREAT l 4102444800000|PEXPIREAT l 4102444800000 LT|PEXPIREAT l 4102444800001 LT GT|\
        PEXPIREAT l 4102444800001 NX|PEXPIREAT l 4102444800001 XX GT|EXPIREAT l -9223372036854776|\
        FLUSHDB x|FLUSHALL x|FLUSHDB SYNC ASYNC|FLUSHALL SYNC|SORT k|SORT none STORE k|SORT none OTHER|\
        SORT none LIMIT x 1|SORT none LIMIT 1|SORT none GET|SORT none BY|SORT none STORE|SET k v|SORT k STORE k|\
        RESTORE k x bad|RESTORE n x bad|RESTORE n -1 bad|RESTORE n 0 bad|RESTORE n 0 0123456789";
    let commands: Vec<Args> = lines.split('|').map(args).collect();
    differential::compare(&mut server, binary, &commands, 1);
}
