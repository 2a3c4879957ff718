//! Streams.

use aofkit::base::server::redis;
use aofkit::command;
use libtest_mimic::Trial;

use crate::support::{Args, Binary, FAMILIES, Random, args, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let name = "apply::stream::random_commands_agree_with_the_server";
    let mut trials = on_each(&FAMILIES, name, random_sequences);
    let name = "apply::stream::references_of_groups_agree_with_the_server";
    trials.extend(on_each(&[redis(8, 2)], name, references));
    let name = "apply::stream::pending_entries_agree_with_the_server";
    trials.extend(on_each(&FAMILIES, name, pending_entries));
    let name = "apply::stream::loaded_commands_agree_with_the_server";
    trials.extend(on_each(&FAMILIES, name, loaded_sequences));
    trials
}

fn random_sequences(binary: &Binary) {
    compare(binary, 150, 25, command);
}

/// Uses one stream and two groups, so that most commands have an effect.
fn pending_entries(binary: &Binary) {
    compare(binary, 100, 5, |random| {
        let (id, other) = (random.below(9), random.below(9));
        let group = random.pick(&["g", "g", "h"]);
        let consumer = random.pick(&["ann", "bob", "eve"]);
        let last =
            random.pick(&["", " FORCE", " JUSTID", " FORCE JUSTID LASTID 5", " RETRYCOUNT 9"]);
        args(&match random.below(20) {
            0..=4 => format!("XADD s {id}-* f v"),
            5 => format!("XDEL s {id}-0 {other}-1"),
            6 => format!("XTRIM s MAXLEN {id}"),
            7..=8 => format!("XGROUP CREATE s {group} 0 MKSTREAM"),
            9..=11 => format!("XREADGROUP GROUP {group} {consumer} COUNT 2 STREAMS s >"),
            12 => format!("XREADGROUP GROUP {group} {consumer} STREAMS s {id}"),
            13..=15 => format!("XCLAIM s {group} {consumer} 0 {id}-0 {other}-1 TIME {other}{last}"),
            16 => format!("XAUTOCLAIM s {group} {consumer} 0 {id} COUNT 2"),
            17 => format!("XACK s {group} {id}-0 {other}-1"),
            18 => format!("XGROUP DELCONSUMER s {group} {consumer}"),
            _ => format!("XGROUP SETID s {group} {id} {}", random.pick(&["", "ENTRIESREAD 2"])),
        })
    });
}

/// Tests which entries ACKED retains, which depends on the history of all groups of the stream.
fn references(binary: &Binary) {
    compare(binary, 100, 1, |random| {
        let id = random.below(12);
        let group = random.pick(&["g", "h", "i"]);
        let mode = random.pick(&["ACKED", "ACKED", "DELREF", "KEEPREF"]);
        args(&match random.below(16) {
            0..=3 => format!("XADD s {id}-* f v"),
            4 => format!("XADD s {mode} MAXLEN {} {id}-* f v", random.below(6)),
            5 => format!("XTRIM s MAXLEN {} {mode}", random.below(6)),
            6 => format!("XTRIM s {mode} MINID {id}"),
            7 => format!("XDELEX s {mode} IDS 2 {id} {}", random.below(12)),
            8 => format!("XACKDEL s {group} {mode} IDS 2 {id} {}", random.below(12)),
            9 => format!("XGROUP CREATE s {group} {id}"),
            10 => format!("XGROUP DESTROY s {group}"),
            11 => format!("XGROUP SETID s {group} {id}"),
            12..=13 => format!("XREADGROUP GROUP {group} c COUNT {} STREAMS s >", random.below(3)),
            14 => format!("XACK s {group} {id} {} {}", random.below(12), random.below(12)),
            _ => format!("XCLAIM s {group} c 0 {id} TIME 1 FORCE LASTID {}", random.below(12)),
        })
    });
}

