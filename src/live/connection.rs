//! A connection to a running server: one command, one reply, each with a deadline.
//!
//! The `redis` crate encodes the commands and parses the replies. The stream below is implemented here, because the
//! crate's own connection lacks three things: a single deadline for a whole reply, however slowly it arrives; a TLS
//! name (`--sni`) other than the host; and sending nothing that was not requested, because a user with few permissions
//! may not run `CLIENT SETINFO`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{fmt, thread};

use redis::{Parser, Value};
use rustls::{ClientConnection, StreamOwned};

use super::endpoint::{Address, Endpoint};
use super::tls;
use crate::base::error::{Error, ErrorKind};
use crate::base::escape::foreign;
use crate::base::units::Bytes;

/// All that a backup asks of a server, as ACL rules; `+bgrewriteaof` only for a backup with a rewrite.
pub const RIGHTS: &str = "+info +config|get +config|set +bgrewriteaof";

/// The reason why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The connection could not be established, broke, or timed out. Another connection may work.
    Lost(String),
    /// The server replied with an error: an error code and a message.
    Answer {
        /// The error code, which is the first word, such as `NOPERM` or `ERR`.
        code: String,
        /// The message after the error code.
        text: String,
    },
    /// The reply is longer than [`SHORT_REPLY_BYTES`], and was not read to its end.
    TooLong,
    /// Retrying is pointless, for example if a certificate cannot be read or a reply is invalid.
    Permanent(Error),
}

impl Failure {
    /// Returns whether a new connection may succeed, at once or later, for example because the server is starting.
    pub fn is_temporary(&self) -> bool {
        match self {
            Failure::Lost(_) => true,
            Failure::Answer { code, .. } => {
                matches!(code.as_str(), "LOADING" | "BUSY" | "MASTERDOWN")
            }
            Failure::Permanent(_) | Failure::TooLong => false,
        }
    }

    /// Converts the failure to an error for display: the command and the server, the cause, and the recommended action.
    pub fn into_error(self, command: &str, endpoint: &Endpoint) -> Error {
        let server = &endpoint.address;
        match self {
            Failure::Permanent(error) => error,
            Failure::TooLong => {
                let longest = Bytes(SHORT_REPLY_BYTES);
                let what = format!("{server}: {command}: the reply is longer than {longest}");
                Error::new(ErrorKind::Unrecognised, what).help(
                    "no server replies so to this command: find out what answers at this address",
                )
            }
            Failure::Lost(what) => {
                let error = Error::new(ErrorKind::Io, format!("{server}: {command}: {what}"));
                if command == CONNECTING {
                    error.help(
                        "is the server running there? -h, -p, -s, -u and --tls say how it is reached",
                    )
                } else {
                    error
                }
            }
            Failure::Answer { code, text } => {
                let kind = match code.as_str() {
                    "NOAUTH" | "WRONGPASS" | "NOPERM" => ErrorKind::Permission,
                    _ => ErrorKind::Refused,
                };
                let (shown_code, shown) = (foreign(&code), foreign(text.trim_end()));
                let what = format!("{server}: {command}: {shown_code} {shown}");
                let error = Error::new(kind, what);
                match help(command, &code, &text, endpoint) {
                    Some(help) => error.help(help),
                    None => error,
                }
            }
        }
    }
}

/// The longest reply to INFO, CONFIG and other commands of a fixed extent, in bytes. INFO of a server has less than 20 KB,
/// and CLUSTER SLOTS of a cluster of a thousand nodes less than 300 KB.
pub(crate) const SHORT_REPLY_BYTES: u64 = 1 << 20;

/// The text that replaces the command in errors while there is no connection.
pub(crate) const CONNECTING: &str = "connecting";

/// Returns the recommended action for an error of the server.
fn help(command: &str, code: &str, text: &str, endpoint: &Endpoint) -> Option<String> {
    let unknown = text.to_ascii_lowercase().contains("unknown command");
    match code {
        "NOAUTH" => Some(
            "the server wants a password: put it into REDISCLI_AUTH, or have it asked for with --askpass"
                .into(),
        ),
        "WRONGPASS" => Some("check --user and the password".into()),
        "NOPERM" => {
            let user = endpoint.user.as_deref().unwrap_or("default");
            Some(format!(
                "give the user what is missing: ACL SETUSER {user} {}; all that a backup needs is {}",
                right(command),
                crate::live::connection::RIGHTS
            ))
        }
        "LOADING" => Some("the server is still loading its data; try again when it has".into()),
        _ if unknown && command.starts_with("CONFIG") => Some(
            "CONFIG is renamed or forbidden there, as managed services do; without it the log cannot be found \
             nor the rewrite held: back up with `aofkit backup PATH` where the files are"
                .into(),
        ),
        _ if unknown => Some(format!("{command} is renamed or forbidden on this server")),
        _ => None,
    }
}

