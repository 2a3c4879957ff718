//! Runs `aofkit backup --live` and `aofkit recover --hold` against real servers.

mod access;
mod faults;
mod hold;
mod load;
mod proxy;
mod release;
mod replicas;
mod works;

use aofkit::base::server::Server;
use libtest_mimic::Trial;

use crate::support::{self, Body};

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        access::trials(),
        faults::trials(),
        hold::trials(),
        load::trials(),
        release::trials(),
        replicas::trials(),
        works::trials(),
    ];
    trials.into_iter().flatten().collect()
}

/// Like [`support::on_each`], for trials of this module.
fn on_each(lines: &[Server], name: &str, body: Body) -> Vec<Trial> {
    support::on_each(lines, &format!("live::{name}"), body)
}

/// Like [`on_each`], for trials that are ignored because of missing privileges.
fn ignore_each(lines: &[Server], name: &str, reason: &str) -> Vec<Trial> {
    let ignored = |line| support::ignored(format!("live::{name} on {line}"), reason.to_owned());
    lines.iter().map(ignored).collect()
}
