//! Commands that the configuration of a server has renamed with `rename-command`.
//!
//! A server writes the name that a client used to its log, so that a renamed command has its new name there, which only
//! the configuration explains. The names hold for the whole process, like those of a server: every lookup of a name
//! that is no standard one consults them, whatever the operation.

use std::sync::OnceLock;

use super::table::CommandId;

/// A renamed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// The name in the log.
    pub name: String,
    /// The command.
    pub id: CommandId,
}

impl Renamed {
    /// Returns the pair of names as `--rename` takes it.
    pub fn pair(&self) -> String {
        format!("{}={}", self.name, self.id.row().name)
    }
}

static RENAMED: OnceLock<Vec<Renamed>> = OnceLock::new();

/// Sets the commands that were renamed. Only the first call of a process has an effect.
pub(super) fn set(commands: Vec<Renamed>) {
    let _ = RENAMED.set(commands);
}

/// Returns the commands that were renamed, as they were given.
pub fn renamed() -> &'static [Renamed] {
    RENAMED.get().map_or(&[], Vec::as_slice)
}

/// Returns the command that was given this name, ignoring case as servers do.
#[cold]
pub(super) fn lookup_renamed(name: &[u8]) -> Option<CommandId> {
    let same = |renamed: &&Renamed| renamed.name.as_bytes().eq_ignore_ascii_case(name);
    renamed().iter().find(same).map(|renamed| renamed.id)
}
