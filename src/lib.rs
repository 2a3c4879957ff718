//! The append-only files (AOF) of Redis and Valkey: verify, recover, repair, compact, back up and restore them.
//!
//! Each operation is a function at the root of the crate that takes a path, options and a [`Progress`], prints nothing, and
//! returns a report that serialises as `--json` of the command line prints it (documented in `docs/json.md`):
//!
//! | | |
//! |---|---|
//! | inspect | [`verify()`], [`digest()`], [`diff()`], [`history()`], [`rdb_keys()`] |
//! | repair | [`recover()`], [`repair()`] |
//! | transform | [`compact()`], [`convert()`] |
//! | back up | [`backup()`], `backup_live()`, [`list()`], [`prune()`], [`restore()`], [`compress()`], [`extract()`] |
//! | running servers | `compact_into()`, `recover_into()`, `servers::hold()` |
//! | synthetic logs | [`generate()`] |
//!
//! A path is that of a single file, an RDB, a multi-part directory, its manifest, the data directory above it, one part, or
//! an archive. Options have defaults that write nothing where that is possible. The input is never modified; output appears
//! whole or not at all.
//!
//! ```
//! use aofkit::{LogOutcome, Silent, VerifyOptions, verify_path};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("appendonly.aof");
//! std::fs::write(&path, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhel")?; // the value is incomplete
//! let LogOutcome::Read(log) = verify_path(&path, &VerifyOptions::default(), &Silent)? else {
//!     panic!("a single file is not a set");
//! };
//! assert!(!log.sound);
//! let damage = log.findings[0].damage.as_ref().expect("where it is torn");
//! assert_eq!((damage.last_boundary, damage.tail_bytes), (0, 27));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! | feature | default | contents |
//! |---|---|---|
//! | `cli` | yes | the command line, with `clap` and `indicatif` |
//! | `live` | yes | running servers, with `redis` and `rustls` |
//! | `s3` | no | object storage, with `ureq` and `rustls` |
//! | `age` | no | encrypted archives, with `age` |
//! | `parquet` | no | tables of keys and commands, with `parquet` |
//! | `full` | no | all features, for packages |
//!
//! A mapped file that another process truncates raises SIGBUS. Call [`install_sigbus_guard`] once to get an error of
//! [`ErrorKind::Changed`] instead; the binary does.
//!
//! # Architecture
//!
//! A module may depend only on itself and on the modules below it in this table, and no files depend on each other in
//! cycles; `tests/architecture.rs` enforces both. `cargo doc --document-private-items` shows the documentation of all.
//!
//! | module | purpose |
//! |---|---|
//! | `cli` | the command line: one file for each subcommand; progress; exit codes |
//! | `report` | reports rendered as text or JSON; pure functions |
//! | `ops` | the operations, one directory for each subcommand: typed options, plan, apply, typed report |
//! | `live` | a running server: connection, settings and their journal, its files on this machine |
//! | `input` | from a path to an opened log, a broken set, or an archive |
//! | `analysis` | what several operations ask of a log: survey, damage, destruction scan, positions, key counts |
//! | `replay` | a log turned into a data set, shard by shard |
//! | `rewrite` | a data set turned into a log: commands, or RDB |
//! | `command` | what each command means: one table row for each; the tally of a log |
//! | `keyspace` | the data set in memory: databases, keys, one file for each value type, digests |
//! | `store` | archives in object storage: requests, uploads, leases, downloads |
//! | `archive` | the zip on disk: reading, writing, checks, encryption |
//! | `aof` | the append-only file on disk: manifest, grammar, scan, salvage |
//! | `rdb` | the RDB on disk: reader, writer, checksum |
//! | `disk` | the only module that maps, locks, links, syncs and renames, and the only one with unsafe code |
//! | `base` | errors, escaping, units, progress, server versions |
//!
//! ## Where to find a message
//!
//! The text of a report is in the file of `report` that is named after the subcommand; help texts are in the file of `cli`
//! with that name; an error is made where the failure is noticed, most often in the directory of `ops` for the subcommand, or
//! in `input`.
//!
//! ## How data travels
//!
//! - *verify*: `input::open` maps every part in load order; `analysis::survey` reads each one, an RDB by `rdb::walk`,
//!   commands by `aof::scan_parallel` into a `command::Tally`; `ops::verify::judge` decides what each server would do with
//!   the log.
//! - *repair*: the same survey; `ops::repair::plan` decides which byte ranges are retained; they are copied unchanged into a
//!   `disk::publish` output, which is read back before it appears.
//! - *recover*: `ops::recover::timeline` reads the log once for everything that destroyed data; one observed replay counts
//!   what each event cost. The choice becomes the byte ranges that are retained, or, where two states are joined key by key,
//!   a data set that is written as a compaction is.
//! - *compact*: `replay::route` records for each shard of the keys which commands concern it; `replay::replay` runs them,
//!   shard after shard on all cores, on a `keyspace`; `ops::compact` writes each shard through `rewrite`, joins the shards in
//!   order, reads the result back and publishes it.
//! - *convert*: the same, after `rewrite::fit` has removed from each shard what the other server cannot hold, and counted it.
//!   *merge*: two data sets, routed together and joined shard by shard.
//! - *digest*: the same replay, with nothing written. *diff*: two logs, routed together, compared shard by shard; a
//!   running server is asked for the keys of each shard through `live`.
//! - *log*: `aof::scan`, one window at a time. *history*: the one shard of a key, replayed twice and observed. *get*: that
//!   shard up to a position. *find*: the same for each of several backups, unless the key filter of an archive (made by
//!   *compress* from `command::key_names`) answers.
//! - *compress*: each part is read as for *verify*; `ops::compress` writes it into a zip through `archive`, reads that back
//!   and publishes it. Other operations extract an archive to a temporary directory, in which the rules for directories find
//!   the log (`input::archive`); *verify* of an archive that aofkit made reads its entries as streams.
//! - *doctor*: `ops::doctor::gather` asks the server and reads its files, the kernel and the backups; the checks are pure functions
//!   over these facts.
//! - *backup*: the log is surveyed, compressed under a temporary name, read back, and published; then `ops::prune` removes
//!   older archives of the same source. `ops::backup::live` first has a running server rewrite its log through `live`, takes
//!   the set at one moment by hard links, and restores the server's settings. *restore*: extracted under a temporary name,
//!   verified, made what the server reads, and put in place in one step. In object storage, the archive goes through
//!   `store::upload` while it is compressed, and is listed once it was compared with what the store has; reading maps what
//!   `store::fetch` downloads.

