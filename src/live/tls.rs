//! TLS: trusted certificates and the client certificate.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};

use super::endpoint::Tls;
use crate::base::error::{Error, ErrorKind, Result};

/// Wraps a connection to `host`. The handshake takes place when the first bytes are sent.
///
/// # Errors
///
/// When a certificate or key cannot be read or is unsuitable, or the name is invalid.
pub(crate) fn wrap(
    tls: &Tls,
    host: &str,
    stream: TcpStream,
) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = tls.sni.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| {
        Error::new(ErrorKind::Usage, format!("`{name}` is not a valid name in a certificate"))
            .help("--sni gives the name that the server's certificate has")
    })?;
    let client = ClientConnection::new(Arc::new(config(tls)?), name).map_err(|e| unusable(&e))?;
    Ok(StreamOwned::new(client, stream))
}

fn config(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(&e))?;
    let builder = if tls.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
    } else {
        builder.with_root_certificates(trusted(tls.cacert.as_deref())?)
    };
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|e| unreadable(key, &e))?;
            builder.with_client_auth_cert(certificates(cert)?, private).map_err(|e| unusable(&e))
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err(Error::new(
            ErrorKind::Usage,
            "a client certificate needs its key, and a key its certificate",
        )
        .help("give both --cert and --key, or neither")),
    }
}

/// Returns the trusted CA certificates.
fn trusted(cacert: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match cacert {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|e| unreadable(path, &e))?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(Error::new(ErrorKind::NotFound, "this system trusts no certificates")
                    .help("--cacert FILE says whose signature makes the server trusted"));
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(found) if found.is_empty() => Err(unreadable(path, &"there is no certificate in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    let message = format!("no certificate or key can be taken from it: {error}");
    Error::new(ErrorKind::Usage, message).at(path).help("a file in PEM form is expected")
}

fn unusable(error: &rustls::Error) -> Error {
    Error::new(ErrorKind::Usage, format!("TLS cannot be set up: {error}"))
}

/// `--insecure`: any server certificate is accepted. Handshake signatures are still verified, so that an attacker who
/// was not present from the start cannot intercept the connection.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
