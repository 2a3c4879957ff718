//! Events that occur regularly, such as a nightly FLUSHDB of a cache.

use super::event_kind::EventKind;
use super::timeline::Event;

/// The minimum number of events of the same kind that can be regular.
const FEWEST: usize = 3;

/// Marks the events that run the same command on the same database at regular times or intervals.
pub(super) fn mark(events: &mut [Event]) {
    let mut kinds: Vec<(EventKind, u32, Vec<usize>)> = Vec::new();
    for (index, event) in events.iter().enumerate() {
        if event.never_run || event.keys_lost.is_none_or(|lost| lost == 0) {
            continue;
        }
        let same =
            |(what, db, _): &&mut (EventKind, u32, _)| (*what, *db) == (event.what, event.db);
        match kinds.iter_mut().find(same) {
            Some((_, _, indexes)) => indexes.push(index),
            None => kinds.push((event.what, event.db, vec![index])),
        }
    }
    for (_, _, indexes) in kinds {
        let regular = regular(events, &indexes);
        indexes.into_iter().take(regular).for_each(|index| events[index].is_routine = true);
    }
}

/// Returns the number of events that are regular: all of them, all but the last, or none.
fn regular(events: &[Event], indexes: &[usize]) -> usize {
    let ordinals: Vec<u64> = indexes.iter().map(|index| events[*index].ordinal).collect();
    let time = |index: &usize| {
        let time = events[*index].time;
        time.from.filter(|_| time.exact).and_then(|time| u64::try_from(time).ok())
    };
    let times: Option<Vec<u64>> = indexes.iter().map(time).collect();
    let is_regular = |count: usize| {
        let in_time = times.as_ref().is_some_and(|times| has_regular_gaps(&times[..count]));
        in_time || has_regular_gaps(&ordinals[..count])
    };
    let counts = [indexes.len(), indexes.len().saturating_sub(1)];
    counts.into_iter().find(|count| is_regular(*count)).unwrap_or(0)
}

/// Returns whether ascending points have gaps of about the same length.
fn has_regular_gaps(points: &[u64]) -> bool {
    let mut gaps: Vec<u64> =
        points.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    gaps.sort_unstable();
    let (Some(shortest), Some(longest)) = (gaps.first(), gaps.last()) else { return false };
    let median = gaps[gaps.len() / 2];
    points.len() >= FEWEST && median > 1 && shortest * 2 >= median && *longest <= median * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_regular_within_a_factor_of_two_of_the_median() {
        assert!(has_regular_gaps(&[58, 93, 129, 166]));
        assert!(has_regular_gaps(&[0, 86_400, 172_810]));
        assert!(!has_regular_gaps(&[58, 93]), "two events");
        assert!(!has_regular_gaps(&[58, 93, 129, 140]));
        assert!(!has_regular_gaps(&[58, 93, 129, 1000]));
        assert!(!has_regular_gaps(&[5, 6, 7, 8]), "one after the other");
    }
}
