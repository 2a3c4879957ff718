//! The speed at which keys are sent.
//!
//! The adaptive speed is raised while the server answers others at once, and lowered when it does not. That is measured
//! on a connection of its own: the time of a PING against what it took before anything was sent. Replicas to which the
//! server cannot pass the data on in time are a reason to wait, too: their output buffers count as its memory.
//!
//! A server answers nobody while it runs the commands that it has read from one connection. So keys are sent in small
//! portions, with time between them.

use std::time::{Duration, Instant};

use super::options::SendRate;
use crate::live::client::Client;
use crate::live::connection::Failure;
use crate::live::endpoint::Endpoint;

/// The speed in bytes a second with which an adaptive run begins.
const FIRST: f64 = 4e6;
const SLOWEST: f64 = 3e5;
const FASTEST: f64 = 2e9;
/// The smallest number of bytes, or keys, that are sent in one go. With 2,048 bytes, some ten keys, the 99th percentile of
/// the latency of other clients was 2.3 to 2.9 times that of the calm server; with 256 it is 1.2 to 1.8 times.
const PORTION_BYTES: f64 = 256.0;
const PORTION_KEYS: f64 = 8.0;
/// The time, in seconds, for which a portion lasts at high speeds: a shorter sleep is not exact.
const PORTION_S: f64 = 0.0005;
/// The number of bytes in flight to a node at an adaptive speed, beside what a round trip takes. Others wait while the server
/// runs them.
const IN_FLIGHT: usize = 256;
/// The same at a speed that a person chose, which is to be reached over a slow network, too.
const IN_FLIGHT_CHOSEN: usize = 64 << 10;
/// The same at an unlimited speed.
const IN_FLIGHT_UNLIMITED: usize = 1 << 20;
/// The time between two measurements.
const PROBE_EACH: Duration = Duration::from_millis(20);
/// The number of PINGs with which the calm server is measured.
const CALM_PINGS: usize = 51;
/// The time by which a PING may be slower because of the system.
const SLACK: Duration = Duration::from_micros(50);
/// The growth of the output buffers of replicas, in bytes, from which a run waits.
const REPLICA_BUFFERS: u64 = 64 << 20;
const BUFFERS_EACH: Duration = Duration::from_secs(1);
/// The longest time that is slept at once, so that a cancellation is noticed.
const NAP: Duration = Duration::from_millis(50);

/// Limits the speed of a run.
pub(super) struct Pace {
    limit: Limit,
    /// The bytes or keys that may be sent now.
    credit: f64,
    since: Instant,
    probe: Option<Probe>,
}

#[derive(Clone, Copy)]
enum Limit {
    None,
    Bytes(f64),
    Keys(f64),
}

struct Probe {
    client: Client,
    calm: Duration,
    last: Instant,
    buffers_at_first: Option<u64>,
    buffers_at: Instant,
}

impl Pace {
    /// Returns the pace of a run at the server at `endpoint`.
    ///
    /// # Errors
    ///
    /// When the calm server cannot be measured.
    pub(super) fn new(rate: SendRate, endpoint: &Endpoint) -> Result<Pace, Failure> {
        let (limit, probe) = match rate {
            SendRate::Unlimited => (Limit::None, None),
            #[allow(clippy::cast_precision_loss)] // A speed need not be exact.
            SendRate::Bytes(bytes) => (Limit::Bytes(bytes.max(1) as f64), None),
            #[allow(clippy::cast_precision_loss)]
            SendRate::Keys(keys) => (Limit::Keys(keys.max(1) as f64), None),
            SendRate::Adaptive => (Limit::Bytes(FIRST), Some(Probe::new(endpoint)?)),
        };
        Ok(Pace { limit, credit: 0.0, since: Instant::now(), probe })
    }

