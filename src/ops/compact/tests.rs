//! The check of the output: incorrect output is never published.

use super::output::Piece;
use super::*;
use crate::base::progress::Silent;
use crate::replay::Routed;
use crate::replay::Routing;

/// A log whose shards are corrupted on the way to the output.
struct Harmed<'l> {
    routing: Routing<'l>,
    harm: fn(&mut Vec<Piece>),
}

impl Source for Harmed<'_> {
    fn whole(&self) -> &Routed<'_> {
        self.routing.whole()
    }

    fn shards(
        &self,
        options: &ReplayOptions,
        progress: &dyn Progress,
        make: &MakeShare<'_>,
        take: &mut TakeShare<'_>,
    ) -> Result<ReplayStats> {
        let mut harmed = |shard, mut made: Made| {
            let encoded: &mut Encoded = made.downcast_mut().expect("an encoded shard");
            (self.harm)(&mut encoded.pieces);
            take(shard, made)
        };
        self.routing.shards(options, progress, make, &mut harmed)
    }
}

/// Compacts a log of two keys with the given corruption; returns the error, and whether anything was published.
fn compacted(form: Form, harm: fn(&mut Vec<Piece>)) -> (Option<String>, bool) {
    let place = tempfile::tempdir().expect("a directory");
    let (path, output) = (place.path().join("a.aof"), place.path().join("out"));
    let commands = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nvalue\r\n*3\r\n$4\r\nSADD\r\n$1\r\nb\r\n$6\r\nmember\r\n";
    std::fs::write(&path, commands).expect("a log");
    let log = open_files(&path).expect("it opens");
    let route_options = RouteOptions::default();
    let source = Harmed { routing: route(&log, &route_options, &Silent).expect("routed"), harm };
    let options = CompactOptions {
        output: Some(output.clone()),
        existing: Existing::Keep,
        form: Some(form),
        server: Some(redis(7, 0)),
        filter: Filter::default(),
        check: true,
        route: route_options,
        replay: ReplayOptions {
            server: Some(redis(7, 0)),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            time_ms: Some(0),
            threads: 1,
        },
        ctime: 0,
        compress: false,
        ..CompactOptions::default()
    };
    let error = write_data_set(&log, &source, &options, &Silent).err();
    let left = std::fs::read_dir(place.path()).expect("a list").count();
    let published = output.exists();
    assert_eq!(left, 1 + usize::from(published), "nothing unfinished is left");
    (error.map(|error| error.to_string()), published)
}

const FORMS: [Form; 5] =
    [Form::Aof, Form::Preamble, Form::Multipart, Form::MultipartAof, Form::Rdb];

#[test]
fn correct_output_is_published() {
    for form in FORMS {
        assert_eq!(compacted(form, |_| ()), (None, true), "{form}");
    }
}

#[test]
fn changed_value_is_detected() {
    let harm = |pieces: &mut Vec<Piece>| {
        for piece in pieces {
            let at = piece.bytes.windows(5).position(|bytes| bytes == b"value");
            if let Some(at) = at {
                piece.bytes[at] ^= 1;
            }
        }
    };
    for form in FORMS {
        let (error, published) = compacted(form, harm);
        let error = error.expect("it is noticed");
        // In an RDB the checksum detects the corruption first.
        let known = ["what was written does not hold the same data (2 keys against 2)", "damaged"];
        assert!(known.iter().any(|known| error.contains(known)), "{form}: {error}");
        assert!(!published, "{form}");
    }
}

#[test]
fn lost_shard_is_detected() {
    let harm = |pieces: &mut Vec<Piece>| {
        pieces.retain(|piece| !piece.bytes.windows(6).any(|bytes| bytes == b"member"));
    };
    for form in FORMS {
        let (error, published) = compacted(form, harm);
        let error = error.expect("it is noticed");
        let reported = "what was written does not hold the same data (1 keys against 2)";
        assert!(error.contains(reported), "{form}: {error}");
        assert!(!published, "{form}");
    }
}
