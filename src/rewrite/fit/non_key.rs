//! What a server or a form cannot hold of the data that belongs to no key.

use super::destination::Destination;
use super::losses::{LossKind, Losses};
use crate::keyspace::from_rdb::NonKeyData;
use crate::keyspace::functions::Library;
use crate::rdb::module_of;
use crate::rdb::write::Feature;

/// The engine that every server has. Its name is compared without regard to case.
const LUA: &[u8] = b"lua";

impl Destination<'_> {
    /// Returns whether the server has the engine of a library. What FUNCTION LOAD does with another engine than Lua is not
    /// known here, so that commands hold none of its libraries.
    fn holds_library(&self, library: &Library) -> bool {
        let engine = library.engine();
        let is_loaded = || {
            !self.is_commands()
                && std::str::from_utf8(engine).is_ok_and(|engine| self.modules.have_type(engine))
        };
        self.has(Feature::Functions) && (engine.eq_ignore_ascii_case(LUA) || is_loaded())
    }

    fn other_holds_library(&self, library: &Library) -> bool {
        self.other().is_some_and(|other| other.holds_library(library))
    }

    /// Removes what cannot be held, and returns what that was.
    pub fn fit_non_key(&self, data: &mut NonKeyData<'_>) -> Losses {
        let mut losses = Losses::default();
        let unheld: Vec<_> = (data.functions.iter())
            .filter(|(_, library)| !self.holds_library(library))
            .map(|(name, library)| (name.to_vec(), self.other_holds_library(library)))
            .collect();
        for (name, other) in unheld {
            losses.add_of_no_key(LossKind::Functions, &name, 1, other);
            // It is there.
            let _ = data.functions.delete(&name);
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
