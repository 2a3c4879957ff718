//! Getting in: passwords, users with few rights, TLS; and what is said when one does not.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;

use super::on_each;
use super::place::{Place, Run, directory, free_port};
use crate::support::server::Binary;
use crate::support::{LINES, with_program_on_each};

const PASSWORD: &str = "not-to-be-seen";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "a password opens the server and is never told", password);
    trials.extend(on_each(
        &LINES,
        "the least rights suffice, and what is missing is named",
        rights,
    ));
    trials.extend(on_each(&LINES, "a server without CONFIG is refused with what to do", no_config));
    trials.extend(on_each(&LINES, "a server without a log is refused with what to do", no_log));
    // Redis 7.0 alone of the four is built with TLS.
    trials.extend(with_program_on_each(
        &LINES[1..2],
        "openssl",
        "live: TLS is spoken, and strangers are not trusted",
        tls,
    ));
    trials
}

fn password(binary: &Binary) {
    let port = free_port().to_string();
    let mut place = Place::with(binary, &[("port", &port)]);
    place.fill(5);
    place.server.client.call(&["CONFIG", "SET", "requirepass", PASSWORD]);
    place.server.client.call(&["AUTH", PASSWORD]);
    let run = |password: Option<&str>| {
        let mut live = place.backup(&["--live", "--pause", "0", "--poll", "20ms", "-p", &port]);
        if let Some(password) = password {
            live.env("REDISCLI_AUTH", password);
        }
        let run = Run::of(live.arg("--json"));
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(!told.contains(PASSWORD) && !told.contains("wrong-one"), "{run:#?}");
        run
    };
    let none = run(None);
    assert_eq!(none.code, Some(2), "{none:#?}");
    assert!(none.stderr.contains("NOAUTH") && none.stderr.contains("REDISCLI_AUTH"), "{none:#?}");
    let wrong = run(Some("wrong-one"));
    assert_eq!(wrong.code, Some(2), "{wrong:#?}");
    assert!(wrong.stderr.contains("WRONGPASS"), "{wrong:#?}");
    let right = run(Some(PASSWORD));
    assert_eq!(right.code, Some(0), "{right:#?}");
    for name in place.names() {
        let bytes = std::fs::read(place.to.path().join(name)).expect("a file");
        assert!(memchr_find(&bytes, PASSWORD.as_bytes()).is_none());
    }
    // A URI with a password, and one that cannot be read.
    let uri = format!("redis://:{PASSWORD}@127.0.0.1:{port}");
    let with_uri = |uri: &str| {
        let mut live = place.backup(&["--live", "--pause", "0", "--poll", "20ms", "-u"]);
        Run::of(live.arg(uri))
    };
    let run = with_uri(&uri);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!format!("{run:?}").contains(PASSWORD), "{run:#?}");
    let run = with_uri(&uri.replace("redis:", "http:"));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("names no server"), "{run:#?}");
}

fn memchr_find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn rights(binary: &Binary) {
    const RIGHTS: [&str; 4] = ["+info", "+config|get", "+config|set", "+bgrewriteaof"];
    let mut place = Place::new(binary);
    place.fill(5);
    let before = place.settings();
    let mut acl = vec!["ACL", "SETUSER", "backup", "on", ">not-to-be-seen"];
    acl.extend(RIGHTS);
    let reply = place.server.client.call(&acl);
    assert_eq!(reply.text(), "OK");
    let run = |place: &Place, args: &[&str]| {
        let mut live = place.live();
        Run::of(live.args(["--user", "backup"]).args(args).env("REDISCLI_AUTH", PASSWORD))
    };
    let all = run(&place, &[]);
    assert_eq!(all.code, Some(0), "{all:#?}");
    for missing in RIGHTS {
        // Taken away as a whole, for Redis 6.2 cannot take away a sub-command; what is left of CONFIG comes back.
        let whole = missing.split('|').next().expect("a name").replace('+', "-");
        let mut acl = vec!["ACL", "SETUSER", "backup", whole.as_str()];
        acl.extend(
            RIGHTS.iter().filter(|right| **right != missing && right.starts_with("+config")),
        );
        place.server.client.call(&acl);
        let run = run(&place, &[]);
        assert_eq!(run.code, Some(2), "{missing}: {run:#?}");
        assert!(run.stderr.contains("NOPERM"), "{missing}: {run:#?}");
        let help = format!("ACL SETUSER backup {missing}; all that a backup needs is");
        assert!(run.stderr.contains(&help), "{missing}: {run:#?}");
        assert_eq!(place.settings(), before, "{missing}");
        place.server.client.call(&[&["ACL", "SETUSER", "backup"][..], &RIGHTS[..]].concat());
    }
    // Links need no rewrite.
    place.server.client.call(&["ACL", "SETUSER", "backup", "-bgrewriteaof"]);
    let link = run(&place, &["--strategy", "link"]);
    assert_eq!(link.code, Some(0), "{link:#?}");
}

