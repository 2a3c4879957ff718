//! The newest good backup of each source, and its age.

use std::time::Duration;

use jiff::Timestamp;

use super::identity::Identity;
use super::report::{AgeReport, ListReport, Listed, SourceAge, State};

/// Returns whether a backup with this time may count as the newest. One with a time in the future, as after a wrong clock,
/// never does: nobody knows when it was made.
pub(in crate::ops) fn may_be_newest(created: Timestamp, now: Timestamp) -> bool {
    created <= now
}

/// Returns each source that has backups, in the order of the archives, with its newest good backup: one that is neither
/// damaged nor unreadable, as far as `list` knows, and not of the future.
pub(in crate::ops) fn newest_good(
    archives: &[Listed],
    now: Timestamp,
) -> Vec<(Identity, Option<&Listed>)> {
    let mut sources: Vec<(Identity, Option<&Listed>)> = Vec::new();
    for listed in archives {
        let Some(made) = listed.made.as_ref().filter(|made| made.backup) else { continue };
        let at = sources.iter().position(|(source, _)| *source == made.identity);
        let at = at.unwrap_or_else(|| {
            sources.push((made.identity.clone(), None));
            sources.len() - 1
        });
        let is_good = !matches!(listed.state, State::Damaged | State::Unreadable);
        let newest = &mut sources[at].1;
        let before = newest.and_then(|newest| newest.made.as_ref()).map(|made| made.created);
        if is_good && may_be_newest(made.created, now) && before <= Some(made.created) {
            *newest = Some(listed);
        }
    }
    sources
}

/// The maximum age of the newest good backup of each source.
#[derive(Debug, Clone)]
pub(crate) struct AgeLimit {
    /// The maximum age, as given.
    pub max_age: String,
    /// The earliest time that is not too old.
    pub since: Timestamp,
    /// The only source that is checked; `None` for every source that has backups.
    pub source: Option<String>,
    /// The current time.
    pub now: Timestamp,
}

impl ListReport {
    /// Removes the archives of other sources; those whose source is unknown because they cannot be read remain.
    pub(crate) fn retain_source(&mut self, source: &str) {
        self.archives.retain(|listed| match &listed.made {
            Some(made) => made.identity.to_string() == source,
            None => listed.state == State::Unreadable,
        });
    }

    /// Compares the newest good backup of each source with a maximum age.
    pub(crate) fn check_age(&mut self, limit: &AgeLimit) {
        let found = newest_good(&self.archives, limit.now);
        let age = |(source, newest): (String, Option<&Listed>)| {
            let created = newest.and_then(|newest| Some(newest.made.as_ref()?.created));
            let age = created.map(|created| limit.now.duration_since(created));
            SourceAge {
                source,
                archive: newest.map(|newest| newest.path.clone()),
                created,
                age_s: age.and_then(|age| Duration::try_from(age).ok()).map(|age| age.as_secs()),
                recent: created.is_some_and(|created| created >= limit.since),
            }
        };
        let named = found.into_iter().map(|(source, newest)| (source.to_string(), newest));
        let mut sources: Vec<SourceAge> = match &limit.source {
            None => named.map(age).collect(),
            Some(wanted) => named.filter(|(source, _)| source == wanted).map(age).collect(),
        };
        if let Some(wanted) = limit.source.as_ref().filter(|_| sources.is_empty()) {
            sources.push(age((wanted.clone(), None)));
        }
        let recent = !sources.is_empty() && sources.iter().all(|source| source.recent);
        self.age = Some(AgeReport { max_age: limit.max_age.clone(), recent, sources });
    }
}
