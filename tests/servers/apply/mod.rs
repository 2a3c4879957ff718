//! Differential tests of commands: random sequences are applied to a keyspace and to the servers. One file per data
//! type.

use libtest_mimic::Trial;

mod bitmap;
mod generic;
mod geo;
mod hash;
mod hll;
mod list;
mod newer;
mod set;
pub(crate) mod stream;
mod string;
mod zset;

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        bitmap::trials(),
        generic::trials(),
        geo::trials(),
        hash::trials(),
        hll::trials(),
        list::trials(),
        newer::trials(),
        set::trials(),
        stream::trials(),
        string::trials(),
        zset::trials(),
    ];
    trials.into_iter().flatten().collect()
}
