//! The checks of replication: whether this server has the data of record, and whether it could empty its replicas.

use super::facts::Facts;
use super::finding::{Check, Finding};
use super::persistence::server;
use crate::base::escape::foreign;
use crate::base::next_step::{Action, NextStep};
use crate::base::units::counted;

/// Checks whether the server is a replica, whose data can be old.
pub(crate) fn replica(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Replica;
    let judge = || {
        let server = server(facts)?;
        if !server.is_replica()? {
            return Ok(Finding::ok(CHECK, "the server is a primary"));
        }
        let info = server.replication.as_ref().map_err(Clone::clone)?;
        let (host, port) = (info.text("master_host"), info.text("master_port"));
        let primary = [host.unwrap_or_default(), port.unwrap_or_default()].map(foreign).join(":");
        let ask = |why: &str| {
            let args = ["doctor", "-h", host.unwrap_or_default(), "-p", port.unwrap_or_default()];
            NextStep::new(why, [Action::aofkit(args)])
        };
        if info.text("master_link_status") == Some("up") {
            let what = format!("the server is a replica of {primary}");
            let why = "its data can be old, and a full sync replaces all of it, with its log: a loss on the primary is copied at once";
            return Ok(
                Finding::warning(CHECK, what, why).step(ask("Check and back up the primary"))
            );
        }
        let what = format!("the server is a replica of {primary}, and the link is down");
        let why = "its data is old, and when the link is up again, a full sync can replace it";
        let mut promote = NextStep::alternative(
            "If the primary is gone for good, make this server the primary",
            [server.run(&["REPLICAOF", "NO", "ONE"])],
        );
        if server.line.is_some_and(|line| !line.has_redis(5, 0)) {
            promote.actions = vec![server.run(&["SLAVEOF", "NO", "ONE"])];
        }
        let mut check = ask("Find out why the primary does not answer");
        check.alternative = true;
        Ok(Finding::red(CHECK, what, why).step(check).step(promote))
    };
    Finding::of(CHECK, judge())
}

/// Checks whether a primary would come back without its data and empty its replicas.
pub(crate) fn empty_primary(facts: &Facts) -> Finding {
    const CHECK: Check = Check::EmptyPrimary;
    let judge = || {
        let server = server(facts)?;
        if server.is_replica()? {
            return Ok(Finding::ok(CHECK, "the server is a replica"));
        }
        let info = server.replication.as_ref().map_err(Clone::clone)?;
        let replicas = info.number::<u64>("connected_slaves");
        let Some(replicas) = replicas else {
            return Err("INFO does not report connected_slaves".to_owned());
        };
        if replicas == 0 {
            return Ok(Finding::ok(CHECK, "no replica is connected"));
        }
        if server.has_log()? {
            return Ok(Finding::ok(CHECK, "the server restarts with the data of its log"));
        }
        let restart = match &server.supervisor {
            Some(supervisor) => format!("{} restarts it by itself: ", foreign(supervisor)),
            None => String::new(),
        };
        let replicas = counted(replicas, "replica");
        let fix = server.set("appendonly", "yes");
        if server.has_snapshots()? {
            let what = format!("{restart}a primary with {replicas} has only snapshots");
            let why = "after a restart it has the data of its last snapshot, and its replicas discard what is newer";
            return Ok(Finding::warning(CHECK, what, why).step(fix));
        }
        let what = format!("{restart}a primary with {replicas} writes nothing to disk");
        let why = "after a restart it is empty, and its replicas then discard all their data to copy that";
        Ok(Finding::red(CHECK, what, why).step(fix))
    };
    Finding::of(CHECK, judge())
}
