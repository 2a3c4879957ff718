//! Data of modules, and libraries of other engines, in a compaction for a server that the user named.
//!
//! Without a named server the result is for the one that wrote the log, which has its modules. A server that was named loads
//! data of a module only if it bundles the module, or if the user says that it is loaded there.

use crate::analysis::rdb_inspection::check_library;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::modules::Modules;
use crate::base::server::Server;
use crate::keyspace::from_rdb::NonKeyData;
use crate::keyspace::{Entry, Value};
use crate::rewrite::fit::module_that_is_missing;

/// The server that a compaction is for, with the modules that are loaded in it.
#[derive(Clone, Copy)]
pub(super) struct ModuleRule<'m> {
    /// The server; `None` if the user named none.
    pub(super) server: Option<Server>,
    pub(super) modules: &'m Modules,
}

impl ModuleRule<'_> {
    /// Refuses a key that the server does not load.
    pub(super) fn check_key(&self, db: u32, entry: &Entry<'_>) -> Result<()> {
        let Value::Module(payload) = &entry.value else { return Ok(()) };
        let Some((server, name)) = self.missing(payload) else { return Ok(()) };
        if server.brings_module(&name) {
            let what = format!(
                "key {} of database {db} is a vector set of a newer version, which {server} does not load",
                Shown(entry.key())
            );
            return Err(Error::new(ErrorKind::Refused, what)
                .help("choose redis-8.2 or later with --for; --exclude leaves keys out"));
        }
        let what = format!(
            "key {} of database {db} is data of the module {name}, which {server} loads only with that module",
            Shown(entry.key()),
            name = Shown(name.as_bytes())
        );
        Err(Error::new(ErrorKind::Refused, what).help(format!(
            "--module {name} says that it is loaded there; --exclude leaves keys out"
        )))
    }

    /// Refuses data that belongs to no key and that keeps the server from starting.
    pub(super) fn check_aux(&self, non_key: &NonKeyData<'_>) -> Result<()> {
        for (_, payload) in &non_key.module_aux {
            let Some((server, name)) = self.missing(payload) else { continue };
            let what = format!(
                "data of the module {} belongs to no key, and {server} loads it only with that module",
                Shown(name.as_bytes())
            );
            return Err(Error::new(ErrorKind::Refused, what).help(format!(
                "--drop-module-aux leaves it out; --module {name} says that the module is loaded there"
            )));
        }
        Ok(())
    }

    /// Refuses a function library that keeps every server from starting which knows libraries.
    pub(super) fn check_libraries(&self, non_key: &NonKeyData<'_>) -> Result<()> {
        let Some(server) = self.server else { return Ok(()) };
        for (_, library) in non_key.functions.iter() {
            let engine = std::str::from_utf8(library.engine());
            if engine.is_ok_and(|engine| self.modules.have_type(engine)) {
                // A module brings the engine.
                continue;
            }
            if let Err(fault) = check_library(library.code()) {
                let what = format!("{server} does not start with it: {fault}");
                return Err(Error::new(ErrorKind::Refused, what).help(
                    "without --for the data set is written as it is; FUNCTION DELETE on a server that has it removes it",
                ));
            }
        }
        Ok(())
    }

    /// The server and the data type, if the server lacks the module.
    fn missing(&self, payload: &[u8]) -> Option<(Server, String)> {
        let server = self.server?;
        Some((server, module_that_is_missing(server, self.modules, payload)?))
    }
}
