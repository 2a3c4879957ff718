//! The outcome of each report, from which the exit code is derived.

use super::hold::HeldAndRecovered;
use super::live::Servers;
use crate::archive::report::ExtractReport;
use crate::ops::backup::BackupReport;
use crate::ops::backup::live::{self, LiveReport, PreviewReport};
use crate::ops::bench::BenchReport;
use crate::ops::clean::CleanReport;
use crate::ops::compact::CompactReport;
use crate::ops::compress::batch::{CompressAllReport, CompressOutcome};
use crate::ops::convert::ConvertReport;
use crate::ops::diff::DiffReport;
use crate::ops::digest::DigestReport;
use crate::ops::doctor::DoctorReport;
use crate::ops::drill::report::{self as drill, DrillReport};
use crate::ops::find::FindReport;
use crate::ops::generate::GenerateReport;
use crate::ops::get::GetReport;
use crate::ops::history::HistoryReport;
use crate::ops::into::IntoReport;
use crate::ops::list::{ListReport, State};
use crate::ops::log::LogReport;
use crate::ops::merge::MergeReport;
use crate::ops::prune::PruneReport;
use crate::ops::recover::hold::ReleaseReport;
use crate::ops::recover::{RecoverReport, Verdict};
use crate::ops::repair::RepairReport;
use crate::ops::restore::RestoreReport;
use crate::ops::stats::report::StatsRun;
use crate::ops::verify::report::{LogOutcome, VerifyReport};

/// The outcome of an operation that ended with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and nothing was found.
    Done,
    /// Done, with findings: damage, differences, data lost in the log, a key that is not there.
    Findings,
    /// Everything that was asked for failed.
    Failed,
    /// Some of several paths, archives or servers failed.
    Partial,
    /// Nothing was changed, because a limit would be exceeded.
    Limit,
}

/// A report that has an outcome. Those of `check-aof` have the exit codes of redis-check-aof instead.
pub trait HasOutcome {
    /// Returns the outcome.
    fn outcome(&self) -> Outcome;
}

impl Outcome {
    fn findings_if(found: bool) -> Outcome {
        if found { Outcome::Findings } else { Outcome::Done }
    }

    /// Returns the outcome for several, of which so many failed. Without a failure it is `other`.
    fn of_several(failed: usize, all: usize, other: Outcome) -> Outcome {
        match failed {
            0 => other,
            failed if failed == all => Outcome::Failed,
            _ => Outcome::Partial,
        }
    }
}

impl HasOutcome for VerifyReport {
    fn outcome(&self) -> Outcome {
        // What is encrypted was not read, which is neither valid nor damaged.
        let is_unread =
            |log: &&LogOutcome| matches!(log, LogOutcome::Failed(_) | LogOutcome::Encrypted { .. });
        let failed = self.logs.iter().filter(is_unread).count();
        let is_sound = |log: &LogOutcome| match log {
            LogOutcome::Read(log) => log.sound,
            LogOutcome::Archive(outcome) => outcome.archive.sound,
            LogOutcome::BrokenSet { .. } | LogOutcome::Encrypted { .. } | LogOutcome::Failed(_) => {
                false
            }
        };
        let other = Outcome::findings_if(!self.logs.iter().all(is_sound));
        Outcome::of_several(failed, self.logs.len(), other)
    }
}

impl HasOutcome for StatsRun {
    fn outcome(&self) -> Outcome {
        let failed = self.failed.len();
        Outcome::of_several(failed, failed + self.logs.len(), Outcome::Done)
    }
}

impl HasOutcome for MergeReport {
    fn outcome(&self) -> Outcome {
        self.result.outcome()
    }
}

impl HasOutcome for RecoverReport {
    fn outcome(&self) -> Outcome {
        let is_written = self
            .done
            .as_ref()
            .is_some_and(|done| done.written.is_some() && done.unloadable.is_empty());
        let nothing_found =
            matches!(self.verdict, Verdict::Ordinary | Verdict::Nothing | Verdict::Empty);
        let is_elsewhere =
            self.missing.is_some() || self.candidates_have_more() || self.has_unlisted_directory();
        let is_found = !nothing_found || self.broken.is_some() || is_elsewhere;
        let is_refused = self.done.as_ref().is_some_and(|done| !done.unloadable.is_empty());
        Outcome::findings_if(is_refused || (!is_written && is_found))
    }
}

impl HasOutcome for ReleaseReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(!self.unrecorded.is_empty())
    }
}

impl HasOutcome for HeldAndRecovered<'_> {
    fn outcome(&self) -> Outcome {
        self.recover.outcome()
    }
}

impl HasOutcome for RepairReport {
    fn outcome(&self) -> Outcome {
        match self.plan.refused {
            Some(_) => Outcome::Limit,
            None if self.plan.damaged => Outcome::findings_if(self.dry_run),
            None => Outcome::findings_if(self.refused_start().is_some()),
        }
    }
}

impl HasOutcome for LogReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(self.ending.is_some())
    }
}

impl HasOutcome for HistoryReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(self.events == 0)
    }
}

impl HasOutcome for GetReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(self.found.is_empty())
    }
}

