//! The key positions of a command.

use super::row::{Command, Keys};

impl Command {
    /// Calls `visit` with the index of each key among the arguments, from left to right.
    ///
    /// `argc` includes the name, and `arg` returns the argument at an index below `argc`, the name
    /// at 0. The keys of a container are those of its subcommand. Returns false if the arguments do
    /// not have the required form: a count that is not a number or exceeds the arguments, an
    /// unknown subcommand or option. A server replies to such a command with an error; in that case
    /// none or only some of the keys were visited.
    #[must_use]
    pub fn visit_keys<'a>(
        &self,
        argc: usize,
        arg: impl Fn(usize) -> &'a [u8],
        visit: impl FnMut(usize),
    ) -> bool {
        if self.subcommands.is_empty() {
            return self.keys.visit(argc, arg, visit);
        }
        let sub = if argc > 1 { self.subcommand(arg(1)) } else { None };
        sub.is_some_and(|sub| sub.keys.visit(argc, arg, visit))
    }
}

impl Keys {
    /// Like [`Command::visit_keys`], for a command or subcommand with these keys.
    #[inline]
    #[must_use]
    pub fn visit<'a>(
        self,
        argc: usize,
        arg: impl Fn(usize) -> &'a [u8],
        mut visit: impl FnMut(usize),
    ) -> bool {
        match self {
            Keys::None => true,
            // A fast path for by far the most frequent case.
            Keys::Range { first: 1, last: 1, .. } => {
                if argc > 1 {
                    visit(1);
                }
                argc > 1
            }
            Keys::Range { first, last, step } => {
                let (first, step) = (usize::from(first), usize::from(step));
                let back = usize::from(last.unsigned_abs());
                let last = if last < 0 { argc.saturating_sub(back) } else { back };
                (first..=last.min(argc.saturating_sub(1))).step_by(step).for_each(visit);
                first <= last && last < argc
            }
            _ => self.visit_computed(argc, &arg, &mut visit),
        }
    }

    fn visit_computed<'a>(
        self,
        argc: usize,
        arg: &dyn Fn(usize) -> &'a [u8],
        visit: &mut dyn FnMut(usize),
    ) -> bool {
        let is = |at: usize, name: &str| arg(at).eq_ignore_ascii_case(name.as_bytes());
        match self {
            Keys::None | Keys::Range { .. } => unreachable!("visited without computing"),
            Keys::Counted { dest, at, step } => {
                let (at, step) = (usize::from(at), usize::from(step));
                if at >= argc {
                    return false;
                }
                let Some(count) = decimal(arg(at)) else { return false };
                let available = argc - at - 1;
                if count.checked_mul(step).is_none_or(|taken| taken > available) {
                    return false;
                }
                if let Some(dest) = dest {
                    visit(usize::from(dest));
                }
                (0..count).for_each(|key| visit(at + 1 + key * step));
                true
            }
            Keys::Sort => {
                if argc < 2 {
                    return false;
                }
                visit(1);
                let skip = |at| match () {
                    () if is(at, "LIMIT") => Some(2),
                    () if is(at, "BY") || is(at, "GET") || is(at, "STORE") => Some(1),
                    () if is(at, "ASC") || is(at, "DESC") || is(at, "ALPHA") => Some(0),
                    () => None,
                };
                let (mut at, mut dest) = (2, None);
                while at < argc {
                    let Some(values) = skip(at) else { return false };
                    if at + values >= argc {
                        return false;
                    }
                    if is(at, "STORE") {
                        dest = Some(at + 1);
                    }
                    at += 1 + values;
                }
                dest.into_iter().for_each(visit);
                true
            }
            Keys::Geo { options } => {
                if argc < 2 {
                    return false;
                }
                visit(1);
                let (mut at, mut dest) = (usize::from(options), None);
                while at < argc {
                    if (is(at, "STORE") || is(at, "STOREDIST")) && at + 1 < argc {
                        dest = Some(at + 1);
                        at += 1;
                    }
                    at += 1;
                }
                dest.into_iter().for_each(visit);
                true
            }
            Keys::Streams => {
                let mut at = 1;
                while at < argc && !is(at, "STREAMS") {
                    at += match () {
                        () if is(at, "GROUP") => 3,
                        () if is(at, "BLOCK") || is(at, "COUNT") => 2,
                        () if is(at, "NOACK") => 1,
                        () => return false,
                    };
                }
                let streams_and_ids = argc.saturating_sub(at + 1);
                (at + 1..at + 1 + streams_and_ids / 2).for_each(visit);
                streams_and_ids != 0 && streams_and_ids.is_multiple_of(2)
            }
            Keys::Migrate => {
                if argc < 4 {
                    return false;
                }
                if !arg(3).is_empty() {
                    visit(3);
                    return true;
                }
                let mut at = 6;
                while at < argc && !is(at, "KEYS") {
                    at += match () {
                        () if is(at, "AUTH2") => 3,
                        () if is(at, "AUTH") => 2,
                        () => 1,
                    };
                }
                (at + 1..argc).for_each(visit);
                at + 1 < argc
            }
            Keys::Stralgo => {
                let Some(at) = (2..argc).find(|at| is(*at, "KEYS") || is(*at, "STRINGS")) else {
                    return false;
                };
                if is(at, "STRINGS") {
                    return true;
                }
                (at + 1..argc.min(at + 3)).for_each(visit);
                at + 2 < argc
            }
        }
    }
}

