//! Sending the data set of a log, or a part of it, to a running server.

use std::path::Path;
use std::time::Instant;

use super::options::{ExistingKeys, IntoOptions, SendRate};
use super::outgoing::{Encoding, OutgoingShard};
use super::report::{FunctionCounts, IntoReport};
use super::send::{Purpose, Sender};
use super::tally::{KeyOutcome, Tally};
use super::target::TargetServer;
use crate::analysis::data_filter::LeftOut;
use crate::analysis::touched_keys::{Follower, TouchedKeys};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::units::counted;
use crate::input::open;
use crate::keyspace::Keyspace;
use crate::live::connection::Failure;
use crate::live::pipeline::packed;
use crate::ops::compact::{CompactOptions, Source, each_shard};
use crate::ops::merge::{MergeOptions, merge_with};
use crate::ops::recover::{RecoverOptions, Recovered, recover_with};
use crate::replay::{ReplayOptions, route};

/// Sends the data set at `path` - a log, an RDB, or an archive of one - to a running server. Of `options`, those for
/// reading the log apply.
///
/// # Errors
///
/// When the log cannot be read, the server cannot be used, or, with [`ExistingKeys::Fail`], a key exists there. Keys that
/// the server refuses are no error, but in the report.
pub fn compact_into(
    path: &Path,
    options: &CompactOptions,
    into: &IntoOptions,
    progress: &dyn Progress,
) -> Result<IntoReport> {
    let started = Instant::now();
    // A server that cannot be used is noticed before a large log is read.
    let server = TargetServer::connect(into, false)?;
    let log = open(path)?.into_log(progress)?;
    let sent = || {
        let routing = route(&log, &options.route, progress)?;
        let run = Run { server, replay: &options.replay, into, progress };
        run.send(&routing, None, None)
    };
    let mut report = log.name_archive(sent())?;
    report.path = path.to_owned();
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Sends two data sets, joined key by key, to a running server.
///
/// # Errors
///
/// As [`compact_into`].
pub(crate) fn merge_into(
    [old, new]: [&Path; 2],
    options: &MergeOptions,
    into: &IntoOptions,
    progress: &dyn Progress,
) -> Result<IntoReport> {
    let started = Instant::now();
    let server = TargetServer::connect(into, false)?;
    let replay = &options.written.replay;
    let mut report = merge_with([old, new], options, progress, |_, source| {
        let run = Run { server: server.clone(), replay, into, progress };
        run.send(source, None, None)
    })?;
    report.path = new.to_owned();
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Recovers keys of the log at `path` into a running server, as `options` choose them.
///
/// Keys that the log shows written or deleted after the event that is undone are not sent, unless the options ask for
/// them.
///
/// # Errors
///
/// As [`compact_into`], and when the chosen action is not possible.
pub fn recover_into(
    path: &Path,
    options: &RecoverOptions,
    into: &IntoOptions,
    progress: &dyn Progress,
) -> Result<IntoReport> {
    let started = Instant::now();
    let server = TargetServer::connect(into, true)?;
    let mut send = |recovered: &Recovered<'_>| {
        if recovered.older_wins && into.existing != ExistingKeys::Replace {
            let message = "--merge older replaces keys that the server has";
            return Err(Error::new(ErrorKind::Usage, message)
                .help("add --existing replace, or use --merge newer"));
        }
        let since = recovered.since.filter(|_| !into.also_deleted && !recovered.older_wins);
        let touched = since.map(|(log, at)| TouchedKeys::since(log, at, progress)).transpose()?;
        let (touched, follower) = touched.unzip();
        let touched = touched.map(|touched: TouchedKeys| touched.except(recovered.named.clone()));
        let mut into = into.clone();
        if let Some(db) = recovered.db {
            into.filter.keys.dbs = vec![db];
        }
        let run = Run { server: server.clone(), replay: &options.replay, into: &into, progress };
        let mut report = run.send(recovered.source, touched.as_ref(), follower.flatten())?;
        report.choice = Some(recovered.plan.choice);
        Ok(report)
    };
    let mut report = recover_with(path, options, into.also_deleted, progress, &mut send)?;
    report.path = path.to_owned();
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

/// A run at one server.
struct Run<'r> {
    server: TargetServer,
    replay: &'r ReplayOptions,
    into: &'r IntoOptions,
    progress: &'r dyn Progress,
}

impl Run<'_> {
    /// Sends the keys of the source, but for those that were touched.
    fn send(
        &self,
        source: &dyn Source,
        touched: Option<&TouchedKeys>,
        follower: Option<Follower>,
    ) -> Result<IntoReport> {
        // The log names the keys as they are in its server.
        let is_renamed = !self.into.map_db.is_empty() || !self.into.rename_prefix.is_empty();
        let follower = follower.filter(|_| !is_renamed);
        let nodes = self.server.slots.iter().flat_map(|slots| slots.nodes().to_vec()).collect();
        if self.into.existing == ExistingKeys::Fail && !self.into.dry_run {
            let (tally, ..) = self.pass(source, touched, None, Purpose::Exists)?;
            self.fail_if_any_exists(&tally)?;
        }
        let purpose = if self.into.dry_run { Purpose::Probe } else { Purpose::Send };
        let (tally, left_out, stopped) = self.pass(source, touched, follower, purpose)?;
        let functions = self.into.functions.then(|| {
            let [restored, already_there, failed] = tally.functions;
            FunctionCounts { restored, already_there, failed }
        });
        let by_type = tally.by_type();
        Ok(IntoReport {
            path: std::path::PathBuf::new(),
            choice: None,
            server: self.into.address().clone(),
            server_version: self.server.version.clone(),
            nodes,
            dry_run: self.into.dry_run,
            existing: self.into.existing,
            expired_were: self.into.expired,
            keys: tally.total,
            by_type,
            left_out,
            failures: tally.failures,
            conflicts: tally.conflicts,
            checked: tally.checked,
            not_comparable: tally.not_comparable,
            differing: tally.differing_total,
            differing_keys: tally.differing,
            functions,
            stopped,
            bytes: tally.bytes,
            elapsed_s: 0.0,
        })
    }

    /// Passes all keys of the source to a sender.
    fn pass(
        &self,
        source: &dyn Source,
        touched: Option<&TouchedKeys>,
        follower: Option<Follower>,
        purpose: Purpose,
    ) -> Result<(Tally, LeftOut, Option<String>)> {
        let server = self.server.clone();
        let encoding = Encoding {
            options: self.into,
            server: server.line,
            target: server.rdb,
            modules: &self.server.modules,
            touched,
            now_ms: server.now_ms(),
        };
        let mut sender = Sender::new(server, self.into, purpose, encoding.detail(), self.progress)?;
        sender.follower = follower;
        let mut left_out = LeftOut::default();
        if self.into.functions && purpose == Purpose::Send {
            self.send_functions(source, &mut sender)?;
        }
        let make = |_: usize, keyspace: &mut Keyspace<'_>| Ok(encoding.shard(keyspace));
        let take = |_: usize, shard: OutgoingShard| {
            left_out.join(shard.left_out);
            for (db, kind) in shard.touched {
                sender.tally.add(db, kind, KeyOutcome::TouchedSince);
            }
            for (db, kind) in shard.expired {
                sender.tally.add(db, kind, KeyOutcome::Expired);
            }
            shard.keys.into_iter().try_for_each(|key| sender.send(key))
        };
        let sent = each_shard(source, &self.replay_options(), self.progress, make, take);
        let sent = sent.and_then(|_| sender.finish());
        match sent {
            Ok(()) => Ok((sender.tally, left_out, sender.stopped)),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(sender.interrupted(error)),
            Err(error) => Err(error),
        }
    }

    /// Returns the options of the replay. At an adaptive speed half of the cores are enough, and the server, which may be on
    /// this machine, has the others.
    fn replay_options(&self) -> ReplayOptions {
        let mut options = self.replay.clone();
        if self.into.rate == SendRate::Adaptive && options.threads == 0 {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            options.threads = (cores / 2).max(1);
        }
        options
    }

    fn fail_if_any_exists(&self, tally: &Tally) -> Result<()> {
        let existing = tally.total.conflicting;
        if existing == 0 {
            return Ok(());
        }
        let named: Vec<&str> = tally.conflicts.iter().take(3).map(|key| key.key.as_str()).collect();
        let message = format!(
            "{}: {} exist there already, such as {}",
            self.into.address(),
            counted(existing, "of the keys"),
            named.join(", ")
        );
        Err(Error::new(ErrorKind::Refused, message)
            .help("nothing was sent; --existing keep, replace or union says what becomes of them"))
    }

    /// Sends the function libraries to every node.
    fn send_functions(&self, source: &dyn Source, sender: &mut Sender<'_>) -> Result<()> {
        let routed = source.whole();
        let reading = self.replay.server.unwrap_or_else(|| routed.origin().reading());
        let functions = source.non_key(reading)?.functions;
        for (_, library) in functions.iter() {
            let code = library.code();
            let replace: &[&[u8]] = match self.into.existing {
                ExistingKeys::Replace => &[b"FUNCTION", b"LOAD", b"REPLACE", code],
                _ => &[b"FUNCTION", b"LOAD", code],
            };
            for node in 0..sender.nodes() {
                let answer = sender.pipeline(node).run(&packed(replace));
                let outcome = match answer {
                    Ok(_) => 0,
                    Err(Failure::Answer { text, .. }) if text.contains("already exists") => 1,
                    Err(Failure::Answer { code, text }) => {
                        sender.tally.function_failed(format!("{code} {text}"));
                        2
                    }
                    Err(failure) => {
                        return Err(failure.into_error("FUNCTION LOAD", &self.into.endpoint));
                    }
                };
                sender.tally.functions[outcome] += 1;
            }
        }
        Ok(())
    }
}
