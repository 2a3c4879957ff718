//! SORT, which only has an effect with STORE.
//!
//! Checked against `sortCommandGeneric` and `lookupKeyByPattern` in `sort.c` of Valkey 8.0, and by
//! experiment on Redis 6.2, 7.0 and 8.2 and Valkey 9.1.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::apply::{Applied, Call, Unapplied};
use super::zset::double::double;
use crate::base::server::{Product, Server};
use crate::keyspace::{Db, End, List, StringValue, Value};

/// The parsed options.
#[derive(Debug, Clone, Default)]
struct Options<'a> {
    descending: bool,
    alpha: bool,
    /// The number of elements to skip, and the number of elements wanted; negative for all.
    limit: Option<(i64, i64)>,
    by: Option<&'a [u8]>,
    /// Whether BY is a pattern that contains no other key, so that the elements are not sorted.
    unsorted: bool,
    get: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

/// An element with its sort key.
struct Item<'a> {
    element: &'a [u8],
    score: f64,
    /// With BY and ALPHA; `None` if there is no such value.
    text: Option<Vec<u8>>,
}

const NOT_A_NUMBER: Unapplied =
    Unapplied::Failed("ERR One or more scores can't be converted into double");

pub(super) fn sort(call: &mut Call<'_, '_>) -> Applied {
    let mut options = options(call)?;
    let (key, server) = (call.key(), call.context.server);
    let fields_expire_ms = call.context.fields_expire_ms;
    let db = call.keyspace.db(call.db);
    let mut items = elements(db, key, &mut options)?;
    let (start, end) = range(options.limit, items.len());
    let keys = Keys { db, fields_expire_ms };
    if !options.unsorted {
        weigh(&mut items, &options, &keys, server)?;
        items.sort_by(|one, other| order(one, other, &options));
    }
    let Some(store) = options.store else { return Ok(()) };
    if !options.unsorted && is_undecided(&items, start, end, &options) {
        return Err(Unapplied::Refused("equal values of a sort by text have no certain order"));
    }

    let mut stored = List::default();
    for item in &items[start..end] {
        if options.get.is_empty() {
            stored.push(End::Tail, item.element);
        }
        for pattern in &options.get {
            stored.push(
                End::Tail,
                match keys.look_up(pattern, item.element) {
                    Some(SortKey::Element) => item.element,
                    Some(SortKey::Value(value)) => value.in_arena(db.arena()),
                    None => &[],
                },
            );
        }
    }
    if stored.elements.is_empty() {
        db.remove(store);
    } else {
        db.set(store, Value::List(Box::new(stored)));
    }
    Ok(())
}

