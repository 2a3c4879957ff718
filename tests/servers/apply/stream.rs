//! Streams.

use aofkit::base::server::redis;
use aofkit::command;
use libtest_mimic::Trial;

use crate::support::server::Binary;
use crate::support::twin::{self, Args, Random, args};
use crate::support::{LINES, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let references = "apply::stream::what_groups_refer_to";
    let mut trials = on_each(&LINES, "apply::stream::random_sequences", random_sequences);
    trials.extend(on_each(&[redis(8, 2)], references, what_groups_refer_to));
    trials.extend(on_each(&LINES, "apply::stream::pending_entries", pending_entries));
    trials.extend(on_each(&LINES, "apply::stream::loaded_sequences", loaded_sequences));
    trials
}

fn random_sequences(binary: &Binary) {
    compare(binary, 150, 25, command);
}

/// One stream and two groups, so that most commands find something to do.
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

/// Which entries ACKED spares hangs on all that a stream's groups have gone through.
fn what_groups_refer_to(binary: &Binary) {
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

/// As a log, which is what is replayed: loaders take more than servers take from clients.
fn loaded_sequences(binary: &Binary) {
    for seed in 0..4 {
        let mut random = Random::new(1000 + seed);
        let commands = (0..400).map(|_| {
            let mut args = command(&mut random);
            // Only a loader takes a LIMIT without `~`.
            if args[0] == b"XADD" && random.once_in(2) {
                let limited = [&b"MAXLEN"[..], b"=", b"5", b"LIMIT", b"1"];
                args.splice(2..2, limited.map(<[u8]>::to_vec));
            }
            args
        });
        let commands = commands.filter(|args| {
            let row = command::lookup(&args[0]).expect("a known command").row();
            let has = |word: &[u8]| args.iter().any(|arg| arg.eq_ignore_ascii_case(word));
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
        twin::compare_loaded(binary, &commands, None);
    }
}

/// Runs many sequences, of so many commands each. `AOFKIT_SEQUENCES` says how many.
fn compare(binary: &Binary, length: usize, each: usize, command: fn(&mut Random) -> Args) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = twin::start(binary, data.path());
    let sequences = std::env::var("AOFKIT_SEQUENCES").map_or(60, |n| n.parse().expect("a number"));
    for seed in 0..sequences {
        let mut random = Random::new(seed);
        let commands: Vec<Args> = (0..length)
            .map(|_| command(&mut random))
            .filter(|args| {
                let row = command::lookup(&args[0]).expect("a known command").row();
                row.known_by(binary.line) && row.apply.is_some()
            })
            // What ACKED does is not certain once a group is gone.
            .filter(|args| {
                let has = |word: &[u8]| args.iter().any(|arg| arg.eq_ignore_ascii_case(word));
                if seed % 2 == 0 { !has(b"ACKED") } else { !has(b"DESTROY") }
            })
            .collect();
        twin::compare(&mut server, binary, &commands, each);
    }
}

/// A random command on a few streams, with ids that meet.
pub(crate) fn command(random: &mut Random) -> Args {
    let mut line = Line::new(random);
    match line.random.below(40) {
        0..=13 => line.xadd(),
        14..=15 => {
            line.word("XTRIM").key();
            line.trim_options(false);
        }
        16..=18 => line.word("XDEL").key().ids(),
        19..=20 => {
            line.word("XDELEX").key();
            line.counted_ids();
        }
        21..=22 => {
            line.word("XACKDEL").key().group();
            line.counted_ids();
        }
        23..=27 => line.xgroup(),
        28..=29 => line.word("XACK").key().group().ids(),
        30..=33 => line.xclaim(),
        34 => {
            line.word("XAUTOCLAIM").key().group().consumer().pick(&["0", "-5", "4000000000000"]);
            line.pick(&["0", "-", "+", "2-1", "(3-0", "(", "(+", "x", "("]);
            if line.random.once_in(2) {
                line.pick(&["COUNT", "count"]).pick(&["1", "2", "50", "0", "x"]);
            }
            if line.random.once_in(3) {
                line.word("JUSTID");
            }
        }
        35..=37 => line.xreadgroup(),
        38 => line.xsetid(),
        _ => match line.random.below(8) {
            0 => line.word("SET").key().word("text").end(),
            _ => line.word("DEL").key().end(),
        },
    }
    line.args
}

/// A command that is being made up.
struct Line<'r> {
    random: &'r mut Random,
    args: Args,
}

impl<'r> Line<'r> {
    fn new(random: &'r mut Random) -> Self {
        Line { random, args: Vec::new() }
    }

    fn word(&mut self, word: &str) -> &mut Self {
        self.args.push(word.as_bytes().to_vec());
        self
    }

    fn pick(&mut self, words: &[&str]) -> &mut Self {
        let word = self.random.pick(words);
        self.word(word)
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

    /// An id that may well be there.
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
        self.word(id)
    }

    fn likely_id(&mut self) -> &mut Self {
        let (ms, seq) = (self.random.below(12), self.random.below(4));
        let id = if seq == 0 { ms.to_string() } else { format!("{ms}-{seq}") };
        self.word(&id)
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
        self.pick(&["IDS", "IDS", "ids"]).word(&said.to_string());
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
        self.word("XADD").key();
        if self.random.once_in(8) {
            self.pick(&["NOMKSTREAM", "nomkstream"]);
        }
        if self.random.once_in(3) {
            self.trim_options(true);
        }
        match self.random.below(12) {
            0..=6 => {
                // Mostly above what is there.
                let (ms, seq) =
                    (self.args.len() as u64 + self.random.below(12), self.random.below(6));
                self.word(&format!("{ms}-{seq}"));
            }
            7..=9 => {
                let ms = self.random.below(14);
                self.word(&format!("{ms}-*"));
            }
            10 if self.random.once_in(20) => {
                self.pick(&["18446744073709551615-*", "18446744073709551615-18446744073709551615"]);
            }
            _ => {
                self.id();
            }
        }
        if self.args.last().is_some_and(|id| id == b"*") {
            // It would come from the clock.
            self.args.pop();
        }
        for _ in 0..1 + self.random.below(3) {
            self.pick(&["f", "f", "", "a longer field", "\r\n$1\r\n"]);
            let value = self.random.next() >> self.random.below(64);
            self.word(&value.to_string());
        }
        if self.random.once_in(40) {
            self.word("odd");
        }
    }

    /// LIMIT is accepted by loaders alone, where it stands without `~`.
    fn trim_options(&mut self, is_add: bool) {
        let before = self.random.once_in(2);
        if before {
            self.references();
        }
        match self.random.below(12) {
            0..=5 => {
                self.pick(&["MAXLEN", "maxlen"]);
                if self.random.once_in(3) {
                    self.word("=");
                }
                self.pick(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "-1", "x"]);
            }
            6..=9 => {
                self.pick(&["MINID", "minid"]);
                if self.random.once_in(3) {
                    self.word("=");
                }
                self.id();
            }
            // These do nothing, or remove all.
            10 => {
                self.word("MAXLEN").word("~").pick(&[if before { "500" } else { "0" }, "1000"]);
            }
            _ => {
                self.word("MINID").word("~").pick(&["0", "0-1"]);
            }
        }
        if self.args.iter().any(|arg| arg == b"~") && self.random.once_in(3) {
            self.word("LIMIT").pick(&["0", "1000", "-1", "x"]);
        }
        if !before && !is_add && !self.args.iter().any(|arg| arg == b"~") {
            self.references();
        }
        if self.random.once_in(20) {
            self.pick(&["MAXLEN", "NOMKSTREAM", "MINID"]).word("1");
        }
    }

    fn xgroup(&mut self) {
        self.word("XGROUP");
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
                self.word("SETID").key().group();
                self.group_id();
                self.entries_read();
            }
            12..=13 => {
                self.word("CREATECONSUMER").key().group().consumer();
            }
            14..=16 => {
                self.word("DELCONSUMER").key().group().consumer();
            }
            17 => {
                self.word("DESTROY").key().group();
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
            self.word("$");
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
        self.word("XCLAIM").key().group().consumer();
        self.pick(&["0", "0", "0", "-7", "4000000000000", "x"]).ids();
        for _ in 0..self.random.below(5) {
            match self.random.below(9) {
                0..=2 => self.pick(&["FORCE", "force"]),
                3 => self.word("JUSTID"),
                4..=5 => self.word("TIME").pick(&["0", "1", "1000000", "-1", "-9", "x"]),
                6 => self.word("IDLE").pick(&["0", "1000", "-1", "9223372036854775807", "x"]),
                7 => self.word("RETRYCOUNT").pick(&["0", "5", "-1", "9223372036854775807", "x"]),
                _ => self.word("LASTID").id(),
            };
        }
    }

    fn xreadgroup(&mut self) {
        self.word("XREADGROUP").word("GROUP").pick(&["g", "g", "h"]).consumer();
        if self.random.once_in(2) {
            self.word("COUNT").pick(&["1", "2", "3", "0", "-1"]);
        }
        if self.random.once_in(4) {
            self.word("NOACK");
        }
        self.word("STREAMS");
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
            0..=6 => self.word(">"),
            7 => self.pick(&["0", "$", "+", "18446744073709551615-18446744073709551615"]),
            _ => self.id(),
        };
    }

    fn xsetid(&mut self) {
        self.word("XSETID").key();
        if self.random.once_in(2) {
            self.id();
        } else {
            let ms = 10 + self.random.below(8);
            self.word(&ms.to_string());
        }
        for _ in 0..self.random.below(3) {
            match self.random.below(3) {
                0 => self.word("ENTRIESADDED").pick(&["0", "5", "20", "1000", "-1", "x"]),
                1 => self.word("MAXDELETEDID").id(),
                _ => self.pick(&["ENTRIESADDED", "MAXDELETEDID", "nonsense"]),
            };
        }
    }
}
