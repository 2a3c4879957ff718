//! The servers' partial sort, which decides which members at equal distance COUNT retains.
//!
//! It is the quicksort of Bentley and McIlroy ("Engineering a Sort Function", 1993) restricted to
//! the requested part (`pqsort.c`). It is not stable, so the result is only equal if its steps are
//! equal.

use std::cmp::Ordering;

/// Sorts the elements that belong to the first `wanted` positions; the order of the others is
/// unspecified.
pub(super) fn partial_sort<T>(
    mut items: &mut [T],
    mut wanted: usize,
    compare: &impl Fn(&T, &T) -> Ordering,
) {
    loop {
        let len = items.len();
        if len < 7 {
            for end in 1..len {
                let mut at = end;
                while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
                    items.swap(at - 1, at);
                    at -= 1;
                }
            }
            return;
        }
        items.swap(0, pivot(items, compare));
        let (smaller, larger) = split(items, compare);
        if smaller > 1 {
            partial_sort(&mut items[..smaller], wanted, compare);
        }
        let first = len - larger;
        if larger <= 1 || first >= wanted {
            return;
        }
        items = &mut items[first..];
        wanted -= first;
    }
}

/// Returns the median of three, or, for many elements, of three such medians.
fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let median = |a: usize, b: usize, c: usize| {
        let cmp = |one: usize, other: usize| compare(&items[one], &items[other]);
        if cmp(a, b).is_lt() {
            if cmp(b, c).is_lt() {
                b
            } else if cmp(a, c).is_lt() {
                c
            } else {
                a
            }
        } else if cmp(b, c).is_gt() {
            b
        } else if cmp(a, c).is_lt() {
            a
        } else {
            c
        }
    };
    let len = items.len();
    let (mut low, mut middle, mut high) = (0, len / 2, len - 1);
    if len == 7 {
        return middle;
    }
    if len > 40 {
        let eighth = len / 8;
        low = median(low, low + eighth, low + 2 * eighth);
        middle = median(middle - eighth, middle, middle + eighth);
        high = median(high - 2 * eighth, high - eighth, high);
    }
    median(low, middle, high)
}

/// Moves the elements smaller than the first to the start and the larger ones to the end, and
/// returns how many there are of each.
fn split<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    // Equal elements are first gathered at both ends: before `equal_low`, and from `equal_high`.
    // The smaller ones are before `low`, and the larger ones from `high`.
    let (mut equal_low, mut low, mut high, mut equal_high) = (1, 1, len, len);
    loop {
        while low < high {
            match compare(&items[low], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(equal_low, low);
                    equal_low += 1;
                }
                Ordering::Less => {}
            }
            low += 1;
        }
        while low < high {
            match compare(&items[high - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    equal_high -= 1;
                    items.swap(high - 1, equal_high);
                }
                Ordering::Greater => {}
            }
            high -= 1;
        }
        if low >= high {
            break;
        }
        items.swap(low, high - 1);
        low += 1;
        high -= 1;
    }
    let (smaller, larger) = (low - equal_low, equal_high - high);
    exchange(items, 0, low, equal_low.min(smaller));
    exchange(items, low, len, larger.min(len - equal_high));
    (smaller, larger)
}

/// Exchanges `count` elements starting at `from` with the `count` elements before `end`.
fn exchange<T>(items: &mut [T], from: usize, end: usize, count: usize) {
    (0..count).for_each(|at| items.swap(from + at, end - count + at));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sorted_part_equals_that_of_a_full_sort() {
        let mut state = 1_u64;
        for len in 0..200 {
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                state >> 33
            };
            let items: Vec<u64> = (0..len).map(|_| next() % (len / 3 + 1)).collect();
            let mut sorted = items.clone();
            sorted.sort_unstable();
            for wanted in [0, items.len().min(1), items.len() / 3, items.len()] {
                let mut partly = items.clone();
                partial_sort(&mut partly, wanted, &u64::cmp);
                assert_eq!(partly[..wanted], sorted[..wanted], "{wanted} of {items:?}");
                partly.sort_unstable();
                assert_eq!(partly, sorted);
            }
        }
    }
}