fn options<'a>(call: &Call<'_, 'a>) -> Result<Options<'a>, Unapplied> {
    let mut options = Options::default();
    let mut at = 2;
    while at < call.args.len() {
        let left = call.args.len() - at - 1;
        if call.is(at, "ASC") {
            options.descending = false;
        } else if call.is(at, "DESC") {
            options.descending = true;
        } else if call.is(at, "ALPHA") {
            options.alpha = true;
        } else if call.is(at, "LIMIT") && left >= 2 {
            options.limit = Some((call.int(at + 1)?, call.int(at + 2)?));
            at += 2;
        } else if call.is(at, "STORE") && left >= 1 {
            options.store = Some(call.args[at + 1]);
            at += 1;
        } else if call.is(at, "BY") && left >= 1 {
            let pattern = call.args[at + 1];
            options.by = Some(pattern);
            options.unsorted |= !c_string(pattern).contains(&b'*');
            at += 1;
        } else if call.is(at, "GET") && left >= 1 {
            options.get.push(call.args[at + 1]);
            at += 1;
        } else {
            return Err(Unapplied::SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}

/// Returns the elements to sort, in the order that they retain if they are not sorted.
fn elements<'a>(
    db: &Db<'a>,
    key: &[u8],
    options: &mut Options<'_>,
) -> Result<Vec<Item<'a>>, Unapplied> {
    let item = |element| Item { element, score: 0.0, text: None };
    let mut items: Vec<_> = match db.get(key).map(|entry| &entry.value) {
        None => return Ok(Vec::new()),
        Some(Value::List(list)) => list.elements.iter().copied().map(item).collect(),
        Some(Value::Set(set)) => {
            // The order of a set differs from server to server.
            if options.unsorted && options.store.is_some() {
                options.unsorted = false;
                options.alpha = true;
                options.by = None;
            }
            set.members().map(item).collect()
        }
        Some(Value::Zset(zset)) => {
            let members =
                if options.unsorted { zset.ascending() } else { zset.members().collect() };
            members.into_iter().map(|(member, _)| item(member)).collect()
        }
        Some(Value::Opaque(_)) => {
            return Err(Unapplied::Refused(
                "the key was changed by commands that are not understood",
            ));
        }
        Some(_) => return Err(Unapplied::WRONG_TYPE),
    };
    if options.unsorted && options.descending {
        items.reverse();
    }
    Ok(items)
}

/// Returns the range of the sorted elements that is wanted.
fn range(limit: Option<(i64, i64)>, len: usize) -> (usize, usize) {
    let (skip, count) = limit.unwrap_or((0, -1));
    let start = usize::try_from(skip.max(0)).map_or(len, |skip| skip.min(len));
    let end = match usize::try_from(count) {
        Ok(count) => start.saturating_add(count).min(len),
        // Negative: all.
        Err(_) => len,
    };
    (start, end)
}

/// Determines the sort key of each element.
fn weigh<'a>(
    items: &mut [Item<'a>],
    options: &Options<'_>,
    keys: &Keys<'_, 'a>,
    server: Server,
) -> Applied {
    if options.alpha && options.by.is_none() {
        return Ok(());
    }
    for item in items {
        let text = match options.by {
            None => Cow::Borrowed(item.element),
            Some(pattern) => match keys.look_up(pattern, item.element) {
                // Sorted as zero, or before all texts.
                None => continue,
                Some(SortKey::Element) => Cow::Borrowed(item.element),
                Some(SortKey::Value(StringValue::Int(number))) if !options.alpha => {
                    #[allow(clippy::cast_precision_loss)] // As the servers do.
                    let score = *number as f64;
                    item.score = score;
                    continue;
                }
                Some(SortKey::Value(value)) => bytes(value),
            },
        };
        if options.alpha {
            item.text = Some(text.into_owned());
        } else {
            item.score = score(c_string(&text), server).ok_or(NOT_A_NUMBER)?;
        }
    }
    Ok(())
}

fn order(one: &Item<'_>, other: &Item<'_>, options: &Options<'_>) -> Ordering {
    let order = match (options.alpha, options.by) {
        (true, None) => one.element.cmp(other.element),
        // None sorts first.
        (true, Some(_)) => one.text.cmp(&other.text),
        (false, _) => {
            let scores = one.score.partial_cmp(&other.score).unwrap_or(Ordering::Equal);
            scores.then_with(|| one.element.cmp(other.element))
        }
    };
    if options.descending { order.reverse() } else { order }
}

/// Returns whether the result depends on how the server's library orders equal elements.
fn is_undecided(items: &[Item<'_>], start: usize, end: usize, options: &Options<'_>) -> bool {
    // Two neighbours, of which one is wanted.
    let pairs = items.windows(2).enumerate().filter(|(at, _)| at + 1 >= start && *at < end);
    start < end
        && pairs.into_iter().any(|(_, pair)| {
            order(&pair[0], &pair[1], options) == Ordering::Equal
                && pair[0].element != pair[1].element
        })
}

/// The result of looking up a pattern.
enum SortKey<'a, 'd> {
    /// The element itself.
    Element,
    /// A string, or the value of a field.
    Value(&'d StringValue<'a>),
}

/// The keys that patterns refer to.
struct Keys<'d, 'a> {
    db: &'d Db<'a>,
    fields_expire_ms: Option<i64>,
}

impl<'d, 'a> Keys<'d, 'a> {
    /// Returns the value that a pattern refers to: the first `*` is replaced by the element, and
    /// the text after `->` names a field.
    fn look_up(&self, pattern: &[u8], element: &[u8]) -> Option<SortKey<'a, 'd>> {
        // The servers search the pattern as a C string, but then use all of it.
        let text = c_string(pattern);
        if text == b"#" {
            return Some(SortKey::Element);
        }
        let star = memchr::memchr(b'*', text)?;
        let arrow = memchr::memmem::find(&text[star + 1..], b"->").map(|at| star + 1 + at);
        let arrow = arrow.filter(|at| at + 2 < text.len());
        let after = &pattern[star + 1..arrow.unwrap_or(pattern.len())];
        let key = [&pattern[..star], element, after].concat();
        match (&self.db.get(&key)?.value, arrow) {
            (Value::String(value), None) => Some(SortKey::Value(value)),
            (Value::Hash(hash), Some(at)) => {
                let field = &pattern[at + 2..];
                let field = hash.find(field)?;
                let passed = |now| hash.expiry(field).is_some_and(|expires_ms| expires_ms < now);
                let passed = self.fields_expire_ms.is_some_and(passed);
                (!passed).then(|| SortKey::Value(hash.value(field)))
            }
            _ => None,
        }
    }
}

fn bytes<'v>(value: &'v StringValue<'_>) -> Cow<'v, [u8]> {
    match value {
        StringValue::Borrowed(bytes) => Cow::Borrowed(bytes),
        StringValue::Owned(bytes) => Cow::Borrowed(bytes),
        StringValue::Int(_) => Cow::Owned(value.to_vec()),
    }
}

/// Returns the text before the first zero byte.
fn c_string(text: &[u8]) -> &[u8] {
    &text[..memchr::memchr(0, text).unwrap_or(text.len())]
}

/// Parses the number that an element or value is sorted by. Servers up to Redis 7.4 and Valkey 8.0
/// use the C library, which skips leading blanks and accepts hexadecimal numbers. All except Redis
/// since 8.0 fail on numbers outside the range of a double.
fn score(text: &[u8], server: Server) -> Option<f64> {
    let own = server.has_valkey(8, 1) || server.product == Product::Redis && server.has_redis(8, 0);
    if text.is_empty() {
        return (!server.has_valkey(8, 1)).then_some(0.0);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = if own { text } else { &text[blanks..] };
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if !own && matches!(digits, [b'0', b'x' | b'X', ..]) {
        return double(text, server);
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let mantissa = digits.split(|byte| matches!(byte, b'e' | b'E')).next().unwrap_or_default();
    let is_zero = !mantissa.iter().any(|digit| matches!(digit, b'1'..=b'9'));
    let too_large =
        value.is_infinite() && digits.first().is_some_and(|byte| !byte.is_ascii_alphabetic());
    let too_small = value == 0.0 && !is_zero;
    // The C library reports an error for subnormal numbers as well.
    let inexact = !own && value != 0.0 && value.abs() < f64::MIN_POSITIVE;
    let complains = too_large || too_small || inexact;
    let minds = server.product == Product::Valkey || !own;
    (!value.is_nan() && (!minds || !complains)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::{redis, valkey};

    /// Whether `RPUSH l TEXT`, `SORT l STORE d` succeeds.
    #[test]
    fn numbers_are_parsed_as_by_each_server() {
        let is = |text: &[u8], server| score(c_string(text), server).is_some();
        let lines = [redis(6, 2), redis(7, 0), redis(8, 2), valkey(9, 1)];
        for (text, on) in [
            (&b"1"[..], [true, true, true, true]),
            (b" 1", [true, true, false, false]),
            (b"\x0b2", [true, true, false, false]),
            (b"+1", [true; 4]),
            (b"", [true, true, true, false]),
            (b"1 ", [false; 4]),
            (b"1e400", [false, false, true, false]),
            (b"1e-400", [false, false, true, false]),
            (b"5e-324", [false, false, true, true]),
            (b"1e-310", [false, false, true, true]),
            (b"2.2250738585072014e-308", [true; 4]),
            (b"inf", [true; 4]),
            (b"-INF", [true; 4]),
            (b"infinity", [true; 4]),
            (b"nan", [false; 4]),
            (b"1\0x", [true; 4]),
            (b"1e", [false; 4]),
            (b"0x10", [true, true, false, false]),
            (b"0x.8", [true, true, false, false]),
            (b"0X1P-2", [true, true, false, false]),
            (b"0x1p-1074", [true, true, false, false]),
            (b"0x", [false; 4]),
            (b"0x1p", [false; 4]),
            (b"+-1", [false; 4]),
            (b".5", [true; 4]),
            (b"1.", [true; 4]),
            (b"-0", [true; 4]),
            (b"1_0", [false; 4]),
        ] {
            assert_eq!(lines.map(|line| is(text, line)), on, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn limits_are_clamped_to_the_elements() {
        for (limit, expected) in [
            (None, (0, 4)),
            (Some((-5, 2)), (0, 2)),
            (Some((i64::MAX, 2)), (4, 4)),
            (Some((1, i64::MAX)), (1, 4)),
            (Some((1, -5)), (1, 4)),
            (Some((1, 0)), (1, 1)),
        ] {
            assert_eq!(range(limit, 4), expected, "{limit:?}");
        }
    }
}