/// Returns the ACL rule that a command needs: `CONFIG SET appendfsync` needs `+config|set`.
fn right(command: &str) -> String {
    let mut words = command.split(' ').map(str::to_ascii_lowercase);
    match (words.next(), words.next()) {
        (Some(container), Some(sub)) if container == "config" => format!("+{container}|{sub}"),
        (Some(name), _) => format!("+{name}"),
        (None, _) => String::new(),
    }
}

/// A connection to a server.
pub struct Connection {
    stream: Stream,
    parser: Parser,
    reply: Duration,
    /// Whether a reply is still outstanding. It would be mistaken for the reply to the next command.
    is_broken: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection(..)")
    }
}

impl Connection {
    /// Connects, using TLS if configured, and authenticates if there is a password.
    ///
    /// # Errors
    ///
    /// When the server cannot be reached in time or rejects the login.
    pub fn open(endpoint: &Endpoint) -> Result<Self, Failure> {
        let deadline = Instant::now() + endpoint.patience.connect;
        let socket = connect(endpoint, deadline)?;
        let mut connection = Connection {
            stream: Stream { socket, deadline, left_bytes: Some(SHORT_REPLY_BYTES) },
            parser: Parser::new(),
            reply: endpoint.patience.reply,
            is_broken: false,
        };
        if let Some(password) = &endpoint.password {
            let mut command = redis::cmd("AUTH");
            if let Some(user) = &endpoint.user {
                command.arg(user);
            }
            command.arg(password.reveal());
            connection.exchange(&command.get_packed_command(), deadline)?;
        }
        connection.stream.left_bytes = None;
        Ok(connection)
    }

    /// Runs a command and returns its reply, which is at most [`SHORT_REPLY_BYTES`] long.
    ///
    /// # Errors
    ///
    /// When the connection is lost or times out, when the reply is longer, and when the server replies with an error.
    pub fn call(&mut self, args: &[&str]) -> Result<Value, Failure> {
        let mut command = redis::Cmd::new();
        for arg in args {
            command.arg(arg);
        }
        let deadline = Instant::now() + self.reply;
        self.stream.left_bytes = Some(SHORT_REPLY_BYTES);
        let reply = self.exchange(&command.get_packed_command(), deadline);
        self.stream.left_bytes = None;
        reply
    }

    /// Runs a command whose reply is text.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub fn text(&mut self, args: &[&str]) -> Result<String, Failure> {
        match self.call(args)? {
            Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text),
            Value::Okay => Ok("OK".into()),
            _ => Err(unexpected(args)),
        }
    }

    /// Returns the value of a setting as bytes, for paths; `None` if the server does not have the setting.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub fn setting_bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let args = ["CONFIG", "GET", name];
        let pairs: Vec<Value> = match self.call(&args)? {
            Value::Array(pairs) => pairs,
            Value::Map(pairs) => {
                pairs.into_iter().flat_map(|(name, value)| [name, value]).collect()
            }
            _ => return Err(unexpected(&args)),
        };
        let mut pairs = pairs.into_iter();
        while let (Some(found), Some(value)) = (pairs.next(), pairs.next()) {
            if text_of(found).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes())) {
                return Ok(text_of(value));
            }
        }
        Ok(None)
    }

    /// Returns the value of a setting; `None` if the server does not have it.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub fn setting(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let bytes = self.setting_bytes(name)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Changes a setting.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        self.text(&["CONFIG", "SET", name, value]).map(drop)
    }

    fn exchange(&mut self, packed: &[u8], deadline: Instant) -> Result<Value, Failure> {
        self.send(packed, deadline)?;
        match self.receive(deadline)? {
            Value::ServerError(error) => Err(Failure::Answer {
                code: error.code().to_string(),
                text: error.details().unwrap_or_default().to_string(),
            }),
            value => Ok(value),
        }
    }

    /// Sends commands. Their replies must be received, one by one, before the next [`call`](Self::call).
    fn send(&mut self, packed: &[u8], deadline: Instant) -> Result<(), Failure> {
        self.unless_broken()?;
        self.is_broken = true;
        self.stream.deadline = deadline;
        let sent = self.stream.write_all(packed).and_then(|()| self.stream.flush());
        sent.map_err(|error| lost(&error))?;
        self.is_broken = false;
        Ok(())
    }

    /// Receives the reply to the first command that has none yet; an error of the server is a value.
    fn receive(&mut self, deadline: Instant) -> Result<Value, Failure> {
        self.unless_broken()?;
        self.is_broken = true;
        self.stream.deadline = deadline;
        let value = self.parser.parse_value(&mut self.stream).map_err(|error| {
            if self.stream.left_bytes == Some(0) {
                return Failure::TooLong;
            }
            let late = Instant::now() >= deadline;
            Failure::Lost(if late { SILENT.into() } else { broken(&error.to_string()) })
        })?;
        self.is_broken = false;
        Ok(value)
    }

    fn unless_broken(&self) -> Result<(), Failure> {
        if self.is_broken { Err(Failure::Lost(broken("a reply was lost on it"))) } else { Ok(()) }
    }

    /// Sends commands whose replies [`next_reply`](Self::next_reply) returns in their order.
    ///
    /// # Errors
    ///
    /// [`Failure::Lost`].
    pub(crate) fn send_all(&mut self, packed: &[u8]) -> Result<(), Failure> {
        self.send(packed, Instant::now() + self.reply)
    }

    /// Returns the next reply to the commands of [`send_all`](Self::send_all); an error of the server is a value.
    ///
    /// # Errors
    ///
    /// [`Failure::Lost`].
    pub(crate) fn next_reply(&mut self) -> Result<Value, Failure> {
        self.receive(Instant::now() + self.reply)
    }

    /// Runs a command of any bytes and returns its reply.
    ///
    /// # Errors
    ///
    /// As [`Connection::call`].
    pub(crate) fn run(&mut self, packed: &[u8]) -> Result<Value, Failure> {
        let deadline = Instant::now() + self.reply;
        self.exchange(packed, deadline)
    }
}

