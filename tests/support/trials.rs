//! Trials that are ignored if a server or program that they need is not installed.

use std::path::{Path, PathBuf};

use aofkit::base::server::Server;
use libtest_mimic::Trial;

use super::binaries::{Binary, find, find_program};

/// The body of a trial against one server. It panics if the trial fails.
pub(crate) type Body = fn(&Binary);

/// Returns one trial per release line, named `NAME on LINE`.
pub(crate) fn on_each(lines: &[Server], name: &str, body: Body) -> Vec<Trial> {
    (lines.iter())
        .map(|line| {
            trial(&[*line], format!("{name} on {line}"), move |binaries| {
                body(&binaries[0]);
            })
        })
        .collect()
}

/// Returns one trial that needs all of `lines`. Its body receives their binaries in the same order.
pub(crate) fn on_all(lines: &[Server], name: &str, body: fn(&[Binary])) -> Trial {
    trial(lines, name.to_string(), body)
}

/// Returns a trial that needs no server, but a program on `PATH`. Its body receives the path of the program.
pub(crate) fn with_program(program: &str, name: &str, body: fn(&Path)) -> Trial {
    match find_program(program) {
        Ok(path) => Trial::test(name.to_owned(), move || {
            body(&path);
            Ok(())
        }),
        // AOFKIT_REQUIRE_SERVERS is about servers.
        Err(reason) => ignored(name.to_owned(), reason),
    }
}

/// Like [`on_each`], for trials that also need a program on `PATH`. The body receives its path.
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

/// Returns a trial that is ignored for a reason that no installation can change, such as missing privileges.
/// `AOFKIT_REQUIRE_SERVERS` does not make it fail.
pub(crate) fn ignored(name: String, reason: String) -> Trial {
    Trial::test(name, || Ok(())).with_kind(reason).with_ignored_flag(true)
}

/// Returns a trial that needs a program that `.ci/servers` installs: its path, or why there is none.
pub(crate) fn with_installed(found: Result<PathBuf, String>, name: &str, body: fn(&Path)) -> Trial {
    match found {
        Ok(path) => Trial::test(name.to_owned(), move || {
            body(&path);
            Ok(())
        }),
        Err(reason) => missing(name.to_owned(), reason),
    }
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

/// Returns a trial that is ignored with the reason, or fails with it under `AOFKIT_REQUIRE_SERVERS=1`.
fn missing(name: String, reason: String) -> Trial {
    let is_required = std::env::var_os("AOFKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1");
    match is_required {
        true => Trial::test(name, move || Err(reason.into())),
        false => ignored(name, reason),
    }
}
