//! Backups of replicas, and of primaries without persistence.

use libtest_mimic::Trial;
use serde_json::Value;

use super::on_each;
use crate::support::{Binary, FAMILIES, Run, Setup, aofkit, free_port, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(
        &FAMILIES,
        "replica_is_backed_up_only_if_allowed_and_connected_to_its_primary",
        replicas,
    )
}

fn replicas(binary: &Binary) {
    let port = free_port().to_string();
    let mut primary = Setup::with(binary, &[("port", &port), ("repl-diskless-sync-delay", "0")]);
    primary.fill(10);
    let mut replica = Setup::new(binary);
    replica.server.client.call(&["REPLICAOF", "127.0.0.1", &port]);
    wait_until("the sync", || {
        let info = replica.server.client.call(&["INFO", "replication"]).text();
        info.contains("master_link_status:up")
    });
    wait_until("the rewrite after the sync", || replica.server.has_finished_rewriting());
    // A write after the sync.
    primary.server.client.call(&["SET", "later", "1"]);
    wait_until("the later write", || replica.server.digest() == primary.server.digest());
    let refused = Run::of(&mut replica.live());
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("is a replica"), "{refused:#?}");
    assert!(refused.stderr.contains("--allow-replica"), "{refused:#?}");

    let allowed = Run::of(replica.live().args(["--allow-replica", "--json"]));
    assert_eq!(allowed.code, Some(0), "{allowed:#?}");
    let report: Value = serde_json::from_str(&allowed.stdout).expect("one document");
    let report = &report["servers"][0]["report"];
    assert_eq!(report["replication"]["role"], "slave");
    let (mut restored, _data) = replica.restored(&replica.archive());
    assert_eq!(restored.digest(), primary.server.digest());
    let mut contents = aofkit();
    let contents = Run::of(contents.arg("list").arg(replica.to.path()).arg("--json"));
    assert_eq!(contents.code, Some(0), "{contents:#?}");
    assert_eq!(report["backup"]["source"]["role"], "slave");
    assert!(report["backup"]["source"]["lag_bytes"].is_u64(), "{report}");
    let offset = report["backup"]["source"]["replication_offset"].as_u64();
    assert!(offset.is_some_and(|offset| offset > 0), "{report}");

    // A primary without persistence that has a replica.
    primary.server.client.call(&["CONFIG", "SET", "appendonly", "no"]);
    let volatile = Run::of(&mut primary.live());
    assert_eq!(volatile.code, Some(2), "{volatile:#?}");
    assert!(volatile.stderr.contains("warning: "), "{volatile:#?}");
    assert!(
        volatile.stderr.contains("comes back empty, and its replicas then throw"),
        "{volatile:#?}"
    );

    drop(primary);
    wait_until("the loss of the primary", || {
        let info = replica.server.client.call(&["INFO", "replication"]).text();
        info.contains("master_link_status:down")
    });
    let stale = Run::of(replica.live().arg("--allow-replica"));
    assert_eq!(stale.code, Some(2), "{stale:#?}");
    assert!(stale.stderr.contains("has lost its primary"), "{stale:#?}");
}
