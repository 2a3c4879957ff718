//! INCREX (Redis 8.8 and Valkey 9.2): a counter with bounds and an expiry, as documented.

use super::super::apply::{Applied, Call, Unapplied};
use super::super::expiry::Unit;
use super::super::number;
use super::integer;
use super::long_double::{LongDouble, NotFinite};
use crate::keyspace::{StringValue, Value};

const BAD_TIME: Unapplied = Unapplied::Failed("ERR invalid expire time in 'increx' command");
const BOUNDS: Unapplied = Unapplied::Failed("ERR LBOUND can't be greater than UBOUND");
const FLOAT_BOUNDS: Unapplied =
    Unapplied::Refused("bounds of floating-point numbers are not known to this version");

/// The options. The bounds and the increment are not parsed, because their type depends on another
/// option.
#[derive(Debug, Default)]
struct Options<'a> {
    increment: Option<(bool, &'a [u8])>,
    lowest: Option<&'a [u8]>,
    highest: Option<&'a [u8]>,
    saturates: bool,
    expiry: Option<Expiry<'a>>,
    only_without_expiry: bool,
}

#[derive(Debug, Clone, Copy)]
enum Expiry<'a> {
    Remove,
    Set(Unit, &'a [u8]),
}

impl<'a> Options<'a> {
    fn parse(args: &[&'a [u8]]) -> Result<Options<'a>, Unapplied> {
        let mut options = Options::default();
        let mut rest = args.iter().copied();
        while let Some(option) = rest.next() {
            let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
            let mut argument = || rest.next().ok_or(Unapplied::SYNTAX);
            let repeated = match () {
                () if is("BYINT") => options.increment.replace((false, argument()?)).is_some(),
                () if is("BYFLOAT") => options.increment.replace((true, argument()?)).is_some(),
                () if is("LBOUND") => options.lowest.replace(argument()?).is_some(),
                () if is("UBOUND") => options.highest.replace(argument()?).is_some(),
                () if is("SATURATE") => std::mem::replace(&mut options.saturates, true),
                () if is("ENX") => std::mem::replace(&mut options.only_without_expiry, true),
                () if is("PERSIST") => options.expiry.replace(Expiry::Remove).is_some(),
                () => {
                    let unit = unit(option).ok_or(Unapplied::SYNTAX)?;
                    options.expiry.replace(Expiry::Set(unit, argument()?)).is_some()
                }
            };
            if repeated {
                return Err(Unapplied::SYNTAX);
            }
        }
        let sets = matches!(options.expiry, Some(Expiry::Set(..)));
        if options.only_without_expiry && !sets { Err(Unapplied::SYNTAX) } else { Ok(options) }
    }
}

fn unit(option: &[u8]) -> Option<Unit> {
    let units =
        [("EX", true, true), ("PX", false, true), ("EXAT", true, false), ("PXAT", false, false)];
    let named = units.into_iter().find(|(name, ..)| option.eq_ignore_ascii_case(name.as_bytes()));
    named.map(|(_, seconds, relative)| Unit { seconds, relative })
}

/// Parses the time, in Unix milliseconds.
fn time(call: &mut Call<'_, '_>, unit: Unit, text: &[u8]) -> Result<i64, Unapplied> {
    let time = number::integer(text).ok_or(Unapplied::NOT_AN_INTEGER)?;
    let scale = if unit.seconds { 1000 } else { 1 };
    let time_ms = time.checked_mul(scale).filter(|time_ms| *time_ms > 0).ok_or(BAD_TIME)?;
    let base_ms = if unit.relative { call.now_ms() } else { 0 };
    time_ms.checked_add(base_ms).ok_or(BAD_TIME)
}

pub(super) fn increx(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    let options = Options::parse(&call.args[2..])?;
    let expires_ms = match options.expiry {
        None => None,
        Some(Expiry::Remove) => Some(None),
        Some(Expiry::Set(unit, text)) => Some(Some(time(call, unit, text)?)),
    };
    let before = call.db().find::<StringValue<'_>>(key)?;
    let after = match options.increment {
        Some((true, increment)) => {
            Some(StringValue::Owned(float_sum(before, increment, &options)?))
        }
        Some((false, increment)) => {
            let increment = number::integer(increment).ok_or(Unapplied::NOT_AN_INTEGER)?;
            integer_sum(before, increment, &options)?.map(StringValue::Int)
        }
        None => integer_sum(before, 1, &options)?.map(StringValue::Int),
    };
    let Some(after) = after else { return Ok(()) };
    let (entry, _) = call.db().entry(key, || Value::String(StringValue::default()));
    entry.value = Value::String(after);
    if let Some(expires_ms) = expires_ms
        && !(options.only_without_expiry && entry.expires_ms().is_some())
    {
        entry.set_expiry(expires_ms);
    }
    Ok(())
}

/// Returns the sum; `None` if it is out of bounds, so that nothing changes.
fn integer_sum(
    before: Option<&StringValue<'_>>,
    increment: i64,
    options: &Options<'_>,
) -> Result<Option<i64>, Unapplied> {
    let bound = |text: Option<&[u8]>, missing| match text {
        Some(text) => number::integer(text).ok_or(Unapplied::NOT_AN_INTEGER),
        None => Ok(missing),
    };
    let (lowest, highest) = (bound(options.lowest, i64::MIN)?, bound(options.highest, i64::MAX)?);
    if lowest > highest {
        return Err(BOUNDS);
    }
    let before = before.map_or(Ok(0), integer)?;
    let sum = i128::from(before) + i128::from(increment);
    let within = sum.clamp(i128::from(lowest), i128::from(highest));
    if within != sum && !options.saturates {
        return Ok(None);
    }
    let within = i64::try_from(within).map_err(|_| Unapplied::OVERFLOW)?;
    // The reply contains the difference.
    within.checked_sub(before).ok_or(Unapplied::OVERFLOW)?;
    Ok(Some(within))
}

fn float_sum(
    before: Option<&StringValue<'_>>,
    increment: &[u8],
    options: &Options<'_>,
) -> Result<Vec<u8>, Unapplied> {
    const NO_NUMBER: Unapplied = Unapplied::Failed("ERR increment would produce NaN or Infinity");
    if options.lowest.is_some() || options.highest.is_some() || options.saturates {
        return Err(FLOAT_BOUNDS);
    }
    let failed = |error| match error {
        NotFinite::NoNumber => Unapplied::NOT_A_FLOAT,
        NotFinite::Infinite => NO_NUMBER,
    };
    let before = before.map_or(Ok(LongDouble::ZERO), |value| value.with(LongDouble::read));
    let sum = before.map_err(failed)?.plus(LongDouble::read(increment).map_err(failed)?);
    Ok(sum.ok_or(NO_NUMBER)?.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use crate::base::server::redis;
    use crate::command::apply::Unapplied;
    use crate::command::testing::{CLOCK_MS, only_value, run};
    use crate::keyspace::Value;

    fn left(commands: &str) -> String {
        only_value(redis(8, 8), commands, |value| match value {
            Value::String(value) => value.with(|text| String::from_utf8_lossy(text).into_owned()),
            _ => "another".to_string(),
        })
    }

    /// The examples of the documentation, and its rules for bounds.
    #[test]
    fn commands_have_the_documented_effects() {
        for (commands, expected) in [
            ("INCREX k\nINCREX k", "2"),
            ("SET k 100\nINCREX k BYINT 5\nINCREX k BYINT -10", "95"),
            ("SET k 1.5\nINCREX k BYFLOAT 0.25", "1.75"),
            ("SET k 5\nINCREX k BYINT 6 UBOUND 10", "5"),
            ("SET k 5\nINCREX k BYINT 6 UBOUND 10 SATURATE", "10"),
            ("SET k 5\nINCREX k BYINT -9 LBOUND 0 UBOUND 10 SATURATE", "0"),
            ("SET k 50\nINCREX k UBOUND 10 SATURATE", "10"),
            ("SET k 9223372036854775807\nINCREX k", "9223372036854775807"),
            ("INCREX k UBOUND 0", ""),
        ] {
            assert_eq!(left(commands), expected, "{commands}");
        }
    }

    #[test]
    fn the_expiry_is_set_unless_enx_finds_one() {
        let arena = crate::keyspace::Bump::new();
        let mut keyspace = crate::keyspace::Keyspace::new(&arena);
        let mut expiry = |line: &'static str| {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let context = crate::command::Context {
                server: redis(8, 8),
                fields_expire_ms: None,
                hll_sparse_max_bytes: 3000,
                clock: &|_| CLOCK_MS,
                owns: &|_| true,
            };
            let mut warnings = crate::command::Warnings::default();
            let mut call = crate::command::Call {
                args: &args,
                frame: &[],
                at: crate::command::Position::default(),
                db: 0,
                keyspace: &mut keyspace,
                context: &context,
                warnings: &mut warnings,
            };
            assert_eq!(super::increx(&mut call), Ok(()), "{line}");
            keyspace.db(0).get(b"k").expect("a key").expires_ms()
        };
        assert_eq!(expiry("INCREX k"), None);
        assert_eq!(expiry("INCREX k PXAT 77 ENX"), Some(77));
        assert_eq!(expiry("INCREX k PXAT 88 ENX"), Some(77));
        assert_eq!(expiry("INCREX k PXAT 99 UBOUND 1"), Some(77), "nothing is changed");
        assert_eq!(expiry("INCREX k EX 2"), Some(CLOCK_MS + 2000));
        assert_eq!(expiry("INCREX k PERSIST"), None);
    }

    #[test]
    fn wrong_options_fail() {
        for options in ["ENX", "PERSIST ENX", "BYINT 1 BYFLOAT 1", "LBOUND 2 UBOUND 1", "BYINT x"] {
            let ran = run(redis(8, 8), None, &format!("INCREX k {options}"), |_| String::new());
            assert!(matches!(ran.ended[0], Err(Unapplied::Failed(_))), "{options}");
        }
    }
}
