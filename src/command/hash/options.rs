//! The arguments of the commands that set the expiry of fields. Redis and Valkey each have their
//! own grammar: options that one accepts in any order and repeatedly have a fixed position in the
//! other.

use std::ops::Range;

use crate::base::server::Product;
use crate::command::apply::{Call, Unapplied};
use crate::command::expiry::{Conditions, Unit};

/// The change to the expiry of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Stays,
    Goes,
    /// In Unix milliseconds.
    At(i64),
}

/// The expiry in the arguments, whose time is not parsed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    Stays,
    Goes,
    /// The index of the argument.
    Time(usize, Unit),
}

impl Given {
    /// Parses the time.
    pub(super) fn read(self, call: &mut Call<'_, '_>) -> Result<Expiry, Unapplied> {
        Ok(match self {
            Given::Stays => Expiry::Stays,
            Given::Goes => Expiry::Goes,
            Given::Time(at, unit) => Expiry::At(time(call, at, unit)?),
        })
    }
}

/// The condition on all fields, or on the key, without which nothing is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Missing,
    There,
}

/// The parsed arguments of HSETEX.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// NX and XX, only in Valkey.
    pub(super) key: Option<Wanted>,
    /// FNX and FXX.
    pub(super) fields: Option<Wanted>,
    pub(super) expiry: Given,
    /// The arguments that are fields and values.
    pub(super) pairs: Range<usize>,
}

const MISPLACED: Unapplied =
    Unapplied::Failed("ERR Mandatory argument FIELDS is missing or not at the right position");
const MISCOUNTED: Unapplied =
    Unapplied::Failed("ERR The `numfields` parameter must match the number of arguments");
const UNKNOWN: Unapplied = Unapplied::Failed("ERR unknown argument");
const FIELDS_TWICE: Unapplied = Unapplied::Failed("ERR FIELDS keyword specified multiple times");
const BAD_TIME: Unapplied = Unapplied::Failed("ERR invalid expire time");

/// The latest field expiry in Redis, which stores 46 bits.
const LAST_OF_REDIS_MS: i64 = (1 << 46) - 1;

fn is_redis(call: &Call<'_, '_>) -> bool {
    call.context.server.product == Product::Redis
}

/// Returns the unit of EX, PX, EXAT or PXAT.
fn unit_named(option: &[u8]) -> Option<Unit> {
    let units =
        [("EX", true, true), ("PX", false, true), ("EXAT", true, false), ("PXAT", false, false)];
    let named = units.into_iter().find(|(name, ..)| option.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, seconds, relative)| Unit { seconds, relative })
}

/// Parses the time at argument `at`, in Unix milliseconds.
pub(super) fn time(call: &mut Call<'_, '_>, at: usize, unit: Unit) -> Result<i64, Unapplied> {
    let last = if is_redis(call) { LAST_OF_REDIS_MS } else { i64::MAX };
    let time = call.int(at)?;
    let time_ms = if unit.seconds { time.checked_mul(1000) } else { Some(time) };
    let time_ms = time_ms.filter(|time_ms| (0..=last).contains(time_ms)).ok_or(BAD_TIME)?;
    let now_ms = if unit.relative { call.now_ms() } else { 0 };
    time_ms.checked_add(now_ms).filter(|time_ms| (0..=last).contains(time_ms)).ok_or(BAD_TIME)
}

/// Parses the arguments after FIELDS, which is argument `at`: a count, and `each` times as many
/// arguments up to the end.
fn fields(call: &Call<'_, '_>, at: usize, each: usize) -> Result<Range<usize>, Unapplied> {
    if at + 1 >= call.args.len() {
        return Err(MISPLACED);
    }
    let count = call.int(at + 1)?;
    let given = at + 2..call.args.len();
    let matches = usize::try_from(count).ok().and_then(|count| count.checked_mul(each));
    if count > 0 && matches == Some(given.len()) { Ok(given) } else { Err(MISCOUNTED) }
}

/// Returns the index of FIELDS: `at` in Redis; in Valkey the first occurrence from there on.
fn fields_at(call: &Call<'_, '_>, at: usize) -> Result<usize, Unapplied> {
    let mut places = at..call.args.len();
    let found = if is_redis(call) {
        Some(at).filter(|at| *at < call.args.len() && call.is(*at, "FIELDS"))
    } else {
        places.find(|at| call.is(*at, "FIELDS"))
    };
    found.ok_or(MISPLACED)
}

/// Parses `FIELDS count field ...` without anything before it, as in HPERSIST and HGETDEL, and
/// returns the range of the fields.
pub(super) fn only_fields(call: &Call<'_, '_>) -> Result<Range<usize>, Unapplied> {
    let at = fields_at(call, 2)?;
    if at != 2 {
        return Err(Unapplied::SYNTAX);
    }
    fields(call, at, 1)
}