#![cfg_attr(not(feature = "internals"), allow(unreachable_pub, unused_imports, dead_code))]
#![warn(unnameable_types)]

// Each layer is private. The tests, benches and fuzz targets of this project reach it through the feature `internals`.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod analysis;
#[cfg(not(feature = "internals"))]
mod analysis;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod aof;
#[cfg(not(feature = "internals"))]
mod aof;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod archive;
#[cfg(not(feature = "internals"))]
mod archive;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod base;
#[cfg(not(feature = "internals"))]
mod base;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod command;
#[cfg(not(feature = "internals"))]
mod command;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod disk;
#[cfg(not(feature = "internals"))]
mod disk;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod input;
#[cfg(not(feature = "internals"))]
mod input;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod keyspace;
#[cfg(not(feature = "internals"))]
mod keyspace;
#[cfg(all(feature = "live", feature = "internals"))]
#[doc(hidden)]
pub mod live;
#[cfg(all(feature = "live", not(feature = "internals")))]
mod live;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod ops;
#[cfg(not(feature = "internals"))]
mod ops;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod rdb;
#[cfg(not(feature = "internals"))]
mod rdb;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod replay;
#[cfg(not(feature = "internals"))]
mod replay;
#[cfg(all(feature = "cli", feature = "internals"))]
#[doc(hidden)]
pub mod report;
#[cfg(all(feature = "cli", not(feature = "internals")))]
mod report;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod rewrite;
#[cfg(not(feature = "internals"))]
mod rewrite;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod store;
#[cfg(not(feature = "internals"))]
mod store;

