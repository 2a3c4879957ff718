//! A proxy before the store that answers wrongly when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

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
}

/// A request: its number from 0, and its first line.
pub(crate) type Plan = dyn Fn(usize, &str) -> Fault + Send + Sync;

/// A running proxy. Its threads end with the process.
pub(crate) struct Proxy {
    pub(crate) address: String,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicU64>,
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
        let proxy = Proxy { address, requests: requests.clone(), sent: sent.clone() };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (store, plan, requests, sent) =
                    (store.clone(), plan.clone(), requests.clone(), sent.clone());
                thread::spawn(move || serve(client, &store, &*plan, &requests, &sent));
            }
        });
        proxy
    }

    /// Returns the number of requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
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
) -> Option<()> {
    let request = message(&mut client)?;
    let line = String::from_utf8_lossy(request.split(|&byte| byte == b'\r').next()?).into_owned();
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
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    match fault {
        Fault::CutAfter => return client.shutdown(Shutdown::Both).ok(),
        Fault::Truncated => answer.truncate(end + (answer.len() - end) / 2),
        Fault::Altered if answer.len() > end => *answer.last_mut()? ^= 1,
        Fault::Stall(time) => thread::sleep(time),
        Fault::WrongEtag => {
            let head = String::from_utf8_lossy(&answer[..end]).into_owned();
            let at = head.to_lowercase().find("etag: \"")? + 7;
            answer[at] = if answer[at] == b'0' { b'1' } else { b'0' };
        }
        _ => {}
    }
    sent.fetch_add((answer.len() - end) as u64, Ordering::SeqCst);
    client.write_all(&answer).ok()?;
    client.shutdown(Shutdown::Both).ok()
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
