//! INFO replication: whether the data of this server is worth a backup.

use serde::Serialize;

use super::endpoint::Address;
use super::info::Info;
use super::session::Session;
use crate::base::error::{Error, ErrorKind, Result};

/// The replication state of the server at the start of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replication {
    /// The role, `master` or `slave`, as servers name it.
    pub role: String,
    /// The replication ID of the history that the data belongs to.
    pub replid: Option<String>,
    /// The replication offset of the server in that history, in bytes.
    pub offset: Option<u64>,
    /// For a replica: the number of bytes that its primary is known to have sent and that it has not processed.
    pub lag_bytes: Option<u64>,
    /// For a replica: the number of seconds since it last heard from its primary.
    pub last_heard_s: Option<u64>,
    /// For a primary: the number of connected replicas.
    pub replicas: Option<u64>,
}

impl Replication {
    fn from_info(info: &Info) -> Self {
        let is_replica = info.text("role") == Some("slave");
        let master = info.number::<u64>("master_repl_offset");
        let applied = info.number::<u64>("slave_repl_offset");
        let read = info.number::<u64>("slave_read_repl_offset").or(applied);
        Replication {
            role: info.text("role").unwrap_or("unknown").to_string(),
            replid: info.text("master_replid").map(String::from),
            offset: if is_replica { applied.or(master) } else { master },
            lag_bytes: match (is_replica, read, applied) {
                (true, Some(read), Some(applied)) => Some(read.saturating_sub(applied)),
                _ => None,
            },
            last_heard_s: info.number("master_last_io_seconds_ago"),
            replicas: info.number("connected_slaves").filter(|_| !is_replica),
        }
    }

    /// Returns whether the server is a replica.
    pub fn is_replica(&self) -> bool {
        self.role == "slave"
    }
}

/// The reply of a server to INFO replication.
pub(crate) struct ReplicationInfo(Info);

impl ReplicationInfo {
    /// Queries a server.
    pub(crate) fn ask(session: &mut Session<'_>) -> Result<Self> {
        session.info("replication").map(ReplicationInfo)
    }

    /// Returns what is reported to the user.
    pub(crate) fn report(&self) -> Replication {
        Replication::from_info(&self.0)
    }

    /// Refuses a replica unless allowed, a replica that is disconnected from its primary, and a failover in progress.
    pub(crate) fn check(&self, server: &Address, allow_replica: bool) -> Result<()> {
        check(&self.0, server, allow_replica)
    }
}

fn check(info: &Info, server: &Address, allow_replica: bool) -> Result<()> {
    let refused =
        |message: String, help: &str| Err(Error::new(ErrorKind::Refused, message).help(help));
    let failover = info.text("master_failover_state").unwrap_or("no-failover");
    if failover != "no-failover" {
        return refused(
            format!("{server}: a failover is under way ({failover})"),
            "try again when it is over",
        );
    }
    if info.text("role") != Some("slave") {
        return Ok(());
    }
    if !allow_replica {
        return refused(
            format!("{server} is a replica: its data may be old, and a resync throws its log away"),
            "back up the primary, or say --allow-replica",
        );
    }
    if info.flag("master_sync_in_progress") {
        return refused(
            format!("{server}: a full sync is under way, which throws this replica's log away"),
            "try again when it is over",
        );
    }
    if info.text("master_link_status") != Some("up") {
        let since = info.number::<i64>("master_link_down_since_seconds").filter(|&s| s >= 0);
        let since = since.map(|seconds| format!(" for {seconds} s")).unwrap_or_default();
        return refused(
            format!("{server}: this replica has lost its primary{since}, so its data is old"),
            "repair the link, or back up the primary",
        );
    }
    Ok(())
}

/// Returns a warning about a primary that may restart empty: its replicas then discard their data.
pub(crate) fn trap(replication: &Replication, appendonly: bool, snapshots: bool) -> Option<String> {
    let replicas = replication.replicas.filter(|&replicas| replicas > 0)?;
    if appendonly || replication.is_replica() {
        return None;
    }
    let keeps = if snapshots {
        "keeps no log, and snapshots only now and then"
    } else {
        "keeps nothing on disk"
    };
    Some(format!(
        "this primary has {} and {keeps}: if it restarts by itself it comes back {}, and its replicas then throw \
         their data away for its own. Turn its persistence on, or keep it from restarting by itself",
        crate::base::units::counted(replicas, "replica"),
        if snapshots { "with old data" } else { "empty" },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(fields: &str, allow_replica: bool) -> String {
        let server = Address::Tcp { host: "db".into(), port: 1 };
        match check(&Info::parse(&fields.replace(' ', "\r\n")), &server, allow_replica) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_replica_is_taken_only_when_it_is_allowed_and_fresh() {
        let fresh = "role:slave master_link_status:up master_sync_in_progress:0";
        assert_eq!(reported("role:master connected_slaves:2", false), "");
        assert!(reported(fresh, false).contains("is a replica"));
        assert_eq!(reported(fresh, true), "");
        let down = "role:slave master_link_status:down master_link_down_since_seconds:7";
        assert!(reported(down, true).contains("lost its primary for 7 s"));
        let syncing = "role:slave master_link_status:down master_sync_in_progress:1";
        assert!(reported(syncing, true).contains("full sync"));
        assert!(
            reported("role:master master_failover_state:waiting-for-sync", false)
                .contains("failover")
        );
    }

    #[test]
    fn lag_is_received_minus_applied() {
        let fields = "role:slave\r\nslave_read_repl_offset:120\r\nslave_repl_offset:100\r\nmaster_repl_offset:100\r\n";
        let replication = Replication::from_info(&Info::parse(fields));
        assert_eq!((replication.lag_bytes, replication.offset), (Some(20), Some(100)));
        assert_eq!(replication.replicas, None);
    }

    #[test]
    fn primary_with_replicas_and_no_persistence_is_warned_about() {
        let of = |fields: &str| Replication::from_info(&Info::parse(fields));
        let primary = of("role:master\r\nconnected_slaves:2\r\n");
        let reported = trap(&primary, false, false).unwrap();
        assert!(
            reported.contains("2 replicas") && reported.contains("comes back empty"),
            "{reported}"
        );
        assert!(trap(&primary, false, true).unwrap().contains("old data"));
        assert_eq!(trap(&primary, true, false), None);
        assert_eq!(trap(&of("role:master\r\nconnected_slaves:0\r\n"), false, false), None);
    }
}
