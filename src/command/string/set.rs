//! SET and its variants; their options, and the times they contain.

use super::super::apply::{Applied, Call, Unapplied};
use super::super::lost_expiry::{looks_propagated, may_be_sum};
use super::super::number;
use std::mem::discriminant;

use xxhash_rust::xxh3::xxh3_64;

use crate::base::server::{Product, Server};
use crate::keyspace::{Db, StringValue, Value};

const NOT_A_STRING: Unapplied =
    Unapplied::Failed("ERR Key should be of string type if conditions are specified");
const BAD_CONDITION: Unapplied =
    Unapplied::Failed("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
const BAD_DIGEST: Unapplied = Unapplied::Failed("ERR must be exactly 16 hexadecimal characters");

/// The condition for the key to be set.
#[derive(Clone, Copy)]
enum Condition {
    None,
    /// NX: the key does not exist.
    Absent,
    /// XX: the key exists.
    Present,
}

/// A condition on the value of the key, which must be a string.
///
/// *Observed* on Redis 8.6.3: the digest, which is the XXH3 as 16 hexadecimal digits, is compared as
/// text, and only its length is checked, when it is compared.
#[derive(Clone, Copy)]
enum Comparison<'a> {
    /// IFEQ: it is this.
    Equal(&'a [u8]),
    /// IFNE: it is not this.
    Different(&'a [u8]),
    /// IFDEQ: its digest is this.
    DigestEqual(&'a [u8]),
    /// IFDNE: its digest is not this.
    DigestDifferent(&'a [u8]),
}

impl<'a> Comparison<'a> {
    /// Returns the option with its argument.
    fn named(option: &[u8], argument: &'a [u8]) -> Option<Comparison<'a>> {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        Some(match () {
            () if is("IFEQ") => Comparison::Equal(argument),
            () if is("IFNE") => Comparison::Different(argument),
            () if is("IFDEQ") => Comparison::DigestEqual(argument),
            () if is("IFDNE") => Comparison::DigestDifferent(argument),
            () => return None,
        })
    }

    /// Returns whether the option is one of these on the server.
    fn is_known(option: &[u8], server: Server) -> bool {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        let of_redis = server.product == Product::Redis && server.has_redis(8, 4);
        is("IFEQ") && (of_redis || server.has_valkey(8, 1))
            || of_redis && (is("IFNE") || is("IFDEQ") || is("IFDNE"))
    }

    /// Returns whether the condition holds for a value.
    fn holds(self, value: &[u8]) -> Result<bool, Unapplied> {
        match self {
            Comparison::Equal(expected) => Ok(value == expected),
            Comparison::Different(other) => Ok(value != other),
            Comparison::DigestEqual(expected) => has_digest(value, expected),
            Comparison::DigestDifferent(other) => Ok(!has_digest(value, other)?),
        }
    }

    /// Returns whether the condition holds for a key that does not exist.
    fn holds_without_key(self) -> bool {
        matches!(self, Comparison::Different(_) | Comparison::DigestDifferent(_))
    }
}

fn has_digest(value: &[u8], digest: &[u8]) -> Result<bool, Unapplied> {
    if digest.len() != 16 {
        return Err(BAD_DIGEST);
    }
    Ok(digest.eq_ignore_ascii_case(format!("{:016x}", xxh3_64(value)).as_bytes()))
}

/// The change to the key's expiry.
#[derive(Clone, Copy)]
enum Expiry<'a> {
    /// No option: SET removes the expiry, GETEX retains it.
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Remove,
    /// The expiry is replaced by this time.
    Set(Unit, &'a [u8]),
}

/// The unit of a time, and whether it is relative to now or to 1970.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Ex,
    Px,
    ExAt,
    PxAt,
}

impl Unit {
    fn named(option: &[u8], server: Server) -> Option<Unit> {
        let unit = match option.len() {
            2 if option.eq_ignore_ascii_case(b"EX") => Unit::Ex,
            2 if option.eq_ignore_ascii_case(b"PX") => Unit::Px,
            4 if option.eq_ignore_ascii_case(b"EXAT") => Unit::ExAt,
            4 if option.eq_ignore_ascii_case(b"PXAT") => Unit::PxAt,
            _ => return None,
        };
        (matches!(unit, Unit::Ex | Unit::Px) || server.has_redis(6, 2)).then_some(unit)
    }
}

/// The options of SET, GETEX or MSETEX.
struct Options<'a> {
    condition: Condition,
    comparison: Option<Comparison<'a>>,
    get: bool,
    expiry: Expiry<'a>,
}

/// The command whose options are parsed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Set,
    Getex,
    Msetex,
}

impl<'a> Options<'a> {
    /// Parses the options, which may be in any order and may be repeated unless they contradict
    /// (`t_string.c`, `parseExtendedStringArgumentsOrReply`).
    fn read(args: &[&'a [u8]], command: Command, server: Server) -> Result<Options<'a>, Unapplied> {
        let mut options = Options {
            condition: Condition::None,
            comparison: None,
            get: false,
            expiry: Expiry::Unsaid,
        };
        // Up to Redis 6.2, NX and GET exclude each other.
        let get_with_nx = server.has_redis(7, 0);
        // *Observed*: Redis 8.6 accepts NX and XX after a comparison, Valkey 9.1 does not.
        let combines = server.product == Product::Redis;
        let mut rest = args.iter().copied();
        while let Some(option) = rest.next() {
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            let setting = command != Command::Getex;
            let existence = setting && (options.comparison.is_none() || combines);
            match (options.condition, options.expiry) {
                (Condition::None | Condition::Absent, _)
                    if existence && is("NX") && (get_with_nx || !options.get) =>
                {
                    options.condition = Condition::Absent;
                }
                (Condition::None | Condition::Present, _) if existence && is("XX") => {
                    options.condition = Condition::Present;
                }
                (condition, _)
                    if command == Command::Set
                        && is("GET")
                        && server.has_redis(6, 2)
                        && (get_with_nx || !matches!(condition, Condition::Absent)) =>
                {
                    options.get = true;
                }
                (Condition::None, _)
                    if command == Command::Set && Comparison::is_known(option, server) =>
                {
                    let argument = rest.next().ok_or(Unapplied::SYNTAX)?;
                    let comparison =
                        Comparison::named(option, argument).ok_or(Unapplied::SYNTAX)?;
                    let repeated = options.comparison.replace(comparison);
                    let is_same = |before| discriminant(before) == discriminant(&comparison);
                    if repeated.as_ref().is_some_and(|before| !combines || !is_same(before)) {
                        return Err(Unapplied::SYNTAX);
                    }
                }
                (_, Expiry::Unsaid | Expiry::Keep)
                    if setting && is("KEEPTTL") && server.has_redis(6, 0) =>
                {
                    options.expiry = Expiry::Keep;
                }
                (_, Expiry::Unsaid | Expiry::Remove) if !setting && is("PERSIST") => {
                    options.expiry = Expiry::Remove;
                }
                (_, before) => {
                    let unit = Unit::named(option, server).ok_or(Unapplied::SYNTAX)?;
                    let alike = match before {
                        Expiry::Unsaid => true,
                        Expiry::Set(before, _) => before == unit,
                        Expiry::Keep | Expiry::Remove => false,
                    };
                    match rest.next() {
                        Some(time) if alike => options.expiry = Expiry::Set(unit, time),
                        _ => return Err(Unapplied::SYNTAX),
                    }
                }
            }
        }
        Ok(options)
    }
}

/// Parses the time, in Unix milliseconds. Fails with `invalid` where a server reports an invalid
/// time.
fn expiry_ms(
    call: &mut Call<'_, '_>,
    unit: Unit,
    text: &[u8],
    invalid: &'static str,
) -> Result<i64, Unapplied> {
    let invalid = Unapplied::Failed(invalid);
    let time = number::integer(text).ok_or(Unapplied::NOT_AN_INTEGER)?;
    if time <= 0 {
        return Err(invalid);
    }
    // Redis before 6.2 did not check for overflow.
    let checked = call.context.server.has_redis(6, 2);
    let ms = match unit {
        Unit::Px | Unit::PxAt => time,
        Unit::Ex | Unit::ExAt if checked => time.checked_mul(1000).ok_or(invalid)?,
        Unit::Ex | Unit::ExAt => time.wrapping_mul(1000),
    };
    match unit {
        Unit::ExAt | Unit::PxAt => Ok(ms),
        Unit::Ex | Unit::Px if checked => {
            let at = ms.checked_add(call.now_ms()).filter(|at| *at > 0);
            at.ok_or(invalid)
        }
        Unit::Ex | Unit::Px => Ok(ms.wrapping_add(call.now_ms())),
    }
}

/// Sets the value of the key if the condition holds.
fn store<'a>(
    db: &mut Db<'a>,
    key: &[u8],
    value: &'a [u8],
    options: &Options<'a>,
    expires_ms: Option<i64>,
) -> Applied {
    let value = || Value::String(StringValue::Borrowed(value));
    let creates = !matches!(options.condition, Condition::Present)
        && options.comparison.is_none_or(Comparison::holds_without_key);
    let entry = match creates {
        true => match db.entry(key, value) {
            (entry, true) => {
                entry.set_expiry(expires_ms);
                return Ok(());
            }
            (entry, false) => entry,
        },
        false => match db.get_mut(key) {
            Some(entry) => entry,
            None => return Ok(()),
        },
    };
    let old = match &entry.value {
        Value::String(old) => Some(old),
        _ if options.get => return Err(Unapplied::WRONG_TYPE),
        _ => None,
    };
    if matches!(options.condition, Condition::Absent) {
        return Ok(());
    }
    if let Some(comparison) = options.comparison {
        let old = old.ok_or(Unapplied::WRONG_TYPE)?;
        if !old.with(|old| comparison.holds(old))? {
            return Ok(());
        }
    }
    let is_retyped = old.is_none();
    entry.value = value();
    if !matches!(options.expiry, Expiry::Keep) {
        entry.set_expiry(expires_ms);
    }
    if is_retyped {
        db.note_retyped();
    }
    Ok(())
}

pub(super) fn set(call: &mut Call<'_, '_>) -> Applied {
    let (key, value) = (call.key(), call.value(call.args[2]));
    if call.args.len() == 3 {
        if call.warnings.lost_expiries.rules.keys && looks_propagated(call.args[0], b"SET", value) {
            set_number(call);
            return Ok(());
        }
        call.db().set(key, Value::String(StringValue::Borrowed(value)));
        return Ok(());
    }
    let options = Options::read(&call.args[3..], Command::Set, call.context.server)?;
    let expires_ms = match options.expiry {
        Expiry::Set(unit, text) => {
            Some(expiry_ms(call, unit, text, "ERR invalid expire time in 'set' command")?)
        }
        _ => None,
    };
    store(call.db(), key, value, &options, expires_ms)
}

/// Sets a number, and records it if it may have been logged for an INCRBYFLOAT, which does not
/// remove the expiry.
fn set_number(call: &mut Call<'_, '_>) {
    let (key, value) = (call.key(), call.args[2]);
    let given = || Value::String(StringValue::Borrowed(value));
    let db = call.keyspace.db(call.db);
    let (entry, new) = db.entry(key, given);
    if new {
        return;
    }
    let is_retyped = !matches!(entry.value, Value::String(_));
    if entry.expires_ms().is_some()
        && let Value::String(before) = &entry.value
        && may_be_sum(before, value)
    {
        call.warnings.lost_expiries.note(call.db, key, None, call.at);
    }
    entry.value = given();
    entry.set_expiry(None);
    if is_retyped {
        db.note_retyped();
    }
}

pub(super) fn setex(call: &mut Call<'_, '_>) -> Applied {
    set_for(call, Unit::Ex, "ERR invalid expire time in 'setex' command")
}

pub(super) fn psetex(call: &mut Call<'_, '_>) -> Applied {
    set_for(call, Unit::Px, "ERR invalid expire time in 'psetex' command")
}

fn set_for(call: &mut Call<'_, '_>, unit: Unit, invalid: &'static str) -> Applied {
    let (key, time, value) = (call.key(), call.args[2], call.args[3]);
    let expires_ms = expiry_ms(call, unit, time, invalid)?;
    let value = Value::String(StringValue::Borrowed(call.value(value)));
    call.db().set(key, value).set_expiry(Some(expires_ms));
    Ok(())
}

pub(super) fn setnx(call: &mut Call<'_, '_>) -> Applied {
    let (key, value) = (call.key(), call.args[2]);
    call.db().entry(key, || Value::String(StringValue::Borrowed(value)));
    Ok(())
}

pub(super) fn getset(call: &mut Call<'_, '_>) -> Applied {
    let (key, value) = (call.key(), call.args[2]);
    let options =
        Options { condition: Condition::None, comparison: None, get: true, expiry: Expiry::Unsaid };
    store(call.db(), key, value, &options, None)
}

pub(super) fn getex(call: &mut Call<'_, '_>) -> Applied {
    const INVALID: &str = "ERR invalid expire time in 'getex' command";
    let key = call.key();
    let options = Options::read(&call.args[2..], Command::Getex, call.context.server)?;
    // Observed: Valkey 9.1 checks the time first, the others check the key first.
    let time_first = call.context.server.has_valkey(9, 1);
    if !time_first && call.db().find::<StringValue<'_>>(key)?.is_none() {
        return Ok(());
    }
    let expires_ms = match options.expiry {
        Expiry::Set(unit, text) => Some(expiry_ms(call, unit, text, INVALID)?),
        Expiry::Remove => None,
        Expiry::Unsaid | Expiry::Keep => {
            call.db().find::<StringValue<'_>>(key)?;
            return Ok(());
        }
    };
    if let Some(entry) = call.db().get_mut(key) {
        let Value::String(_) = entry.value else {
            return Err(Unapplied::WRONG_TYPE);
        };
        entry.set_expiry(expires_ms);
    }
    Ok(())
}

/// Iterates over alternating keys and values.
fn pairs<'c, 'a>(args: &'c [&'a [u8]]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + 'c {
    args.chunks_exact(2).map(|pair| (pair[0], pair[1]))
}

pub(super) fn mset(call: &mut Call<'_, '_>) -> Applied {
    if call.args.len().is_multiple_of(2) {
        return Err(Unapplied::Failed("ERR wrong number of arguments for 'mset' command"));
    }
    let (args, owns) = (call.args, call.context.owns);
    let db = call.db();
    for (key, value) in pairs(&args[1..]).filter(|(key, _)| owns(key)) {
        db.set(key, Value::String(StringValue::Borrowed(value)));
    }
    Ok(())
}

pub(super) fn msetnx(call: &mut Call<'_, '_>) -> Applied {
    if call.args.len().is_multiple_of(2) {
        return Err(Unapplied::Failed("ERR wrong number of arguments for 'msetnx' command"));
    }
    let args = call.args;
    let db = call.db();
    if pairs(&args[1..]).any(|(key, _)| db.contains(key)) {
        return Ok(());
    }
    for (key, value) in pairs(&args[1..]) {
        db.set(key, Value::String(StringValue::Borrowed(value)));
    }
    Ok(())
}

pub(super) fn msetex(call: &mut Call<'_, '_>) -> Applied {
    const INVALID: &str = "ERR invalid expire time in 'msetex' command";
    const COUNT: Unapplied = Unapplied::Failed("ERR invalid numkeys value or out of range");
    let args = call.args;
    let count = number::integer(args[1]).filter(|count| (1..=i64::from(i32::MAX)).contains(count));
    let count = count.and_then(|count| usize::try_from(count).ok()).ok_or(COUNT)?;
    let Some((keyed, rest)) = (count.checked_mul(2)).and_then(|n| args[2..].split_at_checked(n))
    else {
        return Err(Unapplied::SYNTAX);
    };
    let options = Options::read(rest, Command::Msetex, call.context.server)?;
    let expires_ms = match options.expiry {
        Expiry::Set(unit, text) => Some(expiry_ms(call, unit, text, INVALID)?),
        _ => None,
    };
    let db = call.db();
    let allowed = match options.condition {
        Condition::Absent => pairs(keyed).all(|(key, _)| !db.contains(key)),
        Condition::Present => pairs(keyed).all(|(key, _)| db.contains(key)),
        Condition::None => true,
    };
    if !allowed {
        return Ok(());
    }
    let options = Options { condition: Condition::None, ..options };
    for (key, value) in pairs(keyed) {
        store(db, key, value, &options, expires_ms)?;
    }
    Ok(())
}

/// *Observed* on 8.6.3: without a condition, the key may hold any type; a condition is only parsed if
/// the key exists.
pub(super) fn delex(call: &mut Call<'_, '_>) -> Applied {
    if !matches!(call.args.len(), 2 | 4) {
        return Err(Unapplied::Failed("ERR wrong number of arguments for 'delex' command"));
    }
    let (key, args) = (call.key(), &call.args[2..]);
    let db = call.db();
    if let [option, argument] = *args {
        let Some(value) = db.find::<StringValue<'_>>(key).map_err(|_| NOT_A_STRING)? else {
            return Ok(());
        };
        let comparison = Comparison::named(option, argument).ok_or(BAD_CONDITION)?;
        if !value.with(|value| comparison.holds(value))? {
            return Ok(());
        }
    }
    db.remove(key);
    Ok(())
}
