//! Strings.

use libtest_mimic::Trial;

use crate::support::server::Binary;
use crate::support::twin::{self, Args, Random, args};
use crate::support::{LINES, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&LINES, "apply::string::random_sequences", random_sequences)
}

fn random_sequences(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = twin::start(binary, data.path());
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let commands: Vec<Args> = (0..200).map(|_| command(&mut random)).collect();
        twin::compare(&mut server, binary, &commands, 50);
    }
}

fn command(random: &mut Random) -> Args {
    let key = random.pick(&["a", "b", "c", "d"]);
    args(&format!("SET {key} {}", random.below(1000)))
}
