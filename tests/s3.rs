//! Backups to object storage, against a store that speaks S3.
//!
//! The store is moto, the one of the candidates that checks conditions on CompleteMultipartUpload and installs within seconds
//! from a registry; `.ci/servers` installs it. If it is not installed, the trials are reported as ignored, with the reason. With
//! `AOFKIT_REQUIRE_SERVERS=1` they fail instead. moto accepts any signature: those of requests are tested in `src/store/sign.rs`,
//! with documented ones.
//!
//! `cargo test` builds with the feature `s3`, which the dependency of the tests on the library itself switches on.
//!
//! `AOFKIT_KILLS` is the number of runs that are killed (3 by default), `AOFKIT_STALL` the seconds without an answer (5).

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

#[allow(dead_code, unused_imports)] // Most of it is for tests of running servers.
mod support;

mod s3 {
    pub(crate) mod backups;
    pub(crate) mod checksums;
    pub(crate) mod encrypted;
    pub(crate) mod examples;
    pub(crate) mod faults;
    pub(crate) mod live;
    pub(crate) mod proxy;
    pub(crate) mod store;
    pub(crate) mod tls;
}

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let tests: Vec<s3::store::Test> = [
        s3::backups::TESTS,
        s3::checksums::TESTS,
        s3::encrypted::TESTS,
        s3::examples::TESTS,
        s3::faults::TESTS,
        s3::tls::TESTS,
    ]
    .concat();
    let required = std::env::var_os("AOFKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1");
    let trials = tests.into_iter().map(|(name, test)| match s3::store::program() {
        Ok(program) => Trial::test(name, move || {
            test(&s3::store::Store::start(&program));
            Ok(())
        }),
        Err(reason) if required => Trial::test(name, move || Err(reason.into())),
        Err(reason) => Trial::test(name, || Ok(())).with_ignored_flag(true).with_kind(reason),
    });
    let live = s3::live::LINES.iter().flat_map(|&line| {
        s3::live::TESTS.iter().map(move |&(name, test)| {
            let found = s3::store::program().and_then(|store| Ok((store, support::find(line)?)));
            let name = format!("{name} on {line}");
            match found {
                Ok((store, server)) => Trial::test(name, move || {
                    test(&s3::store::Store::start(&store), &server);
                    Ok(())
                }),
                Err(reason) if required => Trial::test(name, move || Err(reason.into())),
                Err(reason) => {
                    Trial::test(name, || Ok(())).with_ignored_flag(true).with_kind(reason)
                }
            }
        })
    });
    libtest_mimic::run(&arguments, trials.chain(live).collect()).exit()
}
