//! What an encrypted archive says of itself without a key.
//!
//! It is in the header of the file, in a stanza of a type of its own. The format has every reader ignore stanzas of unknown
//! types, and its checksum, which is keyed, covers them: with an identity, a changed description is noticed. It is what
//! retention needs, and no name or value of a key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::archive::contents::{Arrangement, Contents, Source};

/// The type of the stanza.
pub(crate) const STANZA: &str = "aofkit.description";

/// The version of the schema.
#[cfg_attr(not(feature = "age"), allow(dead_code))]
pub(crate) const SCHEMA: &str = "1";

/// The description of an encrypted archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) tool: String,
    pub(crate) backup: bool,
    pub(crate) created: Timestamp,
    /// The parts of the source that identify it.
    pub(crate) source: Source,
    pub(crate) layout: Arrangement,
    /// The total size of the files in bytes.
    pub(crate) bytes: u64,
    pub(crate) commands: u64,
    pub(crate) rdb_keys: u64,
    /// Whether a file was damaged when it was archived.
    pub(crate) damaged: bool,
}

impl Description {
    /// Returns the description of an archive with this content.
    pub(crate) fn of(contents: &Contents) -> Self {
        let Source { host, port, socket, path, .. } = contents.source.clone();
        let is_server = port.is_some() || socket.is_some();
        Description {
            tool: contents.tool.clone(),
            backup: contents.backup,
            created: contents.created,
            // The path of the log is told only if nothing else identifies the source.
            source: Source {
                host,
                port,
                socket,
                path: path.filter(|_| !is_server),
                ..Source::default()
            },
            layout: contents.layout,
            bytes: contents.bytes(),
            commands: contents.commands(),
            rdb_keys: contents.rdb_keys(),
            damaged: contents.files.iter().any(|file| file.damage.is_some()),
        }
    }
}
