//! A lock in a store: an object with the name of its holder, which is renewed while it is held and may be taken over after it
//! has expired.
//!
//! Whether it has expired is decided by the clock of the store alone. A holder on this machine that no longer runs is known to
//! be gone at once.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::client::{Client, If, Small, new_token};
use super::url::StoreUrl;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;

/// The time after which a lease that was not renewed has expired.
const TTL: Duration = Duration::from_secs(120);
/// The time between two renewals.
const RENEWAL: Duration = Duration::from_secs(30);
/// The time between two attempts to take a lease that somebody else holds.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// What the object says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Holder {
    /// The name of the machine.
    host: String,
    process: u32,
    /// What distinguishes the process from later ones with its number: the start of the system, the space of process numbers,
    /// and the start of the process.
    started: String,
    what: String,
    token: String,
}

impl Holder {
    fn this(what: &str) -> Holder {
        let process = std::process::id();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Holder {
            host,
            process,
            started: started(process),
            what: what.to_owned(),
            token: new_token(),
        }
    }

    /// Returns whether it ran on this machine, and does no longer.
    fn is_gone(&self) -> bool {
        let space = |started: &str| started.rsplit_once('/').map(|(space, _)| space.to_owned());
        let own = started(std::process::id());
        let is_here =
            !own.is_empty() && space(&own).is_some() && space(&own) == space(&self.started);
        is_here && started(self.process) != self.started
    }
}

/// Returns the start of a process as `SYSTEM/SPACE/TICKS`; `SYSTEM/SPACE/` if it does not run.
fn started(process: u32) -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    if boot.is_empty() || space.as_os_str().is_empty() {
        return String::new();
    }
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name of the program is in parentheses and may have spaces.
    let ticks = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().nth(19))
        .unwrap_or_default();
    format!("{}/{}/{ticks}", boot.trim(), space.display())
}

/// A lease that is held until this value is dropped.
pub(crate) struct Lease {
    client: Arc<Client>,
    place: StoreUrl,
    is_lost: Arc<AtomicBool>,
    stop: Option<Sender<()>>,
    renewing: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the lease `name` below `directory`, for which it waits for at most `wait` if somebody else holds it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] when somebody else holds it; [`ErrorKind::Refused`] when the store ignores conditions.
    pub(crate) fn take(
        client: &Arc<Client>,
        directory: &StoreUrl,
        name: &str,
        what: &str,
        wait: Duration,
        progress: &dyn Progress,
    ) -> Result<Lease> {
        let place = directory.join(name);
        let holder = Holder::this(what);
        let content = serde_json::to_vec(&holder)
            .map_err(|error| Error::io("describe", place.path(), error.into()))?;
        let begun = Instant::now();
        let etag = loop {
            if let Some(etag) = client.put(&place.key, &content, If::New)? {
                refuse_without_conditions(client, &place)?;
                break etag;
            }
            let Some(there) = client.small(&place.key)? else { continue };
            let other: Holder = serde_json::from_slice(&there.content).unwrap_or_default();
            if other.is_gone() || has_expired(&there) {
                if let Some(etag) = client.put(&place.key, &content, If::Is(&there.etag))? {
                    break etag;
                }
                continue;
            }
            if begun.elapsed() >= wait {
                return Err(locked(&other, &place));
            }
            progress.check()?;
            thread::sleep(BETWEEN_TRIES.min(wait));
        };
        let is_lost = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = channel::<()>();
        let renewing = {
            let (client, key, is_lost) = (client.clone(), place.key.clone(), is_lost.clone());
            let renew = move || {
                let mut etag = etag;
                let mut last = Instant::now();
                while stopped.recv_timeout(RENEWAL) == Err(RecvTimeoutError::Timeout) {
                    // The same content has the same ETag in most stores; the time of the object is what is renewed.
                    match client.put(&key, &content, If::Is(&etag)) {
                        Ok(Some(renewed)) => {
                            etag = renewed;
                            last = Instant::now();
                        }
                        Ok(None) => return is_lost.store(true, Ordering::SeqCst),
                        Err(_) if last.elapsed() < TTL => {}
                        Err(_) => return is_lost.store(true, Ordering::SeqCst),
                    }
                }
            };
            thread::Builder::new().name("lease".to_owned()).spawn(renew)
        };
        let lease =
            Lease { client: client.clone(), place, is_lost, stop: Some(stop), renewing: None };
        // Dropped, and so released, if the thread cannot be started.
        let thread =
            renewing.map_err(|error| Error::io("renew the lease of", lease.place.path(), error))?;
        Ok(lease.renewed_by(thread))
    }

    fn renewed_by(mut self, thread: JoinHandle<()>) -> Lease {
        self.renewing = Some(thread);
        self
    }

    /// Fails if another run has taken over the lease, because this one could not renew it in time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`].
    pub(crate) fn check(&self) -> Result<()> {
        if !self.is_lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Locked,
            "this run could not renew its lease in time, and another may have taken it over",
        )
        .at(self.place.path())
        .help("run the command again"))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.renewing.take() {
            let _ = thread.join();
        }
        if !self.is_lost.load(Ordering::SeqCst) {
            // It expires otherwise.
            let _ = self.client.delete(&self.place.key);
        }
    }
}

fn has_expired(lease: &Small) -> bool {
    lease.age.is_some_and(|age| age > TTL)
}

fn locked(holder: &Holder, place: &StoreUrl) -> Error {
    let shown =
        |text: &str| text.chars().filter(|char| !char.is_control()).take(100).collect::<String>();
    let (host, what) = (shown(&holder.host), shown(&holder.what));
    let who = if host.is_empty() {
        "another run".to_owned()
    } else {
        format!("process {} on {host} ({what})", holder.process)
    };
    Error::new(ErrorKind::Locked, format!("{who} holds this lease")).at(Path::new(&place.to_string())).help(format!(
        "let it finish; a lease of a run that was killed expires {} seconds after its last renewal",
        TTL.as_secs()
    ))
}

/// Refuses a store that writes although a condition does not hold: two runs could overwrite each other's archives there.
fn refuse_without_conditions(client: &Client, place: &StoreUrl) -> Result<()> {
    if client.put(&place.key, b"{}", If::New)?.is_none() {
        return Ok(());
    }
    let _ = client.delete(&place.key);
    Err(Error::new(ErrorKind::Refused, "the store ignores conditions (If-None-Match), so that two runs could overwrite each other's archives")
        .at(place.path())
        .help("use a store that supports conditional writes, as AWS does since 2024"))
}
