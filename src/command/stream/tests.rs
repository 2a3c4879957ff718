//! Tests of behaviour that the differential tests against servers cannot cover: refusals, and
//! times.

use super::super::apply::{Applied, Call, Context, Position, Unapplied, Warnings};
use crate::base::server::{Server, redis, valkey};
use crate::keyspace::stream::{Pending, StreamId};
use crate::keyspace::{Bump, Keyspace, Stream};

const NOW_MS: i64 = 1_700_000_000_000;

struct Replay<'a> {
    server: Server,
    keyspace: Keyspace<'a>,
    warnings: Warnings,
}

impl<'a> Replay<'a> {
    fn new(arena: &'a Bump, server: Server) -> Self {
        Replay { server, keyspace: Keyspace::new(arena), warnings: Warnings::default() }
    }

    fn apply(&mut self, line: &'a str) -> Applied {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let row = super::super::lookup(args[0]).expect("a command").row();
        let context = Context {
            server: self.server,
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            clock: &|_| NOW_MS,
            owns: &|_| true,
        };
        let mut call = Call {
            args: &args,
            frame: &[],
            at: Position::default(),
            db: 0,
            keyspace: &mut self.keyspace,
            context: &context,
            warnings: &mut self.warnings,
        };
        row.apply.expect("it does something")(&mut call)
    }

    fn all(&mut self, lines: &[&'a str]) {
        for line in lines {
            assert_eq!(self.apply(line), Ok(()), "{line}");
        }
    }

    fn stream(&mut self) -> &Stream<'a> {
        self.keyspace.db(0).find::<Stream<'_>>(b"s").expect("a stream").expect("it is there")
    }

    fn ids(&mut self) -> Vec<u64> {
        self.stream().entries().map(|(id, _)| id.ms).collect()
    }

    fn pending(&mut self) -> Vec<Pending> {
        self.stream().group(b"g").expect("a group").pending().collect()
    }
}

const THREE: [&str; 3] = ["XADD s 1-0 f v", "XADD s 2-0 f v", "XADD s 3-0 f v"];

#[test]
fn approximate_trimming_is_refused_if_it_could_have_an_effect() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(7, 0));
    replay.all(&THREE);
    for line in [
        "XTRIM s MAXLEN ~ 2",
        "XTRIM s MINID ~ 2",
        "XADD s MAXLEN ~ 3 4-0 f v",
        "XADD s MAXLEN ~ 1 LIMIT 5 4-0 f v",
        "XADD s MINID ~ 9 4-0 f v",
    ] {
        assert!(matches!(replay.apply(line), Err(Unapplied::Refused(_))), "{line}");
        assert_eq!(replay.ids(), [1, 2, 3], "nothing was done by {line}");
    }
    replay.all(&["XTRIM s MAXLEN ~ 3", "XTRIM s MINID ~ 1", "XADD s MAXLEN ~ 4 4-0 f v"]);
    assert_eq!(replay.ids(), [1, 2, 3, 4]);
    replay.all(&["XTRIM s MAXLEN ~ 0"]);
    assert!(replay.ids().is_empty());
}

/// Observed on Redis 8.2.3: if `g` with 1-0 is destroyed after `XDELEX s ACKED IDS 1 3-0` accessed
/// it, 2-0 remains; without that access it is removed.
#[test]
fn acked_is_refused_if_a_destroyed_group_may_reference_an_entry() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(8, 2));
    replay.all(&THREE);
    replay.all(&["XGROUP CREATE s h 3-0", "XGROUP CREATE s g 1-0", "XGROUP DESTROY s g"]);
    for line in [
        "XTRIM s ACKED MAXLEN 1",
        "XADD s ACKED MAXLEN 1 4-0 f v",
        "XTRIM s ACKED MINID 3",
        "XDELEX s ACKED IDS 2 1-0 2-0",
    ] {
        assert!(matches!(replay.apply(line), Err(Unapplied::Refused(_))), "{line}");
        assert_eq!(replay.ids(), [1, 2, 3], "nothing was done by {line}");
    }
    replay.all(&["XCLAIM s h c 0 2-0 TIME 1 FORCE JUSTID"]);
    let line = "XACKDEL s h ACKED IDS 1 2-0";
    assert!(matches!(replay.apply(line), Err(Unapplied::Refused(_))));
    // It is certainly pending; and the entries that the destroyed group had delivered are not new
    // to it.
    replay.all(&["XDELEX s ACKED IDS 2 2-0 1-0"]);
    assert_eq!(replay.ids(), [2, 3]);
    replay.all(&["XGROUP DESTROY s h", "XDELEX s ACKED IDS 1 2-0"]);
    assert_eq!(replay.ids(), [3], "there is no group");
}

