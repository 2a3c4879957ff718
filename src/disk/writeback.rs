//! Syncing a file to the disk while it is being written.
//!
//! The system keeps written data in memory for half a minute, and a sync after that waits for all
//! of it. A thread that syncs the file repeatedly leaves little to wait for.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::base::threads::start;

/// Number of bytes written before they are sent to the disk.
const EACH: u64 = 32 << 20;

/// Syncs a file while it is written.
pub struct Writeback<'f> {
    file: &'f File,
    waiting: u64,
    worker: Option<Worker>,
}

struct Worker {
    wake: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl<'f> Writeback<'f> {
    /// Creates it for a file that is about to be written.
    pub fn new(file: &'f File) -> Self {
        Writeback { file, waiting: 0, worker: None }
    }

    /// Must be called for every `bytes` that were written.
    ///
    /// # Errors
    ///
    /// Fails if the system does not provide a second handle of the file.
    pub fn wrote(&mut self, bytes: u64) -> io::Result<()> {
        self.waiting += bytes;
        if self.waiting < EACH {
            return Ok(());
        }
        self.waiting = 0;
        let worker = match self.worker.take() {
            Some(worker) => worker,
            // Without a thread, all of it is synced at the end.
            None => match Worker::start(self.file.try_clone()?) {
                Ok(worker) => worker,
                Err(_) => return Ok(()),
            },
        };
        // A worker that is still busy, or has failed, needs no notification.
        let _ = worker.wake.try_send(());
        self.worker = Some(worker);
        Ok(())
    }

    /// Waits until everything in progress is on the disk.
    ///
    /// # Errors
    ///
    /// Returns the error of an earlier write. The system reports it only once for all handles of
    /// the file: a later sync would not return it.
    pub fn finish(mut self) -> io::Result<()> {
        self.worker.take().map_or(Ok(()), Worker::end)
    }
}

impl Drop for Writeback<'_> {
    fn drop(&mut self) {
        // The caller has already failed, and reports why.
        self.worker.take().map(Worker::end);
    }
}

impl Worker {
    fn start(file: File) -> io::Result<Self> {
        let (wake, wakes) = sync_channel(1);
        let thread = start(move || wakes.iter().try_for_each(|()| file.sync_data()))?;
        Ok(Worker { wake, thread })
    }

    fn end(self) -> io::Result<()> {
        drop(self.wake);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that syncs ended early")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_sync_is_reported() {
        // A pipe can be written, but not synced.
        let (_reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut writeback = Writeback::new(&file);
        writeback.wrote(EACH - 1).unwrap();
        assert!(writeback.worker.is_none());
        writeback.wrote(1).unwrap();
        assert!(writeback.finish().is_err());
    }
}
