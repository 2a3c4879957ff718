//! Sorted sets.

use aofkit::keyspace::score::{ScoreBuffer, ScoreText};
use libtest_mimic::Trial;

use crate::support::{Args, Binary, FAMILIES, Random, Reply, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        on_each(&FAMILIES, "apply::zset::scores_have_the_same_text", scores_have_the_same_text),
        on_each(&FAMILIES, "apply::zset::small_sets_agree_with_the_server", small_sets),
        on_each(&FAMILIES, "apply::zset::large_sets_agree_with_the_server", large_sets),
        on_each(&FAMILIES, "apply::zset::equal_scores_agree_with_the_server", sets_of_one_score),
    ];
    trials.into_iter().flatten().collect()
}

/// The number of batches of 1000 scores. The trial has passed with 200.
const SCORE_BATCHES: u64 = 10;

fn scores_have_the_same_text(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    let mut random = Random::new(1);
    let mut buffer = ScoreBuffer::new();
    let format = ScoreText::of_server(binary.line);
    for _ in 0..SCORE_BATCHES {
        let scores: Vec<f64> = (0..1000).map(|_| score(&mut random)).collect();
        let mut command = vec![b"ZADD".to_vec(), b"scores".to_vec()];
        for (member, score) in scores.iter().enumerate() {
            // Every server parses Rust's shortest representation as the same score.
            command.push(format!("{score:e}").into_bytes());
            command.push(member.to_string().into_bytes());
        }
        server.client.call(&["DEL", "scores"]);
        server.client.call(&command);
        let reply = server.client.call(&["ZRANGE", "scores", "0", "-1", "WITHSCORES"]);
        let pairs = reply.array();
        assert_eq!(pairs.len(), 2000);
        for pair in pairs.chunks(2) {
            let [Reply::Bulk(member), Reply::Bulk(theirs)] = pair else { panic!("{pair:?}") };
            let member: usize = String::from_utf8_lossy(member).parse().expect("a number");
            // Replies format integral scores as integers, the digest does not.
            if scores[member].fract() == 0.0 && scores[member].abs() < 2_f64.powi(63) {
                continue;
            }
            let ours = buffer.format(scores[member], format);
            assert_eq!(ours, String::from_utf8_lossy(theirs), "{:e}", scores[member]);
        }
    }
}

/// Returns a score of any magnitude.
fn score(random: &mut Random) -> f64 {
    let score = match random.below(8) {
        0..4 => f64::from_bits(random.next()),
        4 => random.next().cast_signed() as f64,
        5 => (random.next() >> random.below(64)) as f64,
        6 => random.below(1_000_000_000) as f64 / 10_f64.powf(random.below(20) as f64),
        _ => (random.below(2000) as f64 - 1000.0) * 10_f64.powf(random.below(600) as f64 - 300.0),
    };
    // Whether a server retains the sign of a zero is not tested here.
    if score.is_nan() || score == 0.0 { 1.5 } else { score }
}

/// The kind of sets in a sequence.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sets that servers encode as listpacks or ziplists.
    Small,
    /// Sets that grow beyond these encodings. The results of ranges of members are then undefined.
    Large,
    /// Sets whose members all have the same score, for ranges of members.
    OneScore,
}

/// The number of sequences of each kind. The trials have passed with 1000.
const SEQUENCES: u64 = 60;

fn small_sets(binary: &Binary) {
    sequences(binary, Kind::Small, SEQUENCES, 200);
}

fn large_sets(binary: &Binary) {
    sequences(binary, Kind::Large, SEQUENCES / 4, 300);
}

fn sets_of_one_score(binary: &Binary) {
    sequences(binary, Kind::OneScore, SEQUENCES / 4, 200);
}

fn sequences(binary: &Binary, kind: Kind, count: u64, len: usize) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    for seed in 0..count {
        let mut maker = Maker { random: Random::new(seed), kind };
        let mut commands = Vec::new();
        while commands.len() < len {
            for command in maker.commands() {
                if differential::is_supported(binary, &command) {
                    commands.push(command);
                }
            }
        }
        differential::compare(&mut server, binary, &commands, 20);
    }
}

struct Maker {
    random: Random,
    kind: Kind,
}

/// Creates a command from byte slices.
macro_rules! line {
    ($($arg:expr),* $(,)?) => { vec![$($arg.to_vec()),*] };
}

