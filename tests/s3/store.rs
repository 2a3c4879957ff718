//! A store of its own for each trial, with one bucket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Run, aofkit};

/// A trial: its name and its body.
pub(crate) type Test = (&'static str, fn(&Store));

/// The bucket that each store has.
pub(crate) const BUCKET: &str = "backups";

/// What requests have that the store takes for signed.
pub(crate) const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// Returns the program of the store, or why there is none.
pub(crate) fn program() -> Result<PathBuf, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers/moto/bin/moto_server");
    let path = std::env::var_os("AOFKIT_MOTO_SERVER").map_or(path, PathBuf::from);
    if path.is_file() { Ok(path) } else { Err("needs moto_server: .ci/servers installs it".into()) }
}

/// A running store, and a directory for the trial.
pub(crate) struct Store {
    child: Child,
    pub(crate) address: String,
    pub(crate) directory: TempDir,
    program: PathBuf,
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Store {
    pub(crate) fn start(program: &Path) -> Store {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        drop(listener);
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the store starts");
        let store = Store {
            child,
            address: format!("127.0.0.1:{port}"),
            directory: tempfile::tempdir().expect("a directory"),
            program: program.to_owned(),
        };
        let begun = Instant::now();
        while TcpStream::connect(&store.address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the store does not start");
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(store.ask("PUT", &format!("/{BUCKET}"), b"").status, 200);
        store
    }

    /// Sends a request with a signature that is none: the store only asks for one.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("the store");
        let len = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {AUTHORIZATION}\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n",
            self.address
        );
        stream.write_all(&[head.as_bytes(), body].concat()).expect("a request");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        Answer { status, body: bytes[end + 4..].to_vec() }
    }

    /// Returns the keys of all objects.
    pub(crate) fn keys(&self) -> Vec<String> {
        let answer = self.ask("GET", &format!("/{BUCKET}?list-type=2"), b"");
        let xml = String::from_utf8(answer.body).expect("a list");
        let keys =
            xml.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        keys.collect()
    }

    /// Returns the number of uploads under way.
    pub(crate) fn uploads(&self) -> usize {
        let answer = self.ask("GET", &format!("/{BUCKET}?uploads"), b"");
        String::from_utf8_lossy(&answer.body).matches("<UploadId>").count()
    }

    /// Returns a run of aofkit with credentials.
    pub(crate) fn aofkit(&self, arguments: &[&str]) -> Command {
        self.aofkit_at(&self.address, arguments)
    }

    /// Returns a run with the store at `address`.
    pub(crate) fn aofkit_at(&self, address: &str, arguments: &[&str]) -> Command {
        let mut command = aofkit();
        command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.env("AWS_ENDPOINT_URL_S3", format!("http://{address}"));
        command.args(arguments);
        command
    }

    /// Runs aofkit, which has to succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::of(&mut self.aofkit(arguments));
        assert_eq!(run.code, Some(0), "{arguments:?}: {run:#?}");
        run
    }

    /// Returns the Python that has boto3.
    pub(crate) fn python(&self) -> PathBuf {
        self.program.with_file_name("python3")
    }

    /// Runs statements of Python with the client `s3` of boto3.
    pub(crate) fn boto3(&self, statements: &str) -> String {
        let script = format!(
            "import boto3\ns3 = boto3.client('s3', endpoint_url='http://{}', region_name='us-east-1', \
             aws_access_key_id='a', aws_secret_access_key='b')\n{statements}\n",
            self.address
        );
        let done = Command::new(self.python()).args(["-c", &script]).output().expect("python runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("text")
    }

    /// Writes a log of `keys` keys with values of `bytes` bytes that cannot be compressed, and returns its path.
    pub(crate) fn log(&self, name: &str, keys: usize, bytes: usize) -> PathBuf {
        let mut log = Vec::new();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for key in 0..keys {
            let key = format!("{key:06}");
            log.extend(format!("*3\r\n$3\r\nSET\r\n$6\r\n{key}\r\n${bytes}\r\n").bytes());
            for _ in 0..bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                log.push(state.to_le_bytes()[3]);
            }
            log.extend(b"\r\n");
        }
        let path = self.directory.path().join(name);
        std::fs::write(&path, log).expect("a log");
        path
    }

    /// Returns the paths of the archives that are listed at `url`.
    pub(crate) fn listed(&self, url: &str) -> Vec<String> {
        let list = self.run(&["list", "--json", url]);
        let report: serde_json::Value = serde_json::from_str(&list.stdout).expect("a report");
        let archives = report["archives"].as_array().expect("archives");
        archives.iter().map(|one| one["path"].as_str().expect("a path").to_owned()).collect()
    }

    /// Asserts that every archive that is listed has the bytes of `log` when it is restored.
    pub(crate) fn assert_listed_restore(&self, url: &str, log: &Path) {
        for archive in self.listed(url) {
            let place = tempfile::tempdir_in(self.directory.path()).expect("a directory");
            let out = place.path().join("out");
            let identity = super::encrypted::identity(self);
            let options =
                ["--output", out.to_str().unwrap(), "--identity", identity.to_str().unwrap()];
            self.run(&[&["restore", &archive], &options[..]].concat());
            let restored = std::fs::read(out.join("appendonly.aof")).expect("the log");
            assert!(restored == std::fs::read(log).expect("the log"), "{archive} has another log");
        }
    }
}
