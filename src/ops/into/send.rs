//! Sending keys to the nodes of a server, and following up on their replies.
//!
//! Each node has a pipeline. A reply can lead to another request for the same key: to another node, at a later time, or
//! for what is to be done with a key that exists. These wait in a queue, from which [`Sender::settle`] takes them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use redis::{ServerError, Value as Reply};

use super::options::{ExistingKeys, IntoOptions, ReadBack};
use super::outgoing::{Content, Outgoing};
use super::pace::{Pace, wait};
use super::read_back::{Compared, Comparer};
use super::refusal::Refusal;
use super::request::{Job, Stage};
use super::tally::{KeyOutcome, Tally};
use super::target::TargetServer;
use crate::analysis::touched_keys::{Follower, LATEST};
use crate::base::error::{Error, Result};
use crate::base::progress::Progress;
use crate::base::slot::slot_of;
use crate::keyspace::Access;
use crate::keyspace::fingerprint::Detail;
use crate::live::client::Client;
use crate::live::cluster::endpoint_of;
use crate::live::connection::{CONNECTING, Failure};
use crate::live::endpoint::Address;
use crate::live::info::Info;
use crate::live::pipeline::Pipeline;
use crate::live::running::ask_slots;

/// The number of bytes that are collected before they are sent.
const SEND_AT: usize = 32 << 10;
/// The number of keys of which each is read back.
const ALWAYS_READ_BACK: u64 = 100_000;
/// Of the keys after these, one of so many is read back.
const SAMPLE: u64 = 100;
/// The number of redirections after which a key is given up.
const MOST_REDIRECTIONS: u32 = 32;
/// The time after which the log of the server is read again.
const FOLLOW_EACH: Duration = Duration::from_millis(2);
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// What a run does with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// They are sent.
    Send,
    /// The server is asked what it has under their names.
    Probe,
    /// The server is asked whether they exist.
    Exists,
}

/// Sends keys to a server.
pub(super) struct Sender<'s> {
    pub(super) server: TargetServer,
    pub(super) options: &'s IntoOptions,
    pub(super) progress: &'s dyn Progress,
    purpose: Purpose,
    pub(super) nodes: Vec<Node>,
    /// Requests that follow from replies.
    pub(super) again: Vec<Job>,
    /// Requests that the server refused for now.
    later: Vec<(Instant, Job)>,
    pub(super) pace: Pace,
    pub(super) tally: Tally,
    pub(super) comparer: Comparer,
    /// What the server writes to its log meanwhile.
    pub(super) follower: Option<Follower>,
    followed_at: Instant,
    /// The keys that were created so short a time ago that the log may not show it yet, and when.
    created: VecDeque<(Instant, Outgoing)>,
    /// The number of keys that the log shows restored after others had named them.
    restored_later: usize,
    /// The number of keys that were taken up.
    taken: u64,
    /// The reason why nothing more is sent.
    pub(super) stopped: Option<String>,
    /// The time of the first refusal of those that have not ended.
    pub(super) refused_since: Option<Instant>,
    /// The time at which the slots of the cluster were asked for last.
    slots_asked_at: Option<Instant>,
}

/// A node of a cluster, or the server.
pub(super) struct Node {
    pub(super) address: Address,
    pub(super) pipeline: Pipeline<Request>,
    /// The requests that the next transaction consists of.
    pub(super) together: Vec<Job>,
}

/// What is in flight to a node.
pub(super) enum Request {
    /// A request for one key.
    One(Job),
    /// A transaction that creates and reads back several keys.
    Together(Vec<Job>),
}

impl Request {
    fn into_jobs(self) -> Vec<Job> {
        match self {
            Request::One(job) => vec![job],
            Request::Together(jobs) => jobs,
        }
    }
}

impl Node {
    fn new(address: Address, server: &TargetServer, options: &IntoOptions) -> Node {
        let pipeline = Pipeline::new(endpoint_of(&address, &options.endpoint));
        Node { address, pipeline: pipeline.no_touch(server.has_no_touch), together: Vec::new() }
    }
}

