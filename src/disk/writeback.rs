//! Bringing a file to the disk while it is still being written.
//!
//! The system keeps what is written in memory for half a minute, and whoever then syncs a file waits for all of it. A thread
//! that syncs it again and again leaves little to wait for.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// What is written before it is sent to the disk, in bytes.
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
    /// Of a file that is about to be written.
    pub fn of(file: &'f File) -> Self {
        Writeback { file, waiting: 0, worker: None }
    }

    /// To be told of every `bytes` that were written.
    ///
    /// # Errors
    ///
    /// When the system gives no second handle of the file.
    pub fn wrote(&mut self, bytes: u64) -> io::Result<()> {
        self.waiting += bytes;
        if self.waiting < EACH {
            return Ok(());
        }
        self.waiting = 0;
        let worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.file.try_clone()?),
        };
        // One that is still at work, or has failed, is told nothing more.
        let _ = worker.wake.try_send(());
        self.worker = Some(worker);
        Ok(())
    }

    /// Waits until what is under way is on the disk.
    ///
    /// # Errors
    ///
    /// What the system said of an earlier write. It says so once for all handles of the file: a later sync would
    /// not know of it.
    pub fn finish(mut self) -> io::Result<()> {
        self.worker.take().map_or(Ok(()), Worker::end)
    }
}

impl Drop for Writeback<'_> {
    fn drop(&mut self) {
        // Whoever drops it has failed already, and says why.
        self.worker.take().map(Worker::end);
    }
}

impl Worker {
    fn start(file: File) -> Self {
        let (wake, wakes) = sync_channel(1);
        let thread = std::thread::spawn(move || wakes.iter().try_for_each(|()| file.sync_data()));
        Worker { wake, thread }
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
    fn a_file_that_cannot_be_synced_is_told_of() {
        // A pipe can be written, and not be synced.
        let (_reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let mut writeback = Writeback::of(&file);
        writeback.wrote(EACH - 1).unwrap();
        assert!(writeback.worker.is_none());
        writeback.wrote(1).unwrap();
        assert!(writeback.finish().is_err());
    }
}
