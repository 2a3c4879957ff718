//! The text of `aofkit restore`.

use std::fmt::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::envelope::Report;
use super::lines;
use super::style::{GOOD, STRONG, Styled, wrap};
use crate::base::escape::ShownPath;
use crate::base::units::{Bytes, Count, Elapsed, counted};
use crate::ops::restore::{Change, RestorePlan, RestoreReport, Setting, Shape};

/// Returns the report as text.
pub fn text(report: &RestoreReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn row(out: &mut String, name: &str, value: &str) -> fmt::Result {
    lines::row(out, name, &wrap(value, 64, 16))
}

fn write_text(out: &mut String, report: &RestoreReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.archive)))?;
    write_plan(out, report)?;
    for moved in &report.moved_aside {
        let name =
            |path: &Path| ShownPath(path.file_name().unwrap_or_default().as_ref()).to_string();
        row(out, "moved aside", &format!("{} to {}", name(&moved.from), name(&moved.to)))?;
    }
    if report.dry_run && !report.plan.replaces.is_empty() {
        row(out, "would move aside", &report.plan.replaces.join(", "))?;
    }
    row(out, "time", &Elapsed(Duration::from_secs_f64(report.elapsed_s)).to_string())?;
    writeln!(out, "\nTo load it, the server needs these settings:\n")?;
    for Setting { name, value } in &report.plan.settings {
        writeln!(out, "  {name} {}", quoted(value))?;
    }
    if report.dry_run {
        let output = ShownPath(&report.plan.output);
        return writeln!(
            out,
            "\n{}: dry run, verified, and nothing was written to {output}",
            Styled(GOOD, "CAN BE RESTORED")
        );
    }
    writeln!(out, "\nNext:\n")?;
    for step in &report.next {
        writeln!(out, "- {}", wrap(&step.why, 76, 2))?;
        lines::actions(out, step)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "{}: verified and written to {}",
        Styled(GOOD, "RESTORED"),
        ShownPath(&report.plan.output)
    )
}

fn write_plan(out: &mut String, report: &RestoreReport) -> fmt::Result {
    let RestorePlan { shape, placed, change, retains, owner, .. } = &report.plan;
    let held = lines::rdb_and_commands(report.plan.rdb_keys, report.plan.commands);
    row(out, "log", &format!("{held}, {}", Bytes(report.plan.bytes)))?;
    let shape = match shape {
        Shape::SingleFile => "a single file",
        Shape::MultiPart => "a set with its manifest",
    };
    row(out, "placed", &format!("{placed}: {shape}"))?;
    match change {
        None => {}
        Some(Change::MadeSet) => row(out, "changed", "the single file was made the base of a set")?,
        Some(Change::Compacted { form, reason, fingerprint, failed_commands }) => {
            row(out, "changed", &format!("compacted to {form}, because {reason}"))?;
            row(out, "fingerprint", fingerprint)?;
            if *failed_commands > 0 {
                let commands = counted(*failed_commands, "command");
                row(out, "failed", &format!("{commands}, as on a server that loads it"))?;
            }
        }
    }
    if !retains.is_empty() {
        row(out, "not changed", &shortened(retains))?;
    }
    if let Some(owner) = owner {
        let id = |id: Option<u32>| id.map_or("as it was".to_owned(), |id| id.to_string());
        row(out, "owner", &format!("user {}, group {}", id(owner.uid), id(owner.gid)))?;
    }
    Ok(())
}

/// The number of names that are printed.
const SHOWN_NAMES: usize = 5;

/// Returns the first names, and the number of the others.
fn shortened(names: &[String]) -> String {
    let shown = names[..names.len().min(SHOWN_NAMES)].join(", ");
    match names.len().saturating_sub(SHOWN_NAMES) {
        0 => shown,
        more => format!("{shown} and {} more", Count(more as u64)),
    }
}

/// Returns a value as written in a configuration file.
fn quoted(value: &str) -> String {
    if value.contains([' ', '"', '\'', '\\']) {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        value.to_owned()
    }
}

impl Report for RestoreReport {
    const NAME: &'static str = "restore";
}
