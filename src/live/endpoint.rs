//! The address of a server and the credentials for it.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo};
use serde::{Serialize, Serializer};

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;

/// The default port of a server.
pub const DEFAULT_PORT: u16 = 6379;

/// A value that must never be displayed: a password, or a URI that may contain one. Even its length is hidden.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// Returns the value, for the only caller that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The address on which a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// TCP, with or without TLS.
    Tcp {
        /// A host name or IP address; IPv6 without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Returns whether the address is one of this machine: a Unix socket, or its loopback interface.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Address::Unix(_) => true,
            Address::Tcp { host, .. } => {
                host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix(path) => ShownPath(path).fmt(f),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The TLS settings.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The CA certificate (PEM) that the server's certificate is verified with; `None` for the CA certificates of the
    /// system.
    pub cacert: Option<PathBuf>,
    /// The client certificate (PEM).
    pub cert: Option<PathBuf>,
    /// The private key of the client certificate (PEM).
    pub key: Option<PathBuf>,
    /// The server name to request and verify; `None` for the host.
    pub sni: Option<String>,
    /// Whether to accept any server certificate.
    pub insecure: bool,
}

/// The timeouts. A server that does not reply in time is treated as lost.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The timeout for connecting: name resolution, TCP, TLS and authentication.
    pub connect: Duration,
    /// The timeout for one reply. Forking a large server can take seconds, during which it does not reply.
    pub reply: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { connect: Duration::from_secs(5), reply: Duration::from_secs(30) }
    }
}

/// A server and the credentials for it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The address on which it listens.
    pub address: Address,
    /// The user name; `None` for the default user.
    pub user: Option<String>,
    /// The password, if required.
    pub password: Option<Secret>,
    /// The TLS settings; `None` for an unencrypted connection.
    pub tls: Option<Tls>,
    /// The timeouts.
    pub patience: Patience,
}

impl Endpoint {
    /// Returns the options with which redis-cli and valkey-cli connect to the same server; they read a password from
    /// the environment.
    pub fn client_args(&self) -> Vec<String> {
        let mut args: Vec<String> = match &self.address {
            Address::Unix(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                vec!["-s".into(), ShownPath(&path).to_string()]
            }
            // This is the default address of the clients.
            Address::Tcp { host, port } if host == "127.0.0.1" => {
                vec!["-p".into(), port.to_string()]
            }
            Address::Tcp { host, port } => {
                vec!["-h".into(), host.clone(), "-p".into(), port.to_string()]
            }
        };
        if let Some(user) = &self.user {
            args.extend(["--user".into(), user.clone()]);
        }
        if self.tls.is_some() {
            args.push("--tls".into());
        }
        args
    }

    /// Returns an endpoint without credentials.
    pub fn new(address: Address) -> Self {
        let patience = Patience::default();
        Endpoint { address, user: None, password: None, tls: None, patience }
    }

    /// Parses a URI: `redis://[[user]:password@]host[:port]`, `rediss://` for TLS, likewise `valkey://` and
    /// `valkeys://`, `unix:///path[?user=..&pass=..]`. A database number is accepted and ignored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`], without any part of the URI, which can contain a password.
    pub fn from_uri(uri: &str) -> Result<Self> {
        // The crate's error is discarded because it could quote the URI.
        let info = uri.into_connection_info().map_err(|_| {
            Error::new(ErrorKind::Usage, "this URI names no server").help(
                "write it as redis://user@host:6379, rediss:// for TLS, or unix:///path/to/socket",
            )
        })?;
        let redis = info.redis_settings();
        let (user, password) = (redis.username().map(String::from), redis.password());
        let password = password.map(Secret::new);
        let (address, tls) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                (Address::Tcp { host: host.clone(), port: *port }, None)
            }
            ConnectionAddr::TcpTls { host, port, insecure, .. } => {
                let tls = Tls { insecure: *insecure, ..Tls::default() };
                (Address::Tcp { host: host.clone(), port: *port }, Some(tls))
            }
            ConnectionAddr::Unix(path) => (Address::Unix(path.clone()), None),
            _ => return Err(Error::new(ErrorKind::Usage, "this URI names no server")),
        };
        Ok(Endpoint { address, user, password, tls, patience: Patience::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_read_as_redis_cli_does() {
        let read = |uri: &str| Endpoint::from_uri(uri).unwrap();
        let tcp = |host: &str, port| Address::Tcp { host: host.into(), port };
        assert_eq!(read("redis://db").address, tcp("db", 6379));
        assert_eq!(read("valkey://[::1]:7000/3").address, tcp("::1", 7000));
        let secret = read("rediss://backup:p%40ss@db:7001");
        assert_eq!(secret.address, tcp("db", 7001));
        assert_eq!(secret.user.as_deref(), Some("backup"));
        assert_eq!(secret.password.as_ref().map(Secret::reveal), Some("p@ss"));
        assert!(secret.tls.is_some() && read("valkeys://db").tls.is_some());
        assert!(read("valkey://db").tls.is_none());
        let socket = read("unix:///run/redis.sock?user=backup&pass=x");
        assert_eq!(socket.address, Address::Unix("/run/redis.sock".into()));
        assert_eq!(socket.user.as_deref(), Some("backup"));
        assert_eq!(read("redis://:x@db").user, None);
    }

    #[test]
    fn passwords_are_never_displayed() {
        let endpoint = Endpoint::from_uri("redis://backup:geheim@db:6379").unwrap();
        assert!(!format!("{endpoint:?}").contains("geheim"));
        assert_eq!(endpoint.address.to_string(), "db:6379");
        for uri in
            ["redis//u:geheim@db", "http://u:geheim@db", "redis://u:geheim@db:x/", "redis:geheim"]
        {
            let error = Endpoint::from_uri(uri).unwrap_err();
            let reported = format!("{error} {error:?} {:?}", error.next_step());
            assert!(!reported.contains("geheim"), "{reported}");
        }
    }

    #[test]
    fn addresses_are_shown_so_that_they_can_be_typed_again() {
        let tcp = |host: &str| Address::Tcp { host: host.into(), port: 7000 }.to_string();
        assert_eq!(tcp("localhost"), "localhost:7000");
        assert_eq!(tcp("::1"), "[::1]:7000");
        assert_eq!(Address::Unix("/run/r.sock".into()).to_string(), "/run/r.sock");
    }
}
