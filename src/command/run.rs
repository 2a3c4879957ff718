//! Running a command of a log: the checks of a server, then the command itself.

use super::apply::{Applied, Call, Unapplied};
use crate::command::row::{Command, Keys, Subcommand};
use crate::keyspace::{Opaque, Value};

impl Command {
    /// Runs the command on the data set of `call`, as a loader does.
    ///
    /// # Errors
    ///
    /// Fails if a server would reply with an error, or if the effect cannot be determined: see
    /// [`Unapplied`].
    #[inline]
    pub fn run(&self, call: &mut Call<'_, '_>) -> Applied {
        if !self.arity.accepts_now(call.args.len()) {
            return Err(WRONG_ARITY);
        }
        if !self.subcommands.is_empty() {
            check_subcommand(self.subcommand(call.args[1]), call.args.len())?;
        }
        if call.keyspace.has_opaque() && self.meets_opaque(call)? {
            return Ok(());
        }
        match self.apply {
            Some(apply) => apply(call),
            None => Ok(()),
        }
    }

    /// Returns whether the command was added to those of a carried key, that is, a key with an
    /// earlier command that is not supported.
    #[cold]
    fn meets_opaque(&self, call: &mut Call<'_, '_>) -> Result<bool, Unapplied> {
        let (args, frame) = (call.args, call.frame);
        let mut opaque = false;
        let mut keys = 0;
        let db = call.db();
        let _ = self.visit_keys(
            args.len(),
            |at| args[at],
            |at| {
                keys += 1;
                opaque |=
                    db.get(args[at]).is_some_and(|entry| matches!(entry.value, Value::Opaque(_)));
            },
        );
        // Deletion is supported whatever the key contains.
        if !opaque || matches!(self.name, "DEL" | "UNLINK") {
            return Ok(false);
        }
        let alone = keys == 1 && matches!(self.keys, Keys::Range { first: 1, last: 1, .. });
        if !alone || matches!(self.name, "MOVE") {
            return Err(Unapplied::Refused(
                "it takes a key whose value is not understood, because of an earlier command",
            ));
        }
        carry(call, args[1], frame);
        Ok(true)
    }
}

/// Adds an unsupported command to those that are carried for its key.
///
/// # Errors
///
/// Fails if the command names no key.
pub fn run_unknown(call: &mut Call<'_, '_>, key: usize) -> Applied {
    let Some(&key) = call.args.get(key) else {
        return Err(Unapplied::Refused("no known server has this command, and it names no key"));
    };
    carry(call, key, call.frame);
    Ok(())
}

fn carry<'a>(call: &mut Call<'_, 'a>, key: &[u8], frame: &'a [u8]) {
    call.keyspace.note_opaque();
    // Such a value cannot be written, so the command has to be replayed on a missing key.
    if call.db().get(key).is_some_and(|entry| entry.value.lacks_elements()) {
        call.db().remove(key);
    }
    let fresh = || Value::Opaque(Box::new(Opaque { before: None, frames: Vec::new() }));
    let (entry, new) = call.db().entry(key, fresh);
    if !new && !matches!(entry.value, Value::Opaque(_)) {
        let before = std::mem::replace(&mut entry.value, fresh());
        if let Value::Opaque(opaque) = &mut entry.value {
            opaque.before = Some(before);
        }
    }
    if let Value::Opaque(opaque) = &mut entry.value {
        opaque.frames.push(frame);
    }
}

const WRONG_ARITY: Unapplied = Unapplied::Failed("ERR wrong number of arguments");

fn check_subcommand(sub: Option<&Subcommand>, argc: usize) -> Applied {
    match sub {
        Some(sub) if sub.arity.accepts_now(argc) => Ok(()),
        Some(_) => Err(WRONG_ARITY),
        None => Err(Unapplied::Failed("ERR unknown subcommand")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::lookup;
    use super::*;
    use crate::base::server::redis;
    use crate::command::apply::{Context, Position, Warnings};
    use crate::keyspace::{Bump, Keyspace};

    /// The empty hash would not be written, so it would not exist when the command is replayed.
    #[test]
    fn an_unknown_command_on_an_empty_hash_is_carried_alone() {
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let context = Context {
            server: redis(6, 2),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            clock: &|_| 0,
            owns: &|_| true,
        };
        let mut warnings = Warnings::default();
        for line in ["HINCRBYFLOAT h f inf", "PEXPIREAT h 4102444800000", "NEW h"] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let mut call = Call {
                args: &args,
                frame: line.as_bytes(),
                at: Position::default(),
                db: 0,
                keyspace: &mut keyspace,
                context: &context,
                warnings: &mut warnings,
            };
            let _ = match lookup(args[0]) {
                Some(id) => id.row().run(&mut call),
                None => run_unknown(&mut call, 1),
            };
        }
        let entry = keyspace.db(0).get(b"h").expect("a key");
        let Value::Opaque(opaque) = &entry.value else { panic!("carried") };
        assert!(opaque.before.is_none() && opaque.frames == [b"NEW h"]);
        assert_eq!(entry.expires_ms(), None);
    }
}
