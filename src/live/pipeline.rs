//! Many commands in flight on one connection.

use std::collections::VecDeque;

use redis::Value;

use super::connection::{Connection, Failure};
use super::endpoint::Endpoint;
use crate::base::server::Server;

/// A connection on which requests are sent before the replies to earlier ones have arrived.
///
/// A request consists of one or more commands and has a tag, with which its replies are returned.
pub(crate) struct Pipeline<T> {
    endpoint: Endpoint,
    connection: Option<Connection>,
    /// The database that the connection has selected.
    db: u32,
    /// Whether its commands leave the idle time of keys as it is.
    is_no_touch: bool,
    unsent: Vec<u8>,
    waiting: VecDeque<Waiting<T>>,
    /// The number of bytes of the requests that have no reply.
    in_flight: usize,
}

struct Waiting<T> {
    tag: T,
    replies: usize,
    bytes: usize,
}

impl<T> Pipeline<T> {
    /// Returns a pipeline that connects when it is first used.
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Pipeline {
            endpoint,
            connection: None,
            db: 0,
            is_no_touch: false,
            unsent: Vec::new(),
            waiting: VecDeque::new(),
            in_flight: 0,
        }
    }

    /// Makes the commands leave the idle time of keys as it is, if the server can do that.
    pub(crate) fn no_touch(mut self, is_no_touch: bool) -> Self {
        self.is_no_touch = is_no_touch;
        self
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the database of the requests that follow.
    pub(crate) fn db(&self) -> u32 {
        self.db
    }

    /// Returns the number of bytes of the requests without replies, sent or not.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Returns the number of requests without replies.
    pub(crate) fn requests(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the number of bytes that were not sent yet.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Adds a request of `replies` commands, which `write` appends to the buffer from the tag. It is sent by the next
    /// [`flush`](Self::flush).
    pub(crate) fn push(&mut self, tag: T, replies: usize, write: impl FnOnce(&T, &mut Vec<u8>)) {
        let before = self.unsent.len();
        write(&tag, &mut self.unsent);
        let bytes = self.unsent.len() - before;
        self.in_flight += bytes;
        self.waiting.push_back(Waiting { tag, replies, bytes });
    }

    /// Sends all requests.
    ///
    /// # Errors
    ///
    /// When there is no connection. The requests are then [outstanding](Self::take_outstanding).
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.unsent);
        let sent = self.connection()?.send_all(&bytes);
        self.unsent = bytes;
        self.unsent.clear();
        sent
    }

    /// Returns the oldest request with its replies; `None` if all have been returned.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub(crate) fn next(&mut self) -> Result<Option<(T, Vec<Value>)>, Failure> {
        let Some(first) = self.waiting.front() else { return Ok(None) };
        let replies = first.replies;
        self.flush()?;
        let connection = self.connection()?;
        let replies = (0..replies).map(|_| connection.next_reply());
        let replies = replies.collect::<Result<Vec<_>, _>>()?;
        Ok(self.waiting.pop_front().map(|first| {
            self.in_flight -= first.bytes;
            (first.tag, replies)
        }))
    }

    /// Runs one command, after the replies of all requests were returned.
    ///
    /// # Errors
    ///
    /// When there is no connection, and the errors of the server.
    pub(crate) fn run(&mut self, command: &[u8]) -> Result<Value, Failure> {
        debug_assert!(self.waiting.is_empty(), "the reply of another request would be returned");
        self.connection()?.run(command)
    }

    /// Runs several commands and returns as many replies, after the replies of all requests were returned. An error of
    /// the server is a value.
    ///
    /// # Errors
    ///
    /// When there is no connection.
    pub(crate) fn run_all(
        &mut self,
        commands: &[u8],
        replies: usize,
    ) -> Result<Vec<Value>, Failure> {
        debug_assert!(self.waiting.is_empty(), "the reply of another request would be returned");
        let connection = self.connection()?;
        connection.send_all(commands)?;
        (0..replies).map(|_| connection.next_reply()).collect()
    }

    /// Selects a database, after the replies of all requests were returned: if the server refuses it, they would run
    /// in another database.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub(crate) fn select(&mut self, db: u32) -> Result<(), Failure> {
        if self.db != db {
            self.run(&packed(&[b"SELECT", db.to_string().as_bytes()]))?;
            self.db = db;
        }
        Ok(())
    }

    /// Closes the connection, and returns the requests without replies, which may have been run or not.
    pub(crate) fn take_outstanding(&mut self) -> Vec<T> {
        self.connection = None;
        self.db = 0;
        self.unsent.clear();
        self.in_flight = 0;
        self.waiting.drain(..).map(|waiting| waiting.tag).collect()
    }

    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let connection = none.insert(Connection::open(&self.endpoint)?);
                if self.is_no_touch {
                    match connection.run(&packed(NO_TOUCH)) {
                        // Another node of a cluster may not have it.
                        Ok(_) | Err(Failure::Answer { .. }) => {}
                        Err(failure) => return Err(failure),
                    }
                }
                Ok(connection)
            }
        }
    }
}

/// The command after which others do not count as uses of keys (Redis and Valkey since 7.2).
///
/// Never for a node of a cluster: Redis 8.0 and 8.2 and Valkey 8.1 crash (observed: signal 11 in `lookupKey`) when a
/// connection that has sent it names a key of a slot that moves to another node.
pub(crate) const NO_TOUCH: &[&[u8]] = &[b"CLIENT", b"NO-TOUCH", b"ON"];

/// Returns whether servers of a version have [`NO_TOUCH`]; nodes of a cluster must not be sent it.
pub(crate) fn has_no_touch(line: Server) -> bool {
    line.has_redis(7, 2)
}

/// Appends a command with its arguments to `out`, as a server reads it.
pub(crate) fn pack(out: &mut Vec<u8>, args: &[&[u8]]) {
    let mut number = itoa::Buffer::new();
    let mut head = |out: &mut Vec<u8>, mark: u8, count: usize| {
        out.push(mark);
        out.extend_from_slice(number.format(count).as_bytes());
        out.extend_from_slice(b"\r\n");
    };
    head(out, b'*', args.len());
    for arg in args {
        head(out, b'$', arg.len());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
}

/// Returns a command as a server reads it.
pub(crate) fn packed(args: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    pack(&mut out, args);
    out
}
