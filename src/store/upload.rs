//! An archive that is uploaded while it is written, in parts.
//!
//! Memory is bounded: the part that is written, those that the threads upload, and the parts with the header that is open (one,
//! or two that it spans), which are held back until it is closed. The parts are those of the archive as a file would have it.

use std::io;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::client::{Client, PartDone};
use crate::archive::sink::Sink;
use crate::base::error::{Error, ErrorKind, Result};

/// The size of a part in bytes. Stores require at least 5 MiB.
const PART_BYTES: usize = 8 << 20;
/// The number of parts that an archive of the estimated size has at most; stores allow 10,000.
const PARTS: u64 = 8_000;
/// The largest number of a part that stores allow.
const MOST_PARTS: u32 = 10_000;
/// The number of parts that are uploaded at the same time.
const THREADS: usize = 3;

/// A part that is written or waits to be uploaded.
struct Part {
    number: u32,
    start: u64,
    bytes: Vec<u8>,
}

impl Part {
    fn range(&self) -> Range<u64> {
        self.start..self.start + self.bytes.len() as u64
    }
}

/// What the threads have done.
#[derive(Default)]
struct State {
    done: Vec<(PartDone, Range<u64>)>,
    failed: Option<Error>,
}

/// An upload under way. Unless it is finished, the caller has to abort it.
pub(crate) struct Upload {
    part_bytes: usize,
    current: Part,
    held: Vec<Part>,
    /// The range of the header that is open.
    open: Option<Range<u64>>,
    sender: Option<SyncSender<Part>>,
    threads: Vec<JoinHandle<()>>,
    state: Arc<Mutex<State>>,
}

/// The parts of an upload, in order, with their ranges in the archive.
pub(crate) type Parts = Vec<(PartDone, Range<u64>)>;

impl Upload {
    /// Starts the threads of the upload `id`. `estimate`: the expected size of the archive in bytes.
    pub(crate) fn start(client: &Arc<Client>, key: &str, id: &str, estimate: u64) -> Upload {
        let needed = usize::try_from(estimate.div_ceil(PARTS)).unwrap_or(usize::MAX);
        let part_bytes = PART_BYTES.max(needed.next_multiple_of(1 << 20).min(512 << 20));
        let (sender, receiver) = sync_channel(0);
        let receiver = Arc::new(Mutex::new(receiver));
        let state = Arc::new(Mutex::new(State::default()));
        let threads = (0..THREADS)
            .filter_map(|_| {
                let (client, state, receiver) = (client.clone(), state.clone(), receiver.clone());
                let (key, id) = (key.to_owned(), id.to_owned());
                let work = move || upload(&client, &key, &id, &receiver, &state);
                thread::Builder::new().name("upload".to_owned()).spawn(work).ok()
            })
            .collect();
        let current = Part { number: 1, start: 0, bytes: Vec::new() };
        Upload {
            part_bytes,
            current,
            held: Vec::new(),
            open: None,
            sender: Some(sender),
            threads,
            state,
        }
    }

    /// Uploads what is left and waits for all parts.
    ///
    /// # Errors
    ///
    /// When a part cannot be uploaded.
    pub(crate) fn finish(mut self) -> Result<Parts> {
        self.open = None;
        self.pass_on().map_err(into_error)?;
        if !self.current.bytes.is_empty() {
            self.seal().map_err(into_error)?;
        }
        self.wait();
        let mut state = lock(&self.state);
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        let mut done = std::mem::take(&mut state.done);
        done.sort_by_key(|(part, _)| part.number);
        Ok(done)
    }

    fn wait(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }

    fn is_open(&self, part: &Part) -> bool {
        let range = part.range();
        self.open.as_ref().is_some_and(|open| open.start < range.end && range.start < open.end)
    }

    /// Ends the current part.
    fn seal(&mut self) -> io::Result<()> {
        let (number, start) = (self.current.number + 1, self.current.range().end);
        if number > MOST_PARTS + 1 {
            return Err(io::Error::other(Error::new(
                ErrorKind::Refused,
                "the archive is much larger than estimated, and has more than 10,000 parts",
            )));
        }
        let part = std::mem::replace(&mut self.current, Part { number, start, bytes: Vec::new() });
        if self.is_open(&part) {
            self.held.push(part);
            return Ok(());
        }
        self.send(part)
    }

    /// Passes on the parts that were held back for the header that was open.
    fn pass_on(&mut self) -> io::Result<()> {
        std::mem::take(&mut self.held).into_iter().try_for_each(|part| self.send(part))
    }

    fn send(&mut self, part: Part) -> io::Result<()> {
        if let Some(error) = lock(&self.state).failed.take() {
            return Err(io::Error::other(error));
        }
        if let Some(Ok(())) = self.sender.as_ref().map(|sender| sender.send(part)) {
            return Ok(());
        }
        let error = lock(&self.state).failed.take();
        Err(io::Error::other(error.unwrap_or_else(|| {
            Error::new(ErrorKind::Io, "no thread can be started to upload the archive")
        })))
    }
}

impl Sink for Upload {
    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.current.bytes.capacity() == 0 {
                self.current.bytes.reserve_exact(self.part_bytes);
            }
            let room = self.part_bytes - self.current.bytes.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.current.bytes.extend_from_slice(now);
            bytes = later;
            if self.current.bytes.len() == self.part_bytes {
                self.seal()?;
            }
        }
        Ok(())
    }

    fn append_open(&mut self, room: &[u8]) -> io::Result<()> {
        let start = self.current.range().end;
        self.open = Some(start..start + room.len() as u64);
        self.append(room)
    }

    fn close(&mut self, header: &[u8], offset: u64) -> io::Result<()> {
        if self.open.take() != Some(offset..offset + header.len() as u64) {
            return Err(io::Error::other("a header has another length than its room"));
        }
        for part in self.held.iter_mut().chain([&mut self.current]) {
            let range = part.range();
            for (at, byte) in (offset..).zip(header) {
                if range.contains(&at)
                    && let Ok(index) = usize::try_from(at - range.start)
                    && let Some(place) = part.bytes.get_mut(index)
                {
                    *place = *byte;
                }
            }
        }
        self.pass_on()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.wait();
    }
}

/// Uploads parts until there are no more, or one fails.
fn upload(
    client: &Client,
    key: &str,
    id: &str,
    parts: &Mutex<Receiver<Part>>,
    state: &Mutex<State>,
) {
    loop {
        let next = parts.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(part) = next else { return };
        if lock(state).failed.is_some() {
            return;
        }
        match client.upload_part(key, id, part.number, &part.bytes) {
            Ok(done) => lock(state).done.push((done, part.range())),
            Err(error) => {
                lock(state).failed.get_or_insert(error);
                return;
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the error that a sink has passed on as one of the system.
fn into_error(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::new(ErrorKind::Io, error.to_string()),
    }
}
