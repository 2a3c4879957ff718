//! How a server is reached: the options of redis-cli.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::askpass;
use super::parse::parse_duration;
use crate::base::error::{Error, ErrorKind, Result};
use crate::live::endpoint::{Address, DEFAULT_PORT, Endpoint, Patience, Secret, Tls};

const CONNECTION: &str = "Connection, as redis-cli";

/// The options that say which server, and how one gets in.
#[derive(Debug, Args)]
pub(super) struct ConnectionArgs {
    /// The server's host
    #[arg(short = 'h', long, value_name = "HOST", default_value = "127.0.0.1", help_heading = CONNECTION)]
    host: String,
    /// The server's port [default: 6379]; several are taken one after another
    #[arg(short = 'p', long = "port", value_name = "PORT", help_heading = CONNECTION)]
    ports: Vec<u16>,
    /// A Unix socket, instead of host and port
    #[arg(short = 's', long = "socket", value_name = "SOCKET", help_heading = CONNECTION)]
    sockets: Vec<PathBuf>,
    /// redis://user@host:port, rediss:// for TLS, valkey://, valkeys://, unix:///path
    #[arg(short = 'u', long = "uri", value_name = "URI", value_parser = parse_secret, help_heading = CONNECTION)]
    uris: Vec<Secret>,
    /// The user to log in as [default: the server's default user]
    #[arg(long, value_name = "NAME", help_heading = CONNECTION)]
    user: Option<String>,
    /// Ask for the password. Without this it is taken from REDISCLI_AUTH or VALKEYCLI_AUTH, where one is set
    #[arg(long, help_heading = CONNECTION)]
    askpass: bool,
    /// The password. Others on this machine can see it: rather set REDISCLI_AUTH
    #[arg(short = 'a', long = "pass", value_name = "PASSWORD", value_parser = parse_secret, conflicts_with = "askpass", help_heading = CONNECTION)]
    pass: Option<Secret>,
    /// Speak TLS
    #[arg(long, help_heading = CONNECTION)]
    tls: bool,
    /// Whose signature makes the server trusted (PEM) [default: whom the system trusts]
    #[arg(long, value_name = "FILE", help_heading = CONNECTION)]
    cacert: Option<PathBuf>,
    /// The certificate to show to the server (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = CONNECTION)]
    cert: Option<PathBuf>,
    /// The key to that certificate (PEM)
    #[arg(id = "tls_key", long = "key", value_name = "FILE", requires = "cert", help_heading = CONNECTION)]
    key: Option<PathBuf>,
    /// The name that the server's certificate bears, if not that of the host
    #[arg(long, value_name = "NAME", help_heading = CONNECTION)]
    sni: Option<String>,
    /// Trust whatever certificate the server shows
    #[arg(long, help_heading = CONNECTION)]
    insecure: bool,
    /// How long one reply may take; a large server forks for seconds
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, help_heading = CONNECTION)]
    reply_timeout: Duration,
}

// Neither a URI nor a password is parsed here, for clap quotes what it does not understand.
#[allow(clippy::unnecessary_wraps)] // As clap has it.
fn parse_secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

impl ConnectionArgs {
    /// The servers that are meant, in the order in which they were named.
    pub(super) fn endpoints(&self) -> Result<Vec<Endpoint>> {
        let uris = self.uris.iter().map(|uri| Endpoint::from_uri(uri.reveal()));
        let mut endpoints = uris.collect::<Result<Vec<_>>>()?;
        let sockets = self.sockets.iter().cloned().map(Address::Unix);
        endpoints.extend(sockets.map(Endpoint::new));
        let mut ports = self.ports.clone();
        if endpoints.is_empty() && ports.is_empty() {
            ports.push(DEFAULT_PORT);
        }
        let tcp = |port| Endpoint::new(Address::Tcp { host: self.host.clone(), port });
        endpoints.extend(ports.into_iter().map(tcp));
        let (password, tls) = (self.password()?, self.tls_settings());
        for endpoint in &mut endpoints {
            endpoint.patience = Patience { reply: self.reply_timeout, ..Patience::default() };
            endpoint.user = endpoint.user.take().or_else(|| self.user.clone());
            endpoint.password = endpoint.password.take().or_else(|| password.clone());
            let is_tcp = matches!(endpoint.address, Address::Tcp { .. });
            if endpoint.tls.is_some() || (is_tcp && self.wants_tls()) {
                let insecure =
                    tls.insecure || endpoint.tls.as_ref().is_some_and(|tls| tls.insecure);
                endpoint.tls = Some(Tls { insecure, ..tls.clone() });
            }
            if endpoint.user.is_some() && endpoint.password.is_none() {
                return Err(Error::new(ErrorKind::Usage, "a user needs a password")
                    .help("put it into REDISCLI_AUTH, or have it asked for with --askpass"));
            }
        }
        Ok(endpoints)
    }

    /// The one server that is meant.
    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        let mut endpoints = self.endpoints()?;
        match (endpoints.pop(), endpoints.is_empty()) {
            (Some(endpoint), true) => Ok(endpoint),
            _ => {
                Err(Error::new(ErrorKind::Usage, "one server is meant here, and several are named"))
            }
        }
    }

    /// The port that was named, where it is one.
    pub(super) fn port(&self) -> Result<Option<u16>> {
        match self.ports.as_slice() {
            [] => Ok(None),
            [port] => Ok(Some(*port)),
            _ => Err(Error::new(
                ErrorKind::Usage,
                "a log is of one server, and several ports are named",
            )),
        }
    }

    /// What TLS needs is not given by somebody who wants none.
    fn wants_tls(&self) -> bool {
        self.tls
            || self.insecure
            || self.cacert.is_some()
            || self.cert.is_some()
            || self.sni.is_some()
    }

    fn tls_settings(&self) -> Tls {
        Tls {
            cacert: self.cacert.clone(),
            cert: self.cert.clone(),
            key: self.key.clone(),
            sni: self.sni.clone(),
            insecure: self.insecure,
        }
    }

    fn password(&self) -> Result<Option<Secret>> {
        if self.askpass {
            return askpass::ask().map(Some);
        }
        let from = |name| env::var(name).ok().filter(|value| !value.is_empty()).map(Secret::new);
        Ok(self.pass.clone().or_else(|| from("REDISCLI_AUTH")).or_else(|| from("VALKEYCLI_AUTH")))
    }
}
