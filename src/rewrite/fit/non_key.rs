//! What a server or a form cannot hold of the data that belongs to no key.

use super::destination::Destination;
use super::losses::{LossKind, Losses};
use crate::keyspace::from_rdb::NonKeyData;
use crate::rdb::module_of;
use crate::rdb::write::Feature;

impl Destination<'_> {
    /// Removes what cannot be held, and returns what that was.
    pub fn fit_non_key(&self, data: &mut NonKeyData<'_>) -> Losses {
        let mut losses = Losses::default();
        if !self.has(Feature::Functions) {
            let other = self.other_has(Feature::Functions);
            for (name, _) in std::mem::take(&mut data.functions).iter() {
                losses.add_of_no_key(LossKind::Functions, name, 1, other);
            }
        }
        data.module_aux.retain(|(_, payload)| {
            let is_held = self.holds_module_data(payload);
            if !is_held {
                let name = module_of(payload).map_or(String::new(), |module| module.name());
                let other = self.other().is_some_and(|other| other.holds_module_data(payload));
                losses.add_of_no_key(LossKind::ModuleAux, name.as_bytes(), 1, other);
            }
            is_held
        });
        if !self.has(Feature::SlotImport) {
            let other = self.other_has(Feature::SlotImport);
            for import in std::mem::take(&mut data.slot_imports) {
                losses.add_of_no_key(LossKind::SlotImports, &import.job, 1, other);
            }
        }
        // No output has these.
        let access = std::mem::take(&mut data.with_access);
        losses.add_keys(LossKind::AccessInfo, access.keys, &access.examples);
        for (name, count) in std::mem::take(&mut data.aux_fields) {
            losses.add_of_no_key(LossKind::AuxFields, &name, count, false);
        }
        losses
    }
}