#[test]
fn an_id_from_the_clock_is_above_the_last() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, valkey(9, 1));
    replay.all(&["XADD s 1-0 f v", "XADD s * f v", "XADD s * f v"]);
    let now = u64::try_from(NOW_MS).expect("after 1970");
    assert_eq!(replay.ids(), [1, now, now]);
    assert_eq!(replay.stream().last_id(), StreamId { ms: now, seq: 1 });
    assert_eq!(replay.warnings.relative_times, 2);
    replay.all(&["XADD s 1800000000000-7 f v", "XADD s * f v"]);
    assert_eq!(replay.stream().last_id(), StreamId { ms: 1_800_000_000_000, seq: 8 });
}

#[test]
fn a_delivery_has_the_time_in_the_log() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(7, 2));
    replay.all(&THREE);
    replay.all(&[
        "XGROUP CREATE s g 0",
        "XCLAIM s g c 0 1-0 TIME 5 RETRYCOUNT 3 FORCE JUSTID LASTID 1-0",
        "XCLAIM s g c 0 2-0 TIME 1800000000000 FORCE JUSTID",
    ]);
    assert_eq!(replay.warnings.relative_times, 0, "the clock did not matter");
    replay.all(&["XCLAIM s g c 0 3-0 IDLE 1000 FORCE"]);
    assert_eq!(replay.warnings.relative_times, 1);
    let times: Vec<(i64, u64)> =
        replay.pending().iter().map(|entry| (entry.delivered_ms, entry.deliveries)).collect();
    assert_eq!(times, [(5, 3), (1_800_000_000_000, 1), (NOW_MS - 1000, 2)]);
}

/// Entries with a shorter idle time are skipped.
#[test]
fn an_entry_is_claimed_once_its_idle_time_is_reached() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(7, 2));
    replay.all(&THREE);
    replay.all(&[
        "XGROUP CREATE s g 0",
        "XCLAIM s g c 0 1-0 TIME 1699999999000 FORCE JUSTID",
        "XCLAIM s g c 0 2-0 TIME 1699999999001 FORCE JUSTID",
        "XCLAIM s g d 1000 1-0 2-0 TIME 7 JUSTID",
    ]);
    let times: Vec<i64> = replay.pending().iter().map(|entry| entry.delivered_ms).collect();
    assert_eq!(times, [7, 1_699_999_999_001]);
}

#[test]
fn fields_are_borrowed_from_the_command_in_the_log() {
    let arena = Bump::new();
    let frame = b"*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$3\r\n1-0\r\n$1\r\nf\r\n$5\r\nvalue\r\n";
    let args: [&[u8]; 5] =
        [&frame[8..12], &frame[18..19], &frame[25..28], &frame[34..35], &frame[41..46]];
    let mut keyspace = Keyspace::new(&arena);
    let context = Context {
        server: redis(7, 0),
        fields_expire_ms: None,
        hll_sparse_max_bytes: 3000,
        clock: &|_| NOW_MS,
        owns: &|_| true,
    };
    let mut call = Call {
        args: &args,
        frame,
        at: Position::default(),
        db: 0,
        keyspace: &mut keyspace,
        context: &context,
        warnings: &mut Warnings::default(),
    };
    assert_eq!(crate::command::stream::add::xadd(&mut call), Ok(()));
    let stream = keyspace.db(0).find::<Stream<'_>>(b"s").expect("a stream").expect("it is there");
    let (_, fields) = stream.entries().next().expect("an entry");
    assert_eq!(fields.as_log_bytes().as_ptr(), frame[30..].as_ptr());
    assert_eq!(fields.iter().collect::<Vec<_>>(), [(&b"f"[..], &b"value"[..])]);
}

fn counters(stream: &Stream<'_>) -> [u64; 4] {
    let config = stream.idmp().expect("there were producers").config();
    [config.duration, config.max_entries, config.iids_added, config.duplicates]
}

/// The state that XINFO reports after Redis 8.6.3 has loaded these commands.
#[test]
fn an_entry_that_a_producer_adds_twice_is_detected() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(8, 6));
    replay.all(&[
        "XADD s IDMP p i1 1-1 f v",
        "XADD s IDMP p i1 * f v",
        "XADD s IDMP p i1 5-1 f w",
        "XADD s IDMP p i2 6-1 f w",
        "XADD s IDMPAUTO p 7-1 a b c d",
        "XADD s IDMPAUTO p * c d a b",
        "XADD s IDMPAUTO p 9-1 c d a b",
    ]);
    assert_eq!(replay.ids(), [1, 6, 7]);
    assert_eq!(counters(replay.stream()), [100, 100, 3, 4]);
    assert_eq!(replay.warnings.relative_times, 0, "the clock did not matter");
}

