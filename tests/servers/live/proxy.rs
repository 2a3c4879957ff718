//! A proxy that cuts a connection to a server after a given number of commands.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// When a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Before the Nth command is forwarded, counted from 1.
    Before(usize),
    /// After the Nth command has been forwarded. Its reply is lost.
    After(usize),
    /// Never.
    Never,
}

/// Listens on a port and forwards every command to a Unix socket. It cuts one connection; later ones are not cut.
pub(super) struct Proxy {
    pub(super) port: u16,
    /// The number of commands so far.
    pub(super) commands: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Proxy {
    pub(super) fn start(to: &Path, cut: Cut) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let (commands, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stopped, to) = (Arc::clone(&commands), Arc::clone(&stop), to.to_path_buf());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (to, count) = (to.clone(), Arc::clone(&count));
                if let Ok(client) = stream {
                    thread::spawn(move || forward(client, to, cut, &count));
                }
            }
        });
        Proxy { port, commands, stop }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Forwards one connection. The client waits for each reply, so every read returns exactly one command.
fn forward(mut client: TcpStream, to: PathBuf, cut: Cut, count: &AtomicUsize) {
    let Ok(mut server) = UnixStream::connect(to) else { return };
    let (Ok(mut back), Ok(mut replies)) = (client.try_clone(), server.try_clone()) else { return };
    let answers = thread::spawn(move || {
        let _ = std::io::copy(&mut replies, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 4096];
    while let Ok(read) = client.read(&mut bytes) {
        if read == 0 {
            break;
        }
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        if cut == Cut::Before(number) {
            break;
        }
        if cut == Cut::After(number) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.write_all(&bytes[..read]);
            // The thread `answers` then receives the reply, so the server has executed the command.
            let _ = server.shutdown(Shutdown::Write);
            break;
        }
        if server.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Write);
    let _ = answers.join();
}
