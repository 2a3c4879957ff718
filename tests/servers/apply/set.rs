//! Sets.

use libtest_mimic::Trial;

use crate::support::{Args, FAMILIES, Random, args, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&FAMILIES, "apply::set::random_commands_agree_with_the_server", |binary| {
        differential::random_sequences(binary, command);
    })
}

fn command(random: &mut Random) -> Args {
    let mut command = args(match random.below(28) {
        0..=8 => "SADD K V*",
        9..=11 => "SREM K V*",
        12..=14 => "SMOVE K K V",
        // Random results cannot be compared, so the counts are 0, invalid, or larger than the set.
        15 => "SPOP K N",
        16..=18 => "SINTERSTORE K K*",
        19..=21 => "SUNIONSTORE K K*",
        22..=24 => "SDIFFSTORE K K*",
        25 => "PEXPIREAT K 4102444800000",
        26 if random.once_in(3) => "SET K V",
        27 if random.once_in(3) => "RPUSH K V",
        _ => "DEL K",
    });
    if let Some(last) = command.pop() {
        // Sometimes so many that a small set becomes a hash table.
        let most = if random.once_in(8) { 60 } else { 4 };
        match &last[..] {
            b"V*" => command.extend((0..=random.below(most)).map(|_| b"V".to_vec())),
            b"K*" => command.extend((0..=random.below(4)).map(|_| b"K".to_vec())),
            _ => command.push(last),
        }
    }
    for arg in &mut command[1..] {
        *arg = match &arg[..] {
            b"K" => random.pick(&["a", "b", "c", "d", "e"]).as_bytes().to_vec(),
            b"V" => member(random),
            b"N" => random.pick(&["1000", "0", "9223372036854775807", "-1", "x"]).into(),
            _ => continue,
        };
    }
    // Sometimes there are too many arguments.
    if random.once_in(60) {
        command.push(member(random));
    }
    command
}

fn member(random: &mut Random) -> Vec<u8> {
    const ODD: [&[u8]; 6] =
        [b"", b"\x00\xff\r\n", b"-0", b"007", b"9223372036854775807", &[b'x'; 300]];
    match random.below(4) {
        0 => random.pick(&ODD).to_vec(),
        1 => random.pick(&["a", "b", "c", "ab"]).into(),
        _ => random.below(50).to_string().into_bytes(),
    }
}