/// Parses the arguments after FIELDS, which is argument `at`: a count, and `each` times as many arguments; others may
/// follow.
fn counted_fields(call: &Call<'_, '_>, at: usize, each: usize) -> Result<Range<usize>, Unapplied> {
    if at + 1 >= call.args.len() {
        return Err(MISPLACED);
    }
    let count = usize::try_from(call.int(at + 1)?).ok().filter(|count| *count > 0);
    let first = at + 2;
    let end = count.and_then(|count| count.checked_mul(each)?.checked_add(first));
    let end = end.filter(|end| *end <= call.args.len()).ok_or(MISCOUNTED)?;
    Ok(first..end)
}

/// Whether options may follow the fields. *Observed* on Redis 8.6.3.
fn takes_options_last(call: &Call<'_, '_>) -> bool {
    is_redis(call) && call.context.server.has_redis(8, 6)
}

/// Parses the arguments after the time in HEXPIRE and similar commands as Redis 8.6 does: conditions may be repeated,
/// before and after the fields, whose number is the one that is given. *Observed* on 8.6.3.
fn in_any_order(call: &Call<'_, '_>) -> Result<(Conditions, Range<usize>), Unapplied> {
    const SEVERAL: Unapplied = Unapplied::Failed("ERR Multiple condition flags specified");
    let mut conditions = Conditions::default();
    let mut fields = None;
    let mut at = 3;
    while let Some(arg) = call.args.get(at) {
        if call.is(at, "FIELDS") {
            if fields.is_some() {
                return Err(FIELDS_TWICE);
            }
            let given = counted_fields(call, at, 1)?;
            at = given.end;
            fields = Some(given);
        } else if conditions.take(arg) {
            at += 1;
        } else {
            return Err(UNKNOWN);
        }
    }
    let Conditions { nx, xx, gt, lt } = conditions;
    if [nx, xx, gt, lt].into_iter().filter(|given| *given).count() > 1 {
        return Err(SEVERAL);
    }
    fields.map(|fields| (conditions, fields)).ok_or(MISPLACED)
}

/// Parses the arguments after the time in HEXPIRE and similar commands: `[NX|XX|GT|LT] FIELDS count
/// field ...`.
pub(super) fn expiring(call: &Call<'_, '_>) -> Result<(Conditions, Range<usize>), Unapplied> {
    if takes_options_last(call) {
        return in_any_order(call);
    }
    let mut conditions = Conditions::default();
    let at = if is_redis(call) {
        let one = usize::from(conditions.take(call.args[3]));
        fields_at(call, 3 + one)?
    } else {
        let at = fields_at(call, 3)?;
        for option in &call.args[3..at] {
            if !conditions.take(option) {
                return Err(Unapplied::SYNTAX);
            }
        }
        let Conditions { nx, xx, gt, lt } = conditions;
        if nx && (xx || gt || lt) || gt && lt {
            return Err(Unapplied::SYNTAX);
        }
        at
    };
    Ok((conditions, fields(call, at, 1)?))
}

/// Parses the arguments after the key in HGETEX: `[EX|PX|EXAT|PXAT time|PERSIST] FIELDS count field
/// ...`.
pub(super) fn getting(call: &Call<'_, '_>) -> Result<(Given, Range<usize>), Unapplied> {
    if takes_options_last(call) {
        let AnyOrder { expiry, fields_given, .. } = setting_in_any_order(call, "PERSIST", 1)?;
        return Ok((expiry.unwrap_or(Given::Stays), fields_given));
    }
    let (given, at) = if !is_redis(call) {
        let (options, at) = valkey_options(call, "PERSIST")?;
        (options.given(Given::Goes, Given::Stays), at)
    } else if let Some(unit) = unit_named(call.args[2]) {
        (Given::Time(3, unit), fields_at(call, 4)?)
    } else if call.is(2, "PERSIST") {
        (Given::Goes, fields_at(call, 3)?)
    } else {
        (Given::Stays, fields_at(call, 2)?)
    };
    Ok((given, fields(call, at, 1)?))
}

/// Parses the arguments after the key in HSETEX: `[FNX|FXX] [NX|XX] [EX|PX|EXAT|PXAT time|KEEPTTL]
/// FIELDS count field value ...`, in any order before FIELDS.
pub(super) fn setting(call: &Call<'_, '_>) -> Result<Setting, Unapplied> {
    if !is_redis(call) {
        let (options, at) = valkey_options(call, "KEEPTTL")?;
        let expiry = options.given(Given::Stays, Given::Goes);
        let pairs = fields(call, at, 2)?;
        return Ok(Setting { key: options.key, fields: options.fields, expiry, pairs });
    }
    if takes_options_last(call) {
        let AnyOrder { wanted, expiry, fields_given } = setting_in_any_order(call, "KEEPTTL", 2)?;
        let expiry = expiry.unwrap_or(Given::Goes);
        return Ok(Setting { key: None, fields: wanted, expiry, pairs: fields_given });
    }
    let mut wanted = None;
    let mut expiry = None;
    let mut at = 2;
    while at < call.args.len() {
        if call.is(at, "FIELDS") {
            let expiry = expiry.unwrap_or(Given::Goes);
            let pairs = fields(call, at, 2)?;
            return Ok(Setting { key: None, fields: wanted, expiry, pairs });
        }
        let twice = if let Some(unit) = unit_named(call.args[at]) {
            at += 1;
            expiry.replace(Given::Time(at, unit)).is_some()
        } else if call.is(at, "KEEPTTL") {
            expiry.replace(Given::Stays).is_some()
        } else if call.is(at, "FNX") {
            wanted.replace(Wanted::Missing).is_some()
        } else if call.is(at, "FXX") {
            wanted.replace(Wanted::There).is_some()
        } else {
            return Err(Unapplied::Failed("ERR unknown argument"));
        };
        if twice {
            return Err(Unapplied::Failed("ERR Only one of the arguments can be specified"));
        }
        at += 1;
    }
    Err(MISPLACED)
}

