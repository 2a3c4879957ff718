//! A minimal client that sends one command at a time over a Unix socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::log::command;

/// A reply of a server (RESP2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `+OK`.
    Simple(String),
    /// `-ERR ...`, without the minus sign.
    Error(String),
    /// `:1`.
    Int(i64),
    /// `$2` and the bytes.
    Bulk(Vec<u8>),
    /// `$-1` or `*-1`.
    Nil,
    /// `*2` and the elements.
    Array(Vec<Reply>),
}

impl Reply {
    /// Returns the text of a simple or bulk reply, with invalid UTF-8 replaced.
    ///
    /// # Panics
    ///
    /// On any other reply.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::Simple(text) => text.clone(),
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("expected a text, got {other:?}"),
        }
    }

    /// Returns the number of an integer reply.
    ///
    /// # Panics
    ///
    /// On any other reply.
    pub(crate) fn int(&self) -> i64 {
        match self {
            Reply::Int(number) => *number,
            other => panic!("expected a number, got {other:?}"),
        }
    }

    /// Returns the elements of an array reply.
    ///
    /// # Panics
    ///
    /// On any other reply.
    pub(crate) fn array(&self) -> &[Reply] {
        match self {
            Reply::Array(elements) => elements,
            other => panic!("expected an array, got {other:?}"),
        }
    }
}

/// A connection to a server.
pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects to the socket at `path`. The timeout for a reply is one minute.
    pub(crate) fn connect(path: &Path) -> io::Result<Client> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Client(BufReader::new(stream)))
    }

    /// Sends a command and waits for its reply.
    pub(crate) fn try_call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.0.get_mut().write_all(&command(args))?;
        self.read()
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Panics
    ///
    /// If the connection fails.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        self.try_call(args).expect("the server answers")
    }

    fn read(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        // Errors may quote arguments with their line feeds.
        while self.0.read_until(b'\n', &mut line)? > 0 && !line.ends_with(b"\r\n") {}
        let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let text = String::from_utf8_lossy(line);
        let (kind, rest) = text.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
        let number = || rest.parse::<i64>().map_err(|_| io::ErrorKind::InvalidData);
        Ok(match kind {
            "+" => Reply::Simple(rest.to_string()),
            "-" => Reply::Error(rest.to_string()),
            ":" => Reply::Int(number()?),
            "$" => match usize::try_from(number()?) {
                Err(_) => Reply::Nil,
                Ok(len) => {
                    let mut bytes = vec![0; len + 2];
                    self.0.read_exact(&mut bytes)?;
                    bytes.truncate(len);
                    Reply::Bulk(bytes)
                }
            },
            "*" => match usize::try_from(number()?) {
                Err(_) => Reply::Nil,
                Ok(len) => Reply::Array((0..len).map(|_| self.read()).collect::<Result<_, _>>()?),
            },
            _ => return Err(io::ErrorKind::InvalidData.into()),
        })
    }
}
