//! Two logs routed so that they can be replayed side by side.

use super::route::{RouteOptions, Routed, Routing, route_all};
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;

/// Two logs, or two views of one, in which each key has the same share.
pub struct Pair<'l>([Routing<'l>; 2]);

/// Routes two logs so that each key, and all that is tied to it in either, is in the same share of both. Which
/// shares are wanted, and the memory, are what the first's options say.
///
/// # Errors
///
/// As [`route`](super::route()).
pub fn route_together<'l>(
    logs: [(&'l Log, &RouteOptions); 2],
    progress: &dyn Progress,
) -> Result<Pair<'l>> {
    route_all(logs, progress).map(Pair)
}

impl<'l> Pair<'l> {
    /// What holds for each log as a whole.
    pub fn whole(&self) -> [&Routed<'l>; 2] {
        self.0.each_ref().map(Routing::whole)
    }

    /// Calls `each` with the same window of both, window after window.
    ///
    /// # Errors
    ///
    /// What `each` says; and as [`route_together`], should a log have changed since.
    pub fn each(
        &self,
        progress: &dyn Progress,
        mut each: impl FnMut([&Routed<'l>; 2]) -> Result<()>,
    ) -> Result<()> {
        let [one, other] = &self.0;
        for number in 0..one.windows() {
            let routed = [one.window(number, progress)?, other.window(number, progress)?];
            each([
                routed[0].as_ref().unwrap_or(one.whole()),
                routed[1].as_ref().unwrap_or(other.whole()),
            ])?;
        }
        Ok(())
    }
}
