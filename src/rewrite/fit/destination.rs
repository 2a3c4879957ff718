//! The server and the encoding that a data set is to fit, and what they can hold.

use crate::base::modules::{ModuleNeed, Modules};
use crate::base::server::{Product, Server};
use crate::rdb::write::Feature;
use crate::rdb::{Target, module_of, vector_node_version};

/// The name of the data type of vector sets.
pub(super) const VECTOR_SET: &str = "vectorset";

/// The encoding of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Commands.
    Commands,
    /// An RDB of this version.
    Rdb(Target),
}

/// The server and the encoding that a data set is to fit.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'m> {
    /// The server.
    pub server: Server,
    /// The encoding.
    pub encoding: Encoding,
    /// The modules that are loaded in the server.
    pub modules: &'m Modules,
    /// Whether the times of consumers come from a file. A log of commands alone does not have them, so none
    /// can be lost.
    pub has_consumer_times: bool,
    /// The current time, in Unix milliseconds.
    pub now_ms: i64,
}

impl Destination<'_> {
    fn is_redis(&self, major: u8, minor: u8) -> bool {
        self.server.product == Product::Redis && self.server.has_redis(major, minor)
    }

    /// Returns whether it can hold this.
    pub(super) fn has(&self, feature: Feature) -> bool {
        match self.encoding {
            Encoding::Rdb(target) => target.has(feature),
            Encoding::Commands => self.commands_have(feature),
        }
    }

    fn commands_have(&self, feature: Feature) -> bool {
        match feature {
            Feature::Functions | Feature::StreamCounters => self.server.has_redis(7, 0),
            Feature::FieldExpiry => self.is_redis(7, 4) || self.server.has_valkey(9, 0),
            Feature::FarFieldExpiry => self.server.has_valkey(9, 0),
            Feature::StreamProducers => self.is_redis(8, 6),
            Feature::GivenBackEntries | Feature::Arrays => self.is_redis(8, 8),
            Feature::ConsumerActivity | Feature::SlotImport | Feature::KeyMetadata => false,
        }
    }

    /// Returns the same server with the other encoding, if there is one that can be written for it.
    pub(super) fn other(&self) -> Option<Self> {
        let encoding = match self.encoding {
            Encoding::Commands => Encoding::Rdb(Target::for_server(self.server)?),
            Encoding::Rdb(_) => Encoding::Commands,
        };
        Some(Destination { encoding, ..*self })
    }

    pub(super) fn other_has(&self, feature: Feature) -> bool {
        self.other().is_some_and(|other| other.has(feature))
    }

    pub(super) fn is_commands(&self) -> bool {
        self.encoding == Encoding::Commands
    }

    /// Returns whether it can hold the value of a module, or its data that belongs to no key.
    pub(super) fn holds_module_data(&self, payload: &[u8]) -> bool {
        !self.is_commands() && module_that_is_missing(self.server, self.modules, payload).is_none()
    }
}

/// Returns the name of a module's data type if a server does not load this value or data of no key as it is, nor
/// with the modules that are loaded in it. `payload` begins with the id of its type.
pub fn module_that_is_missing(server: Server, modules: &Modules, payload: &[u8]) -> Option<String> {
    let name = module_of(payload)?.name();
    let lacks_module = modules.need(server, &name) == Some(ModuleNeed::Load);
    let lacks_nodes = name == VECTOR_SET
        && !server.has_redis(8, 2)
        && vector_node_version(payload).is_some_and(|version| version > 0);
    (lacks_module || lacks_nodes).then_some(name)
}
