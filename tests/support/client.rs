//! A small client: one command, one reply, over a Unix socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What a server answers (RESP2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// `+OK`.
    Simple(String),
    /// `-ERR ...`, without the minus.
    Error(String),
    /// `:1`.
    Int(i64),
    /// `$2`, and the bytes.
    Bulk(Vec<u8>),
    /// `$-1` or `*-1`.
    Nil,
    /// `*2`, and the elements.
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a simple or bulk reply, as far as it is UTF-8.
    ///
    /// # Panics
    ///
    /// On any other reply, with the reply.
    pub(crate) fn text(&self) -> String {
        match self {
            Reply::Simple(text) => text.clone(),
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("a text was expected, got {other:?}"),
        }
    }

    /// The number.
    ///
    /// # Panics
    ///
    /// On any other reply, with the reply.
    pub(crate) fn int(&self) -> i64 {
        match self {
            Reply::Int(number) => *number,
            other => panic!("a number was expected, got {other:?}"),
        }
    }

    /// The elements.
    ///
    /// # Panics
    ///
    /// On any other reply, with the reply.
    pub(crate) fn array(&self) -> &[Reply] {
        match self {
            Reply::Array(elements) => elements,
            other => panic!("an array was expected, got {other:?}"),
        }
    }
}

/// A connection.
pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    /// Connects to the socket at `path`. A reply that takes longer than a minute is an error.
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

    /// As [`Client::try_call`], where the connection must hold.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        self.try_call(args).expect("the server answers")
    }

    fn read(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        let text = (line.strip_suffix(b"\r\n"))
            .and_then(|line| std::str::from_utf8(line).ok())
            .filter(|line| !line.is_empty())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let (kind, rest) = text.split_at(1);
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

/// A command as it is sent, and as it stands in a log.
pub(crate) fn command<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The commands of a log, one a line, arguments separated by blanks.
pub(crate) fn log(commands: &str) -> Vec<u8> {
    (commands.lines())
        .flat_map(|line| command(&line.split_whitespace().collect::<Vec<_>>()))
        .collect()
}