fn text_of(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Okay => Some(b"OK".to_vec()),
        _ => None,
    }
}

fn unexpected(args: &[&str]) -> Failure {
    let message = format!("the reply to {} is not what a server sends", args.join(" "));
    Failure::Permanent(Error::new(ErrorKind::Unrecognised, message))
}

const SILENT: &str = "no reply in time";

fn broken(why: &str) -> String {
    // The parser explains what it expected in several lines.
    let why: Vec<&str> = why.split_whitespace().collect();
    format!("the connection was lost ({})", foreign(&why.join(" ")))
}

fn lost(error: &io::Error) -> Failure {
    Failure::Lost(match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => SILENT.into(),
        _ => broken(&error.to_string()),
    })
}

fn connect(endpoint: &Endpoint, deadline: Instant) -> Result<Socket, Failure> {
    let refused = |why: &dyn fmt::Display| Failure::Lost(format!("no connection: {why}"));
    match &endpoint.address {
        Address::Unix(_) if endpoint.tls.is_some() => {
            let message = "TLS is not spoken over a Unix socket";
            Err(Failure::Permanent(Error::new(ErrorKind::Usage, message)))
        }
        // Connecting to a local socket only blocks if its backlog is full.
        Address::Unix(path) => {
            UnixStream::connect(path).map(Socket::Unix).map_err(|error| refused(&error))
        }
        Address::Tcp { host, port } => {
            let mut last = refused(&"the name has no address");
            for address in resolve(host, *port, deadline)? {
                match TcpStream::connect_timeout(&address, left(deadline)) {
                    Ok(stream) => {
                        // Without TCP_NODELAY each command would wait for the acknowledgement of the previous one.
                        stream.set_nodelay(true).map_err(|error| refused(&error))?;
                        return Ok(match &endpoint.tls {
                            None => Socket::Tcp(stream),
                            Some(tls) => Socket::Tls(Box::new(
                                tls::wrap(tls, host, stream).map_err(Failure::Permanent)?,
                            )),
                        });
                    }
                    Err(error) => last = refused(&error),
                }
            }
            Err(last)
        }
    }
}

/// Resolves a host name. The system's resolver has no timeout, so that a late call is abandoned.
fn resolve(host: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    let started = thread::Builder::new().spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        // After the deadline nobody receives the result.
        let _ = sender.send(found);
    });
    started.map_err(|error| Failure::Lost(format!("no thread to find {host} with: {error}")))?;
    let found = receiver.recv_timeout(left(deadline));
    let found =
        found.map_err(|_| Failure::Lost(format!("the name {host} was not found in time")))?;
    found.map_err(|error| Failure::Lost(format!("the name {host} was not found: {error}")))
}

/// Returns the time until the deadline, which is never zero because a socket treats zero as no timeout.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

enum Socket {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(UnixStream),
}

/// A socket on which every operation ends by the deadline, and reads end after so many bytes.
struct Stream {
    socket: Socket,
    deadline: Instant,
    /// How many bytes may be read; `None`: any number.
    left_bytes: Option<u64>,
}

