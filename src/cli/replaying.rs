//! What subcommands take that replay a log.

use clap::Args;

use super::Common;
use super::size::parse_size;
use super::time::parse_time;
use crate::disk::publish::Existing;
use crate::ops::compact::{self, Filter, Form};
use crate::replay::{KeySpecs, ReplayOptions, RouteOptions};
use crate::server::{Product, Server, redis};

/// How a log is replayed.
#[derive(Debug, Args)]
pub(super) struct Replaying {
    /// Where a module's command has its key, counted from its name [default: 1]; may be repeated
    #[arg(long, hide_short_help = true, value_name = "NAME=POSITION", value_parser = parse_key_spec)]
    key_spec: Vec<(String, usize)>,
    /// What counts as now, where that matters [default: the time at which this runs]
    #[arg(long, hide_short_help = true, value_name = "TIME", value_parser = parse_time)]
    now: Option<i64>,
    /// Use about so much memory, at the cost of reading the log several times
    #[arg(long, hide_short_help = true, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
    /// The setting hll-sparse-max-bytes of the server that wrote the log
    #[arg(
        long,
        hide_short_help = true,
        value_name = "BYTES",
        default_value_t = 3000,
        hide_default_value = true
    )]
    hll_sparse_max_bytes: usize,
}

impl Replaying {
    /// What counts as now, in Unix milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        self.now.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond())
    }

    pub(super) fn route(&self) -> RouteOptions {
        let upper = |name: &str| name.to_ascii_uppercase().into_bytes();
        let specs = self.key_spec.iter().map(|(name, place)| (upper(name), *place));
        RouteOptions {
            key_specs: KeySpecs(specs.collect()),
            memory: self.memory,
            ..RouteOptions::default()
        }
    }

    /// `meant_for` is the server that the person named, if one.
    pub(super) fn replay(&self, common: &Common, meant_for: Option<Server>) -> ReplayOptions {
        // Redis does not see fields whose time has passed when it loads a log; Valkey does.
        let forgets = |server: Server| server.product == Product::Redis && server.has_redis(7, 4);
        ReplayOptions {
            server: meant_for.unwrap_or(redis(7, 0)),
            fields_expire_ms: meant_for.filter(|s| forgets(*s)).map(|_| self.now_ms()),
            hll_sparse_max_bytes: self.hll_sparse_max_bytes,
            threads: common.threads.unwrap_or(0),
            time_ms: None,
        }
    }

    /// A compaction that keeps everything and is checked; where it goes is for others to say.
    pub(super) fn compaction(
        &self,
        common: &Common,
        form: Option<Form>,
        server: Option<Server>,
    ) -> compact::Options {
        compact::Options {
            output: None,
            existing: Existing::Keep,
            form,
            server,
            filter: Filter::default(),
            check: true,
            route: self.route(),
            replay: self.replay(common, server),
            ctime: u64::try_from(self.now_ms() / 1000).unwrap_or(0),
            compress: true,
        }
    }
}

fn parse_key_spec(text: &str) -> Result<(String, usize), String> {
    let wrong = || format!("`{text}` is not of the form NAME=POSITION, as in JSON.SET=1");
    let (name, place) = text.split_once('=').ok_or_else(wrong)?;
    let place = place.parse().ok().filter(|place| *place > 0).ok_or_else(wrong)?;
    Ok((name.to_owned(), place))
}
