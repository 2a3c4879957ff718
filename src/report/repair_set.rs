//! The text on the repair of a set without a manifest that a server reads.

use std::fmt::{self, Write};

use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::rfc3339;
use crate::base::units::Count;
use crate::input::left_set::{MissingPart, SetProposal};

/// Writes what is left of a set and the manifest that is proposed.
pub(super) fn set(out: &mut String, set: &SetProposal) -> fmt::Result {
    writeln!(out, "  {} {}", Styled(ERROR, "set"), wrap(&set.fault, 74, 6))?;
    files(out, set)?;
    for certain in &set.certain {
        writeln!(out, "  {} {}", Styled(GOOD, "certain"), wrap(certain, 70, 10))?;
    }
    for inferred in &set.inferred {
        writeln!(out, "  {} {}", Styled(WARNING, "inferred"), wrap(inferred, 69, 11))?;
    }
    let name = set.manifest.file_name().unwrap_or_default().to_string_lossy();
    writeln!(out, "\n  {}", Styled(STRONG, name))?;
    for line in &set.lines {
        writeln!(out, "    {line}")?;
    }
    writeln!(out)
}

/// Writes the files of a set.
pub(super) fn files(out: &mut String, set: &SetProposal) -> fmt::Result {
    let width = set.files.iter().map(|file| file.name.chars().count()).max().unwrap_or(0);
    for file in &set.files {
        let time = file.modified.map(rfc3339::from_seconds).unwrap_or_default();
        let use_of = if file.listed { "" } else { "  left out" };
        writeln!(
            out,
            "  {:width$}  {:>13} bytes  {}{use_of}",
            file.name,
            Count(file.bytes),
            Styled(QUIET, time)
        )?;
    }
    Ok(())
}

/// Writes the parts without which data is missing.
pub(super) fn missing(out: &mut String, missing: &[MissingPart]) -> fmt::Result {
    for part in missing {
        let what = format!("{part}: {} are lost, in unknown number", part.lost());
        writeln!(out, "  {} {}", Styled(ERROR, "missing"), wrap(&what, 70, 10))?;
    }
    Ok(())
}
