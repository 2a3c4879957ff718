//! Which archives are kept: the options of restic.

use clap::Args;

use crate::ops::retention::{Keep, KeepPolicy, Within};

/// A rule that nobody named keeps nothing; without any, everything is kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Retention, as restic's: what one of these keeps is kept")]
pub(super) struct Keeping {
    /// Keep the N newest
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_last: Keep,
    /// Keep the newest of each of the last N hours that have one
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_hourly: Keep,
    /// Keep the newest of each of the last N days that have one
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_daily: Keep,
    /// Keep the newest of each of the last N weeks that have one; they begin on Monday
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_weekly: Keep,
    /// Keep the newest of each of the last N months that have one
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_monthly: Keep,
    /// Keep the newest of each of the last N years that have one; N may be `unlimited` here as above
    #[arg(long, value_name = "N", default_value = "0", hide_default_value = true)]
    keep_yearly: Keep,
    /// Keep all that are at most this much older than the newest: 2y5m7d3h
    #[arg(long, value_name = "TIME")]
    keep_within: Option<Within>,
}

impl Keeping {
    pub(super) fn policy(&self) -> KeepPolicy {
        KeepPolicy {
            last: self.keep_last,
            hourly: self.keep_hourly,
            daily: self.keep_daily,
            weekly: self.keep_weekly,
            monthly: self.keep_monthly,
            yearly: self.keep_yearly,
            within: self.keep_within,
        }
    }
}
