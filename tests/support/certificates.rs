//! Certificates of a test authority, made by `openssl`.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::setup::temp_dir;

/// The name in the certificate of a server, which is not the name of its host.
pub(crate) const SERVER_NAME: &str = "redis.test";

/// An authority, and the certificates of a server and of a client that it has signed.
pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Creates the keys and certificates.
    pub(crate) fn create(openssl: &Path) -> Certificates {
        let certificates = Certificates { directory: temp_dir() };
        certificates.create_authority(openssl);
        certificates.sign(openssl, "server", &format!("DNS:{SERVER_NAME}"));
        certificates.sign(openssl, "client", "DNS:client.test");
        certificates
    }

    /// Returns the path of a file: `ca`, `server` or `client`, and `.crt` or `.key`.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Returns the settings of a server for its certificate and for those of its clients.
    pub(crate) fn of_server(&self) -> [(&'static str, String); 3] {
        [
            ("tls-cert-file", self.path("server.crt")),
            ("tls-key-file", self.path("server.key")),
            ("tls-ca-cert-file", self.path("ca.crt")),
        ]
    }

    fn create_authority(&self, openssl: &Path) {
        let (key, cert) = (self.path("ca.key"), self.path("ca.crt"));
        let head =
            "req -x509 -newkey rsa:2048 -nodes -days 30 -addext basicConstraints=critical,CA:TRUE";
        let mut args: Vec<&str> = head.split(' ').collect();
        args.extend(["-subj", "/CN=aofkit test", "-keyout", &key, "-out", &cert]);
        run(openssl, &args);
    }

    /// Creates a certificate for a name such as `DNS:redis.test` or `IP:127.0.0.1`.
    pub(crate) fn sign(&self, openssl: &Path, name: &str, alt: &str) {
        let [key, request, cert, extensions] =
            ["key", "csr", "crt", "ext"].map(|end| self.path(&format!("{name}.{end}")));
        let text = format!("subjectAltName={alt}\nbasicConstraints=CA:FALSE\n");
        fs::write(&extensions, text).expect("extensions");
        let subject = format!("/CN={name}");
        let mut args: Vec<&str> = "req -newkey rsa:2048 -nodes".split(' ').collect();
        args.extend(["-subj", &subject, "-keyout", &key, "-out", &request]);
        run(openssl, &args);
        let (ca, ca_key) = (self.path("ca.crt"), self.path("ca.key"));
        let mut args: Vec<&str> = "x509 -req -CAcreateserial -days 30".split(' ').collect();
        args.extend(["-in", &request, "-CA", &ca, "-CAkey", &ca_key]);
        args.extend(["-extfile", &extensions, "-out", &cert]);
        run(openssl, &args);
    }
}

fn run(openssl: &Path, args: &[&str]) {
    let output = Command::new(openssl).args(args).output().expect("openssl runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
