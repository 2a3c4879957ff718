//! Scripts and functions.
//!
//! No scripts are executed. Since Redis 7.0, and up to 6.2 mostly, the log contains the effects of
//! a script as commands; a script itself in the log is refused.

use super::apply::{Applied, Call, Unapplied};
use super::row::{
    Command, Destruction, NO_KEYS, Subcommand, counted, plain, since, sub, valkey_only, write,
};
use crate::base::server::Server;
use crate::keyspace::functions::{self, Functions, LibraryError, Policy};
use crate::rdb::{Dump, Text, Visitor};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // Its effect depends on the script. Logged verbatim up to Redis 6.2, never since 7.0.
    write("EVAL",       -3, since(2, 6), counted(2)).by(eval),
    write("EVALSHA",    -3, since(2, 6), counted(2)).by(eval),
    plain("EVALSHA_RO", -3, since(7, 0), counted(2)),
    plain("EVAL_RO",    -3, since(7, 0), counted(2)),
    // Its effect depends on the function; only its effects are logged.
    write("FCALL",      -3, since(7, 0), counted(2)).by(fcall),
    plain("FCALL_RO",   -3, since(7, 0), counted(2)),
    write("FUNCTION",   -2, since(7, 0), NO_KEYS).with(FUNCTION).destroys(Destruction::Functions),
    plain("SCRIPT",     -2, since(2, 6), NO_KEYS).with(SCRIPT),
];

#[rustfmt::skip]
const FUNCTION: &[Subcommand] = &[
    sub("DELETE",   3, since(7, 0), NO_KEYS).writes(),
    sub("DUMP",     2, since(7, 0), NO_KEYS),
    sub("FLUSH",   -2, since(7, 0), NO_KEYS).writes(),
    sub("HELP",     2, since(7, 0), NO_KEYS),
    sub("KILL",     2, since(7, 0), NO_KEYS),
    sub("LIST",    -2, since(7, 0), NO_KEYS),
    sub("LOAD",    -3, since(7, 0), NO_KEYS).writes(),
    sub("RESTORE", -3, since(7, 0), NO_KEYS).writes(),
    sub("STATS",    2, since(7, 0), NO_KEYS),
];

#[rustfmt::skip]
const SCRIPT: &[Subcommand] = &[
    // The engine name came with Valkey 9.1.
    sub("DEBUG",  -3, since(3, 2),       NO_KEYS).until(valkey_only(9, 1), 3),
    sub("EXISTS", -3, since(2, 6),       NO_KEYS),
    sub("FLUSH",  -2, since(2, 6),       NO_KEYS),
    sub("HELP",    2, since(5, 0),       NO_KEYS),
    sub("KILL",    2, since(2, 6),       NO_KEYS),
    sub("LOAD",    3, since(2, 6),       NO_KEYS),
    sub("SHOW",    3, valkey_only(8, 0), NO_KEYS),
];

fn eval(_: &mut Call<'_, '_>) -> Applied {
    Err(Unapplied::Refused("a script cannot be run without a Lua interpreter"))
}

fn fcall(_: &mut Call<'_, '_>) -> Applied {
    Err(Unapplied::Refused("a function cannot be run without its engine"))
}

impl From<LibraryError> for Unapplied {
    fn from(error: LibraryError) -> Self {
        Unapplied::Failed(error.message())
    }
}

/// Applies FUNCTION with these arguments, including the name as the first. Libraries do not belong
/// to a shard of the keys, so the commands of this name in a log are applied once, in their order,
/// to the libraries of the whole data set.
///
/// Errors that a server detects when it compiles a library are not detected: see [`Functions`].
///
/// # Errors
///
/// Returns [`Unapplied::Failed`] if the server replies with an error; the libraries are unchanged
/// in that case.
pub fn apply_function(args: &[&[u8]], functions: &mut Functions, server: Server) -> Applied {
    let Some((name, args)) = args.get(1..).and_then(<[_]>::split_first) else {
        return Err(WRONG_ARGUMENTS);
    };
    let is = |option: &str| name.eq_ignore_ascii_case(option.as_bytes());
    match () {
        () if is("LOAD") => load(args, functions, server),
        () if is("DELETE") => match args {
            [name] => Ok(functions.delete(name)?),
            _ => Err(WRONG_ARGUMENTS),
        },
        () if is("FLUSH") => flush(args, functions),
        () if is("RESTORE") => restore(args, functions, server),
        // The other subcommands only read, or stop a running function.
        () => Ok(()),
    }
}

const WRONG_ARGUMENTS: Unapplied =
    Unapplied::Failed("ERR wrong number of arguments for 'function' command");

fn load(args: &[&[u8]], functions: &mut Functions, server: Server) -> Applied {
    let (code, options) = args.split_last().ok_or(WRONG_ARGUMENTS)?;
    if !options.iter().all(|option| option.eq_ignore_ascii_case(b"REPLACE")) {
        return Err(Unapplied::Failed("ERR Unknown option given"));
    }
    has_engine(code, server)?;
    Ok(functions.load(code, !options.is_empty())?)
}

/// Checks that the server has the engine of the library. Modules can add engines to Valkey since
/// 8.1, and a library in a log was loaded successfully.
fn has_engine(code: &[u8], server: Server) -> Applied {
    let engine = functions::library_head(code)?.engine;
    if engine.eq_ignore_ascii_case(b"LUA") || server.has_valkey(8, 1) && !engine.is_empty() {
        Ok(())
    } else {
        Err(Unapplied::Failed("ERR Engine not found"))
    }
}