impl<'s> Sender<'s> {
    pub(super) fn new(
        server: TargetServer,
        options: &'s IntoOptions,
        purpose: Purpose,
        detail: Detail,
        progress: &'s dyn Progress,
    ) -> Result<Sender<'s>> {
        let endpoint = &options.endpoint;
        let pace = Pace::new(options.rate, endpoint)
            .map_err(|failure| failure.into_error(CONNECTING, endpoint))?;
        let comparer = Comparer::new(server.line, detail);
        let node = |address: &Address| Node::new(address.clone(), &server, options);
        let nodes = match &server.slots {
            None => vec![node(&endpoint.address)],
            Some(slots) => slots.nodes().iter().map(node).collect(),
        };
        Ok(Sender {
            server,
            options,
            progress,
            purpose,
            nodes,
            again: Vec::new(),
            later: Vec::new(),
            pace,
            tally: Tally::default(),
            comparer,
            follower: None,
            followed_at: Instant::now(),
            created: VecDeque::new(),
            restored_later: 0,
            taken: 0,
            stopped: None,
            refused_since: None,
            slots_asked_at: None,
        })
    }

    /// Sends a key. Its outcome may be known only after [`finish`](Self::finish).
    ///
    /// # Errors
    ///
    /// When the caller cancels, and when the connection cannot be used at all.
    pub(super) fn send(&mut self, mut key: Outgoing) -> Result<()> {
        self.progress.check()?;
        if self.stopped.is_some() {
            self.tally.count(&key, KeyOutcome::Unsent);
            return Ok(());
        }
        self.follow(FOLLOW_EACH)?;
        if self.follower.as_ref().is_some_and(|it| it.touched(key.db, &key.key)) {
            self.tally.count(&key, KeyOutcome::TouchedSince);
            return Ok(());
        }
        self.taken += 1;
        let stage = match (self.purpose, &key.content) {
            (_, Content::Impossible(reason)) => {
                let reason = reason.clone();
                self.tally.failed(&key, reason);
                return Ok(());
            }
            (Purpose::Probe, _) => Stage::Probe,
            (Purpose::Exists, _) => Stage::Exists,
            (Purpose::Send, Content::Commands(_)) => {
                Stage::Build { replace: self.replaces(), only: true }
            }
            (Purpose::Send, Content::Payload(payload)) if is_large(&key, payload) => {
                Stage::Build { replace: self.replaces(), only: false }
            }
            (Purpose::Send, Content::Payload(_)) => {
                Stage::Restore { replace: self.replaces(), checked: self.reads_back() }
            }
        };
        // DUMP of a large key would block the server, too.
        let is_sampled = self.options.read_back == ReadBack::Sampled;
        let is_spared = is_sampled && matches!(stage, Stage::Build { .. });
        let checked = self.purpose == Purpose::Send && self.reads_back() && !is_spared;
        // DUMP would end the idle time.
        let is_used = checked && !self.server.has_no_touch;
        key.access = key.access.filter(|access| !is_used || !matches!(access, Access::Idle(_)));
        self.tally.bytes += key.bytes() as u64;
        self.hold_pace(key.bytes())?;
        self.dispatch(Job::new(key, stage, checked))?;
        self.settle()
    }

    /// Reads what the server wrote to its log, if that was not done for this time, and removes again what should not have
    /// been created: keys that were written and deleted by others just before.
    fn follow(&mut self, each: Duration) -> Result<()> {
        let Some(follower) = &mut self.follower else { return Ok(()) };
        if self.followed_at.elapsed() < each {
            return Ok(());
        }
        follower.read();
        self.followed_at = Instant::now();
        let mut late = Vec::new();
        let seen = follower.restored_later_keys();
        if seen > self.restored_later {
            self.restored_later = seen;
            self.created.retain(|(_, key)| {
                let is_late = follower.restored_later(key.db, &key.key);
                if is_late {
                    late.push(Job::new(key.without_content(), Stage::Withdraw, false));
                }
                !is_late
            });
        }
        let is_old = |(at, _): &(Instant, Outgoing)| at.elapsed() > LATEST;
        while self.created.front().is_some_and(is_old) {
            self.created.pop_front();
        }
        self.again.extend(late);
        self.settle()
    }

    /// Waits until a request of so many bytes may be sent.
    pub(super) fn hold_pace(&mut self, bytes: usize) -> Result<()> {
        if self.purpose != Purpose::Send {
            return Ok(());
        }
        let lag = self.pace.adapt();
        if let Some(time) = lag.into_iter().chain(self.pace.wait_for(bytes)).max() {
            for node in 0..self.nodes.len() {
                self.flush(node)?;
            }
            wait(time, || self.progress.check())?;
        }
        Ok(())
    }

    fn replaces(&self) -> bool {
        self.options.existing == ExistingKeys::Replace
    }

    fn reads_back(&self) -> bool {
        match self.options.read_back {
            ReadBack::All => true,
            ReadBack::None => false,
            ReadBack::Sampled => {
                self.taken <= ALWAYS_READ_BACK || self.taken.is_multiple_of(SAMPLE)
            }
        }
    }

    /// Waits for all replies, and for those that follow from them.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub(super) fn finish(&mut self) -> Result<()> {
        loop {
            self.settle()?;
            for node in 0..self.nodes.len() {
                self.drain(node)?;
            }
            self.follow(Duration::ZERO)?;
            let is_known = self.created.is_empty() || self.stopped.is_some();
            if self.again.is_empty() && self.later.is_empty() && is_known {
                return Ok(());
            }
            if self.again.is_empty() {
                wait(RETRY_AFTER, || self.progress.check())?;
            }
        }
    }

    /// Sends the requests that follow from replies.
    fn settle(&mut self) -> Result<()> {
        loop {
            if !self.later.is_empty() {
                let now = Instant::now();
                let ready = self.later.extract_if(.., |(at, _)| *at <= now).map(|(_, job)| job);
                self.again.extend(ready);
            }
            let Some(job) = self.again.pop() else { return Ok(()) };
            self.progress.check()?;
            if self.stopped.is_some() {
                // A key that was created already is not read back.
                if !matches!(job.stage, Stage::ReadBack | Stage::Withdraw) {
                    self.tally.count(&job.key, KeyOutcome::Unsent);
                }
                continue;
            }
            self.dispatch(job)?;
        }
    }

    /// Adds a request to the pipeline of its node.
    fn dispatch(&mut self, mut job: Job) -> Result<()> {
        let Some(node) = self.node_of(&job) else {
            self.refuse_for_now(job, "no node of the cluster serves the slot".to_owned());
            return Ok(());
        };
        if self.nodes[node].pipeline.db() != job.key.db {
            self.drain(node)?;
            match self.nodes[node].pipeline.select(job.key.db) {
                Ok(()) => {}
                Err(Failure::Answer { code, text }) => {
                    self.tally.failed(&job.key, format!("SELECT {}: {code} {text}", job.key.db));
                    return Ok(());
                }
                Err(failure) => {
                    self.again.push(job);
                    return self.lost(node, failure);
                }
            }
        }
        if matches!(job.stage, Stage::Build { .. } | Stage::Unite | Stage::Withdraw) {
            self.drain(node)?;
            return self.step_by_step(node, job);
        }
        if self.goes_together(&job) {
            self.nodes[node].together.push(job);
            if !self.is_complete(node) {
                return Ok(());
            }
            self.send_together(node);
        } else {
            let (commands, line) = (job.commands(), self.server.line);
            if job.is_compared() {
                job.sent_ms = self.server.now_ms();
            }
            let write = |request: &Request, out: &mut Vec<u8>| {
                if let Request::One(job) = request {
                    job.write(out, line);
                }
            };
            self.nodes[node].pipeline.push(Request::One(job), commands, write);
        }
        if self.nodes[node].pipeline.unsent() >= SEND_AT {
            self.flush(node)?;
        }
        let window = self.pace.in_flight();
        if self.nodes[node].pipeline.in_flight() > window {
            while self.nodes[node].pipeline.in_flight() > window / 2 {
                self.take_reply(node)?;
            }
        }
        Ok(())
    }

    /// Returns the index of the node for a request.
    fn node_of(&mut self, job: &Job) -> Option<usize> {
        let Some(slots) = &self.server.slots else { return Some(0) };
        let address = match &job.to {
            Some(address) => address.clone(),
            None => slots.of_slot(slot_of(&job.key.key))?.clone(),
        };
        Some(self.node(address))
    }

    fn node(&mut self, address: Address) -> usize {
        if let Some(index) = self.nodes.iter().position(|node| node.address == address) {
            return index;
        }
        self.nodes.push(Node::new(address, &self.server, self.options));
        self.nodes.len() - 1
    }

    fn flush(&mut self, node: usize) -> Result<()> {
        self.send_together(node);
        match self.nodes[node].pipeline.flush() {
            Ok(()) => Ok(()),
            Err(failure) => self.lost(node, failure),
        }
    }

    /// Handles all outstanding replies of a node.
    fn drain(&mut self, node: usize) -> Result<()> {
        self.send_together(node);
        while self.nodes[node].pipeline.requests() > 0 {
            self.take_reply(node)?;
        }
        Ok(())
    }

    fn take_reply(&mut self, node: usize) -> Result<()> {
        match self.nodes[node].pipeline.next() {
            Ok(Some((Request::One(job), replies))) => {
                self.handle(node, job, &replies);
                Ok(())
            }
            Ok(Some((Request::Together(jobs), replies))) => {
                self.handle_together(node, jobs, &replies);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(failure) => self.lost(node, failure),
        }
    }

    /// A transaction with this request was run, and has these results.
    pub(super) fn created(&mut self, node: usize, job: Job, results: &[&Reply]) {
        match results {
            [Reply::ServerError(error), ..] | [_, Reply::ServerError(error), ..] => {
                let refusal = Refusal::of(error, &self.nodes[node].address);
                self.refused(job, refusal);
            }
            [.., _, dump, expiry] => {
                let compared = self.compare(&job, dump, expiry);
                self.restored(job, existed(results), Some(compared));
            }
            _ => self.tally.failed(&job.key, UNEXPECTED),
        }
    }

    /// Handles the replies to a request.
    fn handle(&mut self, node: usize, job: Job, replies: &[Reply]) {
        // Replies to ASKING precede those to each command.
        let replies = if job.asking {
            replies.iter().skip(1).step_by(2).collect::<Vec<_>>()
        } else {
            replies.iter().collect()
        };
        // EXECABORT is the consequence of the error before it.
        if let Some(error) = error_in(&replies) {
            let refusal = Refusal::of(error, &self.nodes[node].address);
            return self.refused(job, refusal);
        }
        self.refused_since = None;
        match (job.stage, replies.as_slice()) {
            (Stage::Restore { checked: false, .. }, [.., _]) => {
                self.restored(job, existed(&replies), None);
            }
            (Stage::Restore { checked: true, .. }, [.., Reply::Array(results)]) => {
                self.created(node, job, &results.iter().collect::<Vec<_>>());
            }
            (Stage::Compare, [dump, expiry]) => self.found(job, dump, expiry),
            (Stage::ReadBack, [dump, expiry]) => {
                let compared = self.compare(&job, dump, expiry);
                self.read_back(&job.key, compared);
            }
            (Stage::Exists, [Reply::Int(exists)]) => {
                if *exists == 0 {
                    self.tally.count(&job.key, KeyOutcome::Restored);
                } else {
                    self.tally.conflict(&job.key, "exists");
                }
            }
            (Stage::Probe, [Reply::SimpleString(kind)]) => self.probed(&job.key, kind),
            _ => self.tally.failed(&job.key, UNEXPECTED),
        }
    }

    pub(super) fn compare(&mut self, job: &Job, dump: &Reply, expiry: &Reply) -> Compared {
        let between_ms = job.sent_ms..=self.server.now_ms();
        self.comparer.compare(&job.key, dump, expiry, between_ms)
    }

    /// A key was created, or replaced one that existed.
    pub(super) fn restored(&mut self, job: Job, existed: bool, compared: Option<Compared>) {
        self.tally
            .count(&job.key, if existed { KeyOutcome::Replaced } else { KeyOutcome::Restored });
        // A key that was replaced as requested is not removed again.
        if let Some(follower) = self.follower.as_ref().filter(|_| !existed) {
            let key = job.key.without_content();
            if follower.restored_later(key.db, &key.key) {
                self.again.push(Job::new(key, Stage::Withdraw, false));
            } else {
                self.created.push_back((Instant::now(), key));
            }
        }
        match compared {
            Some(compared) => self.read_back(&job.key, compared),
            // What a transaction on the way to another node cannot do is done afterwards.
            None if job.checked => {
                self.again.push(Job { stage: Stage::ReadBack, attempts: 0, ..job });
            }
            None => {}
        }
    }

    fn read_back(&mut self, key: &Outgoing, compared: Compared) {
        match compared {
            Compared::Same => {}
            Compared::Different => self.tally.differs(key, "the server has other data"),
            Compared::Missing => self.tally.differs(key, "the key is missing"),
            Compared::Unreadable => {
                self.tally.not_comparable += 1;
                return;
            }
        }
        self.tally.checked += 1;
    }

    /// A key exists; these are the replies that describe it.
    fn found(&mut self, job: Job, dump: &Reply, expiry: &Reply) {
        match self.compare(&job, dump, expiry) {
            // After a lost reply, it is most probably that of this run.
            Compared::Same if job.resent => self.tally.count(&job.key, KeyOutcome::Restored),
            Compared::Same => self.tally.count(&job.key, KeyOutcome::AlreadyThere),
            Compared::Missing => {
                // It has expired or was deleted since.
                let stage = self.first_stage(&job);
                self.again.push(Job { stage, attempts: job.attempts + 1, ..job });
            }
            Compared::Different if self.options.existing == ExistingKeys::Union => {
                self.again.push(Job { stage: Stage::Unite, ..job });
            }
            Compared::Different => self.tally.conflict(&job.key, "has other data"),
            Compared::Unreadable => self.tally.conflict(&job.key, "exists, not compared"),
        }
    }

    fn first_stage(&self, job: &Job) -> Stage {
        let replace = self.replaces();
        match job.key.content {
            Content::Commands(_) => Stage::Build { replace, only: true },
            _ => Stage::Restore { replace, checked: job.checked && !job.asking },
        }
    }

    fn probed(&mut self, key: &Outgoing, kind: &str) {
        if kind == "none" {
            self.tally.count(key, KeyOutcome::Restored);
            return;
        }
        let same_kind = kind == key.kind.to_string();
        match self.options.existing {
            ExistingKeys::Replace => self.tally.count(key, KeyOutcome::Replaced),
            ExistingKeys::Union if same_kind && can_be_united(key) => {
                self.tally.count(key, KeyOutcome::United);
            }
            _ if same_kind => self.tally.conflict(key, "exists"),
            _ => self.tally.conflict(key, &format!("exists as {kind}")),
        }
    }

    /// A request was refused.
    pub(super) fn refused(&mut self, job: Job, refusal: Refusal) {
        let attempts = job.attempts + 1;
        match refusal {
            Refusal::Exists => self.again.push(Job { stage: Stage::Compare, ..job }),
            Refusal::Moved(..) | Refusal::Ask(_) if attempts > MOST_REDIRECTIONS => {
                self.tally.failed(&job.key, "redirected from node to node without end");
            }
            Refusal::Moved(slot, to) => {
                if let Some(slots) = &mut self.server.slots {
                    slots.moved(slot, to);
                }
                let stage = self.unasked(&job);
                self.again.push(Job { attempts, asking: false, to: None, stage, ..job });
            }
            Refusal::Ask(to) => {
                // In a transaction, the permission to serve a slot that is about to move would end with MULTI.
                let stage = match job.stage {
                    Stage::Restore { replace, .. } => Stage::Restore { replace, checked: false },
                    stage => stage,
                };
                self.again.push(Job { attempts, asking: true, to: Some(to), stage, ..job });
            }
            Refusal::Later(reason) => self.refuse_for_now(job, reason),
            Refusal::Unloadable(_) if matches!(job.stage, Stage::Restore { .. }) => {
                let replace = self.replaces();
                self.again.push(Job { stage: Stage::Build { replace, only: true }, ..job });
            }
            Refusal::Everything(reason) => {
                // It may be that another node of the cluster was made the primary meanwhile.
                if reason.starts_with("READONLY") && self.server.slots.is_some() {
                    self.refuse_for_now(job, reason);
                    return;
                }
                self.tally.failed(&job.key, reason.as_str());
                self.stopped.get_or_insert(reason);
            }
            Refusal::Unloadable(reason) | Refusal::Key(reason) => {
                self.tally.failed(&job.key, reason);
            }
        }
    }

    fn unasked(&self, job: &Job) -> Stage {
        match job.stage {
            Stage::Restore { replace, .. } => Stage::Restore { replace, checked: job.checked },
            stage => stage,
        }
    }

    /// A request may succeed later.
    fn refuse_for_now(&mut self, job: Job, reason: String) {
        let since = *self.refused_since.get_or_insert_with(Instant::now);
        if since.elapsed() > self.options.retry_for {
            self.tally.failed(&job.key, reason.as_str());
            self.stopped.get_or_insert(reason);
            return;
        }
        if self.server.slots.is_some() {
            self.refresh_slots();
        }
        let stage = self.unasked(&job);
        let job = Job { asking: false, to: None, stage, attempts: job.attempts + 1, ..job };
        self.later.push((Instant::now() + RETRY_AFTER, job));
    }

    /// Asks any node for the slots, unless that was done just before.
    fn refresh_slots(&mut self) {
        if self.slots_asked_at.is_some_and(|at| at.elapsed() < RETRY_AFTER) {
            return;
        }
        self.slots_asked_at = Some(Instant::now());
        let nodes = self.nodes.iter().map(|node| &node.address);
        for address in nodes {
            let mut client = Client::new(&endpoint_of(address, &self.options.endpoint));
            if let Ok(slots) = ask_slots(&mut client) {
                self.server.slots = Some(slots);
                return;
            }
        }
    }

    /// The connection to a node was lost. Its outstanding requests are sent again if the server is still the same.
    fn lost(&mut self, node: usize, failure: Failure) -> Result<()> {
        let reason = match failure {
            Failure::Lost(reason) => reason,
            Failure::Answer { code, text } => format!("{code} {text}"),
            permanent => return Err(permanent.into_error("the reply", &self.options.endpoint)),
        };
        let mut outstanding: Vec<Job> = (self.nodes[node].pipeline.take_outstanding())
            .into_iter()
            .flat_map(Request::into_jobs)
            .collect();
        outstanding.append(&mut self.nodes[node].together);
        let until = Instant::now() + self.options.retry_for;
        // One node of a cluster for which it was waited long enough is enough.
        while self.stopped.is_none() {
            self.progress.check()?;
            match self.is_same_server(node) {
                Ok(true) => break,
                Ok(false) => {
                    let reason = "the server was restarted meanwhile".to_owned();
                    self.stopped.get_or_insert(reason);
                    break;
                }
                Err(_) if self.server.slots.is_some() => {
                    // Another node may have taken over its slots.
                    self.refresh_slots();
                    let gone = self.nodes[node].address.clone();
                    let is_primary =
                        (self.server.slots.iter()).any(|slots| slots.nodes().contains(&gone));
                    if !is_primary {
                        break;
                    }
                    if Instant::now() >= until {
                        self.stopped.get_or_insert(reason);
                        break;
                    }
                }
                Err(_) if Instant::now() >= until => {
                    self.stopped.get_or_insert(reason);
                    break;
                }
                Err(_) => {}
            }
            wait(RETRY_AFTER, || self.progress.check())?;
        }
        // Sent again in their order, because the last is taken first.
        let again = outstanding.into_iter().rev().map(|job| {
            let stage = self.unasked(&job);
            Job { resent: true, asking: false, to: None, stage, ..job }
        });
        let again: Vec<Job> = again.collect();
        self.again.extend(again);
        Ok(())
    }

    /// Returns whether a node still is the process that the run began with; of a cluster, whether it answers.
    fn is_same_server(&mut self, node: usize) -> Result<bool, Failure> {
        let mut client = Client::new(self.nodes[node].pipeline.endpoint());
        let info = Info::ask(client.connection()?, "server")?;
        let run_id = info.text("run_id").unwrap_or_default();
        Ok(self.server.slots.is_some() || run_id == self.server.run_id)
    }

    /// Returns the pipeline of a node, all of whose replies were handled.
    pub(super) fn pipeline(&mut self, node: usize) -> &mut Pipeline<Request> {
        &mut self.nodes[node].pipeline
    }

    pub(super) fn address(&self, node: usize) -> Address {
        self.nodes[node].address.clone()
    }

    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Sends another request for a key before all others that wait.
    #[allow(clippy::unnecessary_wraps)] // So that callers can end with it.
    pub(super) fn push_at_once(&mut self, job: Job) -> Result<()> {
        self.again.push(job);
        Ok(())
    }

    /// Handles a connection that was lost during a request of several steps.
    pub(super) fn lost_with(&mut self, node: usize, job: Job, failure: Failure) -> Result<()> {
        self.lost(node, failure)?;
        self.again.push(Job { resent: true, ..job });
        Ok(())
    }

    /// Returns an error that says what was done before an interruption.
    pub(super) fn interrupted(&self, error: Error) -> Error {
        let done = self.tally.total.restored + self.tally.total.replaced + self.tally.total.united;
        if done == 0 || self.purpose != Purpose::Send {
            return error;
        }
        error.help(format!(
            "{done} keys are in the server already; the same command again skips them and goes on"
        ))
    }
}