impl HasOutcome for FindReport {
    fn outcome(&self) -> Outcome {
        let other = Outcome::findings_if(self.backups.is_empty());
        Outcome::of_several(
            self.failed.len(),
            usize::try_from(self.inputs).unwrap_or(usize::MAX),
            other,
        )
    }
}

impl HasOutcome for DigestReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(self.failed > 0)
    }
}

impl HasOutcome for DoctorReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(self.red > 0)
    }
}

impl HasOutcome for DiffReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(!self.same)
    }
}

impl HasOutcome for CompactReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(!self.failed.is_empty())
    }
}

impl HasOutcome for IntoReport {
    fn outcome(&self) -> Outcome {
        if !self.is_complete() {
            return Outcome::Partial;
        }
        // A recovery that put nothing back, as the log shows all of it written or deleted since.
        let keys = &self.keys;
        let has_effect = keys.restored + keys.replaced + keys.united + keys.already_there > 0;
        Outcome::findings_if(self.choice.is_some() && !has_effect && keys.touched_since > 0)
    }
}

impl HasOutcome for ConvertReport {
    fn outcome(&self) -> Outcome {
        if self.refused { Outcome::Failed } else { self.result.outcome() }
    }
}

impl HasOutcome for BackupReport {
    fn outcome(&self) -> Outcome {
        if !self.plan.findings.is_empty() {
            Outcome::Findings
        } else if self.has_retention_problems() {
            Outcome::Partial
        } else {
            Outcome::Done
        }
    }
}

impl<T: HasOutcome> HasOutcome for LiveReport<T> {
    fn outcome(&self) -> Outcome {
        self.backup.outcome()
    }
}

impl HasOutcome for PreviewReport {
    fn outcome(&self) -> Outcome {
        Outcome::Done
    }
}

impl HasOutcome for live::RestoreReport {
    fn outcome(&self) -> Outcome {
        Outcome::Done
    }
}

impl<R: HasOutcome> HasOutcome for Servers<R> {
    fn outcome(&self) -> Outcome {
        let reports = || self.servers.iter().filter_map(|server| server.report.as_ref());
        let unlike = reports().map(HasOutcome::outcome).rfind(|outcome| *outcome != Outcome::Done);
        let failed = self.servers.len() - reports().count();
        Outcome::of_several(failed, self.servers.len(), unlike.unwrap_or(Outcome::Done))
    }
}

impl HasOutcome for ListReport {
    fn outcome(&self) -> Outcome {
        let is_bad = |state| matches!(state, State::Damaged | State::Unreadable);
        let is_old = self.age.as_ref().is_some_and(|age| !age.recent);
        let is_found = is_old || self.archives.iter().any(|archive| is_bad(archive.state));
        // Their contents were to be verified, and were not.
        if !is_found && self.archives.iter().any(|archive| archive.state == State::Encrypted) {
            return Outcome::Partial;
        }
        Outcome::findings_if(is_found)
    }
}

impl HasOutcome for PruneReport {
    fn outcome(&self) -> Outcome {
        let mut archives = self.groups.iter().flat_map(|group| &group.archives);
        let removal_failed =
            archives.any(|one| !self.dry_run && !one.plan.decision.keep && !one.removed);
        let unread = self.others.iter().any(|other| other.state == State::Unreadable);
        if removal_failed || unread || self.groups.iter().any(|group| group.locked) {
            Outcome::Partial
        } else {
            Outcome::findings_if(self.has_problems())
        }
    }
}

impl HasOutcome for DrillReport {
    fn outcome(&self) -> Outcome {
        let count = |verdict| self.archives.iter().filter(|one| one.verdict == verdict).count();
        let not_tried = count(drill::Verdict::NotTried);
        match count(drill::Verdict::Failed) {
            0 => Outcome::of_several(not_tried, self.archives.len(), Outcome::Done),
            _ => Outcome::Findings,
        }
    }
}

impl HasOutcome for CleanReport {
    fn outcome(&self) -> Outcome {
        if self.has_failed() { Outcome::Partial } else { Outcome::Done }
    }
}

impl HasOutcome for RestoreReport {
    fn outcome(&self) -> Outcome {
        Outcome::Done
    }
}

impl HasOutcome for CompressAllReport {
    fn outcome(&self) -> Outcome {
        let is_failed = |outcome: &&CompressOutcome| matches!(outcome, CompressOutcome::Failed(_));
        let failed = self.archives.iter().filter(is_failed).count();
        let has_findings = |outcome: &CompressOutcome| matches!(outcome, CompressOutcome::Packed(report) if !report.findings.is_empty());
        let other = Outcome::findings_if(self.archives.iter().any(has_findings));
        Outcome::of_several(failed, self.archives.len(), other)
    }
}

impl HasOutcome for ExtractReport {
    fn outcome(&self) -> Outcome {
        Outcome::findings_if(!self.archive.sound)
    }
}

impl HasOutcome for GenerateReport {
    fn outcome(&self) -> Outcome {
        Outcome::Done
    }
}

impl HasOutcome for BenchReport {
    fn outcome(&self) -> Outcome {
        Outcome::Done
    }
}