fn flush(args: &[&[u8]], functions: &mut Functions) -> Applied {
    match args {
        [] => {}
        [mode]
            if [&b"SYNC"[..], b"ASYNC"].iter().any(|option| mode.eq_ignore_ascii_case(option)) => {}
        [_] => {
            let text = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
            return Err(Unapplied::Failed(text));
        }
        _ => return Err(WRONG_ARGUMENTS),
    }
    functions.flush();
    Ok(())
}

fn restore(args: &[&[u8]], functions: &mut Functions, server: Server) -> Applied {
    let (payload, policy) = match args {
        [payload] => (payload, Policy::Append),
        [payload, option] => {
            let options = [
                (&b"APPEND"[..], Policy::Append),
                (b"REPLACE", Policy::Replace),
                (b"FLUSH", Policy::Flush),
            ];
            let known = options.into_iter().find(|(name, _)| option.eq_ignore_ascii_case(name));
            let (_, policy) = known.ok_or(Unapplied::Failed(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ))?;
            (payload, policy)
        }
        _ => return Err(WRONG_ARGUMENTS),
    };
    let mut restored = Restored { functions: Functions::default(), server, outcome: Ok(()) };
    let dump = Dump::open(payload, server)?;
    if dump.read_functions(&mut restored).is_err() {
        return Err(Unapplied::Failed("ERR given type is not a function"));
    }
    restored.outcome?;
    Ok(functions.restore(restored.functions, policy)?)
}

/// Collects the libraries of a payload.
struct Restored {
    functions: Functions,
    server: Server,
    outcome: Applied,
}

impl<'a> Visitor<'a> for Restored {
    fn function(&mut self, library: Text<'a, '_>) {
        if self.outcome.is_ok() {
            let code = library.to_vec();
            self.outcome = has_engine(&code, self.server)
                .and_then(|()| Ok(self.functions.load(&code, false)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::{redis, valkey};
    use crate::rdb::crc64;

    fn apply(functions: &mut Functions, args: &[&[u8]]) -> Applied {
        let args: Vec<&[u8]> =
            std::iter::once(&b"FUNCTION"[..]).chain(args.iter().copied()).collect();
        apply_function(&args, functions, redis(7, 0))
    }

    fn names(functions: &Functions) -> Vec<&[u8]> {
        functions.iter().map(|(name, _)| name).collect()
    }

    const A: &[u8] = b"#!lua name=a\n1";
    const B: &[u8] = b"#!LUA name=b\n2";

    #[test]
    fn libraries_are_loaded_and_deleted() {
        let mut functions = Functions::default();
        apply(&mut functions, &[b"load", A]).expect("a new one");
        apply(&mut functions, &[b"LOAD", B]).expect("a new one");
        assert_eq!(names(&functions), [b"a", b"b"]);
        assert!(apply(&mut functions, &[b"LOAD", A]).is_err());
        apply(&mut functions, &[b"LOAD", b"replace", b"REPLACE", A]).expect("it replaces");
        assert!(apply(&mut functions, &[b"LOAD", b"other", A]).is_err());
        assert!(apply(&mut functions, &[b"LOAD"]).is_err());
        assert!(apply(&mut functions, &[b"DELETE", b"c"]).is_err());
        apply(&mut functions, &[b"DELETE", b"a"]).expect("it is there");
        assert_eq!(names(&functions), [b"b"]);
        assert!(apply(&mut functions, &[b"FLUSH", b"NOW"]).is_err());
        apply(&mut functions, &[b"STATS"]).expect("nothing to do");
        apply(&mut functions, &[b"FLUSH", b"async"]).expect("it flushes");
        assert!(functions.is_empty());
    }

    #[test]
    fn an_engine_must_be_available_on_the_server() {
        let load = |code: &[u8], server| {
            apply_function(&[b"FUNCTION", b"LOAD", code], &mut Functions::default(), server)
        };
        assert!(load(b"#!js name=a\n", redis(8, 2)).is_err());
        assert!(load(b"#!js name=a\n", valkey(8, 0)).is_err());
        assert!(load(b"#! name=a\n", valkey(9, 1)).is_err());
        assert!(load(b"#!js name=a\n", valkey(9, 1)).is_ok());
        assert!(load(B, redis(7, 0)).is_ok());
    }

    fn payload(libraries: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for code in libraries {
            bytes.extend([0xf5, u8::try_from(code.len()).expect("a short one")]);
            bytes.extend_from_slice(code);
        }
        bytes.extend(10u16.to_le_bytes());
        bytes.extend(crc64(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn a_payload_is_restored_completely_or_not_at_all() {
        let mut functions = Functions::default();
        apply(&mut functions, &[b"LOAD", A]).expect("a new one");
        let both = payload(&[B, A]);
        assert!(apply(&mut functions, &[b"RESTORE", &both]).is_err());
        assert_eq!(names(&functions), [b"a"]);
        let twice = payload(&[B, B]);
        assert!(apply(&mut functions, &[b"RESTORE", &twice, b"REPLACE"]).is_err());
        assert!(apply(&mut functions, &[b"RESTORE", &both, b"OTHER"]).is_err());
        assert!(apply(&mut functions, &[b"RESTORE", &both[1..]]).is_err());
        assert_eq!(names(&functions), [b"a"]);
        apply(&mut functions, &[b"RESTORE", &both, b"replace"]).expect("it replaces");
        assert_eq!(names(&functions), [b"a", b"b"]);
        apply(&mut functions, &[b"RESTORE", &payload(&[B]), b"FLUSH"]).expect("it flushes");
        assert_eq!(names(&functions), [b"b"]);
        apply(&mut functions, &[b"RESTORE", &payload(&[]), b"FLUSH"]).expect("it flushes");
        assert!(functions.is_empty());
    }
}