/// The arguments of HSETEX or HGETEX in Redis 8.6.
struct AnyOrder {
    /// FNX and FXX, only of HSETEX.
    wanted: Option<Wanted>,
    expiry: Option<Given>,
    fields_given: Range<usize>,
}

/// Parses the arguments after the key in HSETEX (`single` is KEEPTTL) and HGETEX (PERSIST), in any order. `each` is the
/// number of arguments of a field.
fn setting_in_any_order(
    call: &Call<'_, '_>,
    single: &str,
    each: usize,
) -> Result<AnyOrder, Unapplied> {
    let (mut wanted, mut expiry, mut fields_given) = (None, None, None);
    let mut at = 2;
    while at < call.args.len() {
        let twice = if call.is(at, "FIELDS") {
            if fields_given.is_some() {
                return Err(FIELDS_TWICE);
            }
            let given = counted_fields(call, at, each)?;
            at = given.end;
            fields_given = Some(given);
            continue;
        } else if let Some(unit) = unit_named(call.args[at]) {
            at += 1;
            expiry.replace(Given::Time(at, unit)).is_some()
        } else if call.is(at, single) {
            expiry.replace(if single == "PERSIST" { Given::Goes } else { Given::Stays }).is_some()
        } else if each == 2 && call.is(at, "FNX") {
            wanted.replace(Wanted::Missing).is_some()
        } else if each == 2 && call.is(at, "FXX") {
            wanted.replace(Wanted::There).is_some()
        } else {
            return Err(UNKNOWN);
        };
        if twice {
            return Err(Unapplied::Failed("ERR Only one of the arguments can be specified"));
        }
        at += 1;
    }
    let fields_given = fields_given.ok_or(MISPLACED)?;
    // A time may be missing at the end.
    match expiry {
        Some(Given::Time(at, _)) if at >= call.args.len() => Err(Unapplied::SYNTAX),
        _ => Ok(AnyOrder { wanted, expiry, fields_given }),
    }
}

/// The options before FIELDS in Valkey: each may be repeated, as long as they do not contradict.
#[derive(Default)]
struct ValkeyOptions {
    key: Option<Wanted>,
    fields: Option<Wanted>,
    /// The index of the last time, and its unit.
    time: Option<(usize, Unit)>,
    /// Whether the option that replaces a time (PERSIST or KEEPTTL) is present.
    single: bool,
}

impl ValkeyOptions {
    /// Returns the expiry in the arguments: `single` if that option is present, `nothing` if there
    /// is no option.
    fn given(&self, single: Given, nothing: Given) -> Given {
        match self.time {
            Some((at, unit)) => Given::Time(at, unit),
            None if self.single => single,
            None => nothing,
        }
    }
}

/// Parses the options, and returns them with the index of FIELDS. The search for FIELDS begins at
/// the key, so a key of that name is mistaken for it.
fn valkey_options(call: &Call<'_, '_>, single: &str) -> Result<(ValkeyOptions, usize), Unapplied> {
    let end = fields_at(call, 1)?;
    let sets = single == "KEEPTTL";
    let mut options = ValkeyOptions::default();
    let contradicts =
        |slot: &mut Option<Wanted>, wanted| slot.replace(wanted).is_some_and(|old| old != wanted);
    let mut at = 2;
    while at < end {
        let wrong = if let Some(unit) = unit_named(call.args[at]) {
            at += 1;
            let other = options.time.replace((at, unit)).is_some_and(|(_, other)| other != unit);
            at >= end || other || options.single
        } else if call.is(at, single) {
            options.single = true;
            options.time.is_some()
        } else if sets && call.is(at, "NX") {
            contradicts(&mut options.key, Wanted::Missing)
        } else if sets && call.is(at, "XX") {
            contradicts(&mut options.key, Wanted::There)
        } else if sets && call.is(at, "FNX") {
            contradicts(&mut options.fields, Wanted::Missing)
        } else if sets && call.is(at, "FXX") {
            contradicts(&mut options.fields, Wanted::There)
        } else {
            true
        };
        if wrong {
            return Err(Unapplied::SYNTAX);
        }
        at += 1;
    }
    Ok((options, end))
}
