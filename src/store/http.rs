//! Requests over HTTP.

use std::path::Path;
use std::time::Duration;

use crate::base::error::Result;

/// A request, complete with its signature.
pub(super) struct Request<'r> {
    pub(super) method: &'r str,
    pub(super) url: &'r str,
    pub(super) headers: &'r [(&'static str, String)],
    pub(super) body: &'r [u8],
    /// The maximum length of the body of the answer.
    pub(super) limit: u64,
}

/// An answer.
pub(super) struct Response {
    pub(super) status: u16,
    /// With names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
pub(super) struct NoAnswer {
    pub(super) message: String,
    /// Whether another attempt may succeed.
    pub(super) may_pass: bool,
    pub(super) help: Option<&'static str>,
}

#[cfg(feature = "s3")]
pub(super) use with_ureq::Agent;
#[cfg(not(feature = "s3"))]
pub(super) use without::Agent;

#[cfg(feature = "s3")]
mod with_ureq {
    use std::io::Read as _;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex, PoisonError};

    use rustls::crypto::ring;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use ureq::http;
    use ureq::tls::{Certificate, RootCerts, TlsConfig};

    use super::{Duration, NoAnswer, Path, Request, Response, Result};
    use crate::base::error::{Error, ErrorKind};

    /// Sends requests, and keeps connections for later ones.
    pub(in crate::store) struct Agent(ureq::Agent);

    /// What distinguishes agents.
    type Kind = (bool, Option<PathBuf>, Duration);

    /// The agents of the process: their connections and certificates serve for all archives.
    static AGENTS: Mutex<Vec<(Kind, ureq::Agent)>> = Mutex::new(Vec::new());

