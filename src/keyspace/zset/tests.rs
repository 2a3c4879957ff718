//! Sorted sets compared with a sorted list.

use super::*;

/// Returns pseudorandom numbers.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).expect("31 bits")
}

/// Applies the same changes to a sorted list and a set.
#[test]
fn a_set_matches_a_sorted_list() {
    let names: Vec<Vec<u8>> = (0..3000).map(|n: u32| n.to_string().into_bytes()).collect();
    let mut state = 88_172_645_463_325_252;
    for most in [5, 40, 700, 3000] {
        let mut set = Zset::default();
        let mut list: Vec<Scored<'_>> = Vec::new();
        for step in 0..6000 {
            let name = &names[random(&mut state) % most][..];
            list.retain(|(other, _)| *other != name);
            if random(&mut state).is_multiple_of(4) {
                set.remove(name);
            } else {
                let score = f64::from(u32::try_from(random(&mut state) % 50).expect("small"));
                set.insert(name, score, ZeroSign::Kept);
                list.push((name, score));
            }
            if step % 40 != 0 {
                continue;
            }
            list.sort_unstable_by(order::compare);
            assert_eq!(set.ascending(), list);
            let ordered = set.ordered();
            assert!(ordered.all().eq(list.iter().copied()));
            assert_eq!(
                (ordered.first(), ordered.last()),
                (list.first().copied(), list.last().copied())
            );
            let (from, to) =
                (random(&mut state) % (list.len() + 2), random(&mut state) % (list.len() + 2));
            let (start, end) = (ordered.rank(from), ordered.rank_from_end(to));
            let (from, to) = (from.min(list.len()), list.len().saturating_sub(to));
            let expected = list.get(from..to).unwrap_or(&[]);
            assert!(ordered.range(start..end).eq(expected.iter().copied()));
            assert!(ordered.range(start..end).rev().eq(expected.iter().rev().copied()));
            let bound = f64::from(u32::try_from(random(&mut state) % 60).expect("small"));
            let low = ordered.partition_point(|(_, score)| score < bound);
            assert_eq!(low, ordered.rank(list.partition_point(|(_, score)| *score < bound)));
            if step % 400 == 0 {
                set.remove_range(start..end);
                if from < to {
                    list.drain(from..to);
                }
                assert!(set.ordered().all().eq(list.iter().copied()));
                assert_eq!(set.len(), list.len());
            }
        }
    }
}

#[test]
fn members_added_in_order_fill_the_runs() {
    let names: Vec<Vec<u8>> = (0..5000).map(|n: u32| n.to_be_bytes().to_vec()).collect();
    let mut set = Zset::default();
    for name in &names {
        set.insert(name, 1.0, ZeroSign::Kept);
        set.ordered();
    }
    assert!(set.ordered().all().map(|(name, _)| name).eq(names.iter().map(Vec::as_slice)));
}

/// Observed: in packed sets, Redis 7.0 and later lose the sign; with a long member, or 129 members,
/// they retain it.
#[test]
fn the_sign_of_a_zero_is_lost_in_a_packed_set() {
    let sign = |zero, before: &'static [u8]| {
        let mut set = Zset::default();
        set.insert(before, 1.0, zero);
        set.insert(b"zero", -0.0, zero);
        set.score(b"zero").map(f64::is_sign_negative)
    };
    assert_eq!(sign(ZeroSign::Kept, b"short"), Some(true));
    assert_eq!(sign(ZeroSign::LostWhenPacked, b"short"), Some(false));
    assert_eq!(sign(ZeroSign::LostWhenPacked, &[b'x'; 64]), Some(false));
    assert_eq!(sign(ZeroSign::LostWhenPacked, &[b'x'; 65]), Some(true));
}

#[test]
fn the_129th_member_ends_the_packed_encoding() {
    let names: Vec<Vec<u8>> = (0..129).map(|n: u32| n.to_be_bytes().to_vec()).collect();
    let mut set = Zset::default();
    for name in &names {
        assert!(set.is_packed());
        set.insert(name, -0.0, ZeroSign::LostWhenPacked);
    }
    let negative = set.members().filter(|(_, score)| score.is_sign_negative()).count();
    assert_eq!((negative, set.is_packed()), (1, false));
    set.remove(&names[0]);
    assert!(!set.is_packed(), "for good");
}