/// Returns the first error among replies.
pub(super) fn error_in<'r>(replies: &[&'r Reply]) -> Option<&'r ServerError> {
    replies.iter().find_map(|reply| match reply {
        Reply::ServerError(error) => Some(error),
        _ => None,
    })
}

/// Returns whether a key existed before it was replaced: EXISTS precedes RESTORE then.
fn existed(replies: &[&Reply]) -> bool {
    matches!(replies.first(), Some(Reply::Int(1)))
}

const UNEXPECTED: &str = "the reply is not what a server sends";

/// The number of bytes of a payload from which a collection is created in pieces.
const LARGE: usize = 512 << 10;
/// The same for a stream, of which commands do not carry everything.
const LARGE_STREAM: usize = 64 << 20;

/// Returns whether a server would be blocked for long while it creates a key at once.
fn is_large(key: &Outgoing, payload: &[u8]) -> bool {
    use crate::rdb::Kind;
    match key.kind {
        // A copy of bytes.
        Kind::String | Kind::Module => false,
        Kind::Stream => payload.len() > LARGE_STREAM,
        _ => payload.len() > LARGE,
    }
}

/// Returns whether a running key of this type can get what it lacks.
pub(super) fn can_be_united(key: &Outgoing) -> bool {
    use crate::rdb::Kind;
    matches!(key.kind, Kind::Hash | Kind::Set | Kind::Zset | Kind::Stream)
}
