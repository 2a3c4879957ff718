//! Clusters in which a replica takes over during a run.

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;
use serde_json::Value;

use super::cluster::{into, source};
use super::{keys, report};
use crate::support::{Binary, Cluster, Replica, UnderWay, on_each, wait_until};

/// The lines whose clusters differ for a client.
const CLUSTERS: [Server; 2] = [redis(7, 0), valkey(9, 1)];

/// A primary that does not reply for a second is replaced by its replica.
const TIMEOUT: [(&str, &str); 1] = [("cluster-node-timeout", "1000")];

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&CLUSTERS, "into::replicas_take_over_meanwhile", failed_over)
}

/// A replica takes over on request, and after that the node that it replaced, when the new primary is killed.
fn failed_over(binary: &Binary) {
    let mut setup = source(binary, 3000);
    let mut cluster = Cluster::with(binary, 3, &TIMEOUT);
    let mut replica = cluster.add_replica(binary, 0, &TIMEOUT);
    let run =
        UnderWay::start(&mut into(setup.data.path(), &cluster, &["--rate", "700keys", "--json"]));
    wait_until("the first keys", || cluster.keys() > 300);
    replica.server.client.call(&["CLUSTER", "FAILOVER"]);
    wait_until("a planned promotion", || is_primary(&mut replica));
    let mut replaced = cluster.replace(0, replica);
    wait_until("a new replica with the data", || {
        let info = replaced.server.client.call(&["INFO", "replication"]).text();
        info.contains("master_link_status:up")
    });
    let before = cluster.nodes[0].keys();
    wait_until("keys in the new primary", || cluster.nodes[0].keys() > before);
    let killed = cluster.replace(0, replaced);
    drop(killed);
    let run = run.end();
    assert_eq!(run.code, Some(0), "{run:#?}");
    let first: Value = serde_json::from_str(&run.stdout).expect("one document");
    assert_eq!(keys(&first, "restored"), setup.server.keys(), "{first}");
    let role = cluster.nodes[0].client.call(&["INFO", "replication"]).text();
    assert!(role.contains("role:master"), "{role}");
    // What the killed primary had not passed on is lost.
    let again = report(&mut into(setup.data.path(), &cluster, &["--check", "all"]), 0);
    assert_eq!(keys(&again, "conflicting"), 0, "{again}");
    assert_eq!(cluster.digest(), setup.server.digest());
}

fn is_primary(replica: &mut Replica) -> bool {
    let info = replica.server.client.call(&["INFO", "replication"]).text();
    info.contains("role:master")
}
