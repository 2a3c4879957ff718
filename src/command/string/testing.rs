//! A data set for testing commands.

use super::super::lookup;
use crate::base::server::Server;
use crate::command::apply::{Applied, Call, Context, Position, Warnings};
use crate::keyspace::{Bump, Keyspace, Value};

/// A data set, and the server that is emulated.
pub(in crate::command) struct Trying<'a> {
    pub(in crate::command) server: Server,
    /// The time of the clock.
    pub(in crate::command) now_ms: i64,
    /// The keys that belong to the shard; all if there is none.
    pub(in crate::command) owned: Vec<&'a [u8]>,
    pub(in crate::command) warnings: Warnings,
    keyspace: Keyspace<'a>,
}

impl<'a> Trying<'a> {
    pub(in crate::command) fn new(server: Server, arena: &'a Bump) -> Self {
        let (warnings, keyspace) = (Warnings::default(), Keyspace::new(arena));
        Trying { server, now_ms: 0, owned: Vec::new(), warnings, keyspace }
    }

    /// Applies a command whose arguments are separated by blanks.
    pub(in crate::command) fn run(&mut self, line: &'a str) -> Applied {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.apply(&args)
    }

    pub(in crate::command) fn apply(&mut self, args: &[&'a [u8]]) -> Applied {
        let row = lookup(args[0]).unwrap().row();
        assert!(row.accepts_arity(args.len()), "{} takes another number", row.name);
        let (now_ms, owned) = (self.now_ms, &self.owned);
        row.apply.unwrap()(&mut Call {
            args,
            frame: &[],
            at: Position::default(),
            db: 0,
            keyspace: &mut self.keyspace,
            context: &Context {
                server: self.server,
                fields_expire_ms: None,
                hll_sparse_max_bytes: 3000,
                clock: &|_| now_ms,
                owns: &|key| owned.is_empty() || owned.contains(&key),
            },
            warnings: &mut self.warnings,
        })
    }

    /// Returns the bytes of a string, if the key exists.
    pub(in crate::command) fn bytes(&mut self, key: &str) -> Option<Vec<u8>> {
        match &self.keyspace.db(0).get(key.as_bytes())?.value {
            Value::String(value) => Some(value.to_vec()),
            other => panic!("{other:?}"),
        }
    }

    pub(in crate::command) fn value(&mut self, key: &str) -> Option<&mut Value<'a>> {
        Some(&mut self.keyspace.db(0).get_mut(key.as_bytes())?.value)
    }

    /// Returns the expiry of a key, which must exist.
    pub(in crate::command) fn expires_ms(&mut self, key: &str) -> Option<i64> {
        self.keyspace.db(0).get(key.as_bytes()).unwrap().expires_ms()
    }

    /// Sets a key to a list, which none of the commands under test accepts.
    pub(in crate::command) fn make_list(&mut self, key: &str) {
        self.keyspace.db(0).set(key.as_bytes(), Value::List(Box::default()));
    }
}
