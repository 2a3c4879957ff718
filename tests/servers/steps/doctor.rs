//! What `doctor` finds at a real server, and the commands that it prints, typed: they make the finding go away.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use aofkit::base::server::{redis, valkey};
use libtest_mimic::Trial;

use super::site::{Site, Supervision};
use crate::support::json_docs::Docs;
use crate::support::{Binary, Setup, args, wait_until, with_program_on_each};

pub(super) fn trials() -> Vec<Trial> {
    let lines = [redis(5, 0), redis(7, 2), valkey(9, 1)];
    let on = |name: &str, body: fn(&Binary, &std::path::Path)| {
        with_program_on_each(&lines, "redis-cli", &format!("steps::doctor::{name}"), body)
    };
    let trials = [
        on("settings", |binary, _| settings(binary)),
        on("old_log", |binary, _| old_log(binary)),
        on("files", |binary, _| files(binary)),
        on("names", |binary, _| names(binary)),
        on("last_save", |binary, _| last_save(binary)),
        on("replication", |binary, _| replication(binary)),
        on("backups", |binary, _| backups(binary)),
        on("without_config", |binary, _| without_config(binary)),
    ];
    trials.into_iter().flatten().collect()
}

/// A server, the options of `doctor` besides its socket, and the documentation of its JSON.
struct Doctor {
    site: Site,
    options: &'static str,
    docs: Docs,
}

/// The first words of the commands that are printed.
const PROGRAMS: [&str; 8] =
    ["aofkit", "redis-cli", "valkey-cli", "chmod", "rm", "mv", "touch", "chown"];

impl Doctor {
    fn of(site: Site) -> Doctor {
        // Other users cannot enter the directory of a packaged server.
        site.must("chmod 750 data");
        Doctor { site, options: "", docs: Docs::read() }
    }

    fn call(&self, line: &str) {
        self.site.client().call(&args(line));
    }

    /// Returns the level of a check, and of a finding its first sentence. The exit code is 1 if anything is red.
    #[track_caller]
    fn level(&self, check: &str) -> (String, String) {
        let run = self.site.shell(&format!("aofkit doctor -s socket --json {}", self.options));
        self.docs.check(&run.stdout);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("a document");
        let is_red = report["red"].as_u64().expect("a number") > 0;
        assert_eq!(run.code, Some(i32::from(is_red)), "{run:#?}");
        let findings = report["findings"].as_array().expect("findings");
        let found = findings.iter().find(|finding| finding["check"] == check).expect("the check");
        let text = |field: &str| found[field].as_str().expect("text").to_owned();
        (text("level"), text("what"))
    }

    #[track_caller]
    fn expect(&self, check: &str, level: &str) {
        let found = self.level(check);
        assert_eq!(found.0, level, "{check}: {}", found.1);
    }

    /// Returns the commands that are printed below the finding.
    #[track_caller]
    fn printed(&self, check: &str) -> Vec<String> {
        let (_, what) = self.level(check);
        let text = self.site.shell(&format!("aofkit doctor -s socket {}", self.options)).stdout;
        let start = what.split(' ').take(3).collect::<Vec<_>>().join(" ");
        let finding = text.split("\n\n").find(|paragraph| paragraph.contains(&start));
        let lines = finding.unwrap_or_else(|| panic!("{what}: {text}")).lines();
        let lines = lines.filter_map(|line| line.strip_prefix("       "));
        let is_command =
            |line: &&str| PROGRAMS.contains(&line.split(' ').next().unwrap_or_default());
        lines.filter(is_command).map(str::to_owned).collect()
    }

    /// Types those of the printed commands that begin with `start`, and waits until the check is ok.
    #[track_caller]
    fn fix(&self, check: &str, level: &str, start: &str) {
        self.expect(check, level);
        let commands = self.printed(check);
        let chosen: Vec<&String> = commands.iter().filter(|line| line.contains(start)).collect();
        assert!(!chosen.is_empty(), "{check}: {commands:?}");
        for command in chosen {
            self.site.must(command);
        }
        wait_until("the fix", || self.level(check).0 == "ok");
    }
}