    impl Agent {
        /// Creates an agent that trusts the certificates in `ca_bundle`, or those that the system trusts. `stall`: how long a
        /// connection may make no progress.
        pub(in crate::store) fn new(
            is_tls: bool,
            ca_bundle: Option<&Path>,
            stall: Duration,
        ) -> Result<Agent> {
            let kind = (is_tls, ca_bundle.map(Path::to_owned), stall);
            let mut agents = AGENTS.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, agent)) = agents.iter().find(|(other, _)| *other == kind) {
                return Ok(Agent(agent.clone()));
            }
            let mut config = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(concat!("aofkit/", env!("CARGO_PKG_VERSION")))
                .accept_encoding("identity")
                .timeout_resolve(Some(stall))
                .timeout_connect(Some(stall.min(Duration::from_secs(20))))
                .timeout_per_read(Some(stall))
                .timeout_per_write(Some(stall))
                .max_idle_connections(16)
                .max_idle_connections_per_host(16);
            if is_tls {
                let roots = trusted(ca_bundle)?;
                let tls = TlsConfig::builder()
                    .root_certs(RootCerts::Specific(Arc::new(roots)))
                    .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
                    .build();
                config = config.tls_config(tls);
            }
            let agent = config.build().new_agent();
            agents.push((kind, agent.clone()));
            Ok(Agent(agent))
        }

        /// Sends a request and reads the whole answer.
        pub(in crate::store) fn send(&self, request: &Request<'_>) -> Result<Response, NoAnswer> {
            let fatal = |error: &dyn std::fmt::Display| NoAnswer {
                message: error.to_string(),
                may_pass: false,
                help: None,
            };
            let mut built = http::Request::builder().method(request.method).uri(request.url);
            for (name, value) in request.headers {
                built = built.header(*name, value);
            }
            let has_body = matches!(request.method, "PUT" | "POST");
            let sent = if has_body {
                self.0.run(built.body(request.body).map_err(|error| fatal(&error))?)
            } else {
                self.0.run(built.body(()).map_err(|error| fatal(&error))?)
            };
            let mut answer = sent.map_err(|error| no_answer(&error))?;
            let status = answer.status().as_u16();
            let text =
                |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers: Vec<(String, String)> = answer
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), text(value)))
                .collect();
            let mut body = Vec::new();
            if request.method != "HEAD" {
                // One byte more than is expected tells a longer body from one of the right length.
                let limit = request.limit.saturating_add(1);
                let mut reader = answer.body_mut().as_reader().take(limit);
                reader.read_to_end(&mut body).map_err(|error| {
                    let message = error.to_string();
                    NoAnswer { message, may_pass: true, help: None }
                })?;
                if body.len() as u64 > request.limit {
                    return Err(fatal(&"the answer is longer than what was asked for"));
                }
                let announced = headers.iter().find(|(name, _)| name == "content-length");
                let announced = announced.and_then(|(_, value)| value.parse::<u64>().ok());
                if announced.is_some_and(|len| len != body.len() as u64) {
                    return Err(NoAnswer {
                        message: "the answer ends early".to_owned(),
                        may_pass: true,
                        help: None,
                    });
                }
            }
            Ok(Response { status, headers, body })
        }
    }

    /// Returns why TLS failed, if it did, and another attempt would fail alike.
    fn tls_problem(error: &ureq::Error) -> Option<&rustls::Error> {
        let found = match error {
            ureq::Error::Rustls(found) => found,
            ureq::Error::Io(error) => error.get_ref()?.downcast_ref()?,
            _ => return None,
        };
        // What a connection that breaks may look like is tried again.
        let is_final = !matches!(found, rustls::Error::DecryptError | rustls::Error::General(_));
        is_final.then_some(found)
    }

    const CERTIFICATES: &str = "if an authority of your own signs the store's certificate, name its file in PEM form by AWS_CA_BUNDLE or SSL_CERT_FILE";

    fn no_answer(error: &ureq::Error) -> NoAnswer {
        if let Some(found) = tls_problem(error) {
            let is_certificate = matches!(found, rustls::Error::InvalidCertificate(_));
            let help = is_certificate.then_some(CERTIFICATES);
            return NoAnswer { message: found.to_string(), may_pass: false, help };
        }
        let fatal = matches!(
            error,
            ureq::Error::BadUri(_)
                | ureq::Error::Http(_)
                | ureq::Error::Tls(_)
                | ureq::Error::Rustls(_)
                | ureq::Error::InvalidProxyUrl
                | ureq::Error::TlsRequired
        );
        let message = match error {
            ureq::Error::HostNotFound => "the name of the host cannot be resolved".to_owned(),
            ureq::Error::Timeout(_) => "no progress in time".to_owned(),
            error => error.to_string(),
        };
        NoAnswer { message, may_pass: !fatal, help: None }
    }

    fn trusted(bundle: Option<&Path>) -> Result<Vec<Certificate<'static>>> {
        let found: Vec<CertificateDer<'static>> = match bundle {
            Some(path) => {
                let read = CertificateDer::pem_file_iter(path)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>);
                read.map_err(|error| {
                    Error::new(
                        ErrorKind::Usage,
                        format!("no certificate can be read from it: {error}"),
                    )
                    .at(path)
                    .help("AWS_CA_BUNDLE has to name a file in PEM form")
                })?
            }
            None => rustls_native_certs::load_native_certs().certs,
        };
        if found.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "this system trusts no certificates")
                .help("install ca-certificates, or name a file in PEM form by AWS_CA_BUNDLE"));
        }
        Ok(found
            .iter()
            .map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned())
            .collect())
    }
}

#[cfg(not(feature = "s3"))]
mod without {
    use super::{Duration, NoAnswer, Path, Request, Response, Result};
    use crate::base::error::{Error, ErrorKind};

    /// Sends nothing: this build has no object storage.
    pub(in crate::store) struct Agent;

    impl Agent {
        pub(in crate::store) fn new(_: bool, _: Option<&Path>, _: Duration) -> Result<Agent> {
            Err(Error::new(ErrorKind::Usage, "this build of aofkit has no object storage")
                .help("take a package, or build it with `cargo install aofkit --features full`"))
        }

        pub(in crate::store) fn send(&self, _: &Request<'_>) -> Result<Response, NoAnswer> {
            Err(NoAnswer { message: "no object storage".to_owned(), may_pass: false, help: None })
        }
    }
}