/// Loads the commands as a log: loaders accept more than servers accept from clients.
fn loaded_sequences(binary: &Binary) {
    for seed in 0..4 {
        let mut random = Random::new(1000 + seed);
        let commands = (0..400).map(|_| {
            let mut args = command(&mut random);
            // Only a loader accepts LIMIT without `~`.
            if args[0] == b"XADD" && random.once_in(2) {
                let limited = [&b"MAXLEN"[..], b"=", b"5", b"LIMIT", b"1"];
                args.splice(2..2, limited.map(<[u8]>::to_vec));
            }
            args
        });
        let commands = commands.filter(|args| {
            let row = command::lookup(&args[0]).expect("a known command").row();
            let has = |name: &[u8]| args.iter().any(|arg| arg.eq_ignore_ascii_case(name));
            let is_loadable = match row.subcommand(&args[1]) {
                Some(sub) => sub.accepts_arity(args.len()),
                None => row.subcommands.is_empty(),
            };
            row.known_by(binary.line)
                && row.apply.is_some()
                && row.arity.accepts_on(binary.line, args.len())
                && is_loadable
                && !has(b"ACKED")
        });
        let commands: Vec<Args> = commands.collect();
        differential::compare_loaded(binary, &commands, None);
    }
}

/// Compares 60 sequences, or `AOFKIT_SEQUENCES`, of `length` commands each. The data are compared after every
/// `interval` commands.
fn compare(binary: &Binary, length: usize, interval: usize, command: fn(&mut Random) -> Args) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    let sequences = std::env::var("AOFKIT_SEQUENCES").map_or(60, |n| n.parse().expect("a number"));
    for seed in 0..sequences {
        let mut random = Random::new(seed);
        let commands: Vec<Args> = (0..length)
            .map(|_| command(&mut random))
            .filter(|args| {
                let row = command::lookup(&args[0]).expect("a known command").row();
                row.known_by(binary.line) && row.apply.is_some()
            })
            // The effect of ACKED is undefined after a group has been deleted.
            .filter(|args| {
                let has = |name: &[u8]| args.iter().any(|arg| arg.eq_ignore_ascii_case(name));
                if seed % 2 == 0 { !has(b"ACKED") } else { !has(b"DESTROY") }
            })
            .collect();
        differential::compare(&mut server, binary, &commands, interval);
    }
}

/// Returns a random command on a few streams. The IDs are taken from a small range, so that many exist.
pub(crate) fn command(random: &mut Random) -> Args {
    let mut line = Line::new(random);
    match line.random.below(40) {
        0..=13 => line.xadd(),
        14..=15 => {
            line.arg("XTRIM").key();
            line.trim_options(false);
        }
        16..=18 => line.arg("XDEL").key().ids(),
        19..=20 => {
            line.arg("XDELEX").key();
            line.counted_ids();
        }
        21..=22 => {
            line.arg("XACKDEL").key().group();
            line.counted_ids();
        }
        23..=27 => line.xgroup(),
        28..=29 => line.arg("XACK").key().group().ids(),
        30..=33 => line.xclaim(),
        34 => {
            line.arg("XAUTOCLAIM").key().group().consumer().pick(&["0", "-5", "4000000000000"]);
            line.pick(&["0", "-", "+", "2-1", "(3-0", "(", "(+", "x", "("]);
            if line.random.once_in(2) {
                line.pick(&["COUNT", "count"]).pick(&["1", "2", "50", "0", "x"]);
            }
            if line.random.once_in(3) {
                line.arg("JUSTID");
            }
        }
        35..=37 => line.xreadgroup(),
        38 => line.xsetid(),
        _ => match line.random.below(8) {
            0 => line.arg("SET").key().arg("text").end(),
            _ => line.arg("DEL").key().end(),
        },
    }
    line.args
}

/// A builder of a random command.
struct Line<'r> {
    random: &'r mut Random,
    args: Args,
}

impl<'r> Line<'r> {
    fn new(random: &'r mut Random) -> Self {
        Line { random, args: Vec::new() }
    }

    fn arg(&mut self, arg: &str) -> &mut Self {
        self.args.push(arg.as_bytes().to_vec());
        self
    }

    fn pick(&mut self, args: &[&str]) -> &mut Self {
        let arg = self.random.pick(args);
        self.arg(arg)
    }

    fn end(&mut self) {}

