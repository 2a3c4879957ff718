//! The connection options, named as in redis-cli.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::askpass;
use super::parse::parse_duration;
use crate::base::cancel::Cancellation;
use crate::base::error::{Error, ErrorKind, Result};
use crate::live::endpoint::{Address, DEFAULT_PORT, Endpoint, Patience, Secret, Tls};

const CONNECTION: &str = "Connection (as in redis-cli)";

/// The options for the address of a server, authentication and TLS.
#[derive(Debug, Args)]
pub(super) struct ConnectionArgs {
    /// Server host; without a value, print help
    #[arg(short = 'h', long, value_name = "HOST", default_value = "127.0.0.1", help_heading = CONNECTION)]
    host: String,
    /// Server port [default: 6379]; may be repeated
    #[arg(short = 'p', long = "port", value_name = "PORT", help_heading = CONNECTION)]
    ports: Vec<u16>,
    /// Unix socket, instead of host and port
    #[arg(short = 's', long = "socket", value_name = "SOCKET", hide_short_help = true, help_heading = CONNECTION)]
    sockets: Vec<PathBuf>,
    /// Server URI: redis://user@host:port, rediss:// for TLS, valkey://, valkeys:// or unix:///path
    #[arg(short = 'u', long = "uri", value_name = "URI", value_parser = parse_secret, hide_short_help = true, help_heading = CONNECTION)]
    uris: Vec<Secret>,
    #[command(flatten)]
    login: LoginArgs,
}

/// The options for authentication and TLS.
#[derive(Debug, Args)]
pub(super) struct LoginArgs {
    /// User to authenticate as [default: the server's default user]
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = CONNECTION)]
    user: Option<String>,
    /// Ask for the password [default: REDISCLI_AUTH or VALKEYCLI_AUTH, if set]
    #[arg(long, hide_short_help = true, help_heading = CONNECTION)]
    askpass: bool,
    /// Password; visible to other users of this machine, REDISCLI_AUTH is safer
    #[arg(short = 'a', long = "pass", value_name = "PASSWORD", value_parser = parse_secret, conflicts_with = "askpass", hide_short_help = true, help_heading = CONNECTION)]
    pass: Option<Secret>,
    /// Use TLS
    #[arg(long, hide_short_help = true, help_heading = CONNECTION)]
    tls: bool,
    /// CA certificate (PEM) [default: those of the system]
    #[arg(long, value_name = "FILE", hide_short_help = true, help_heading = CONNECTION)]
    cacert: Option<PathBuf>,
    /// Client certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", hide_short_help = true, help_heading = CONNECTION)]
    cert: Option<PathBuf>,
    /// Private key of the client certificate (PEM)
    #[arg(id = "tls_key", long = "key", value_name = "FILE", requires = "cert", hide_short_help = true, help_heading = CONNECTION)]
    key: Option<PathBuf>,
    /// Server name for SNI and certificate verification [default: the host]
    #[arg(long, value_name = "NAME", hide_short_help = true, help_heading = CONNECTION)]
    sni: Option<String>,
    /// Accept any server certificate
    #[arg(long, hide_short_help = true, help_heading = CONNECTION)]
    insecure: bool,
    /// Timeout of one reply; a large server can take seconds to fork
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, hide_short_help = true, help_heading = CONNECTION)]
    reply_timeout: Duration,
}

// URIs and passwords are parsed later: clap would quote an invalid value, and with it the password.
#[allow(clippy::unnecessary_wraps)] // The signature of clap's value parsers.
pub(super) fn parse_secret(text: &str) -> Result<Secret, String> {
    Ok(Secret::new(text))
}

impl ConnectionArgs {
    /// Returns the endpoints: URIs first, then sockets, then ports, each in the order given. A cancellation
    /// ends the prompt for the password.
    pub(super) fn endpoints(&self, cancellation: &Cancellation) -> Result<Vec<Endpoint>> {
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
        self.login.log_in(&mut endpoints, cancellation)?;
        Ok(endpoints)
    }

    /// Returns whether a server is named by its port, socket or URI.
    pub(super) fn is_given(&self) -> bool {
        !(self.ports.is_empty() && self.sockets.is_empty() && self.uris.is_empty())
    }

    /// Returns the options for authentication and TLS.
    pub(super) fn login(&self) -> &LoginArgs {
        &self.login
    }

    /// Returns the endpoint; an error if several are given.
    pub(super) fn endpoint(&self, cancellation: &Cancellation) -> Result<Endpoint> {
        let mut endpoints = self.endpoints(cancellation)?;
        match (endpoints.pop(), endpoints.is_empty()) {
            (Some(endpoint), true) => Ok(endpoint),
            _ => {
                Err(Error::new(ErrorKind::Usage, "several servers given; only one is allowed here"))
            }
        }
    }

    /// Returns the port, if one is given; an error if several are.
    pub(super) fn port(&self) -> Result<Option<u16>> {
        match self.ports.as_slice() {
            [] => Ok(None),
            [port] => Ok(Some(*port)),
            _ => Err(Error::new(
                ErrorKind::Usage,
                "several ports given; a log belongs to one server",
            )),
        }
    }
}

impl LoginArgs {
    /// Adds credentials and TLS settings to endpoints. A cancellation ends the prompt for the password.
    pub(super) fn log_in(
        &self,
        endpoints: &mut [Endpoint],
        cancellation: &Cancellation,
    ) -> Result<()> {
        let (password, tls) = (self.password(cancellation)?, self.tls_settings());
        for endpoint in endpoints {
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
                return Err(Error::new(ErrorKind::Usage, "--user needs a password")
                    .help("set REDISCLI_AUTH, or use --askpass"));
            }
        }
        Ok(())
    }

    /// Returns whether to use TLS: with `--tls` or any option that only TLS uses.
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

    fn password(&self, cancellation: &Cancellation) -> Result<Option<Secret>> {
        if self.askpass {
            return askpass::ask(cancellation).map(Some);
        }
        let from = |name| env::var(name).ok().filter(|value| !value.is_empty()).map(Secret::new);
        Ok(self.pass.clone().or_else(|| from("REDISCLI_AUTH")).or_else(|| from("VALKEYCLI_AUTH")))
    }
}