#[test]
fn too_many_ids_of_a_producer_are_forgotten() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(8, 6));
    replay.all(&[
        "XADD s 1 f v",
        "XCFGSET s IDMP-MAXSIZE 2 IDMP-DURATION 1000",
        "XADD s IDMP p i1 2 f v",
        "XADD s IDMP p i2 3 f v",
        "XADD s IDMP p i3 4 f v",
        "XADD s IDMP q i3 5 f v",
        "XADD s IDMP p i1 6 f v",
        "XDEL s 6",
        "XADD s IDMP p i1 * f v",
        "XTRIM s MAXLEN 1",
        "XADD s IDMP p i3 * f v",
        "XCFGSET s IDMP-MAXSIZE 2",
        "XADD s IDMP p i3 20 f v",
    ]);
    assert_eq!(replay.ids(), [5]);
    assert_eq!(counters(replay.stream()), [1000, 2, 5, 3]);
    for line in [
        "XCFGSET s IDMP-MAXSIZE 3 IDMP-MAXSIZE 4",
        "XCFGSET s IDMP-DURATION 90 IDMP-MAXSIZE 0",
        "XCFGSET s IDMP-DURATION 86401",
        "XCFGSET s",
        "XCFGSET none IDMP-MAXSIZE 3",
        "XADD s IDMP p q IDMPAUTO p 30 f v",
        "XADD s IDMP p i9 1-1 f v",
    ] {
        assert!(matches!(replay.apply(line), Err(Unapplied::Failed(_))), "{line}");
    }
    assert_eq!(counters(replay.stream()), [1000, 2, 5, 3]);
}

#[test]
fn a_recorded_id_needs_its_entry() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(8, 6));
    replay.all(&["XADD s 5-1 f v", "XADD s 6-1 f v", "XADD s 7-1 f v", "XDEL s 6-1"]);
    replay.all(&["XIDMPRECORD s p i1 5-1", "XIDMPRECORD s p i1 5-1"]);
    for line in [
        "XIDMPRECORD s p i2 6-1",
        "XIDMPRECORD s p i3 8-1",
        "XIDMPRECORD s p i1 7-1",
        "XIDMPRECORD none p i1 5-1",
    ] {
        assert!(matches!(replay.apply(line), Err(Unapplied::Failed(_))), "{line}");
    }
    assert_eq!(counters(replay.stream()), [100, 100, 1, 0]);
}

/// A server that rewrote its log has replaced IDMPAUTO by the id that it computed.
#[test]
fn a_computed_id_is_recognized_by_the_fields_of_its_entry() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(8, 6));
    replay.all(&[
        "XADD s 5-1 a b c d",
        "XIDMPRECORD s p 0123456789abcdef 5-1",
        "XADD s IDMPAUTO p 6-1 a b",
        "XADD s IDMPAUTO p * c d a b",
    ]);
    assert_eq!(replay.ids(), [5, 6]);
    assert_eq!(counters(replay.stream())[3], 1);
}

/// The documented modes and options.
#[test]
fn entries_are_given_back_to_their_group() {
    let arena = Bump::new();
    let mut replay = Replay::new(&arena, redis(8, 8));
    replay.all(&THREE);
    replay.all(&[
        "XGROUP CREATE s g 0",
        "XCLAIM s g c 0 1-0 2-0 TIME 5 RETRYCOUNT 3 FORCE JUSTID",
        "XNACK s g SILENT IDS 2 1-0 9-0",
        "XNACK s g FATAL IDS 1 2-0",
        "XNACK s g FAIL RETRYCOUNT 7 IDS 2 3-0 9-0 FORCE",
    ]);
    let pending: Vec<_> = (replay.pending().iter())
        .map(|entry| (entry.id.ms, entry.delivered_ms, entry.deliveries))
        .collect();
    assert_eq!(pending, [(1, 0, 2), (2, 0, i64::MAX as u64), (3, 0, 7)]);
    let group = replay.stream().group(b"g").expect("a group");
    assert_eq!(group.nacked().len(), 3);
    assert!(group.consumers().all(|consumer| consumer.pending().len() == 0));
    for line in [
        "XNACK s g OTHER IDS 1 1-0",
        "XNACK s none FAIL IDS 1 1-0",
        "XNACK none g FAIL IDS 1 1-0",
        "XNACK s g FAIL IDS 2 1-0",
        "XNACK s g FAIL IDS 1 1-0 MORE",
    ] {
        assert!(matches!(replay.apply(line), Err(Unapplied::Failed(_))), "{line}");
    }
}
