//! Lists.

use libtest_mimic::Trial;

use crate::support::{Args, FAMILIES, Random, args, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&FAMILIES, "apply::list::random_commands_agree_with_the_server", |binary| {
        differential::random_sequences(binary, command);
    })
}

fn command(random: &mut Random) -> Args {
    let key = random.pick(&["a", "b", "c", "d"]);
    let other = random.pick(&["a", "b", "c", "d"]);
    let mut command = args(match random.below(32) {
        0..=2 => "LPUSH K V*",
        3..=5 => "RPUSH K V*",
        6 => "LPUSHX K V*",
        7 => "RPUSHX K V*",
        8 => "LPOP K",
        9 => "RPOP K",
        10 => "LPOP K N",
        11 => "RPOP K N",
        12 => "LSET K N V",
        13 => "LINSERT K S V V",
        14 | 15 => "LREM K N V",
        16 => "LTRIM K N N",
        17 => "RPOPLPUSH K O",
        18 | 19 => "LMOVE K O E E",
        20 => "BLPOP K O T",
        21 => "BRPOP K O T",
        22 => "BRPOPLPUSH K O T",
        23 => "BLMOVE K O E E T",
        24 => "LMPOP N K O E",
        25 => "LMPOP 2 K O E COUNT N",
        26 => "BLMPOP T 2 K O E COUNT N",
        27 => "PEXPIREAT K 4102444800000",
        28 => "DEL K",
        29 if random.once_in(4) => "SET K V",
        30 if random.once_in(4) => "SADD K V",
        31 if random.once_in(4) => "HSET K V V",
        _ => "LPOP K N",
    });
    if command.last().is_some_and(|last| last == b"V*") {
        command.pop();
        command.extend((0..=random.below(6)).map(|_| b"V".to_vec()));
    }
    for arg in &mut command[1..] {
        let chosen: &[u8] = match &arg[..] {
            b"K" => key.as_bytes(),
            b"O" => other.as_bytes(),
            b"V" => element(random),
            b"N" => number(random),
            b"S" => random.pick(&["BEFORE", "after", "x"]).as_bytes(),
            b"E" if random.once_in(30) => b"middle",
            b"E" => random.pick(&["LEFT", "right"]).as_bytes(),
            b"T" if random.once_in(10) => {
                random.pick(&["-1", "x", "", "-0.001", "-0.002", "1e30"]).as_bytes()
            }
            b"T" => random.pick(&["0", "1", "0.5"]).as_bytes(),
            _ => continue,
        };
        *arg = chosen.to_vec();
    }
    // Sometimes there are too many arguments.
    if random.once_in(60) {
        command.push(element(random).to_vec());
    }
    command
}

fn element<'a>(random: &mut Random) -> &'a [u8] {
    const LONG: &[u8] = &[b'x'; 300];
    random.pick(&[b"", b"a", b"b", b"10", b"-1", b"010", b"\x00\xff\r\n", LONG])
}

fn number<'a>(random: &mut Random) -> &'a [u8] {
    const ODD: [&[u8]; 9] = [
        b"9223372036854775807",
        b"-9223372036854775808",
        b"-9223372036854775807",
        b"9223372036854775808",
        b"",
        b"x",
        b"01",
        b"+1",
        b" 1",
    ];
    if random.once_in(15) {
        return random.pick(&ODD);
    }
    random.pick(&[b"0", b"1", b"2", b"3", b"5", b"20", b"-1", b"-2", b"-3", b"-5", b"-20"])
}
