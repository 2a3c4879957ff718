//! Recovering data that a FLUSHALL, FLUSHDB, SWAPDB or mass deletion destroyed.
//!
//! A preview scans the log for a [`Timeline`] of everything that destroyed data, and counts by a replay what can be
//! restored. A [`Choice`] is then turned into a list of byte ranges to remove. The retained bytes are copied unchanged,
//! never re-encoded, and the result is read back and replayed before it is published.
//!
//! | module | contents |
//! |---|---|
//! | `timeline` | every event, with its position and context |
//! | `event_kind` | the kinds of events |
//! | `preview` | the number of keys lost by each event, counted by a replay |
//! | `event_index` | the event of the scan that a command belongs to |
//! | `observed` | which command removed which key, in one shard of a replay |
//! | `losses` | keys removed one by one, in the whole log and by event |
//! | `bursts` | removed keys, grouped into events |
//! | `key_prefix` | the prefixes that removed keys have in common |
//! | `thresholds` | when removed keys count as a loss |
//! | `routine` | events that occur regularly |
//! | `unread` | the content after the point at which reading stopped |
//! | `verdict` | the overall verdict on the log |
//! | `cuts` | the byte ranges to remove for a choice |
//! | `state_at` | the state at a position, for other operations |
//! | `plan` | what a choice removes, joins or restores; writes nothing |
//! | `apply` | writing what was planned, or predicting it for a dry run |
//! | `data_set` | the data set of a plan that does not copy bytes |
//! | `recovered` | what a choice recovers, for a running server |
//! | `subject` | the log that is recovered |
//! | `conflicts` | differences in later commands when an event is removed |
//! | `join` | joining two states of a data set key by key |
//! | `unite` | the functions and module data of two data sets |
//! | `undelete` | restoring single keys |
//! | `candidates` | other data that may contain what was lost, as it is reported |
//! | `search` | searching directories for recovery candidates |
//! | `part_sets` | pairing parts that no manifest lists |
//! | `candidate_log` | opening a recovery candidate |
//! | `examine` | the keys of a recovery candidate, and what it would add |
//! | `missing` | a log of which a file is missing |
//! | `snapshot_only` | an RDB without an append-only file |
//! | `places` | the directories of a log |
//! | `client` | the client that reaches the server of the log |
//! | `server` | the server whose log it is |
//! | `next` | the steps to take next |
//! | `next_snapshot` | the steps for a server without an append-only file |
//! | `put_in_place` | the steps that let the server serve a result |
//! | `elsewhere` | where else the data may be |
//! | `undo` | the commands that undo an event |
//! | `inspection` | what was found out about a log, as a report |
//! | `run` | inspecting a log, and planning and applying a choice |
//! | `report` | the schema of the report |

mod apply;
mod bursts;
mod candidate_log;
mod candidates;
mod client;
mod conflicts;
mod cuts;
mod data_set;
mod elsewhere;
mod event_index;
mod event_kind;
mod examine;
#[cfg(feature = "live")]
pub mod hold;
mod inspection;
mod join;
mod key_prefix;
mod losses;
mod missing;
mod next;
mod next_snapshot;
mod observed;
mod options;
mod places;
mod plan;
mod preview;
mod put_in_place;
mod recovered;
mod report;
mod routine;
mod run;
mod search;
mod server;
mod snapshot_only;
mod state_at;
mod subject;
mod thresholds;
mod timeline;
mod undelete;
mod undo;
mod unite;
mod unread;
mod verdict;

pub use crate::analysis::unknown_commands::UnknownCommand;
pub use crate::ops::repair::retained_ranges::Output;
pub use candidates::{Candidate, CandidateFile, CandidateKind};
pub use conflicts::{Conflicts, Example};
pub use cuts::{CutPoint, RemovalReason, Removed};
pub use event_kind::EventKind;
pub use join::{Expired, Joined, Winner};
pub(crate) use join::{How, JoinedSource, LowerNumber, Rule, Tally};
pub use losses::{Deletions, LossPlace};
pub use options::{Choice, RecoverOptions};
pub use plan::{JoinPlan, RecoverMethod, RecoverPlan, UndeletePlan};
pub(crate) use recovered::{Recovered, recover_with};
pub(crate) use report::Answer;
pub use report::{Done, PartSummary, RecoverReport};
pub use run::recover;
pub(crate) use state_at::{StateAt, state_at};
pub use thresholds::{IN_NUMBER_KEYS, IN_NUMBER_RUN};
pub use timeline::{Broken, Event, NewerRdb, PossibleFlush, Tail, TimeRange, Timeline, timeline};
pub use unite::UnitedFunctions;
pub use unread::{Unread, UnreadFlush};
pub use verdict::Verdict;
