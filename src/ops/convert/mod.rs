//! Conversion: a data set of one server in a form that another server loads, with a report of all that cannot go.
//!
//! The log is read as the server that wrote it reads it, and the data set is then made to fit the other server
//! ([`fit`](crate::rewrite::fit)): what that server or the form cannot hold is removed and counted. The rest is written,
//! read back and compared as a compaction is. The result is published only if nothing was removed, or if the caller
//! allows it.

mod report;

use std::path::Path;

pub use report::{ConvertReport, Loss, LossExample};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::ops::compact::{CompactOptions, Unheld, compact_with};

/// Options of [`convert`].
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct ConvertOptions {
    /// What is written, and where. The [`server`](CompactOptions::server) has to be given. Without a form, the result has
    /// the form of the input, or the nearest that the server reads.
    pub written: CompactOptions,
    /// Whether the result is published although something cannot go to the server.
    pub allow_loss: bool,
    /// The time at which expiries have passed, in Unix milliseconds; `None` for the current time.
    pub now_ms: Option<i64>,
}

/// Converts the data set at `path` for another server.
///
/// If something cannot go to that server and the loss is not allowed, nothing is written, and the report says what.
///
/// # Errors
///
/// When no server is given, the data set cannot be opened or is damaged, a command cannot be replayed, or the output cannot
/// be written or fails the check. Existing files at the output path are then unchanged.
pub fn convert(
    path: &Path,
    options: &ConvertOptions,
    progress: &dyn Progress,
) -> Result<ConvertReport> {
    let server = options.written.server.ok_or_else(|| {
        Error::new(ErrorKind::Usage, "no server given to convert for").help("name it with --for")
    })?;
    let unheld = Unheld::LeftOut {
        now_ms: options.now_ms.unwrap_or_else(|| jiff::Timestamp::now().as_millisecond()),
        is_published: options.allow_loss,
    };
    let (result, losses) = compact_with(path, &options.written, unheld, progress)?;
    Ok(ConvertReport {
        path: path.to_owned(),
        server,
        refused: !losses.is_empty() && !options.allow_loss,
        losses: Loss::list(&losses, result.form),
        result,
    })
}