    fn key(&mut self) -> &mut Self {
        self.pick(&["s", "s", "s", "t", "t", ""])
    }

    fn group(&mut self) -> &mut Self {
        self.pick(&["g", "g", "h", "g\0", "missing"])
    }

    fn consumer(&mut self) -> &mut Self {
        self.pick(&["ann", "bob", "", "\u{ff}"])
    }

    /// Appends an ID that probably exists.
    fn id(&mut self) -> &mut Self {
        let id = match self.random.below(60) {
            0 => self.random.pick(&[
                "x",
                "-",
                "+",
                "*",
                "1-*",
                "1-2-3",
                "",
                "5-",
                "18446744073709551616",
            ]),
            1 => self.random.pick(&[
                "0",
                "0-0",
                "007",
                "+3-1",
                "1--0",
                "2-1\0z",
                "9223372036854775000",
            ]),
            _ => return self.likely_id(),
        };
        self.arg(id)
    }

    fn likely_id(&mut self) -> &mut Self {
        let (ms, seq) = (self.random.below(12), self.random.below(4));
        let id = if seq == 0 { ms.to_string() } else { format!("{ms}-{seq}") };
        self.arg(&id)
    }

    fn ids(&mut self) {
        for _ in 0..1 + self.random.below(4) {
            self.id();
        }
    }

    fn counted_ids(&mut self) {
        self.references();
        let count = 1 + self.random.below(3);
        let said = if self.random.once_in(20) { self.random.below(5) } else { count };
        self.pick(&["IDS", "IDS", "ids"]).arg(&said.to_string());
        for _ in 0..count {
            self.id();
        }
        if self.random.once_in(10) {
            self.references();
        }
    }

    fn references(&mut self) {
        if self.random.once_in(2) {
            self.pick(&["KEEPREF", "DELREF", "DELREF", "ACKED", "acked"]);
        }
    }

    fn xadd(&mut self) {
        self.arg("XADD").key();
        if self.random.once_in(8) {
            self.pick(&["NOMKSTREAM", "nomkstream"]);
        }
        if self.random.once_in(3) {
            self.trim_options(true);
        }
        match self.random.below(12) {
            0..=6 => {
                // Usually greater than the existing IDs.
                let (ms, seq) =
                    (self.args.len() as u64 + self.random.below(12), self.random.below(6));
                self.arg(&format!("{ms}-{seq}"));
            }
            7..=9 => {
                let ms = self.random.below(14);
                self.arg(&format!("{ms}-*"));
            }
            10 if self.random.once_in(20) => {
                self.pick(&["18446744073709551615-*", "18446744073709551615-18446744073709551615"]);
            }
            _ => {
                self.id();
            }
        }
        if self.args.last().is_some_and(|id| id == b"*") {
            // The ID would depend on the clock.
            self.args.pop();
        }
        for _ in 0..1 + self.random.below(3) {
            self.pick(&["f", "f", "", "a longer field", "\r\n$1\r\n"]);
            let value = self.random.next() >> self.random.below(64);
            self.arg(&value.to_string());
        }
        if self.random.once_in(40) {
            self.arg("odd");
        }
    }

