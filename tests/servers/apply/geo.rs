//! Geographic sets.

use libtest_mimic::Trial;

use crate::support::{Args, Binary, FAMILIES, Random, args, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&FAMILIES, "apply::geo::random_commands_agree_with_the_server", random_sequences)
}

/// The number of sequences. The trial has passed with 1000.
const SEQUENCES: u64 = 40;

fn random_sequences(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    for seed in 0..SEQUENCES {
        let mut maker = Maker { random: Random::new(seed), large: seed % 4 == 0 };
        let mut commands: Vec<Args> = (0..150).map(|_| maker.command()).collect();
        commands.retain(|command| differential::is_supported(binary, command));
        differential::compare(&mut server, binary, &commands, 10);
    }
}

struct Maker {
    random: Random,
    /// Whether the sets have enough members for the sorting of many results and for encodings other than listpack.
    large: bool,
}

impl Maker {
    fn command(&mut self) -> Args {
        let key = self.key();
        match self.random.below(20) {
            0..=6 => {
                let flag = if self.random.once_in(5) {
                    self.random.pick(&["NX", "xx", "CH", "NX CH", "NX XX", "INCR"])
                } else {
                    ""
                };
                let mut command = args(&format!("GEOADD {key} {flag}"));
                let places =
                    if self.large { 1 + self.random.below(80) } else { 1 + self.random.below(5) };
                for _ in 0..places {
                    command.extend(args(&format!("{} {}", self.coordinates(), self.member())));
                }
                if self.random.once_in(30) {
                    command.pop();
                }
                command
            }
            7..=12 => {
                let mut command = args(&format!("GEOSEARCHSTORE {} {key}", self.destination()));
                let mut options = vec![self.around(), self.extent()];
                options.push(self.how_many());
                if self.random.once_in(2) {
                    options.push("STOREDIST".to_string());
                }
                if self.random.once_in(20) {
                    options.push(
                        self.random
                            .pick(&["STORE x", "ANY", "COUNT", "WITHDIST", "BYBOX 1 1"])
                            .to_string(),
                    );
                }
                if self.random.once_in(20) {
                    let again = if self.random.once_in(2) { self.around() } else { self.extent() };
                    options.push(again);
                }
                if self.random.once_in(2) {
                    options.rotate_left(1);
                }
                command.extend(args(&options.join(" ")));
                command
            }
            13 | 14 => {
                let to = self.destination();
                let store = self.store(&to);
                args(&format!(
                    "GEORADIUS {key} {} {} {} {store}",
                    self.coordinates(),
                    self.length(),
                    self.how_many()
                ))
            }
            15 | 16 => {
                let to = self.destination();
                let store = self.store(&to);
                args(&format!(
                    "GEORADIUSBYMEMBER {key} {} {} {} {store}",
                    self.member(),
                    self.length(),
                    self.how_many()
                ))
            }
            17 => {
                let score = self.random.pick(&[
                    "-1",
                    "inf",
                    "-inf",
                    "1e300",
                    "0.5",
                    "4503599627370495",
                    "9223372036854775808",
                    "0",
                    "3479099956230698.5",
                    "4503599627370496",
                ]);
                args(&format!("ZADD {key} {score} {}", self.member()))
            }
            18 => args(&format!("ZREMRANGEBYRANK {key} 0 {}", self.random.below(6))),
            _ if self.random.once_in(6) => args(&format!("SET {key} text")),
            _ => args(&format!("DEL {key}")),
        }
    }

    fn key(&mut self) -> String {
        self.random.pick(&["a", "b", "c", "d"]).to_string()
    }

    /// Returns a destination, which is rarely also a source: stored distances are not valid positions.
    fn destination(&mut self) -> String {
        self.random.pick(&["x", "y", "z", "x", "y", "z", "a"]).to_string()
    }

    fn member(&mut self) -> String {
        let most = if self.large { 300 } else { 12 };
        self.random.below(most).to_string()
    }

    /// Returns coordinates, many of which are close to each other, some equal, and some at the limits.
    fn coordinates(&mut self) -> String {
        let shard = self.random.next() as f64 / u64::MAX as f64;
        let (one, other) =
            (shard * 2.0 - 1.0, self.random.next() as f64 / u64::MAX as f64 * 2.0 - 1.0);
        match self.random.below(12) {
            0 => {
                let longitude = self.random.pick(&[
                    "180",
                    "-180",
                    "0",
                    "179.9999",
                    "-179.9999",
                    "1e-9",
                    "181",
                    "x",
                ]);
                let latitude = self.random.pick(&[
                    "85.05112878",
                    "-85.05112878",
                    "0",
                    "84.9",
                    "-84.9",
                    "-86",
                    "nan",
                ]);
                format!("{longitude} {latitude}")
            }
            1..=3 => format!("{} {}", one * 180.0, other * 85.05),
            4..=6 => format!("{} {}", self.random.below(4), 47 + self.random.below(4)),
            7 => format!("2.5 {}", 48.0 + other),
            _ => format!("{} {}", 2.0 + one, 48.0 + other),
        }
    }

    fn length(&mut self) -> String {
        let unit = if self.random.once_in(20) {
            "parsec"
        } else {
            self.random.pick(&["m", "km", "ft", "mi", "KM"])
        };
        format!("{} {unit}", self.number())
    }

    fn number(&mut self) -> String {
        match self.random.below(8) {
            0 => self
                .random
                .pick(&["0", "-0", "inf", "1e300", "-1", "x", "5e-324", "40000"])
                .to_string(),
            1 => (self.random.below(100) as f64 / 7.0).to_string(),
            2 => self.random.below(30_000).to_string(),
            3 => (10_f64.powf(self.random.below(9) as f64)).to_string(),
            _ => self.random.below(1000).to_string(),
        }
    }

    fn around(&mut self) -> String {
        if self.random.once_in(2) {
            format!("FROMMEMBER {}", self.member())
        } else {
            format!("FROMLONLAT {}", self.coordinates())
        }
    }

    fn extent(&mut self) -> String {
        if self.random.once_in(2) {
            format!("BYRADIUS {}", self.length())
        } else {
            format!("BYBOX {} {}", self.number(), self.length())
        }
    }

    fn how_many(&mut self) -> String {
        let order = self.random.pick(&["", "ASC", "DESC"]);
        let count = if self.large { self.random.below(60) } else { self.random.below(6) };
        match self.random.below(4) {
            0 => format!("COUNT {count} {order}"),
            1 => format!("{order} COUNT {count} ANY"),
            _ => order.to_string(),
        }
    }

    fn store(&mut self, key: &str) -> String {
        match self.random.below(6) {
            0 => String::new(),
            1 => format!("WITHDIST STORE {key}"),
            2 | 3 => format!("STOREDIST {key}"),
            _ => format!("STORE {key}"),
        }
    }
}