impl Maker {
    fn commands(&mut self) -> Vec<Args> {
        let (key, other) = (self.key(), self.key());
        let command = match self.random.below(26) {
            0..=5 => self.zadd(&key),
            6 if self.kind != Kind::OneScore => {
                line![b"ZINCRBY", key, self.score(), self.member()]
            }
            7 => {
                let mut command = line![b"ZREM", key];
                (0..=self.random.below(6)).for_each(|_| command.push(self.member()));
                command
            }
            8 => line![b"ZREMRANGEBYRANK", key, self.rank(), self.rank()],
            9 => line![b"ZREMRANGEBYSCORE", key, self.bound(), self.bound()],
            10 if self.kind != Kind::Large => {
                line![b"ZREMRANGEBYLEX", key, self.lex(), self.lex()]
            }
            11 | 12 => {
                let name = self.random.pick(&["ZPOPMIN", "ZPOPMAX", "zpopmin"]);
                let mut command = line![name.as_bytes(), key];
                if self.random.once_in(2) {
                    command.push(self.count());
                }
                command
            }
            13 => self.zmpop(&[b"ZMPOP"]),
            14 => {
                let add = line![b"ZADD", key, b"1", b"m"];
                let name = self.random.pick(&["BZPOPMIN", "BZPOPMAX"]);
                let timeout = self.random.pick(&["0", "1", "0.5", "-1", "x", "", "inf", "0x1"]);
                return vec![add, line![name.as_bytes(), other, key, timeout.as_bytes()]];
            }
            15 => {
                let add = line![b"ZADD", b"always", b"1", b"m"];
                let mut command = self.zmpop(&[b"BZMPOP", b"0"]);
                if self.random.once_in(4) {
                    command[1] = b"-1".to_vec();
                }
                return vec![add, command];
            }
            16..=19 => self.store(&key),
            20..=22 => self.zrangestore(&key, &other),
            23 => line![b"DEL", key],
            24 => match self.random.below(3) {
                0 => line![b"EXPIREAT", key, b"4102444800"],
                1 if self.random.once_in(4) => line![b"SET", key, b"text"],
                _ => line![b"HSET", key, b"field", b"value"],
            },
            _ => {
                let mut command = line![b"SADD", key];
                (0..=self.random.below(8)).for_each(|_| command.push(self.member()));
                command
            }
        };
        vec![command]
    }

    fn key(&mut self) -> Vec<u8> {
        self.random.pick(&["a", "b", "c", "d", "e", ""]).as_bytes().to_vec()
    }

    fn member(&mut self) -> Vec<u8> {
        let long = [b'l'; 65];
        match self.random.below(12) {
            0 => Vec::new(),
            1 => b"\0\xff\r\n".to_vec(),
            2 => long[..64].to_vec(),
            3 if self.kind == Kind::Large && self.random.once_in(8) => long.to_vec(),
            4 => self.random.pick(&["1", "-1", "01", "aa", "a", "b", "B"]).as_bytes().to_vec(),
            _ => {
                let most = if self.kind == Kind::Small { 12 } else { 400 };
                self.random.below(most).to_string().into_bytes()
            }
        }
    }

    fn score(&mut self) -> Vec<u8> {
        if self.kind == Kind::OneScore {
            return b"1".to_vec();
        }
        let text = match self.random.below(10) {
            0..=3 => self.random.below(10).to_string(),
            4 => "-0".to_string(),
            5 => score(&mut self.random).to_string(),
            6 => format!("{:e}", score(&mut self.random)),
            7 => self.random.pick(&["0.1", "0.2", "0.3", "1e16", "1", "-1"]).to_string(),
            8 => self.random.pick(&["inf", "-inf", "+Infinity", "-0.0", "0"]).to_string(),
            _ if self.random.once_in(4) => {
                let odd = ["nan", "", " 1", "1 ", "1e400", "1e-400", "0x1p3", "x", "1\0", "NX"];
                self.random.pick(&odd).to_string()
            }
            _ => self.random.below(1000).to_string(),
        };
        text.into_bytes()
    }

    fn bound(&mut self) -> Vec<u8> {
        let mut bound = match self.random.below(12) {
            0 => self.random.pick(&["-inf", "+inf"]).as_bytes().to_vec(),
            1 => {
                let odd = ["", " 2", "3 ", "0x2", "1e400", "2\0", "nan", "x", "(1", "-0"];
                self.random.pick(&odd).as_bytes().to_vec()
            }
            _ => self.score(),
        };
        if self.random.once_in(3) {
            bound.insert(0, b'(');
        }
        bound
    }

    fn lex(&mut self) -> Vec<u8> {
        let mut bound = match self.random.below(10) {
            0 | 1 => return b"-".to_vec(),
            2 | 3 => return b"+".to_vec(),
            4 => return self.random.pick(&["", "-a", "a", "+\0", "(", "["]).as_bytes().to_vec(),
            _ => self.member(),
        };
        bound.insert(0, if self.random.once_in(2) { b'(' } else { b'[' });
        bound
    }

