//! Backups of running servers, as a person makes them: the program, against real servers.

mod access;
mod faults;
mod load;
mod place;
mod proxy;
mod replicas;
mod works;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [access::trials(), faults::trials(), load::trials(), replicas::trials(), works::trials()]
        .into_iter()
        .flatten()
        .collect()
}
