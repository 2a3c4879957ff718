//! Database indexes, and the options of the commands that empty databases.

use super::apply::Unapplied;
use super::number::integer;
use crate::base::server::Server;

const OUT_OF_RANGE: Unapplied = Unapplied::Failed("ERR DB index is out of range");

/// Parses a database index as SELECT, MOVE, COPY and SWAPDB do (`getIntFromObjectOrReply` in
/// `object.c`): `+3`, `03` and ` 3` are errors. Returns `None` where a server answers with an error,
/// after which the selected database is the previous one.
///
/// The number of databases is the server's configuration, so there is no limit but that of the type.
#[inline]
pub fn database_index(text: &[u8]) -> Option<u32> {
    parse(text, Unapplied::NOT_AN_INTEGER).ok()
}

/// Parses a database index like [`database_index`].
///
/// # Errors
///
/// `not_a_number` if the text is not an integer, and otherwise that the index is out of range.
pub(super) fn parse(text: &[u8], not_a_number: Unapplied) -> Result<u32, Unapplied> {
    let number = integer(text).and_then(|number| i32::try_from(number).ok());
    u32::try_from(number.ok_or(not_a_number)?).map_err(|_| OUT_OF_RANGE)
}

/// Returns whether FLUSHALL or FLUSHDB is executed with these arguments after its name, rather than
/// answered with an error. Without a server: whether any server executes it.
pub fn flush_is_executed<'a>(
    mut options: impl Iterator<Item = &'a [u8]>,
    server: Option<Server>,
) -> bool {
    match (options.next(), options.next()) {
        (None, _) => true,
        (Some(mode), None) => {
            let has_sync = || server.is_none_or(|server| server.has_redis(6, 2));
            mode.eq_ignore_ascii_case(b"ASYNC") || mode.eq_ignore_ascii_case(b"SYNC") && has_sync()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::{redis, valkey};

    #[test]
    fn only_the_form_that_servers_accept_is_an_index() {
        for index in [0, 1, 9, 10, 16, i32::MAX.cast_unsigned()] {
            assert_eq!(database_index(index.to_string().as_bytes()), Some(index));
        }
        for text in [
            "+3",
            "02",
            "00",
            " 3",
            "3 ",
            "3\0",
            "-1",
            "-0",
            "",
            "x",
            "1.0",
            "2147483648",
            "4294967296",
            "18446744073709551616",
        ] {
            assert_eq!(database_index(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn flush_is_executed_with_one_known_option_at_most() {
        let executed = |options: &[&str], server| {
            flush_is_executed(options.iter().map(|option| option.as_bytes()), server)
        };
        for server in [None, Some(redis(6, 2)), Some(valkey(7, 2))] {
            for options in [&[][..], &["ASYNC"], &["async"], &["SYNC"], &["sync"]] {
                assert!(executed(options, server), "{options:?}");
            }
            for options in [&["NOW"][..], &[""], &["SYNC", "SYNC"], &["ASYNC", "x"], &["", ""]] {
                assert!(!executed(options, server), "{options:?}");
            }
        }
        assert!(executed(&["ASYNC"], Some(redis(6, 0))));
        assert!(!executed(&["SYNC"], Some(redis(6, 0))));
    }
}
