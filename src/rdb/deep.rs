//! The values of an RDB that fail checks which loaders do not make with default settings: see
//! [`load_check`](super::load_check).

use std::fmt;

use super::fault::{DamageKind, Fault};
use super::format::Format;
use super::load_check::LoadCheck;
use super::place::Place;

/// A value that fails a check which loaders do not make with default settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeepFault {
    /// The check.
    pub check: LoadCheck,
    /// Number of values that fail it.
    pub values: u64,
    /// Offset in the RDB of the first fault.
    pub offset: u64,
    /// The database of the first such key.
    pub db: u64,
    /// The first such key.
    pub key: Vec<u8>,
    inside: Option<u64>,
    kind: DamageKind,
    reading: &'static str,
    stored_as: &'static str,
}

impl DeepFault {
    /// Returns what is wrong, without its place.
    pub fn kind(&self) -> &DamageKind {
        &self.kind
    }
}

impl fmt::Display for DeepFault {
    /// Formats as [`Damage`](super::Damage) does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Place {
            offset: self.offset,
            inside: self.inside,
            kind: &self.kind,
            reading: self.reading,
            db: self.db,
            key: Some(&self.key),
            stored_as: Some(self.stored_as),
        }
        .fmt(f)
    }
}

/// The values of an RDB that fail deep checks: the first for each check, so that their number is bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeepFaults(Vec<DeepFault>);

impl DeepFaults {
    /// Returns the faults in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, DeepFault> {
        self.0.iter()
    }

    pub(super) fn add(
        &mut self,
        fault: &Fault,
        check: LoadCheck,
        db: u64,
        key: Vec<u8>,
        format: &Format,
    ) {
        if let Some(known) = self.0.iter_mut().find(|known| known.check == check) {
            known.values += 1;
            return;
        }
        self.0.push(DeepFault {
            check,
            values: 1,
            offset: fault.0.offset,
            db,
            key,
            inside: fault.0.inside,
            kind: fault.0.kind.clone(),
            reading: fault.0.reading,
            stored_as: format.name,
        });
    }
}

/// The faults of the current value that some loaders do not detect: the first for each check.
#[derive(Debug, Default)]
pub(super) struct NotedFaults(Vec<Fault>);

impl NotedFaults {
    pub(super) fn push(&mut self, fault: Fault) {
        if self.0.iter().all(|known| known.check() != fault.check()) {
            self.0.push(fault);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.0)
    }
}