impl Stream {
    fn hurry(&self) -> io::Result<()> {
        if Instant::now() >= self.deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let limit = Some(left(self.deadline));
        match &self.socket {
            Socket::Tcp(tcp) => {
                tcp.set_read_timeout(limit).and_then(|()| tcp.set_write_timeout(limit))
            }
            Socket::Tls(tls) => {
                let tcp = &tls.sock;
                tcp.set_read_timeout(limit).and_then(|()| tcp.set_write_timeout(limit))
            }
            Socket::Unix(unix) => {
                unix.set_read_timeout(limit).and_then(|()| unix.set_write_timeout(limit))
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit =
            self.left_bytes.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let longest = buffer.len().min(limit);
        let buffer = buffer.get_mut(..longest).unwrap_or_default();
        loop {
            self.hurry()?;
            let read = match &mut self.socket {
                Socket::Tcp(tcp) => tcp.read(buffer),
                Socket::Tls(tls) => tls.read(buffer),
                Socket::Unix(unix) => unix.read(buffer),
            };
            // A signal interrupts a read with a timeout, which must not close the connection.
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(bytes) => {
                    let bytes_read = u64::try_from(bytes).unwrap_or(u64::MAX);
                    self.left_bytes = self.left_bytes.map(|left| left.saturating_sub(bytes_read));
                    return Ok(bytes);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // write_all() retries interrupted writes.
        self.hurry()?;
        match &mut self.socket {
            Socket::Tcp(tcp) => tcp.write(bytes),
            Socket::Tls(tls) => tls.write(bytes),
            Socket::Unix(unix) => unix.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hurry()?;
        match &mut self.socket {
            Socket::Tcp(tcp) => tcp.flush(),
            Socket::Tls(tls) => tls.flush(),
            Socket::Unix(unix) => unix.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Starts a server that answers each command with the next of `replies`.
    fn server(replies: &'static [&'static str]) -> (tempfile::TempDir, Endpoint) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            for reply in replies {
                let mut command = [0; 1024];
                if client.read(&mut command).unwrap_or(0) == 0 {
                    return;
                }
                client.write_all(reply.as_bytes()).unwrap();
            }
            // It sends nothing more and keeps the connection open.
            let _ = client.read(&mut [0; 1024]);
            thread::sleep(Duration::from_secs(5));
        });
        let mut endpoint = Endpoint::new(Address::Unix(path));
        endpoint.patience.reply = Duration::from_millis(100);
        (place, endpoint)
    }

    #[test]
    fn replies_are_parsed_by_type() {
        let (_place, endpoint) = server(&[
            "+OK\r\n",
            "*2\r\n$11\r\nAPPENDFSYNC\r\n$8\r\neverysec\r\n",
            "*0\r\n",
            "-NOPERM this user has no permissions\r\n",
            "$4\r\ntext\r\n",
        ]);
        let mut connection = Connection::open(&endpoint).unwrap();
        connection.set("appendfsync", "no").unwrap();
        assert_eq!(connection.setting("appendfsync").unwrap().as_deref(), Some("everysec"));
        assert_eq!(connection.setting("unheard-of").unwrap(), None);
        let refused = connection.set("appendfsync", "no").unwrap_err();
        assert!(!refused.is_temporary());
        let reported = refused.into_error("CONFIG SET appendfsync", &endpoint);
        assert_eq!(reported.kind(), ErrorKind::Permission);
        assert!(
            reported.next_step().unwrap().contains("ACL SETUSER default +config|set;"),
            "{reported}"
        );
        assert_eq!(connection.text(&["INFO"]).unwrap(), "text");
    }

    #[test]
    fn connection_with_outstanding_reply_is_not_reused() {
        let (_place, endpoint) = server(&["*2\r\n$3\r\nhal"]);
        let mut connection = Connection::open(&endpoint).unwrap();
        let silent = connection.setting("appendfsync").unwrap_err();
        assert!(silent.is_temporary());
        assert!(
            silent.into_error("CONFIG GET", &endpoint).to_string().contains("no reply in time")
        );
        let again = connection.setting("appendfsync").unwrap_err();
        assert!(
            again
                .into_error("CONFIG GET", &endpoint)
                .to_string()
                .contains("a reply was lost on it")
        );
    }

    #[test]
    fn permissions_are_named_as_acl_rules() {
        assert_eq!(right("CONFIG SET appendfsync"), "+config|set");
        assert_eq!(right("INFO persistence"), "+info");
        assert_eq!(right("BGREWRITEAOF"), "+bgrewriteaof");
    }
}