const AOF: &str = "appendonly yes";

fn settings(binary: &Binary) {
    let doctor = Doctor::of(Site::start(binary, Supervision::None, ""));
    doctor.call("SET k 1");
    // Set, and written to the configuration, so that it lasts.
    doctor.fix("persistence", "red", "CONFIG");
    let config = fs::read_to_string(doctor.site.path("redis.conf")).expect("a configuration");
    assert!(config.lines().any(|line| line == "appendonly yes"), "{config}");
    doctor.site.stop();
    doctor.site.start_again();
    assert_eq!(doctor.site.served().0, 1);
    doctor.expect("persistence", "ok");
    doctor.expect("auto-rewrite", "ok");
    doctor.call("CONFIG SET auto-aof-rewrite-percentage 0");
    doctor.fix("auto-rewrite", "warning", "CONFIG SET");
    doctor.expect("load-truncated", "ok");
    doctor.call("CONFIG SET aof-load-truncated no");
    doctor.fix("load-truncated", "warning", "CONFIG SET");
}

fn old_log(binary: &Binary) {
    for start in ["CONFIG", "mv "] {
        let doctor = Doctor::of(Site::start(binary, Supervision::None, AOF));
        doctor.call("SET old 1");
        doctor.expect("old-log", "ok");
        doctor.call("CONFIG SET appendonly no");
        doctor.site.client().call(&["CONFIG", "SET", "save", "3600 1"]);
        doctor.call("SET new 1");
        doctor.fix("old-log", "red", start);
        if start == "CONFIG" {
            wait_until("the log", || doctor.level("last-rewrite").0 == "ok");
            wait_until("the end of the rewrite", || {
                let info = doctor.site.client().call(&["INFO", "persistence"]).text();
                ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"]
                    .iter()
                    .all(|it| info.contains(it))
            });
            doctor.site.stop();
            doctor.site.start_again();
            assert_eq!(doctor.site.served().0, 2, "the new log is loaded");
        }
    }
}

fn files(binary: &Binary) {
    let doctor = Doctor::of(Site::start(binary, Supervision::None, AOF));
    doctor.call("SET k 1");
    doctor.call("SAVE");
    let data = doctor.site.path("data");
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    doctor.expect("file-rights", "ok");
    mode(&data, 0o777);
    mode(&data.join("dump.rdb"), 0o666);
    doctor.expect("file-rights", "red");
    // What is open to reading remains, which is a finding of its own.
    let commands = doctor.printed("file-rights");
    assert!(commands[0].starts_with("chmod o-w"), "{commands:?}");
    doctor.site.must(&commands[0]);
    doctor.fix("file-rights", "warning", "chmod o-rwx");

    doctor.expect("leftovers", "ok");
    fs::write(data.join("temp-99.rdb"), "REDIS").expect("a file");
    fs::write(data.join("temp-rewriteaof-99.aof"), "").expect("a file");
    doctor.expect("leftovers", "warning");
    let commands = doctor.printed("leftovers");
    // Its exit code says whether they have data.
    doctor.site.shell(&commands[0]);
    doctor.fix("leftovers", "warning", "rm ");
    assert!(data.join("dump.rdb").exists());

    doctor.expect("clock", "ok");
    doctor.site.must("touch -d tomorrow data/dump.rdb");
    doctor.fix("clock", "warning", "touch ");
    doctor.expect("rdb-version", "ok");
    fs::write(data.join("newer.rdb"), "REDIS0099").expect("a file");
    doctor.expect("rdb-version", "warning");
    doctor.expect("disk-space", "ok");
    for kernel in ["overcommit", "huge-pages"] {
        assert!(["ok", "warning"].contains(&doctor.level(kernel).0.as_str()));
    }
}

