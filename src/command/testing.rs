//! Applies commands from text, for tests.

use super::apply::{Applied, Call, Context, Position, Warnings};
use super::lookup;
use crate::base::server::Server;
use crate::keyspace::{Bump, Keyspace, Value};

/// The time at which the commands are run, in Unix milliseconds.
pub(super) const CLOCK_MS: i64 = 1_700_000_000_000;

/// The results of commands, and the resulting data.
pub(super) struct Ran {
    /// The result of each command.
    pub(super) ended: Vec<Applied>,
    /// The counters.
    pub(super) warnings: Warnings,
    /// Each key, and its formatted value.
    pub(super) keys: Vec<(String, String)>,
}

/// Applies commands, one per line, to an empty data set. Arguments are separated by blanks; `show`
/// formats a value.
pub(super) fn run(
    server: Server,
    fields_expire_ms: Option<i64>,
    commands: &str,
    show: impl Fn(&Value<'_>) -> String,
) -> Ran {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let context = Context {
        server,
        fields_expire_ms,
        hll_sparse_max_bytes: 3000,
        clock: &|_| CLOCK_MS,
        owns: &|_| true,
    };
    let mut warnings = Warnings::default();
    let mut ended = Vec::new();
    for line in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let args: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
        let row = lookup(args[0]).expect("a known command").row();
        let at = Position::default();
        let keyspace = &mut keyspace;
        let (context, warnings) = (&context, &mut warnings);
        let mut call = Call { args: &args, frame: &[], at, db: 0, keyspace, context, warnings };
        ended.push(row.apply.expect("a command that writes")(&mut call));
    }
    let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let keys = keyspace.db(0).entries().map(|entry| (name(entry.key()), show(&entry.value)));
    Ran { ended, keys: keys.collect(), warnings }
}

/// Applies commands that all succeed, as [`run`] does, and returns the value of the first key, formatted by `show`; an
/// empty text if there is no key.
pub(super) fn only_value(
    server: Server,
    commands: &str,
    show: impl Fn(&Value<'_>) -> String,
) -> String {
    let ran = run(server, None, commands, show);
    assert!(ran.ended.iter().all(Result::is_ok), "{:?}", ran.ended);
    ran.keys.into_iter().next().map(|(_, value)| value).unwrap_or_default()
}