    fn rank(&mut self) -> Vec<u8> {
        let text = match self.random.below(12) {
            0 => self
                .random
                .pick(&["9223372036854775807", "-9223372036854775808", "x", "1.5"])
                .to_string(),
            1 => (self.random.below(300).cast_signed() - 150).to_string(),
            2 => "0".to_string(),
            3 => "-1".to_string(),
            _ => (self.random.below(12).cast_signed() - 6).to_string(),
        };
        text.into_bytes()
    }

    fn count(&mut self) -> Vec<u8> {
        let odd = ["0", "-1", "x", "", "9223372036854775807", "01", "200"];
        match self.random.below(6) {
            0 => self.random.pick(&odd).as_bytes().to_vec(),
            _ => (1 + self.random.below(4)).to_string().into_bytes(),
        }
    }

    fn zadd(&mut self, key: &[u8]) -> Args {
        let mut command = line![b"ZADD", key];
        for flag in ["NX", "XX", "gt", "LT", "CH", "INCR"] {
            let is_open = flag == "INCR" && self.kind == Kind::OneScore;
            if self.random.once_in(if flag == "NX" { 12 } else { 8 }) && !is_open {
                command.push(flag.as_bytes().to_vec());
            }
        }
        let pairs = match self.random.below(10) {
            0 if self.kind != Kind::Small => 100 + self.random.below(60),
            0..=4 => 1,
            _ => 1 + self.random.below(5),
        };
        for _ in 0..pairs {
            command.push(self.score());
            command.push(self.member());
        }
        if self.random.once_in(40) {
            command.pop();
        }
        command
    }

    fn zmpop(&mut self, name: &[&[u8]]) -> Args {
        let mut command: Args = name.iter().map(|arg| arg.to_vec()).collect();
        let keys = self.random.below(3);
        let said = if self.random.once_in(20) { self.random.below(5) } else { keys + 1 };
        command.push(said.to_string().into_bytes());
        (0..keys).for_each(|_| command.push(self.key()));
        command.push(b"always".to_vec());
        command.push(self.random.pick(&["MIN", "max", "Max", "mid"]).as_bytes().to_vec());
        if self.random.once_in(2) {
            command.push(b"COUNT".to_vec());
            command.push(self.count());
        }
        command
    }

    fn store(&mut self, destination: &[u8]) -> Args {
        let name = self.random.pick(&["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE", "ZUNIONSTORE"]);
        let keys = 1 + self.random.below(4);
        let said = if self.random.once_in(30) { self.random.below(6) } else { keys };
        let mut command = line![name.as_bytes(), destination, said.to_string().as_bytes()];
        (0..keys).for_each(|_| command.push(self.key()));
        if name == "ZDIFFSTORE" && !self.random.once_in(20) {
            return command;
        }
        if self.random.once_in(3) && self.kind != Kind::OneScore {
            command.push(b"weights".to_vec());
            (0..keys).for_each(|_| command.push(self.score()));
        }
        if self.random.once_in(2) || self.kind == Kind::OneScore {
            command.push(b"AGGREGATE".to_vec());
            let how = match self.kind {
                Kind::OneScore => "MIN",
                _ => self.random.pick(&["SUM", "MIN", "MAX", "max", "AVG", "sum", "min"]),
            };
            command.push(how.as_bytes().to_vec());
        }
        command
    }

    fn zrangestore(&mut self, destination: &[u8], source: &[u8]) -> Args {
        let mut command = line![b"ZRANGESTORE", destination, source];
        let by = match self.random.below(3) {
            0 => "BYSCORE",
            1 if self.kind != Kind::Large => "BYLEX",
            _ => "",
        };
        for _ in 0..2 {
            command.push(match by {
                "BYSCORE" => self.bound(),
                "BYLEX" => self.lex(),
                _ => self.rank(),
            });
        }
        if !by.is_empty() {
            command.push(by.as_bytes().to_vec());
        }
        if self.random.once_in(3) {
            command.push(b"REV".to_vec());
        }
        if self.random.once_in(if by.is_empty() { 10 } else { 2 }) {
            let offset = self.random.below(6).cast_signed() - 2;
            let limit = self.random.below(8).cast_signed() - 2;
            command.extend(line![
                b"LIMIT",
                offset.to_string().as_bytes(),
                limit.to_string().as_bytes()
            ]);
        }
        if self.random.once_in(40) {
            command.push(self.random.pick(&["REV", "BYLEX", "x", "LIMIT"]).as_bytes().to_vec());
        }
        command
    }
}