/// Files without the usual extensions are known by the settings.
fn names(binary: &Binary) {
    let names = "appendonly yes\nappendfilename mylog\ndbfilename mydump";
    let doctor = Doctor::of(Site::start(binary, Supervision::None, names));
    doctor.call("SET k 1");
    doctor.call("SAVE");
    doctor.expect("file-rights", "ok");
    doctor.site.must("chmod o+w data/mydump");
    doctor.fix("file-rights", "red", "chmod o-w");
    doctor.call("CONFIG SET appendonly no");
    doctor.expect("old-log", "red");
}

fn last_save(binary: &Binary) {
    let doctor = Doctor::of(Site::start(binary, Supervision::None, AOF));
    doctor.expect("last-save", "ok");
    // A server cannot rename its snapshot to that of a directory with a file.
    doctor.site.must("mkdir data/dump.rdb; touch data/dump.rdb/file");
    doctor.call("BGSAVE");
    wait_until("the failure", || doctor.level("last-save").0 == "red");
    doctor.site.must("rm -r data/dump.rdb");
    doctor.fix("last-save", "red", "BGSAVE");
    if binary.line.has_redis(7, 0) {
        doctor.expect("last-rewrite", "ok");
        // Neither can it rename the next base.
        doctor.site.must("mkdir data/appendonlydir/appendonly.aof.2.base.rdb; touch data/appendonlydir/appendonly.aof.2.base.rdb/file");
        doctor.call("BGREWRITEAOF");
        wait_until("the failure", || doctor.level("last-rewrite").0 == "red");
        doctor.site.must("rm -r data/appendonlydir/appendonly.aof.2.base.rdb");
        doctor.fix("last-rewrite", "red", "BGREWRITEAOF");
    }
}

fn replication(binary: &Binary) {
    let doctor = Doctor::of(Site::start(binary, Supervision::None, "repl-diskless-sync-delay 0"));
    doctor.call("SET k 1");
    doctor.expect("replica", "ok");
    doctor.call("REPLICAOF 127.0.0.1 1");
    doctor.fix("replica", "red", "REPLICAOF NO ONE");

    doctor.expect("empty-primary", "ok");
    let config = fs::read_to_string(doctor.site.path("redis.conf")).expect("a configuration");
    let port = config.lines().find_map(|line| line.strip_prefix("port ")).expect("a port");
    let mut replica = Setup::new(binary);
    replica.server.client.call(&["REPLICAOF", "127.0.0.1", port]);
    wait_until("the replica", || doctor.level("empty-primary").0 != "ok");
    doctor.fix("empty-primary", "red", "CONFIG SET");
}

fn backups(binary: &Binary) {
    let mut doctor = Doctor::of(Site::start(binary, Supervision::None, AOF));
    doctor.call("SET k 1");
    doctor.expect("backups", "unknown");
    doctor.options = "--backups backups";
    doctor.expect("backups", "red");
    doctor.site.must("mkdir backups");
    let is_live = binary.line.has_redis(6, 0);
    doctor.fix("backups", "red", if is_live { "aofkit backup --live" } else { "aofkit backup " });
    // A backup of another source is none of this server.
    doctor.site.must("mkdir other; cp backups/*.zip other/; rm backups/*.zip");
    doctor.site.must("cp -r data elsewhere; aofkit backup elsewhere --to backups");
    doctor.expect("backups", "red");
}

fn without_config(binary: &Binary) {
    let doctor = Doctor::of(Site::start(
        binary,
        Supervision::None,
        "appendonly yes\nrename-command CONFIG hidden",
    ));
    doctor.expect("persistence", "ok");
    doctor.expect("last-save", "ok");
    for check in ["auto-rewrite", "load-truncated", "file-rights", "disk-space", "leftovers"] {
        doctor.expect(check, "unknown");
    }
    let (_, what) = doctor.level("auto-rewrite");
    assert!(what.contains("CONFIG GET"), "{what}");
}
