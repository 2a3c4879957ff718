//! `--expired`: what becomes of keys whose expiry has passed.

use clap::{Args, ValueEnum};

use crate::analysis::data_filter::{Filter, KeyFilter};
use crate::ops::recover::Expired;

/// What to do with keys whose expiry has passed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ExpiredArg {
    /// Leave them out; a server would delete them at once
    Drop,
    /// Keep them without an expiry
    Persist,
}

impl ExpiredArg {
    pub(super) fn treatment(self) -> Expired {
        match self {
            ExpiredArg::Drop => Expired::Drop,
            ExpiredArg::Persist => Expired::Persist,
        }
    }
}

/// The option of a subcommand that writes expired keys as they are, unless it is given.
#[derive(Debug, Args)]
pub(super) struct ExpiredArgs {
    /// Expired keys: drop, or persist without an expiry [default: kept in a file, dropped by a server]
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    expired: Option<ExpiredArg>,
    /// Same as --expired drop
    #[arg(long, hide = true, conflicts_with = "expired")]
    drop_expired: bool,
}

impl ExpiredArgs {
    /// Returns the filter of a file that is written at this time.
    pub(super) fn filter(&self, keys: KeyFilter, now_ms: i64) -> Filter {
        let (drops, persists) = match self.expired {
            Some(ExpiredArg::Drop) => (true, false),
            Some(ExpiredArg::Persist) => (false, true),
            None => (self.drop_expired, false),
        };
        Filter {
            keys,
            drop_expired_ms: drops.then_some(now_ms),
            persist_expired_ms: persists.then_some(now_ms),
        }
    }

    /// Returns what becomes of expired keys that are sent to a server.
    pub(super) fn of_sending(&self) -> Expired {
        self.expired.map_or(Expired::default(), ExpiredArg::treatment)
    }
}
