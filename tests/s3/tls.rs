//! A store with TLS and an authority of its own, and keys that a role lends.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::store::{Store, Test};
use crate::support::{Certificates, Run, aofkit, free_port, wait_until};

pub(crate) const TESTS: &[Test] = &[
    ("the_authority_of_the_store_has_to_be_trusted", authority),
    ("keys_are_lent_by_a_container_a_machine_and_a_token", roles),
];

const URL: &str = "s3://backups/p";

/// A program in Python, which ends with this value.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Script {
    /// Starts a program that listens on the port that is its first argument.
    fn start(store: &Store, text: &str, port: u16, arguments: &[&str]) -> Script {
        let mut command = Command::new(store.python());
        command.args(["-c", text, &port.to_string()]).args(arguments).stdin(Stdio::null());
        let script = Script(command.spawn().expect("python runs"));
        wait_until("a listener", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        script
    }
}

/// Passes what comes by TLS on to a port, and back.
const TLS_PROXY: &str = "
import socket, ssl, sys, threading
port, cert, key, target = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
def copy(a, b):
    try:
        while True:
            data = a.recv(65536)
            if not data: break
            b.sendall(data)
    except OSError: pass
    try: b.shutdown(socket.SHUT_WR)
    except OSError: pass
def serve(client):
    try: tls = context.wrap_socket(client, server_side=True)
    except (OSError, ssl.SSLError): return
    other = socket.create_connection(('127.0.0.1', target))
    threading.Thread(target=copy, args=(tls, other), daemon=True).start()
    copy(other, tls)
    tls.close()
listener = socket.create_server(('127.0.0.1', port))
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
";

fn authority(store: &Store) {
    let certificates = Certificates::create(Path::new("openssl"));
    certificates.sign(Path::new("openssl"), "store", "IP:127.0.0.1");
    let (port, to) = (free_port(), store.address.rsplit_once(':').unwrap().1);
    let (cert, key) = (certificates.path("store.crt"), certificates.path("store.key"));
    let _proxy = Script::start(store, TLS_PROXY, port, &[&cert, &key, to]);
    let log = store.log("a.aof", 100, 1000);
    let backup = ["backup", log.to_str().unwrap(), "--to", URL, "--quiet"];
    let at = |host: &str, variable: &str, value: &str| {
        let mut command = store.aofkit(&backup);
        command.env("AWS_ENDPOINT_URL_S3", format!("https://{host}:{port}"));
        let began = Instant::now();
        let run = Run::of(command.env(variable, value));
        assert!(began.elapsed() < Duration::from_secs(60), "it is tried again and again");
        run
    };
    let authority = certificates.path("ca.crt");
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let run = at("127.0.0.1", variable, &authority);
        assert_eq!(run.code, Some(0), "{variable}: {run:#?}");
    }
    store.assert_listed_restore(URL, &log);
    assert_eq!(store.listed(URL).len(), 2);
    // Without trust, and by a name that the certificate does not have.
    for (host, variable, value) in
        [("127.0.0.1", "NOTHING", ""), ("localhost", "AWS_CA_BUNDLE", authority.as_str())]
    {
        let run = at(host, variable, value);
        let said = &run.stderr;
        assert!(run.code == Some(2) && said.contains("certificate"), "{run:#?}");
        assert!(said.contains("AWS_CA_BUNDLE"), "{run:#?}");
    }
    let run = at("127.0.0.1", "AWS_CA_BUNDLE", &key);
    assert!(run.code == Some(2) && run.stderr.contains("PEM"), "{run:#?}");
    assert_eq!(store.listed(URL).len(), 2);
}

/// Lends keys as the agent of a container and the metadata service of a machine do. Its documentation says which requests
/// they get: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html and feature-imds-credentials.
const LENDER: &str = "
import http.server, json, sys, datetime
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def send(self, status, text):
        self.send_response(status)
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def keys(self, name):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        self.send(200, json.dumps({'Code': 'Success', 'AccessKeyId': name, 'SecretAccessKey': 'secret', 'Token': 'token',
            'Expiration': until.strftime('%Y-%m-%dT%H:%M:%SZ')}))
    def do_PUT(self):
        if self.path == '/latest/api/token' and self.headers['X-aws-ec2-metadata-token-ttl-seconds']: self.send(200, 'T1')
        else: self.send(404, '')
    def do_GET(self):
        roles = '/latest/meta-data/iam/security-credentials/'
        if self.path == '/agent' and self.headers['Authorization'] == 'let me in': self.keys('CONTAINER')
        elif self.headers['X-aws-ec2-metadata-token'] != 'T1': self.send(401, '')
        elif self.path == roles: self.send(200, 'my-role')
        elif self.path == roles + 'my-role': self.keys('MACHINE')
        else: self.send(404, '')
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

fn roles(store: &Store) {
    let port = free_port();
    let _lender = Script::start(store, LENDER, port, &[]);
    let here = format!("http://127.0.0.1:{port}");
    let token = store.directory.path().join("token");
    std::fs::write(&token, "let me in\n").unwrap();
    let token = token.to_str().unwrap();
    let log = store.log("a.aof", 10, 10);
    let run = |variables: &[(&str, &str)]| {
        let mut command = aofkit();
        command.args(["backup", log.to_str().unwrap(), "--to", URL, "--quiet"]);
        command.env("AWS_ENDPOINT_URL_S3", format!("http://{}", store.address));
        Run::of(command.envs(variables.iter().copied()))
    };
    let agent = format!("{here}/agent");
    let container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
    ];
    let machine = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", here.as_str())];
    let sts = format!("http://{}", store.address);
    let web = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/backups"),
        ("AWS_ENDPOINT_URL_STS", sts.as_str()),
    ];
    for variables in [&container[..], &machine, &web] {
        let run = run(variables);
        assert_eq!(run.code, Some(0), "{variables:?}: {run:#?}");
    }
    assert_eq!(store.listed(URL).len(), 3);
    let refused = [
        (&container[..1], "its answer (401)"),
        (&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/x")][..], "without TLS"),
        (&[("AWS_EC2_METADATA_DISABLED", "true")], "AWS_ACCESS_KEY_ID"),
    ];
    for (variables, said) in refused {
        let run = run(variables);
        assert!(run.code == Some(2) && run.stderr.contains(said), "{variables:?}: {run:#?}");
        assert!(!run.stderr.contains("let me in"), "{run:#?}");
    }
}
