//! Choosing which files of a set without a manifest belong together.
//!
//! The numbers in their names tell it, unless what is in them says otherwise: a server logs the deletion of a key only if
//! it has the key, so that the deletions of an incremental file find their keys in the base that it belongs to.

use std::path::Path;

use super::decide::decide;
use super::options::{OpenTransaction, RepairOptions};
use super::replayed::{Deletions, judge};
use crate::analysis::survey::survey;
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Progress;
use crate::input::set_proposal::Pairing;
use crate::keyspace::fingerprint::Fingerprint;

/// A pairing, and what its content says.
struct Judged {
    pairing: Pairing,
    deletions: Deletions,
    data: Option<Fingerprint>,
}

/// Returns the files that belong together of the possible pairings of them, of which the first is that by number.
///
/// # Errors
///
/// [`ErrorKind::Limit`]: two pairings are about equally likely, and their data differ; [`ErrorKind::Usage`]: the chosen
/// base does not exist; and when the caller cancels.
pub(super) fn choose_pairing(
    path: &Path,
    pairings: Vec<Pairing>,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Pairing> {
    let bases: Vec<String> = bases(&pairings);
    let mut pairings = pairings;
    if let Some(base) = &options.base {
        pairings.retain(|pairing| pairing.base.as_ref() == Some(base));
        if pairings.is_empty() {
            let what = format!("--base {base}: there is no such base file to choose");
            let there = match bases.as_slice() {
                [] => "there is none".to_owned(),
                bases => format!("there are: {}", bases.join(", ")),
            };
            return Err(Error::new(ErrorKind::Usage, what).at(path).help(there));
        }
    }
    let mut pairings = pairings.into_iter();
    let Some(first) = pairings.next() else {
        return Err(Error::new(ErrorKind::NotFound, "no part of the set is left").at(path));
    };
    let others: Vec<Pairing> = pairings.collect();
    if others.is_empty() {
        return Ok(first);
    }
    let first = judged(first, options, progress)?;
    if !first.deletions.are_enough() {
        return Ok(first.pairing);
    }
    let agrees = first.deletions.agrees();
    let is_rival = |other: &Pairing| {
        // Where the numbers and the content agree, only what the numbers allow as well is another possibility.
        !agrees || other.fits_numbers && other.base != first.pairing.base
    };
    let mut rivals = Vec::new();
    for other in others.into_iter().filter(is_rival) {
        let other = judged(other, options, progress)?;
        if other.deletions.agrees() {
            rivals.push(other);
        }
    }
    if agrees {
        return match rivals.into_iter().find(|rival| is_about_equal(&first, rival)) {
            Some(rival) => Err(undecided(path, &first, &rival)),
            None => Ok(first.pairing),
        };
    }
    // The one with the most evidence of each base.
    rivals.sort_by_key(|rival| {
        std::cmp::Reverse((rival.deletions.weight(), rival.pairing.fits_numbers))
    });
    let mut best: Vec<Judged> = Vec::new();
    for rival in rivals {
        if best.iter().all(|known| known.pairing.base != rival.pairing.base) {
            best.push(rival);
        }
    }
    let mut best = best.into_iter();
    let Some(mut chosen) = best.next() else {
        return Ok(first.pairing);
    };
    if let Some(rival) = best.find(|rival| is_about_equal(&chosen, rival)) {
        return Err(undecided(path, &chosen, &rival));
    }
    let of = |judged: &Judged| names(&judged.pairing.log);
    chosen.pairing.proposal.inferred.insert(
        0,
        format!(
            "that {} belong together, and not {}, as the numbers would have it: {} deletions of a key find it, instead of {}",
            of(&chosen),
            of(&first),
            chosen.deletions.shown(),
            first.deletions.shown()
        ),
    );
    let by_number = "that these files belong together: from the numbers in their names";
    chosen.pairing.proposal.inferred.retain(|inferred| inferred != by_number);
    Ok(chosen.pairing)
}

/// Returns the names of the bases.
fn bases(pairings: &[Pairing]) -> Vec<String> {
    let mut names: Vec<String> = pairings.iter().filter_map(|it| it.base.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Returns the names of the files, for display.
fn names(log: &Log) -> String {
    let names: Vec<String> = log.parts.iter().map(|part| format!("`{}`", part.name)).collect();
    names.join(", ")
}

/// Returns whether there is about as much evidence for one as for the other, and it matters which is taken.
fn is_about_equal(one: &Judged, other: &Judged) -> bool {
    let (one_weight, other_weight) = (one.deletions.weight(), other.deletions.weight());
    let is_as_likely = other_weight.saturating_mul(10) >= one_weight.saturating_mul(9);
    is_as_likely && (one.data.is_none() || one.data != other.data)
}

/// Replays the files of a pairing.
fn judged(pairing: Pairing, options: &RepairOptions, progress: &dyn Progress) -> Result<Judged> {
    let found = evidence(&pairing.log, options, progress)?;
    let (deletions, data) = match found {
        Some((deletions, data)) => (deletions, Some(data)),
        None => (Deletions::default(), None),
    };
    Ok(Judged { pairing, deletions, data })
}

fn evidence(
    log: &Log,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Option<(Deletions, Fingerprint)>> {
    progress.phase("read", log.bytes());
    let surveys: Result<Vec<_>> = log.parts.iter().map(|part| survey(part, progress)).collect();
    let surveys = surveys?;
    let all = RepairOptions {
        salvage: true,
        open_transaction: OpenTransaction::KeepFromSelect,
        servers: options.servers.clone(),
        ..RepairOptions::default()
    };
    // What cannot be repaired is reported once it was chosen.
    let Ok(decision) = decide(log, &surveys, &all) else { return Ok(None) };
    judge(&decision.kept(), log, options, progress)
}

fn undecided(path: &Path, one: &Judged, other: &Judged) -> Error {
    let of = |judged: &Judged| {
        format!(
            "{}: {} deletions of a key find it",
            names(&judged.pairing.log),
            judged.deletions.shown()
        )
    };
    let what = format!(
        "it is not clear which files belong together, and their data differ: {}; {}",
        of(one),
        of(other)
    );
    let file = path_arg(path);
    let preview = |judged: &Judged| {
        let base = judged.pairing.base.clone().unwrap_or_default();
        let why = format!("Preview the set that begins with {base}");
        let args = ["repair", &file, "--base", &base, "--dry-run"];
        NextStep::alternative(why, [Action::aofkit(args)])
    };
    Error::new(ErrorKind::Limit, what)
        .at(path)
        .help("choose with --base; nothing was written")
        .step(preview(one))
        .step(preview(other))
}
