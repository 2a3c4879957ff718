//! The metrics that are written, by job.

/// A metric: all samples of one name. All of them are gauges, because each run replaces the values of the one before.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// The name, with its unit.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// Whether it is of the last run that succeeded, and is retained when a later run fails.
    pub of_success: bool,
}

/// A job that writes metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// `backup`: one group of samples for each source.
    Backup,
    /// `prune`: one for each directory.
    Prune,
    /// `drill`: one for each path.
    Drill,
}

impl Job {
    /// Every job, in the order of the file.
    pub const ALL: [Job; 3] = [Job::Backup, Job::Prune, Job::Drill];

    /// Returns the label that distinguishes the groups of samples.
    pub fn label(self) -> &'static str {
        match self {
            Job::Backup => "source",
            Job::Prune => "directory",
            Job::Drill => "path",
        }
    }

    /// Returns the metrics of the job. The first four are of every run.
    pub fn families(self) -> &'static [Family] {
        match self {
            Job::Backup => BACKUP,
            Job::Prune => PRUNE,
            Job::Drill => DRILL,
        }
    }
}

/// The position of the metrics of every run in those of a job.
pub(super) const LAST_RUN: usize = 0;
pub(super) const SUCCEEDED: usize = 1;
pub(super) const EXIT_CODE: usize = 2;
pub(super) const LAST_SUCCESS: usize = 3;

const fn of_run(name: &'static str, help: &'static str) -> Family {
    Family { name, help, of_success: false }
}

const fn of_success(name: &'static str, help: &'static str) -> Family {
    Family { name, help, of_success: true }
}

/// The time of a success, as the last of the metrics that every job has.
pub(super) const DURATION: usize = 4;

const BACKUP: &[Family] = &[
    of_run("aofkit_backup_last_run_timestamp_seconds", "Unix time of the end of the last run."),
    of_run(
        "aofkit_backup_last_run_success",
        "Whether the last run made a verified archive of a log without damage.",
    ),
    of_run("aofkit_backup_last_run_exit_code", "Exit code of the last run."),
    of_success(
        "aofkit_backup_last_success_timestamp_seconds",
        "Unix time of the end of the last run that succeeded.",
    ),
    of_success("aofkit_backup_duration_seconds", "Duration of the last run that succeeded."),
    of_success("aofkit_backup_archive_size_bytes", "Size of the archive that it made."),
    of_success("aofkit_backup_log_size_bytes", "Size of the log that it backed up."),
    of_success("aofkit_backup_commands", "Complete commands in the archive."),
    of_success("aofkit_backup_rdb_keys", "Keys in the RDBs in the archive."),
];

const PRUNE: &[Family] = &[
    of_run("aofkit_prune_last_run_timestamp_seconds", "Unix time of the end of the last run."),
    of_run("aofkit_prune_last_run_success", "Whether the last run exited with 0."),
    of_run("aofkit_prune_last_run_exit_code", "Exit code of the last run."),
    of_success(
        "aofkit_prune_last_success_timestamp_seconds",
        "Unix time of the end of the last run that succeeded.",
    ),
    of_success("aofkit_prune_duration_seconds", "Duration of the last run that succeeded."),
    of_run("aofkit_prune_kept_archives", "Archives that the last run kept."),
    of_run("aofkit_prune_deleted_archives", "Archives that the last run deleted."),
    of_run("aofkit_prune_failed_archives", "Archives that the last run could not delete."),
];

const DRILL: &[Family] = &[
    of_run("aofkit_drill_last_run_timestamp_seconds", "Unix time of the end of the last run."),
    of_run("aofkit_drill_last_run_success", "Whether every archive passed in the last run."),
    of_run("aofkit_drill_last_run_exit_code", "Exit code of the last run."),
    of_success(
        "aofkit_drill_last_success_timestamp_seconds",
        "Unix time of the end of the last run that succeeded.",
    ),
    of_success("aofkit_drill_duration_seconds", "Duration of the last run that succeeded."),
    of_run(
        "aofkit_drill_source_success",
        "Whether every archive of the source that was tried passed in the last run.",
    ),
    of_run(
        "aofkit_drill_archive_created_timestamp_seconds",
        "Unix time of the data in the newest archive that was tried in the last run.",
    ),
    of_run(
        "aofkit_drill_step_duration_seconds",
        "Duration of a step of the last run, of all archives of the source.",
    ),
];