// Inspect.
pub use ops::diff::{DiffOptions, DiffReport, diff};
pub use ops::digest::{DigestOptions, DigestReport, digest};
pub use ops::history::{HistoryOptions, HistoryReport, history};
pub use ops::keys::{RdbKey, rdb_keys};
pub use ops::verify::{LogOutcome, VerifyOptions, VerifyReport, verify, verify_path};

// Repair.
pub use ops::recover::{RecoverOptions, RecoverReport, recover};
pub use ops::repair::{RepairOptions, RepairReport, repair};

// Transform.
pub use ops::compact::{CompactOptions, CompactReport, compact};
pub use ops::convert::{ConvertOptions, ConvertReport, convert};

// Put into a running server.
#[cfg(feature = "live")]
pub use ops::into::{IntoOptions, IntoReport, compact_into, recover_into};

// Back up.
pub use archive::report::{CompressReport, ExtractReport};
pub use input::archive::{ExtractOptions, extract};
#[cfg(feature = "live")]
pub use ops::backup::live::{BackupLiveOptions, LiveReport as BackupLiveReport, backup_live};
pub use ops::backup::{BackupOptions, BackupReport, backup_path as backup};
pub use ops::compress::{CompressOptions, compress};
pub use ops::list::{ListOptions, ListReport, list};
pub use ops::prune::{PruneOptions, PruneReport, prune};
pub use ops::restore::{RestoreOptions, RestoreReport, restore};

// Synthetic logs.
pub use ops::generate::{GenerateOptions, GenerateReport, generate};

pub use base::cancel::{Cancellation, UndoGuard};
pub use base::error::{Error, ErrorKind, Result};
pub use base::progress::{Progress, Silent};
pub use base::server::{Product, Server};
pub use disk::install_sigbus_guard;

/// Running servers.
#[cfg(feature = "live")]
pub mod servers {
    pub use crate::live::changed_settings::Change;
    pub use crate::live::endpoint::{Address, Endpoint, Patience, Secret, Tls};
    pub use crate::live::progress::LiveProgress;
    pub use crate::live::rewrite::Rewrite;
    pub use crate::live::server::ServerSeen;
    pub use crate::live::snapshot::{How, SnapshotReport};
    pub use crate::ops::backup::live::{LiveOptions, Strategy};
    pub use crate::ops::into::{ExistingKeys, OutcomeCounts, ReadBack, SendRate};
    pub use crate::ops::recover::hold::{HoldOptions, HoldReport, Kept, hold};
}

/// The types of the fields of options.
pub mod options {
    pub use crate::analysis::data_filter::Filter;
    pub use crate::analysis::data_filter::KeyFilter;
    pub use crate::analysis::position::Position;
    pub use crate::archive::contents::Source;
    pub use crate::archive::method::Method;
    pub use crate::base::glob::Glob;
    pub use crate::base::modules::Modules;
    pub use crate::disk::Owner;
    pub use crate::disk::publish::Existing;
    pub use crate::ops::compact::Form;
    pub use crate::ops::generate::{Amount, Layout as GeneratedLayout, Mix, Skew};
    pub use crate::ops::prune::{Keep, KeepPolicy, Within};
    pub use crate::ops::recover::{Choice, Expired, Output, Winner};
    pub use crate::ops::repair::{Assumption, OpenTransaction};
    pub use crate::replay::{KeySpecs, ReplayOptions, RouteOptions, Slice};
}

