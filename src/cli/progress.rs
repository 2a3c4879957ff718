//! Progress on stderr: a bar on a terminal, otherwise lines.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Common, When};
use super::output::message;
use crate::base::cancel::Cancellation;
use crate::base::escape::ShownPath;
use crate::base::progress::Progress;
use crate::base::units::Bytes;

/// The interval between progress lines if stderr is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// A progress bar, progress lines, or nothing, depending on the options and on stderr. A bar is cleared on drop.
pub(super) enum Bar {
    Hidden,
    Drawn(ProgressBar),
    Lines(Lines),
}

/// Progress lines for a log file or a pipe.
pub(super) struct Lines {
    total: AtomicU64,
    done: AtomicU64,
    last: Mutex<(Instant, String)>,
}

impl Bar {
    /// Returns the progress for a command that prints lines while it works; hidden if stdout is a terminal, where the
    /// lines would collide with a bar.
    pub(super) fn beside_lines(common: &Common) -> Self {
        if std::io::stdout().is_terminal() { Bar::Hidden } else { Bar::new(common) }
    }

    pub(super) fn new(common: &Common) -> Self {
        let terminal = std::io::stderr().is_terminal();
        match common.progress {
            When::Never => Bar::Hidden,
            When::Auto if common.quiet || !terminal => Bar::Hidden,
            When::Always if !terminal => Bar::Lines(Lines {
                total: AtomicU64::new(0),
                done: AtomicU64::new(0),
                last: Mutex::new((Instant::now(), String::new())),
            }),
            When::Auto | When::Always => Bar::Drawn(ProgressBar::with_draw_target(
                Some(0),
                ProgressDrawTarget::stderr_with_hz(10),
            )),
        }
    }
}

impl Bar {
    /// Runs `write`, which writes to stderr, while the bar is hidden.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        match self {
            Bar::Drawn(bar) => bar.suspend(write),
            Bar::Hidden | Bar::Lines(_) => write(),
        }
    }
}

impl Progress for Bar {
    fn phase(&self, name: &str, bytes: u64) {
        const BAR: &str =
            "{msg} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} ETA {eta}";
        // It can be that of a file, which anybody may have given it.
        let name = ShownPath(Path::new(name)).to_string();
        match self {
            Bar::Hidden => {}
            // Several logs read at the same time share the bar.
            Bar::Drawn(bar) => {
                bar.inc_length(bytes);
                bar.set_style(
                    ProgressStyle::with_template(BAR)
                        .unwrap_or_else(|_| ProgressStyle::default_bar()),
                );
                bar.set_message(name);
            }
            Bar::Lines(lines) => {
                lines.total.fetch_add(bytes, Ordering::Relaxed);
                if let Ok(mut last) = lines.last.lock() {
                    last.1 = name;
                }
            }
        }
    }

    fn advance(&self, bytes: u64) {
        match self {
            Bar::Hidden => {}
            Bar::Drawn(bar) => bar.inc(bytes),
            Bar::Lines(lines) => lines.advance(bytes),
        }
    }
}

/// A bar, and the request to stop.
struct Cancellable<'c> {
    bar: Bar,
    cancellation: &'c Cancellation,
}

impl Progress for Cancellable<'_> {
    fn phase(&self, name: &str, bytes: u64) {
        self.bar.phase(name, bytes);
    }

    fn advance(&self, bytes: u64) {
        self.bar.advance(bytes);
    }

    fn cancellation(&self) -> Option<&Cancellation> {
        Some(self.cancellation)
    }
}

impl Lines {
    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.0.elapsed() >= LINE_EVERY {
            last.0 = Instant::now();
            let total = self.total.load(Ordering::Relaxed).max(1);
            let percent = u128::from(done) * 100 / u128::from(total);
            message(&format!("{}: {percent} %, {} of {}\n", last.1, Bytes(done), Bytes(total)));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Bar::Drawn(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Common {
    /// Runs `work` with a progress bar, which is removed afterwards.
    pub(super) fn with_bar<T>(&self, work: impl FnOnce(&Bar) -> T) -> T {
        work(&Bar::new(self))
    }

    /// As [`Common::with_bar`], for an operation that has to undo something when the run is interrupted.
    pub(super) fn with_cancellable_bar<T>(&self, work: impl FnOnce(&dyn Progress) -> T) -> T {
        work(&Cancellable { bar: Bar::new(self), cancellation: &self.cancellation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_escaped_in_the_bar() {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::hidden());
        Bar::Drawn(bar.clone()).phase("a\u{1b}]0;title\u{7}\nb", 1);
        assert_eq!(bar.message(), r"a\u{1b}]0;title\u{7}\nb");
    }
}
