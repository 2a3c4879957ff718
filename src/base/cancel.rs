//! Cancellation of a run by its caller, and what has to be undone then.
//!
//! The caller owns a [`Cancellation`] and passes clones of it to operations, with
//! [`Progress::cancellation`](super::progress::Progress::cancellation). An operation that changes something outside of
//! its own process, such as a setting of a server, registers first how that is undone. Operations poll the
//! request while they read and write. A caller that has no `Cancellation` cannot cancel: its operations undo what they
//! changed when they end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{Error, Result};

/// A request to stop, shared by its owner and the operations that it concerns. Clones are the same request.
#[derive(Clone, Default)]
pub struct Cancellation(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_cancelled: AtomicBool,
    undo: Mutex<Registry>,
}

/// The registered actions by number, in the order of registration.
#[derive(Default)]
struct Registry {
    next: u64,
    actions: BTreeMap<u64, Undo>,
}

type Undo = Arc<dyn Fn() -> Result<()> + Send + Sync>;

impl Cancellation {
    /// Returns a request that has not been made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns whether the request was made.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::SeqCst)
    }

    /// Makes the request: from now on nothing can be registered. Returns whether this call was the first.
    ///
    /// Nothing is undone yet, so that this call never waits: see [`Cancellation::undo_all`].
    pub fn cancel(&self) -> bool {
        !self.0.is_cancelled.swap(true, Ordering::SeqCst)
    }

    /// Makes the request and runs every registered action, the newest first, in the calling thread.
    ///
    /// Returns the errors of the actions that failed. An action is run even if its operation ends at the same time.
    pub fn undo_all(&self) -> Vec<Error> {
        self.cancel();
        // Cloned, because an operation that ends meanwhile deregisters its action.
        let actions: Vec<Undo> = self.registry().actions.values().rev().cloned().collect();
        actions.iter().filter_map(|undo| undo().err()).collect()
    }

    /// Registers an action that undoes a change, before the change is made. It stays registered until the returned guard
    /// is dropped, and must have no effect once the change is undone.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Interrupted`](super::error::ErrorKind::Interrupted) if the request was made already: then nothing may be changed.
    pub fn on_cancel(
        &self,
        undo: impl Fn() -> Result<()> + Send + Sync + 'static,
    ) -> Result<UndoGuard> {
        let mut registry = self.registry();
        // `undo_all` locks the registry after the request: it finds each action that is registered here.
        if self.is_cancelled() {
            return Err(Error::interrupted());
        }
        let number = registry.next;
        registry.next += 1;
        registry.actions.insert(number, Arc::new(undo));
        Ok(UndoGuard { cancellation: self.clone(), number })
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.undo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation").field("is_cancelled", &self.is_cancelled()).finish()
    }
}

/// The registration of an action, which ends when this is dropped.
#[must_use = "the action is deregistered when this is dropped"]
#[derive(Debug)]
pub struct UndoGuard {
    cancellation: Cancellation,
    number: u64,
}

impl Drop for UndoGuard {
    fn drop(&mut self) {
        self.cancellation.registry().actions.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::error::ErrorKind;

    /// Registers an action that records `name`.
    fn record(cancellation: &Cancellation, name: &'static str, log: &Log) -> Result<UndoGuard> {
        let log = Arc::clone(log);
        cancellation.on_cancel(move || {
            log.lock().unwrap().push(name);
            Ok(())
        })
    }

    type Log = Arc<Mutex<Vec<&'static str>>>;

    #[test]
    fn registered_actions_run_newest_first_and_dropped_ones_do_not() {
        let (cancellation, log) = (Cancellation::new(), Log::default());
        let _first = record(&cancellation, "first", &log).unwrap();
        let dropped = record(&cancellation, "dropped", &log).unwrap();
        let _last = record(&cancellation, "last", &log).unwrap();
        drop(dropped);
        assert!(!cancellation.is_cancelled() && log.lock().unwrap().is_empty());
        assert!(cancellation.undo_all().is_empty());
        assert_eq!(*log.lock().unwrap(), ["last", "first"]);
    }

    #[test]
    fn only_the_first_request_is_the_first() {
        let cancellation = Cancellation::new();
        let clone = cancellation.clone();
        assert!(clone.cancel());
        assert!(cancellation.is_cancelled());
        assert!(!cancellation.cancel());
    }

    #[test]
    fn nothing_is_registered_after_the_request() {
        let (cancellation, log) = (Cancellation::new(), Log::default());
        cancellation.cancel();
        let error = record(&cancellation, "late", &log).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(cancellation.undo_all().is_empty() && log.lock().unwrap().is_empty());
    }

    #[test]
    fn a_failed_action_does_not_prevent_the_others() {
        let (cancellation, log) = (Cancellation::new(), Log::default());
        let _other = record(&cancellation, "other", &log).unwrap();
        let failing = cancellation.on_cancel(|| Err(Error::new(ErrorKind::Io, "no")));
        let _failing = failing.unwrap();
        assert_eq!(cancellation.undo_all().len(), 1);
        assert_eq!(*log.lock().unwrap(), ["other"]);
    }

    #[test]
    fn an_action_may_end_its_own_registration() {
        let cancellation = Cancellation::new();
        let held: Arc<Mutex<Option<UndoGuard>>> = Arc::default();
        let inner = Arc::clone(&held);
        let guard = cancellation.on_cancel(move || {
            drop(inner.lock().unwrap().take());
            Ok(())
        });
        *held.lock().unwrap() = Some(guard.unwrap());
        assert!(cancellation.undo_all().is_empty());
        assert!(held.lock().unwrap().is_none());
    }
}
