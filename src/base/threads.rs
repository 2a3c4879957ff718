//! Threads that work together: fewer where the system does not let the process start as many, and none but the calling one
//! where one was asked for.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, Builder};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

/// Whether the process works with its calling thread alone.
static ALONE: AtomicBool = AtomicBool::new(false);

/// Starts the threads of parallel operations: as many as asked for, or one a core. If the system lets the process start
/// only some of them, they do the work; if it is one, the calling thread does it, which must then be the one that calls
/// the operations.
pub fn start_pool(threads: Option<usize>) {
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let wanted = threads.filter(|&threads| threads > 0).unwrap_or_else(cores);
    // A pool whose threads cannot be started cannot be built a second time: they are started before it.
    let started: Vec<SyncSender<ThreadBuilder>> = match wanted {
        1 => Vec::new(),
        wanted => (0..wanted).map_while(|_| start_one().ok()).collect(),
    };
    // Each fails only if a pool exists, which has its threads.
    if started.len() < 2 {
        ALONE.store(true, Ordering::Relaxed);
        let _ = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
        return;
    }
    let pool = ThreadPoolBuilder::new().num_threads(started.len());
    let mut started = started.into_iter();
    let hand_over = move |work| {
        let thread = started.next();
        let taken = thread.and_then(|thread| thread.send(work).ok());
        taken.ok_or_else(|| io::Error::other("a thread ended before its work"))
    };
    let _ = pool.spawn_handler(hand_over).build_global();
}

/// Starts a thread that waits for its work.
fn start_one() -> io::Result<SyncSender<ThreadBuilder>> {
    let (sender, receiver) = sync_channel::<ThreadBuilder>(1);
    Builder::new().spawn(move || {
        if let Ok(work) = receiver.recv() {
            work.run();
        }
    })?;
    Ok(sender)
}

/// Returns whether the system lets the process start a thread.
pub(crate) fn can_start() -> bool {
    Builder::new().spawn(|| {}).is_ok_and(|thread| thread.join().is_ok())
}

/// Returns whether the process may start a thread: more than one was asked for, and the system lets it.
pub(crate) fn may_start() -> bool {
    !ALONE.load(Ordering::Relaxed) && can_start()
}

/// Starts a thread.
///
/// # Errors
///
/// [`io::ErrorKind::Unsupported`] if the process works with one thread; and what the system reports.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    if ALONE.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Builder::new().spawn(work)
}

/// Runs `own` on this thread, and `work` on up to `others` others meanwhile, and returns once all have ended. There may be
/// no others: `own` must not wait for them.
pub(crate) fn run_beside<T>(others: usize, work: impl Fn() + Sync, own: impl FnOnce() -> T) -> T {
    if ALONE.load(Ordering::Relaxed) {
        return own();
    }
    thread::scope(|scope| {
        for _ in 0..others {
            if Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        own()
    })
}

/// Runs `work` on this thread and on up to `threads` - 1 others, and returns once all have ended.
pub(crate) fn run_together(threads: usize, work: impl Fn() + Sync) {
    run_beside(threads.saturating_sub(1), &work, &work);
}
