//! Where else the data may be, if it is neither in the log nor next to it.

use super::client::Client;
use super::report::RecoverReport;
use super::server::LogServer;
use super::verdict::Verdict;
use crate::base::next_step::{Action, NextStep};

/// Returns what else to try, in order: first what a running server may overwrite at any moment. Empty if the data is
/// here, or if the log does not suggest that any is missing.
pub(super) fn elsewhere(report: &RecoverReport, server: &LogServer) -> Vec<NextStep> {
    let is_wanted = matches!(
        report.verdict,
        Verdict::FlushOfNothing { .. } | Verdict::Nothing | Verdict::Empty
    );
    if !is_wanted || report.done.is_some() || report.has_usable_candidate() {
        return Vec::new();
    }
    let client = Client::of_report(report, server.process());
    vec![
        NextStep::new(
            "Replicas that have not synchronised since. The server lists those that are connected; stop the replication of each before it copies the loss, and recover from that replica:",
            [
                client.run(&["INFO", "replication"]),
                Action::run("redis-cli", ["-h", "REPLICA", "REPLICAOF", "NO", "ONE"]),
            ],
        ),
        NextStep::new(
            "Backups: archives of aofkit, and copies of dump.rdb or the log made by other programs. `aofkit merge BACKUP LOG` restores the keys of a backup and keeps later writes:",
            [Action::aofkit(["list", "DIR"])],
        ),
        NextStep::new(
            "Snapshots of the file system or the volume that holds the data directory (ZFS, Btrfs, LVM, a cloud disk).",
            [],
        ),
        NextStep::new(
            "A server that still runs with the data in memory, such as an old primary or one in another data centre. Copy its data before anything stops it:",
            [Action::run("redis-cli", ["-h", "HOST", "--rdb", "copy.rdb"])],
        ),
    ]
}
