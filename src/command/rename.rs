//! Reading which commands a server renamed.

use super::lookup::lookup;
use super::renamed::{self, Renamed};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;

/// Sets the commands that the configuration of a server renamed: pairs of the name in the log and the standard name. Only the first call of a
/// process has an effect.
///
/// # Errors
///
/// [`ErrorKind::Usage`] if a standard name is unknown, or a name in the log is that of another command.
pub fn set_renamed(names: &[(String, String)]) -> Result<()> {
    let renamed = names.iter().map(|(name, standard)| resolve(name, standard));
    renamed::set(renamed.collect::<Result<_>>()?);
    Ok(())
}

fn resolve(name: &str, standard: &str) -> Result<Renamed> {
    let shown = |name: &str| Shown(name.as_bytes()).to_string();
    let Some(id) = lookup(standard.as_bytes()) else {
        let message = format!("no known server has the command {}", shown(standard));
        return Err(Error::new(ErrorKind::Usage, message)
            .help("--rename takes the name in the log first: --rename WIPE_9F=FLUSHALL"));
    };
    if lookup(name.as_bytes()).is_some_and(|own| own != id) {
        let message = format!("{} is the name of another command", shown(name));
        return Err(Error::new(ErrorKind::Usage, message)
            .help("a log in which a standard name means another command cannot be read"));
    }
    Ok(Renamed { name: name.to_owned(), id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::CommandId;

    // The names hold for the process, so that tests set none; tests/cli/renamed.rs does.

    #[test]
    fn standard_name_must_be_known_and_name_must_be_free() {
        let of = |name: &str, standard: &str| resolve(name, standard);
        let found = of("wipe_9f", "flushall").unwrap();
        assert_eq!((found.name.as_str(), found.id), ("wipe_9f", CommandId::FLUSHALL));
        assert_eq!(of("FLUSHALL", "WIPE_9F").unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(of("SET", "FLUSHALL").unwrap_err().kind(), ErrorKind::Usage);
        // Said twice, it is still a flush.
        assert_eq!(of("flushall", "FLUSHALL").unwrap().id, CommandId::FLUSHALL);
    }
}
