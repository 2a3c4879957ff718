//! Processing shards on all cores, with the results passed on in the order of shards.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::threads::run_together;
use crate::keyspace::Bump;

/// Returns the number of threads; 0 selects one per core.
pub(super) fn number(threads: usize) -> usize {
    match threads {
        0 => rayon::current_num_threads(),
        threads => threads,
    }
}

/// Arenas that are used again for the next group of shards, because memory that is returned to the system has to be
/// cleared again.
#[derive(Default)]
pub(super) struct Arenas(Mutex<Vec<Bump>>);

impl Arenas {
    fn lock(&self) -> MutexGuard<'_, Vec<Bump>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Processes every shard of `shards` with `threads` threads, each with its own arena. `take`
/// receives the results of `work` on one thread at a time, in the order of shards; statistics are
/// joined in any order.
///
/// # Errors
///
/// Returns the first error of `work` or `take`.
pub(super) fn run<T: Send, H: Default + Send>(
    shards: Range<usize>,
    threads: usize,
    arenas: &Arenas,
    work: impl Fn(&mut Bump, usize) -> Result<(T, H)> + Sync,
    join: impl Fn(&mut H, H) + Sync,
    take: impl FnMut(usize, T) -> Result<()> + Send,
) -> Result<H> {
    let queue = Queue {
        next: AtomicUsize::new(shards.start),
        state: Mutex::new(State {
            turn: shards.start,
            waiting: BTreeMap::new(),
            take,
            stats: H::default(),
            failed: None,
        }),
        taken: Condvar::new(),
        most_waiting: threads,
        join,
    };
    let worker = || {
        let _alarm = Alarm(&queue);
        let mut arena = arenas.lock().pop().unwrap_or_default();
        loop {
            let shard = queue.next.fetch_add(1, Ordering::Relaxed);
            if shard >= shards.end || queue.has_failed() {
                break;
            }
            queue.hand_over(shard, work(&mut arena, shard));
        }
        arenas.lock().push(arena);
    };
    run_together(threads, worker);
    let state = queue.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match state.failed {
        Some(error) => Err(error),
        None => Ok(state.stats),
    }
}

/// The state shared by the workers: the next shard, and the results that wait for their turn.
struct Queue<T, H, F, J> {
    next: AtomicUsize,
    state: Mutex<State<T, H, F>>,
    taken: Condvar,
    /// A worker that is this far ahead waits, so that memory stays bounded.
    most_waiting: usize,
    join: J,
}

struct State<T, H, F> {
    turn: usize,
    waiting: BTreeMap<usize, T>,
    take: F,
    stats: H,
    failed: Option<Error>,
}

impl<T, H, F, J> Queue<T, H, F, J>
where
    F: FnMut(usize, T) -> Result<()>,
    J: Fn(&mut H, H),
{
    fn lock(&self) -> MutexGuard<'_, State<T, H, F>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self) -> bool {
        self.lock().failed.is_some()
    }

    fn hand_over(&self, shard: usize, made: Result<(T, H)>) {
        let mut state = self.lock();
        match made {
            Err(error) => {
                state.failed.get_or_insert(error);
            }
            Ok((made, stats)) => {
                while shard > state.turn + self.most_waiting && state.failed.is_none() {
                    state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                (self.join)(&mut state.stats, stats);
                state.waiting.insert(shard, made);
                state.take_turns();
            }
        }
        self.taken.notify_all();
    }
}

/// Wakes the other workers when one panics: they would wait for its shard forever.
struct Alarm<'q, T, H, F, J>(&'q Queue<T, H, F, J>)
where
    F: FnMut(usize, T) -> Result<()>,
    J: Fn(&mut H, H);

impl<T, H, F, J> Drop for Alarm<'_, T, H, F, J>
where
    F: FnMut(usize, T) -> Result<()>,
    J: Fn(&mut H, H),
{
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = || Error::new(ErrorKind::Refused, "a worker ended before its work");
            self.0.lock().failed.get_or_insert_with(ended);
            self.0.taken.notify_all();
        }
    }
}

impl<T, H, F: FnMut(usize, T) -> Result<()>> State<T, H, F> {
    fn take_turns(&mut self) {
        while self.failed.is_none()
            && let Some(made) = self.waiting.remove(&self.turn)
        {
            if let Err(error) = (self.take)(self.turn, made) {
                self.failed = Some(error);
            }
            self.turn += 1;
        }
    }
}
