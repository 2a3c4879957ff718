//! A proxy before the store that answers wrongly when it is told to.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What is done to a request.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    None,
    /// The connection is closed before the store gets the request.
    CutBefore,
    /// The connection is closed after the store has answered.
    CutAfter,
    /// The store does not get the request, and this is the answer: a status and a body.
    Answer(u16, String),
    /// The answer has another ETag.
    WrongEtag,
    /// The answer has half of its body.
    Truncated,
    /// The answer has the right length, and one other byte.
    Altered,
    /// The answer comes later.
    Stall(Duration),
    /// A request of another range than this one is answered by this status.
    AnswerRange(&'static str, u16),
    /// The answer has the checksum of the parts that were uploaded, as AWS reports it, or another one.
    Checksum {
        is_right: bool,
    },
}

/// A request: its number from 0, and its first line.
pub(crate) type Plan = dyn Fn(usize, &str) -> Fault + Send + Sync;

/// A running proxy. Its threads end with the process.
pub(crate) struct Proxy {
    pub(crate) address: String,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicU64>,
    seen: Arc<Seen>,
}

/// What went through a proxy.
#[derive(Default)]
struct Seen {
    /// The first line of each request.
    lines: Mutex<Vec<String>>,
    /// The CRC-32 of each part.
    parts: Mutex<BTreeMap<u32, u32>>,
}

impl Proxy {
    pub(crate) fn start(
        store: &str,
        plan: impl Fn(usize, &str) -> Fault + Send + Sync + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its number").to_string();
        let (requests, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
        let (store, plan): (_, Arc<Plan>) = (store.to_owned(), Arc::new(plan));
        let seen = Arc::new(Seen::default());
        let proxy =
            Proxy { address, requests: requests.clone(), sent: sent.clone(), seen: seen.clone() };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (store, plan, requests, sent, seen) =
                    (store.clone(), plan.clone(), requests.clone(), sent.clone(), seen.clone());
                thread::spawn(move || serve(client, &store, &*plan, &requests, &sent, &seen));
            }
        });
        proxy
    }

    /// Returns the number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Returns the first lines of the requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen.lines.lock().unwrap().clone()
    }

    /// Returns the number of bytes of answers so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

fn serve(
    mut client: TcpStream,
    store: &str,
    plan: &Plan,
    requests: &AtomicUsize,
    sent: &AtomicU64,
    seen: &Seen,
) -> Option<()> {
    let request = message(&mut client)?;
    let line = String::from_utf8_lossy(request.split(|&byte| byte == b'\r').next()?).into_owned();
    seen.lines.lock().unwrap().push(line.clone());
    let head = request.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let part = line.split("partNumber=").nth(1).and_then(|rest| rest.split(['&', ' ']).next());
    if let Some(part) = part.and_then(|part| part.parse().ok()) {
        seen.parts.lock().unwrap().insert(part, crc32(&request[head..]));
    }
    let fault = plan(requests.fetch_add(1, Ordering::SeqCst), &line);
    match &fault {
        Fault::CutBefore => return client.shutdown(Shutdown::Both).ok(),
        Fault::Answer(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let body = if line.starts_with("HEAD") { "" } else { body };
            return client.write_all(format!("{head}{body}").as_bytes()).ok();
        }
        Fault::AnswerRange(but, status) => {
            let head = String::from_utf8_lossy(&request[..head]).to_lowercase();
            if !head.contains(&format!("range: {but}\r\n")) {
                let answer = format!(
                    "HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                return client.write_all(answer.as_bytes()).ok();
            }
        }
        _ => {}
    }
    let mut upstream = TcpStream::connect(store).ok()?;
    // The store closes the connection after the answer, so that its end is known.
    let end = request.windows(2).position(|two| two == b"\r\n")?;
    upstream
        .write_all(&[&request[..end], b"\r\nConnection: close", &request[end..]].concat())
        .ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    let mut end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    match fault {
        Fault::CutAfter => return client.shutdown(Shutdown::Both).ok(),
        Fault::Truncated => answer.truncate(end + (answer.len() - end) / 2),
        Fault::Altered if answer.len() > end => *answer.last_mut()? ^= 1,
        Fault::Stall(time) => thread::sleep(time),
        Fault::Checksum { is_right } => {
            let all: Vec<u8> =
                seen.parts.lock().unwrap().values().flat_map(|crc32| crc32.to_be_bytes()).collect();
            let checksum = crc32(&all) ^ u32::from(!is_right);
            let checksum = BASE64_STANDARD.encode(checksum.to_be_bytes());
            // moto reports one without the number of parts, which AWS does not.
            let own = b"x-amz-checksum-crc32: ";
            if let Some(at) = answer[..end].windows(own.len()).position(|some| some == own) {
                let len = answer[at..].iter().position(|&byte| byte == b'\n')? + 1;
                answer.drain(at..at + len);
                end -= len;
            }
            let header = format!("x-amz-checksum-crc32: {checksum}-{}\r\n", all.len() / 4);
            answer.splice(end - 2..end - 2, header.into_bytes());
        }
        Fault::WrongEtag => {
            let head = String::from_utf8_lossy(&answer[..end]).into_owned();
            let at = head.to_lowercase().find("etag: \"")? + 7;
            answer[at] = if answer[at] == b'0' { b'1' } else { b'0' };
        }
        _ => {}
    }
    sent.fetch_add(answer.len().saturating_sub(end) as u64, Ordering::SeqCst);
    client.write_all(&answer).ok()?;
    client.shutdown(Shutdown::Both).ok()
}

/// The CRC-32 of zips, of PNG and of Ethernet, by its polynomial.
fn crc32(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256_u32)
        .map(|byte| (0..8).fold(byte, |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1))))
        .collect();
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ table[usize::from(crc.to_le_bytes()[0] ^ byte)];
    !bytes.iter().fold(!0, step)
}

/// Reads a request with its body.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 1 << 16];
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let len = len.map_or(0, |len| len.trim().parse().unwrap_or(0));
            let mut left = (end + 4 + len).saturating_sub(bytes.len());
            while left > 0 {
                let read = stream.read(&mut piece).ok().filter(|&read| read > 0)?;
                bytes.extend_from_slice(&piece[..read]);
                left = left.saturating_sub(read);
            }
            return Some(bytes);
        }
        let read = stream.read(&mut piece).ok().filter(|&read| read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    }
}