/// Parses a count as the servers do: only digits, without leading zeros.
fn decimal(text: &[u8]) -> Option<usize> {
    let canonical = matches!(text, [b'0'] | [b'1'..=b'9', ..]);
    let all_digits = text.iter().all(u8::is_ascii_digit);
    (canonical && all_digits).then(|| std::str::from_utf8(text).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use crate::command::lookup;

    /// Returns the indexes of the keys, or `None` if they cannot be determined.
    fn places(line: &str) -> Option<Vec<usize>> {
        let args: Vec<&[u8]> = line
            .split(' ')
            .map(|arg| if arg == "''" { &b""[..] } else { arg.as_bytes() })
            .collect();
        let row = lookup(args[0]).expect("a command").row();
        let mut places = Vec::new();
        row.visit_keys(args.len(), |at| args[at], |at| places.push(at)).then_some(places)
    }

    #[test]
    fn keys_are_found_at_their_positions() {
        let cases: &[(&str, &[usize])] = &[
            ("get k", &[1]),
            ("PING", &[]),
            ("DEL a b c", &[1, 2, 3]),
            ("MSET a 1 b 2", &[1, 3]),
            ("RENAME a b", &[1, 2]),
            ("BLPOP a b 0", &[1, 2]),
            ("BITOP AND d a b", &[2, 3, 4]),
            ("xgroup create s g $", &[2]),
            ("XGROUP HELP", &[]),
            ("EVAL return 2 a b c", &[3, 4]),
            ("EVAL return 0", &[]),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", &[1, 3, 4]),
            ("MSETEX 2 a 1 b 2 EX 9", &[2, 4]),
            ("BLMPOP 0 2 a b LEFT", &[3, 4]),
            ("SORT l", &[1]),
            ("SORT l BY store GET x LIMIT 0 1 ALPHA STORE d", &[1, 11]),
            ("SORT l STORE d STORE e", &[1, 5]),
            ("GEORADIUS g 0 0 1 m STORE d STOREDIST e", &[1, 9]),
            ("GEORADIUSBYMEMBER g STORE 1 m", &[1]),
            ("GEORADIUSBYMEMBER g m 1 m STORE d", &[1, 6]),
            ("XREAD COUNT 2 STREAMS a b 0 0", &[4, 5]),
            ("XREADGROUP GROUP STREAMS c NOACK STREAMS a >", &[6]),
            ("MIGRATE h 1 k 0 9", &[3]),
            ("MIGRATE h 1 '' 0 9 COPY AUTH KEYS KEYS a b", &[10, 11]),
            ("STRALGO LCS KEYS a b LEN", &[3, 4]),
            ("STRALGO LCS STRINGS a b", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(places(line).as_deref(), Some(*expected), "{line}");
        }
    }

    #[test]
    fn invalid_arguments_are_detected() {
        for line in [
            "GET",
            "DEL",
            "RENAME a",
            "XGROUP",
            "XGROUP NOSUCH s",
            "EVAL return",
            "EVAL return x a",
            "EVAL return -1 a",
            "EVAL return 2 a",
            "EVAL return 18446744073709551615 a",
            "EVAL return 99999999999999999999 a",
            "MSETEX 9223372036854775808 a 1",
            "SORT l STORE",
            "SORT l NOSUCH",
            "XREAD STREAMS a",
            "XREAD STREAMS",
            "XREAD COUNT",
            "MIGRATE h 1 '' 0 9",
        ] {
            assert_eq!(places(line), None, "{line}");
        }
    }
}