fn no_config(binary: &Binary) {
    let config = directory();
    let file = config.path().join("renamed.conf");
    std::fs::write(&file, "rename-command CONFIG hidden\n").expect("a configuration");
    let place = Place::with(binary, &[("include", &file.display().to_string())]);
    let run = Run::of(&mut place.live());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("CONFIG is renamed or forbidden there"), "{run:#?}");
    assert!(place.names().is_empty());
}

fn no_log(binary: &Binary) {
    let mut place = Place::with(binary, &[("appendonly", "no")]);
    place.fill(1);
    let run = Run::of(&mut place.live());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("keeps no log: appendonly is no"), "{run:#?}");
    assert!(run.stderr.contains("CONFIG SET appendonly yes"), "{run:#?}");
}

fn tls(binary: &Binary, openssl: &Path) {
    let place = directory();
    let at = |name: &str| place.path().join(name).display().to_string();
    let run = |args: &[&str]| {
        let output = Command::new(openssl).args(args).output().expect("openssl runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    // Its own authority, with a name that is not the host.
    run(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=aofkit test",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-keyout",
        &at("ca.key"),
        "-out",
        &at("ca.crt"),
    ]);
    for (name, alt) in [("server", "DNS:redis.test"), ("client", "DNS:client.test")] {
        let (key, request, cert) =
            (at(&format!("{name}.key")), at(&format!("{name}.csr")), at(&format!("{name}.crt")));
        let extensions = at(&format!("{name}.ext"));
        std::fs::write(&extensions, format!("subjectAltName={alt}\nbasicConstraints=CA:FALSE\n"))
            .expect("extensions");
        let subject = format!("/CN={name}");
        run(&[
            "req", "-newkey", "rsa:2048", "-nodes", "-subj", &subject, "-keyout", &key, "-out",
            &request,
        ]);
        run(&[
            "x509",
            "-req",
            "-in",
            &request,
            "-CA",
            &at("ca.crt"),
            "-CAkey",
            &at("ca.key"),
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            &extensions,
            "-out",
            &cert,
        ]);
    }
    let port = free_port().to_string();
    let config = [
        ("tls-port", port.as_str()),
        ("tls-cert-file", &at("server.crt")),
        ("tls-key-file", &at("server.key")),
        ("tls-ca-cert-file", &at("ca.crt")),
    ];
    let mut server = Place::with(binary, &config);
    server.fill(5);
    let digest = server.server.digest();
    let live = |args: &[&str]| {
        let mut live = server.backup(&["--live", "--pause", "0", "--poll", "20ms", "-p", &port]);
        Run::of(live.args(args))
    };
    let (ca, cert, key) = (at("ca.crt"), at("client.crt"), at("client.key"));
    let client = ["--cert", &cert, "--key", &key];
    let with = |more: &[&str]| live(&[&client[..], more].concat());
    let good = with(&["--tls", "--cacert", &ca, "--sni", "redis.test"]);
    assert_eq!(good.code, Some(0), "{good:#?}");
    let (mut restored, _data) = server.restored(&server.archive());
    assert_eq!(restored.digest(), digest);
    let insecure = with(&["--tls", "--insecure"]);
    assert_eq!(insecure.code, Some(0), "{insecure:#?}");
    // Another name than the certificate's, another authority, no certificate of ours, no TLS.
    for (bad, told) in [
        (with(&["--tls", "--cacert", &ca]), "certificate"),
        (with(&["--tls", "--sni", "redis.test", "--cacert", &cert]), "certificate"),
        (live(&["--tls", "--cacert", &ca, "--sni", "redis.test"]), "connection"),
        (live(&[]), "connection"),
    ] {
        assert_eq!(bad.code, Some(2), "{bad:#?}");
        assert!(bad.stderr.contains(told), "{told}: {bad:#?}");
    }
}
