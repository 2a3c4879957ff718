//! The text of `aofkit convert`.

use std::fmt::{self, Write};

use super::compact;
use super::envelope::Report;
use super::lines::COLUMNS;
use super::style::{ERROR, GOOD, QUIET, STRONG, Styled, WARNING, wrap};
use crate::base::escape::{Shown, ShownPath};
use crate::base::units::{Count, counted};
use crate::ops::convert::{ConvertReport, Loss, LossExample};
use crate::rewrite::fit::LossKind;

/// Returns the report as text.
pub fn text(report: &ConvertReport) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut out, report);
    out
}

fn write_text(out: &mut String, report: &ConvertReport) -> fmt::Result {
    writeln!(out, "{}", Styled(STRONG, ShownPath(&report.path)))?;
    compact::before_and_after(out, &report.result)?;
    compact::keys(out, &report.result)?;
    for loss in &report.losses {
        write_loss(out, loss)?;
    }
    compact::findings(out, &report.result, "")?;
    compact::end(out, &report.result)?;
    writeln!(out)?;
    write_verdict(out, report)
}

fn write_loss(out: &mut String, loss: &Loss) -> fmt::Result {
    let (items, what) = described(loss);
    let mut line = format!("{items}{}: {what}", of_keys(loss));
    if let Some(form) = loss.kept_by {
        let _ = write!(line, "; --format {form} keeps {}", pronoun(loss.count));
    }
    let name = "cannot go";
    writeln!(
        out,
        "  {} {}",
        Styled(WARNING, format_args!("{name}:")),
        wrap(&line, COLUMNS - 4 - name.len(), 4)
    )?;
    for example in &loss.examples {
        writeln!(out, "    {}", Styled(QUIET, shown(loss, example)))?;
    }
    let listed = loss.examples.len() as u64;
    let all = if loss.kind.is_of_no_key() { listed } else { loss.keys };
    match all.saturating_sub(listed) {
        0 => Ok(()),
        more => writeln!(out, "    {}", Styled(QUIET, format!("and {} more", Count(more)))),
    }
}

fn pronoun(count: u64) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

fn shown(loss: &Loss, example: &LossExample) -> String {
    let name = Shown(&example.name);
    match (example.db, loss.kind) {
        (Some(db), _) => format!("key {name} of database {db}"),
        (None, LossKind::Functions) => format!("library {name}"),
        (None, LossKind::ModuleAux) => format!("module {name}"),
        (None, LossKind::AuxFields) => format!("field {name}"),
        (None, _) => format!("job {name}"),
    }
}

/// Returns ` in 3 keys` if the items are other things than the keys.
fn of_keys(loss: &Loss) -> String {
    let is_keys = loss.whole_keys || loss.keys == 0 || is_of_key(loss.kind);
    if is_keys { String::new() } else { format!(" in {}", counted(loss.keys, "key")) }
}

/// Returns whether there is at most one of this kind for a key.
fn is_of_key(kind: LossKind) -> bool {
    use LossKind as K;
    matches!(kind, K::AccessInfo | K::StreamCounters | K::StreamProducers | K::ProducerCounters)
}

/// Returns the number of items with their name, and what becomes of them.
fn described(loss: &Loss) -> (String, &'static str) {
    let (singular, plural, what) = texts(loss.kind);
    let noun = if loss.count == 1 { singular } else { plural };
    (format!("{} {noun}", Count(loss.count)), what)
}

/// Returns the name of one, the name of several, and what becomes of them.
fn texts(kind: LossKind) -> (&'static str, &'static str, &'static str) {
    const OUT: &str = "left out with the whole key";
    match kind {
        LossKind::Array => ("array", "arrays", OUT),
        LossKind::VectorSet => ("vector set", "vector sets", OUT),
        LossKind::ModuleValue => ("value of a module", "values of modules", OUT),
        LossKind::Stream => ("stream", "streams", OUT),
        LossKind::UnknownCommands => (
            "key changed by commands that are not understood",
            "keys changed by commands that are not understood",
            "left out",
        ),
        LossKind::HashFieldExpiry => (
            "expiry of a hash field",
            "expiries of hash fields",
            "the field is kept and never expires",
        ),
        LossKind::KeydbMemberExpiry => (
            "expiry of a member (KeyDB)",
            "expiries of members (KeyDB)",
            "the member is kept and never expires",
        ),
        LossKind::PassedFields => (
            "field or member whose expiry has passed",
            "fields or members whose expiry has passed",
            "left out, because it would never expire",
        ),
        LossKind::KeyMetadata => {
            ("metadata of a module", "metadata of modules", "the key is kept without it")
        }
        LossKind::AccessInfo => (
            "key with an idle time or access counter",
            "keys with an idle time or access counter",
            "kept without it, so that the server begins to count anew when it evicts keys",
        ),
        LossKind::StreamCounters => (
            "stream with counters of its past",
            "streams with counters of their past",
            "the server computes entries-added, max-deleted-id and entries-read anew",
        ),
        LossKind::ConsumerTimes => (
            "consumer with the times of its activity",
            "consumers with the times of their activity",
            "kept with other times",
        ),
        LossKind::IdleConsumers => {
            ("consumer without pending entries", "consumers without pending entries", "left out")
        }
        LossKind::DeletedPending => (
            "pending entry that the stream no longer has",
            "pending entries that the stream no longer has",
            "no longer pending",
        ),
        LossKind::GivenBack => (
            "entry that a consumer gave back (XNACK)",
            "entries that consumers gave back (XNACK)",
            "no longer pending, so that no consumer receives it again",
        ),
        LossKind::StreamProducers => (
            "stream with ids of producers (IDMP)",
            "streams with ids of producers (IDMP)",
            "kept without them, so that an entry that is added twice is not detected",
        ),
        LossKind::ComputedIds => (
            "id of a producer that a server computed (IDMPAUTO)",
            "ids of producers that a server computed (IDMPAUTO)",
            "forgotten, so that this entry is not detected if it is added twice",
        ),
        LossKind::ProducerCounters => (
            "stream with counters of producers, or with ids of deleted entries",
            "streams with counters of producers, or with ids of deleted entries",
            "the ids of existing entries are kept and counted anew",
        ),
        LossKind::Functions => ("function library", "function libraries", "left out"),
        LossKind::ModuleAux => (
            "piece of module data that belongs to no key",
            "pieces of module data that belong to no key",
            "left out",
        ),
        LossKind::SlotImports => (
            "import of cluster slots that was under way",
            "imports of cluster slots that were under way",
            "left out",
        ),
        LossKind::AuxFields => {
            ("auxiliary field of the RDB", "auxiliary fields of the RDB", "left out")
        }
    }
}

fn write_verdict(out: &mut String, report: &ConvertReport) -> fmt::Result {
    if report.refused {
        writeln!(
            out,
            "{}: not everything can go to {} as {}; nothing was written",
            Styled(ERROR, "NOT CONVERTED"),
            report.server,
            report.result.form
        )?;
        return writeln!(out, "Add --allow-loss to write the data set without it.");
    }
    let rest = if report.losses.is_empty() { "" } else { ", without what cannot go" };
    match &report.result.output {
        Some(output) => {
            let checked =
                if report.result.checked { ", read back and identical" } else { ", not read back" };
            writeln!(
                out,
                "{}: written to {} for {}{rest}{checked}",
                Styled(GOOD, "CONVERTED"),
                ShownPath(output),
                report.server
            )
        }
        None => writeln!(out, "{}: nothing was written", Styled(QUIET, "DRY RUN")),
    }
}

impl Report for ConvertReport {
    const NAME: &'static str = "convert";
}
