//! What the tests share: real servers, and trials that are ignored where a server is missing.
//!
//! A test against a server says which lines it needs, and is reported as ignored, with the reason,
//! where one of them is not installed. With `AOFKIT_REQUIRE_SERVERS=1` it fails instead, so that
//! nothing is ignored unnoticed where everything should run.

pub(crate) mod client;
pub(crate) mod server;
pub(crate) mod twin;
pub(crate) mod twin_streams;

use std::path::{Path, PathBuf};

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;

use server::{Binary, find};

/// The lines that there are binaries for: see `.ci/servers`.
pub(crate) const LINES: [Server; 4] = [redis(6, 2), redis(7, 0), redis(8, 2), valkey(9, 1)];

/// What a test does with the server it is given; it panics if it fails.
pub(crate) type Body = fn(&Binary);

/// One trial a line: `name on LINE`.
pub(crate) fn on_each(lines: &[Server], name: &str, body: Body) -> Vec<Trial> {
    (lines.iter())
        .map(|line| {
            trial(&[*line], format!("{name} on {line}"), move |binaries| {
                body(&binaries[0]);
            })
        })
        .collect()
}

/// One trial that needs all of `lines` and is given their binaries in that order.
pub(crate) fn on_all(lines: &[Server], name: &str, body: fn(&[Binary])) -> Trial {
    trial(lines, name.to_string(), body)
}

fn trial(lines: &[Server], name: String, body: impl FnOnce(&[Binary]) + Send + 'static) -> Trial {
    match lines.iter().map(|line| find(*line)).collect::<Result<Vec<_>, _>>() {
        Ok(binaries) => Trial::test(name, move || {
            body(&binaries);
            Ok(())
        }),
        Err(reason) => missing(name, reason),
    }
}

/// Where a program of this name is on `PATH`, or the reason why it is missed.
fn find_program(program: &str) -> Result<PathBuf, String> {
    let directories = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&directories).map(|place| place.join(program));
    let found = found.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| format!("needs {program}: not found"))
}

/// One trial that needs a program of this name on `PATH` and is given where it is.
pub(crate) fn with_program(program: &str, name: &str, body: fn(&Path)) -> Trial {
    match find_program(program) {
        Ok(path) => Trial::test(name, move || {
            body(&path);
            Ok(())
        }),
        Err(reason) => missing(name.to_string(), reason),
    }
}

/// As [`on_each`], with a program that the trials need as well.
pub(crate) fn with_program_on_each(
    lines: &[Server],
    program: &str,
    name: &str,
    body: fn(&Binary, &Path),
) -> Vec<Trial> {
    let on = |line: &Server| {
        let name = format!("{name} on {line}");
        match find_program(program) {
            Ok(path) => trial(&[*line], name, move |binaries| body(&binaries[0], &path)),
            Err(reason) => missing(name, reason),
        }
    };
    lines.iter().map(on).collect()
}

/// Ignored with the reason; a failure where nothing may be missing.
fn missing(name: String, reason: String) -> Trial {
    if required() { Trial::test(name, move || Err(reason.into())) } else { ignored(name, reason) }
}

/// Ignored with the reason, whatever may be missing: for what depends on who runs the tests, and no
/// installation mends.
pub(crate) fn ignored(name: String, reason: String) -> Trial {
    Trial::test(name, || Ok(())).with_kind(reason).with_ignored_flag(true)
}

fn required() -> bool {
    std::env::var_os("AOFKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1")
}
