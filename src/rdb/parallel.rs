//! The walk with the values read on other cores.
//!
//! One thread walks over the records, skips their values, and computes the checksum. The values that it has skipped are
//! read by the others, and by itself once it has reached the end or the others cannot keep up. This succeeds only if
//! everything is intact and no value is empty. In every other case the RDB is read again, in order, so that the report
//! does not depend on the number of threads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::cursor::Cursor;
use super::deep::NotedFaults;
use super::driver::{Driver, LeftValue};
use super::header::HEADER_BYTES;
use super::reader::{Reader, Tools};
use super::visitor::{Ignore, KeyEnd, Visitor};
use crate::base::cancel::Cancellation;
use crate::base::progress::Progress;
use crate::base::threads::run_beside;
use crate::rdb::summary::RdbSummary;

/// Length in bytes from which starting threads is worthwhile.
const LONG: usize = 4 << 20;

/// Number of bytes of values after which they are handed over.
const BATCH_BYTES: usize = 256 << 10;

/// Number of values after which they are handed over, so that a batch of short values takes little memory.
const BATCH_VALUES: usize = 4096;

/// Maximum number of batches per thread that wait.
const WAITING: usize = 4;

/// Walks over the RDB that `bytes` begin with if it is intact, the visitor ignores values, and there is another core.
pub(super) fn walk<'a, V: Visitor<'a>>(
    bytes: &'a [u8],
    visitor: &mut V,
    progress: &dyn Progress,
) -> Option<RdbSummary> {
    let threads = rayon::current_num_threads();
    if bytes.len() < LONG || threads < 2 {
        return None;
    }
    walk_with(bytes, visitor, threads, progress)
}

/// As [`walk`], whatever the length and the number of cores.
pub(super) fn walk_with<'a, V: Visitor<'a>>(
    bytes: &'a [u8],
    visitor: &mut V,
    threads: usize,
    progress: &dyn Progress,
) -> Option<RdbSummary> {
    let mut copy = visitor.without_values()?;
    let queue = Queue::new(threads * WAITING);
    let goes_on = visitor.goes_on_at_broken_values();
    let work = || {
        let _end = End(&queue);
        let mut tools = tools(goes_on);
        while let Some(batch) = queue.next() {
            queue.read(bytes, &batch, &mut tools);
        }
    };
    let summary = run_beside(threads - 1, work, || {
        // If this fails, the others do not wait any longer.
        let end = End(&queue);
        let summary = walk_records(bytes, &mut copy, goes_on, &queue, progress)?;
        drop(end);
        work();
        Some(summary)
    })?;
    if queue.has_failed() {
        return None;
    }
    *visitor = copy;
    Some(summary)
}

fn tools(goes_on: bool) -> Tools {
    let mut tools = Tools::new();
    tools.noted = goes_on.then(NotedFaults::default);
    tools
}

/// Walks over the records and hands over their values.
fn walk_records<'a, V: Visitor<'a>>(
    bytes: &'a [u8],
    visitor: &mut V,
    goes_on: bool,
    queue: &Queue,
    progress: &dyn Progress,
) -> Option<RdbSummary> {
    let (mut walk_tools, mut own_tools) = (tools(goes_on), tools(goes_on));
    let mut driver = Driver::new(bytes, visitor, &mut walk_tools);
    driver.check(progress);
    driver.left = Some(Vec::new());
    driver.begin().ok()?;
    // Values with templates cannot be read on their own.
    if driver.has_redis(15) {
        return None;
    }
    let mut from = HEADER_BYTES;
    loop {
        let more = driver.checked_step().ok()?;
        let at = driver.reader.cursor.pos();
        let left = driver.left.get_or_insert_default();
        if at - from < BATCH_BYTES && left.len() < BATCH_VALUES && more {
            continue;
        }
        from = at;
        if let Some(batch) = queue.hand_over(std::mem::take(left)) {
            queue.read(bytes, &batch, &mut own_tools);
        }
        if queue.has_failed() {
            return None;
        }
        if !more {
            break;
        }
    }
    driver.repeated().is_empty().then(|| driver.walk())
}

/// The batches of values that wait to be read.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    most_waiting: usize,
    failed: AtomicBool,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Vec<LeftValue>>,
    is_complete: bool,
}

impl Queue {
    fn new(most_waiting: usize) -> Self {
        Queue {
            state: Mutex::default(),
            changed: Condvar::new(),
            most_waiting,
            failed: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Adds a batch; returns it if too many wait.
    fn hand_over(&self, batch: Vec<LeftValue>) -> Option<Vec<LeftValue>> {
        let mut state = self.lock();
        if state.batches.len() >= self.most_waiting {
            return Some(batch);
        }
        state.batches.push_back(batch);
        drop(state);
        self.changed.notify_one();
        None
    }

    /// Returns the next batch; `None` if there will be none.
    fn next(&self) -> Option<Vec<LeftValue>> {
        let mut state = self.lock();
        while !self.has_failed() {
            if let Some(batch) = state.batches.pop_front() {
                return Some(batch);
            }
            if state.is_complete {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Reads the values of a batch, and notes whether all are intact.
    fn read(&self, bytes: &[u8], batch: &[LeftValue], tools: &mut Tools) {
        let mut visitor = Ignore;
        let mut reader = Reader { cursor: Cursor::at(bytes, 0), visitor: &mut visitor, tools };
        let is_intact = batch.iter().all(|value| {
            reader.cursor = Cursor::at(bytes, value.start);
            let is_whole = matches!(reader.value(value.layout), Ok(KeyEnd::Whole));
            let is_noted = reader.tools.noted.as_ref().is_some_and(|noted| !noted.is_empty());
            is_whole && !is_noted && reader.cursor.pos() == value.end
        });
        if !is_intact {
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

/// Marks the batches as complete when it is dropped, so that no thread waits for one that has ended.
struct End<'q>(&'q Queue);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().is_complete = true;
        self.0.changed.notify_all();
    }
}

/// Progress that leaves out what was reported before a second reading.
pub(super) struct Rest<'p> {
    progress: &'p dyn Progress,
    reported: AtomicU64,
    /// Number of bytes that are read again and not yet reached.
    again: AtomicU64,
}

impl<'p> Rest<'p> {
    pub(super) fn new(progress: &'p dyn Progress) -> Self {
        Rest { progress, reported: AtomicU64::new(0), again: AtomicU64::new(0) }
    }

    /// Reading begins again at the first byte.
    pub(super) fn start_again(&self) {
        self.again.store(self.reported.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl Progress for Rest<'_> {
    fn phase(&self, name: &str, bytes: u64) {
        self.progress.phase(name, bytes);
    }

    fn advance(&self, bytes: u64) {
        let again = self.again.load(Ordering::Relaxed);
        let known = again.min(bytes);
        self.again.store(again - known, Ordering::Relaxed);
        self.reported.fetch_add(bytes - known, Ordering::Relaxed);
        if bytes > known {
            self.progress.advance(bytes - known);
        }
    }

    fn cancellation(&self) -> Option<&Cancellation> {
        self.progress.cancellation()
    }
}
