//! Servers and clusters with TLS as the destination, and compared with a log.

use std::path::Path;
use std::process::Command;

use aofkit::base::server::redis;
use libtest_mimic::Trial;

use super::cluster::source;
use super::{keys, report};
use crate::support::{
    Binary, Certificates, Cluster, Run, Running, SERVER_NAME, aofkit, free_port, temp_dir,
    with_program_on_each,
};

pub(crate) fn trials() -> Vec<Trial> {
    // Of the servers that are installed for all machines, one is built with TLS.
    let on = |name: &str, body| with_program_on_each(&[redis(7, 0)], "openssl", name, body);
    let mut trials = on("into::server_with_tls_is_filled_and_compared", server);
    trials.extend(on("into::cluster_with_tls_is_filled_and_compared", cluster));
    trials
}

/// Adds the options for a server whose certificate `certificates` has signed.
fn trusting<'c>(command: &'c mut Command, certificates: &Certificates) -> &'c mut Command {
    command.args(["--cacert", &certificates.path("ca.crt"), "--sni", SERVER_NAME]);
    with_client(command, certificates)
}

fn with_client<'c>(command: &'c mut Command, certificates: &Certificates) -> &'c mut Command {
    command.args(["--cert", &certificates.path("client.crt")]);
    command.args(["--key", &certificates.path("client.key")])
}

fn compact(path: &Path, server: &str) -> Command {
    let mut command = aofkit();
    command.arg("compact").arg(path).args(["--into", server]);
    command
}

fn diff(a: &str, b: &str) -> Command {
    let mut command = aofkit();
    command.args(["diff", a, b]);
    command
}

fn server(binary: &Binary, openssl: &Path) {
    let certificates = Certificates::create(openssl);
    let files = certificates.of_server();
    let port = free_port().to_string();
    let mut config: Vec<(&str, &str)> =
        files.iter().map(|(name, file)| (*name, file.as_str())).collect();
    config.extend([("appendonly", "no"), ("tls-port", &port)]);
    let data = temp_dir();
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
    let mut setup = source(binary, 300);
    let (path, log) = (setup.data.path().to_owned(), setup.data.path().display().to_string());
    let [plain, plain_uri, uri] =
        ["", "redis://", "rediss://"].map(|scheme| format!("{scheme}127.0.0.1:{port}"));

    // Another authority, a name that is not in the certificate, no client certificate, no TLS.
    let other = certificates.path("client.crt");
    let ca = certificates.path("ca.crt");
    let mut refused = [
        (compact(&path, &uri), &["--cacert", &other, "--sni", SERVER_NAME][..], "certificate"),
        (compact(&path, &uri), &["--cacert", &ca], "certificate"),
        (diff(&log, &uri), &["--cacert", &ca], "certificate"),
        (compact(&path, &plain), &["--tls", "--insecure"], "connection"),
        (compact(&path, &plain), &[], "connection"),
        (diff(&log, &plain_uri), &[], "connection"),
    ];
    for (command, options, message) in &mut refused {
        let command = command.args(&**options);
        if *message == "certificate" {
            with_client(command, &certificates);
        }
        let run = Run::of(command);
        assert_eq!(run.code, Some(2), "{options:?}: {run:#?}");
        assert!(run.stderr.contains(*message), "{options:?}: {run:#?}");
        assert_eq!(server.keys(), 0, "{options:?}");
    }

    let filled = report(trusting(&mut compact(&path, &uri), &certificates), 0);
    assert_eq!(keys(&filled, "restored"), setup.server.keys(), "{filled}");
    assert_eq!(server.digest(), setup.server.digest());
    let mut insecure = compact(&path, &plain);
    insecure.args(["--tls", "--insecure"]);
    let again = report(with_client(&mut insecure, &certificates), 0);
    assert_eq!(keys(&again, "already_there"), setup.server.keys(), "{again}");

    let same = Run::of(trusting(&mut diff(&log, &uri), &certificates));
    assert_eq!(same.code, Some(0), "{same:#?}");
    server.client.call(&["SET", "s:3", "changed"]);
    let changed = Run::of(trusting(diff(&log, &uri).arg("--list"), &certificates));
    assert_eq!(changed.code, Some(1), "{changed:#?}");
    assert!(changed.stdout.contains("s:3"), "{changed:#?}");
    let both = Run::of(trusting(&mut diff(&uri, &uri), &certificates));
    assert_eq!(both.code, Some(0), "{both:#?}");
}

/// A node tells a client with TLS the ports for TLS of the others.
fn cluster(binary: &Binary, openssl: &Path) {
    let certificates = Certificates::create(openssl);
    let files = certificates.of_server();
    let config: Vec<(&str, &str)> =
        files.iter().map(|(name, file)| (*name, file.as_str())).collect();
    let mut cluster = Cluster::with_tls(binary, 3, &config);
    let mut setup = source(binary, 300);
    let uri = format!("rediss://127.0.0.1:{}", cluster.tls_ports[0]);
    let mut command = compact(setup.data.path(), &uri);
    let filled = report(trusting(&mut command, &certificates), 0);
    assert_eq!(keys(&filled, "restored"), setup.server.keys(), "{filled}");
    let mut nodes: Vec<String> = (filled["nodes"].as_array().expect("a list").iter())
        .map(|node| node.as_str().expect("an address").to_owned())
        .collect();
    nodes.sort();
    let mut expected: Vec<String> =
        cluster.tls_ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    expected.sort();
    assert_eq!(nodes, expected, "{filled}");
    assert_eq!(cluster.digest(), setup.server.digest());
    let log = setup.data.path().display().to_string();
    let same = Run::of(trusting(&mut diff(&log, &uri), &certificates));
    assert_eq!(same.code, Some(0), "{same:#?}");
}
