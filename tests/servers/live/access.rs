//! Access to servers: passwords, users with few permissions, TLS; and the messages if access is denied.

use std::path::Path;

use aofkit::base::server::redis;
use libtest_mimic::Trial;

use super::on_each;
use crate::support::{
    Binary, Certificates, FAMILIES, Run, Setup, free_port, temp_dir, with_program_on_each,
};

const PASSWORD: &str = "not-to-be-seen";

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "password_is_used_and_never_printed", password);
    let name = "minimal_permissions_suffice_and_missing_ones_are_named";
    trials.extend(on_each(&FAMILIES, name, permissions));
    trials.extend(on_each(
        &FAMILIES,
        "server_without_config_command_is_refused_with_help",
        no_config,
    ));
    trials.extend(on_each(&FAMILIES, "server_without_log_is_refused_with_help", no_log));
    // Of the four servers, only Redis 7.0 is built with TLS.
    let name = "live::tls_works_and_untrusted_certificates_are_rejected";
    trials.extend(with_program_on_each(&[redis(7, 0)], "openssl", name, tls));
    trials
}

fn password(binary: &Binary) {
    let port = free_port().to_string();
    let mut setup = Setup::with(binary, &[("port", &port)]);
    setup.fill(5);
    setup.server.client.call(&["CONFIG", "SET", "requirepass", PASSWORD]);
    setup.server.client.call(&["AUTH", PASSWORD]);
    let run = |password: Option<&str>| {
        let mut live = setup.backup(&["--live", "--pause", "0", "--poll", "20ms", "-p", &port]);
        if let Some(password) = password {
            live.env("REDISCLI_AUTH", password);
        }
        let run = Run::of(live.arg("--json"));
        let printed = format!("{}{}", run.stdout, run.stderr);
        assert!(!printed.contains(PASSWORD) && !printed.contains("wrong-one"), "{run:#?}");
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
    for name in setup.names() {
        let bytes = std::fs::read(setup.to.path().join(name)).expect("a file");
        assert!(!contains(&bytes, PASSWORD.as_bytes()));
    }
    // A URI with a password, and an invalid URI.
    let uri = format!("redis://:{PASSWORD}@127.0.0.1:{port}");
    let with_uri = |uri: &str| {
        let mut live = setup.backup(&["--live", "--pause", "0", "--poll", "20ms", "-u"]);
        Run::of(live.arg(uri))
    };
    let run = with_uri(&uri);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!format!("{run:?}").contains(PASSWORD), "{run:#?}");
    let run = with_uri(&uri.replace("redis:", "http:"));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("names no server"), "{run:#?}");
}

fn contains(bytes: &[u8], searched: &[u8]) -> bool {
    bytes.windows(searched.len()).any(|window| window == searched)
}

fn permissions(binary: &Binary) {
    const REQUIRED: [&str; 4] = ["+info", "+config|get", "+config|set", "+bgrewriteaof"];
    let mut setup = Setup::new(binary);
    setup.fill(5);
    let before = setup.settings();
    let mut acl = vec!["ACL", "SETUSER", "backup", "on", ">not-to-be-seen"];
    acl.extend(REQUIRED);
    let reply = setup.server.client.call(&acl);
    assert_eq!(reply.text(), "OK");
    let run = |setup: &Setup, args: &[&str]| {
        let mut live = setup.live();
        Run::of(live.args(["--user", "backup"]).args(args).env("REDISCLI_AUTH", PASSWORD))
    };
    let all = run(&setup, &[]);
    assert_eq!(all.code, Some(0), "{all:#?}");
    for missing in REQUIRED {
        // Redis 6.2 cannot revoke a sub-command, so CONFIG is revoked as a whole and its other sub-command is granted
        // again.
        let whole = missing.split('|').next().expect("a name").replace('+', "-");
        let mut acl = vec!["ACL", "SETUSER", "backup", whole.as_str()];
        acl.extend(REQUIRED.iter().filter(|rule| **rule != missing && rule.starts_with("+config")));
        setup.server.client.call(&acl);
        let run = run(&setup, &[]);
        assert_eq!(run.code, Some(2), "{missing}: {run:#?}");
        assert!(run.stderr.contains("NOPERM"), "{missing}: {run:#?}");
        let help = format!("ACL SETUSER backup {missing}; all that a backup needs is");
        assert!(run.stderr.contains(&help), "{missing}: {run:#?}");
        assert_eq!(setup.settings(), before, "{missing}");
        setup.server.client.call(&[&["ACL", "SETUSER", "backup"][..], &REQUIRED[..]].concat());
    }
    // The link strategy needs no rewrite.
    setup.server.client.call(&["ACL", "SETUSER", "backup", "-bgrewriteaof"]);
    let link = run(&setup, &["--strategy", "link"]);
    assert_eq!(link.code, Some(0), "{link:#?}");
}

fn no_config(binary: &Binary) {
    let config = temp_dir();
    let file = config.path().join("renamed.conf");
    std::fs::write(&file, "rename-command CONFIG hidden\n").expect("a configuration");
    let setup = Setup::with(binary, &[("include", &file.display().to_string())]);
    let run = Run::of(&mut setup.live());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("CONFIG is renamed or forbidden there"), "{run:#?}");
    assert!(setup.names().is_empty());
}

fn no_log(binary: &Binary) {
    let mut setup = Setup::with(binary, &[("appendonly", "no")]);
    setup.fill(1);
    let run = Run::of(&mut setup.live());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("keeps no log: appendonly is no"), "{run:#?}");
    assert!(run.stderr.contains("CONFIG SET appendonly yes"), "{run:#?}");
}

fn tls(binary: &Binary, openssl: &Path) {
    let certificates = Certificates::create(openssl);
    let at = |name: &str| certificates.path(name);
    let port = free_port().to_string();
    let files = certificates.of_server();
    let config: Vec<(&str, &str)> =
        files.iter().map(|(name, file)| (*name, file.as_str())).collect();
    let mut setup = Setup::with(binary, &[&config[..], &[("tls-port", &port)]].concat());
    setup.fill(5);
    let digest = setup.server.digest();
    let live = |args: &[&str]| {
        let mut live = setup.backup(&["--live", "--pause", "0", "--poll", "20ms", "-p", &port]);
        Run::of(live.args(args))
    };
    let (ca, cert, key) = (at("ca.crt"), at("client.crt"), at("client.key"));
    let client = ["--cert", &cert, "--key", &key];
    let with = |more: &[&str]| live(&[&client[..], more].concat());
    let good = with(&["--tls", "--cacert", &ca, "--sni", "redis.test"]);
    assert_eq!(good.code, Some(0), "{good:#?}");
    let (mut restored, _data) = setup.restored(&setup.archive());
    assert_eq!(restored.digest(), digest);
    let insecure = with(&["--tls", "--insecure"]);
    assert_eq!(insecure.code, Some(0), "{insecure:#?}");
    // A name that is not in the certificate, another authority, no client certificate, no TLS.
    for (bad, message) in [
        (with(&["--tls", "--cacert", &ca]), "certificate"),
        (with(&["--tls", "--sni", "redis.test", "--cacert", &cert]), "certificate"),
        (live(&["--tls", "--cacert", &ca, "--sni", "redis.test"]), "connection"),
        (live(&[]), "connection"),
    ] {
        assert_eq!(bad.code, Some(2), "{bad:#?}");
        assert!(bad.stderr.contains(message), "{message}: {bad:#?}");
    }
}