    /// Appends the options of a trim. LIMIT is only used with `~`: without it, only loaders accept LIMIT.
    fn trim_options(&mut self, is_add: bool) {
        let before = self.random.once_in(2);
        if before {
            self.references();
        }
        match self.random.below(12) {
            0..=5 => {
                self.pick(&["MAXLEN", "maxlen"]);
                if self.random.once_in(3) {
                    self.arg("=");
                }
                self.pick(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "-1", "x"]);
            }
            6..=9 => {
                self.pick(&["MINID", "minid"]);
                if self.random.once_in(3) {
                    self.arg("=");
                }
                self.id();
            }
            // These remove nothing or everything.
            10 => {
                self.arg("MAXLEN").arg("~").pick(&[if before { "500" } else { "0" }, "1000"]);
            }
            _ => {
                self.arg("MINID").arg("~").pick(&["0", "0-1"]);
            }
        }
        if self.args.iter().any(|arg| arg == b"~") && self.random.once_in(3) {
            self.arg("LIMIT").pick(&["0", "1000", "-1", "x"]);
        }
        if !before && !is_add && !self.args.iter().any(|arg| arg == b"~") {
            self.references();
        }
        if self.random.once_in(20) {
            self.pick(&["MAXLEN", "NOMKSTREAM", "MINID"]).arg("1");
        }
    }

    fn xgroup(&mut self) {
        self.arg("XGROUP");
        match self.random.below(20) {
            0..=7 => {
                self.pick(&["CREATE", "create"]).key().group();
                self.group_id();
                if self.random.once_in(2) {
                    self.pick(&["MKSTREAM", "mkstream"]);
                }
                self.entries_read();
            }
            8..=11 => {
                self.arg("SETID").key().group();
                self.group_id();
                self.entries_read();
            }
            12..=13 => {
                self.arg("CREATECONSUMER").key().group().consumer();
            }
            14..=16 => {
                self.arg("DELCONSUMER").key().group().consumer();
            }
            17 => {
                self.arg("DESTROY").key().group();
            }
            18 => {
                self.pick(&["HELP", "NONSENSE"]);
            }
            _ => {
                self.pick(&["DESTROY", "CREATE", "CREATECONSUMER"]).key();
                for _ in 0..self.random.below(6) {
                    self.pick(&["g", "0", "MKSTREAM", "ENTRIESREAD"]);
                }
            }
        }
    }

    fn group_id(&mut self) {
        if self.random.once_in(3) {
            self.arg("$");
        } else {
            self.id();
        }
    }

    fn entries_read(&mut self) {
        if self.random.once_in(3) {
            self.pick(&["ENTRIESREAD", "entriesread"]);
            self.pick(&["0", "1", "3", "100", "-1", "-2", "x"]);
        }
    }

    fn xclaim(&mut self) {
        self.arg("XCLAIM").key().group().consumer();
        self.pick(&["0", "0", "0", "-7", "4000000000000", "x"]).ids();
        for _ in 0..self.random.below(5) {
            match self.random.below(9) {
                0..=2 => self.pick(&["FORCE", "force"]),
                3 => self.arg("JUSTID"),
                4..=5 => self.arg("TIME").pick(&["0", "1", "1000000", "-1", "-9", "x"]),
                6 => self.arg("IDLE").pick(&["0", "1000", "-1", "9223372036854775807", "x"]),
                7 => self.arg("RETRYCOUNT").pick(&["0", "5", "-1", "9223372036854775807", "x"]),
                _ => self.arg("LASTID").id(),
            };
        }
    }

    fn xreadgroup(&mut self) {
        self.arg("XREADGROUP").arg("GROUP").pick(&["g", "g", "h"]).consumer();
        if self.random.once_in(2) {
            self.arg("COUNT").pick(&["1", "2", "3", "0", "-1"]);
        }
        if self.random.once_in(4) {
            self.arg("NOACK");
        }
        self.arg("STREAMS");
        if self.random.once_in(4) {
            self.pick(&["s", "t"]).pick(&["s", "t"]);
            for _ in 0..2 {
                self.read_id();
            }
        } else {
            self.pick(&["s", "s", "t"]);
            self.read_id();
        }
    }

    fn read_id(&mut self) {
        match self.random.below(10) {
            0..=6 => self.arg(">"),
            7 => self.pick(&["0", "$", "+", "18446744073709551615-18446744073709551615"]),
            _ => self.id(),
        };
    }

    fn xsetid(&mut self) {
        self.arg("XSETID").key();
        if self.random.once_in(2) {
            self.id();
        } else {
            let ms = 10 + self.random.below(8);
            self.arg(&ms.to_string());
        }
        for _ in 0..self.random.below(3) {
            match self.random.below(3) {
                0 => self.arg("ENTRIESADDED").pick(&["0", "5", "20", "1000", "-1", "x"]),
                1 => self.arg("MAXDELETEDID").id(),
                _ => self.pick(&["ENTRIESADDED", "MAXDELETEDID", "nonsense"]),
            };
        }
    }
}