    /// Returns the number of bytes that should be in flight to a node at most.
    pub(super) fn in_flight(&self) -> usize {
        match (self.limit, &self.probe) {
            (Limit::None, _) => IN_FLIGHT_UNLIMITED,
            (Limit::Bytes(rate), Some(probe)) => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let round_trip = (rate * probe.calm.as_secs_f64()) as usize;
                IN_FLIGHT + round_trip
            }
            _ => IN_FLIGHT_CHOSEN,
        }
    }

    /// Takes the credit for a key of so many bytes. Returns the time to wait before it is sent.
    pub(super) fn wait_for(&mut self, bytes: usize) -> Option<Duration> {
        #[allow(clippy::cast_precision_loss)]
        let (rate, cost, least) = match self.limit {
            Limit::None => return None,
            Limit::Bytes(rate) => (rate, bytes as f64, PORTION_BYTES.min(rate / 10.0)),
            Limit::Keys(rate) => (rate, 1.0, PORTION_KEYS.min(rate / 10.0)),
        };
        let now = Instant::now();
        // A pause does not add up to a burst.
        let portion = (rate * PORTION_S).max(least);
        let earned = rate * now.duration_since(self.since).as_secs_f64();
        self.credit = (self.credit + earned).min(portion);
        self.since = now;
        self.credit -= cost;
        let wanted = portion - self.credit;
        (self.credit < 0.0).then(|| Duration::from_secs_f64((wanted / rate).min(60.0)))
    }

    /// Measures the server, if it is time to, and adapts the speed. Returns the time to wait, if replicas lag.
    pub(super) fn adapt(&mut self) -> Option<Duration> {
        let (Some(probe), Limit::Bytes(rate)) = (&mut self.probe, self.limit) else { return None };
        if probe.last.elapsed() < PROBE_EACH {
            return None;
        }
        // A probe that fails is no reason to stop: the connection that sends notices what is wrong.
        let Ok(delay) = probe.ping() else { return None };
        probe.last = Instant::now();
        let is_calm = delay <= probe.calm * 3 / 2 + SLACK;
        let rate = if is_calm { rate * 1.04 } else { rate * 0.8 };
        self.limit = Limit::Bytes(rate.clamp(SLOWEST, FASTEST));
        probe.replicas_lag().then_some(Duration::from_millis(200))
    }
}

impl Probe {
    fn new(endpoint: &Endpoint) -> Result<Probe, Failure> {
        let (client, now) = (Client::new(endpoint), Instant::now());
        let mut probe = Probe {
            client,
            calm: Duration::ZERO,
            last: now,
            buffers_at_first: None,
            buffers_at: now,
        };
        probe.ping()?;
        let pings = (0..CALM_PINGS).map(|_| probe.ping());
        let mut pings = pings.collect::<Result<Vec<_>, _>>()?;
        pings.sort_unstable();
        probe.calm = pings[CALM_PINGS / 2];
        Ok(probe)
    }

    fn ping(&mut self) -> Result<Duration, Failure> {
        let connection = self.client.connection()?;
        let started = Instant::now();
        match connection.call(&["PING"]) {
            // A user without the right to PING is answered as fast.
            Ok(_) | Err(Failure::Answer { .. }) => Ok(started.elapsed()),
            Err(failure) => {
                self.client.disconnect();
                Err(failure)
            }
        }
    }

    /// Returns whether the output buffers of replicas have grown much since the first time.
    fn replicas_lag(&mut self) -> bool {
        if self.buffers_at_first.is_some() && self.buffers_at.elapsed() < BUFFERS_EACH {
            return false;
        }
        self.buffers_at = Instant::now();
        let Ok(info) = self.client.info("memory") else { return false };
        let buffers = info.number::<u64>("mem_clients_slaves").unwrap_or(0);
        let first = *self.buffers_at_first.get_or_insert(buffers);
        buffers > first.saturating_add(REPLICA_BUFFERS)
    }
}

/// Divides a time to wait into naps, between which `check` is called.
///
/// # Errors
///
/// The errors of `check`.
pub(super) fn wait<E>(time: Duration, check: impl Fn() -> Result<(), E>) -> Result<(), E> {
    let until = Instant::now() + time;
    loop {
        check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(NAP));
    }
}
