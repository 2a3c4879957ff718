//! Sorted sets.

use aofkit::keyspace::score::{ScoreBuffer, ScoreText};
use libtest_mimic::Trial;

use crate::support::client::Reply;
use crate::support::server::Binary;
use crate::support::twin::{self, Random};
use crate::support::{LINES, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&LINES, "apply::zset::scores_have_the_same_text", scores_have_the_same_text)
}

/// How many batches of 1000 scores. It was run with 200.
const SCORE_BATCHES: u64 = 10;

fn scores_have_the_same_text(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = twin::start(binary, data.path());
    let mut random = Random::new(1);
    let mut buffer = ScoreBuffer::new();
    let how = ScoreText::of(binary.line);
    for _ in 0..SCORE_BATCHES {
        let scores: Vec<f64> = (0..1000).map(|_| score(&mut random)).collect();
        let mut command = vec![b"ZADD".to_vec(), b"scores".to_vec()];
        for (member, score) in scores.iter().enumerate() {
            // Rust's shortest text is read back as the same score everywhere.
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
            // A reply prints what fits an integer as one; the digest does not.
            if scores[member].fract() == 0.0 && scores[member].abs() < 2_f64.powi(63) {
                continue;
            }
            let ours = buffer.format(scores[member], how);
            assert_eq!(ours, String::from_utf8_lossy(theirs), "{:e}", scores[member]);
        }
    }
}

/// A score of any magnitude.
fn score(random: &mut Random) -> f64 {
    let score = match random.below(8) {
        0..4 => f64::from_bits(random.next()),
        4 => random.next().cast_signed() as f64,
        5 => (random.next() >> random.below(64)) as f64,
        6 => random.below(1_000_000_000) as f64 / 10_f64.powf(random.below(20) as f64),
        _ => (random.below(2000) as f64 - 1000.0) * 10_f64.powf(random.below(600) as f64 - 300.0),
    };
    // How a server keeps the sign of a zero is another matter.
    if score.is_nan() || score == 0.0 { 1.5 } else { score }
}
