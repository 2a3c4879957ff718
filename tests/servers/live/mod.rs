//! Backups of running servers, as a person makes them: the program, against real servers.

mod access;
mod faults;
mod harm;
mod hold;
mod load;
mod place;
mod proxy;
mod replicas;
mod works;

use aofkit::base::server::Server;
use libtest_mimic::Trial;

use crate::support::{self, Body};

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        access::trials(),
        faults::trials(),
        harm::trials(),
        hold::trials(),
        load::trials(),
        replicas::trials(),
        works::trials(),
    ];
    trials.into_iter().flatten().collect()
}

/// As [`support::on_each`], under a name by which all of these can be asked for.
fn on_each(lines: &[Server], name: &str, body: Body) -> Vec<Trial> {
    support::on_each(lines, &format!("live: {name}"), body)
}

/// As [`on_each`], where whoever runs the trials may not do what they need.
fn on_none(lines: &[Server], name: &str, reason: &str) -> Vec<Trial> {
    let ignored = |line| support::ignored(format!("live: {name} on {line}"), reason.to_owned());
    lines.iter().map(ignored).collect()
}