/// The types that reports consist of.
pub mod reports {
    pub use crate::analysis::data_filter::LeftOut;
    pub use crate::base::failure::Failure;
    pub use crate::base::level::Level;
    pub use crate::base::next_step::{Action, NextStep};
    pub use crate::command::Position as CommandPosition;
    pub use crate::replay::Origin;

    /// A log, its parts, and the files next to it.
    pub mod log {
        pub use crate::aof::log::{HistoryFile, Layout, OtherFile, OtherKind, PartRole};
        pub use crate::aof::manifest::{ManifestError, Role, Rule};
        pub use crate::input::broken_set::{BrokenSet, SetFault};
    }

    /// The content of an RDB.
    pub mod rdb {
        pub use crate::rdb::{
            Checksum, Database, Header, Kind, Magic, ModuleUse, Newer, RdbSummary, Stored,
            UnknownContent,
        };
    }

    /// The reports on archives.
    pub mod archive {
        pub use crate::archive::contents::{Arrangement, Contents, FileRecord, FileRole};
        pub use crate::archive::report::{ArchiveFinding, ArchiveReport, EntryKind, EntryReport};
    }

    /// The report on a log.
    pub mod verify {
        pub use crate::analysis::damage::{DamageReport, Intact, Window};
        pub use crate::aof::recognise::{Content, Encoding, LooksLike};
        pub use crate::ops::verify::findings::Finding;
        pub use crate::ops::verify::judge::{Outcome, Verdict};
        pub use crate::ops::verify::report::{ArchiveOutcome, CommandCount, LogReport, PartReport};
    }

    /// The report on destroyed data, and on its recovery.
    pub mod recover {
        pub use crate::analysis::keyspace_summary::{KeysOfType, SummaryReport};
        pub use crate::disk::open_writers::Holder;
        pub use crate::input::hold_origin::HoldOrigin;
        pub use crate::ops::recover::{
            Broken, Candidate, CandidateFile, CandidateKind, Conflicts, CutPoint, Deletions, Done,
            Event, EventKind, Example, JoinPlan, Joined, LossPlace, NewerRdb, PartSummary,
            PossibleFlush, RecoverMethod, RecoverPlan, RemovalReason, Removed, Tail, TimeRange,
            Timeline, UndeletePlan, UnknownCommand, Unread, UnreadFlush, Verdict,
        };
    }

    /// The report on a repair.
    pub mod repair {
        pub use crate::ops::repair::{DropReason, Dropped, Refusal, RepairPlan, RetainedRanges};
    }

    /// The report on a compaction.
    pub mod compact {
        pub use crate::analysis::lost_expiry::{LostExpiry, Owner};
        pub use crate::ops::compact::{Carried, Failed, Keys, TornEnd};
    }

    /// The report on a conversion.
    pub mod convert {
        pub use crate::ops::convert::{Loss, LossExample};
        pub use crate::rewrite::fit::LossKind;
    }

    /// The report on a backup.
    pub mod backup {
        pub use crate::ops::backup::{BackupPlan, Compaction, Step, UnderWay};
    }

    /// The report on a restore.
    pub mod restore {
        pub use crate::ops::restore::{Change, Moved, RestorePlan, Setting, Shape};
    }

    /// The reports on a backup directory.
    pub mod list {
        pub use crate::ops::list::{Identity, Listed, Made, State};
        pub use crate::ops::prune::{Decision, Group, Judged, PlannedArchive, Reason};
    }

    /// The differences between two logs.
    pub mod diff {
        pub use crate::ops::diff::{Counts, Difference, Numbers, OfReason, OfType, Reason, Side};
    }

    /// The writes to one key.
    pub mod history {
        pub use crate::analysis::key_state::KeyState;
        pub use crate::ops::history::{Event, FinalKey, KeyContent, Touched};
    }

    /// The files of a synthetic log.
    pub mod generate {
        pub use crate::ops::generate::{Counts, GeneratedFile};
    }
}
