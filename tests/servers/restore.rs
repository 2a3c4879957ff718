//! Backs up logs that servers wrote and restores them for every server: each must load the same data.

use std::fs;
use std::path::{Path, PathBuf};

use aofkit::analysis::data_filter::Filter;
use aofkit::base::progress::Silent;
use aofkit::base::server::Server;
use aofkit::disk::publish::Existing;
use aofkit::ops::backup::{BackupOptions, backup_path};
use aofkit::ops::compact;
use aofkit::ops::compress::write::CompressOptions;
use aofkit::ops::prune::KeepPolicy;
use aofkit::ops::restore::{RestoreOptions, RestoreReport, restore};
use aofkit::replay::{ReplayOptions, RouteOptions};
use libtest_mimic::Trial;

use crate::support::{Binary, FAMILIES, Running, args, on_all};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        on_all(&FAMILIES, "restore::every_server_loads_the_backups_of_the_others", everywhere),
        on_all(&FAMILIES, "restore::directory_of_a_running_server_is_refused", in_use),
    ]
}

/// Writes data that all servers support, with a rewrite in between. Returns the digest.
fn write(binary: &Binary, data: &Path) -> String {
    let config = [("appendonly", "yes"), ("appendfsync", "no")];
    let mut server = Running::start(binary, data, &config).expect("the server starts");
    for n in 0..400 {
        for command in [
            format!("SET string:{} {n}", n % 90),
            format!("RPUSH list:{} {n} x", n % 7),
            format!("SADD set:{} {n} member", n % 5),
            format!("HSET hash:{} field:{n} {n}", n % 6),
            format!("ZADD zset:{} {n}.5 member:{n}", n % 4),
            format!("XADD stream {}-1 field {n}", n + 1),
            format!("PEXPIREAT string:{} 4102444800000", n % 45),
            format!("DEL string:{}", n % 11),
            format!("SELECT {}", n % 3),
        ] {
            server.client.call(&args(&command));
        }
        if n == 200 {
            server.rewrite();
        }
    }
    let digest = server.digest();
    assert!(server.shut_down().success());
    digest
}

/// Backs up the log of a data directory, optionally compacted.
fn backed_up(data: &Path, to: &Path, is_compacted: bool) -> PathBuf {
    let options = BackupOptions {
        to: to.to_owned(),
        archive: CompressOptions::new(to.to_owned(), jiff::Timestamp::now()),
        compact: is_compacted.then(compaction),
        keep: KeepPolicy::default(),
        dry_run: false,
        lock_wait: std::time::Duration::ZERO,
    };
    let report = backup_path(data, &options, &Silent).expect("the log is backed up");
    assert!(report.read_back && !report.plan.damaged);
    report.archive.expect("an archive")
}

fn compaction() -> compact::CompactOptions {
    compact::CompactOptions {
        output: None,
        existing: Existing::Keep,
        form: None,
        server: None,
        filter: Filter::default(),
        check: true,
        route: RouteOptions::default(),
        replay: ReplayOptions {
            server: Some(aofkit::base::server::redis(7, 0)),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            time_ms: None,
            threads: 2,
        },
        ctime: 1_700_000_000,
        compress: true,
        ..compact::CompactOptions::default()
    }
}

fn restored(archive: &Path, output: &Path, server: Option<Server>) -> RestoreReport {
    let options = RestoreOptions {
        output: output.to_owned(),
        server,
        owner: None,
        force: false,
        no_backup: false,
        offline: false,
        dry_run: false,
        compaction: compact::CompactOptions { server, ..compaction() },
    };
    restore(archive, &options, &Silent)
        .unwrap_or_else(|error| panic!("{} for {server:?}: {error}", archive.display()))
}

/// Starts a server with the settings that the report names and returns its digest.
fn loaded(binary: &Binary, report: &RestoreReport) -> String {
    let setting = |name: &str| {
        let setting = report.plan.settings.iter().find(|setting| setting.name == name);
        setting.map(|setting| setting.value.as_str())
    };
    let dir = setting("dir").expect("a directory");
    let names = ["appendonly", "appendfilename", "appenddirname"];
    let config: Vec<(&str, &str)> =
        names.iter().filter_map(|name| Some((*name, setting(name)?))).collect();
    let mut server = Running::start(binary, Path::new(dir), &config)
        .unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log));
    let digest = server.digest();
    assert!(server.shut_down().success());
    // A second start loads the same data.
    let mut server =
        Running::start(binary, Path::new(dir), &config).expect("the server starts again");
    assert_eq!(server.digest(), digest);
    digest
}

fn everywhere(binaries: &[Binary]) {
    for origin in binaries {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        let to = directory.path().join("to");
        fs::create_dir(&data).expect("a directory");
        fs::create_dir(&to).expect("a directory");
        let digest = write(origin, &data);
        for (is_compacted, name) in [(false, "plain"), (true, "compacted")] {
            let archive = backed_up(&data, &to, is_compacted);
            for binary in binaries {
                // A compacted backup is only restored for its own server: for the others it takes the same path.
                if is_compacted && binary.line != origin.line {
                    continue;
                }
                let output = directory.path().join(format!("{name}-{}", binary.line));
                let report = restored(&archive, &output, Some(binary.line));
                assert_eq!(
                    loaded(binary, &report),
                    digest,
                    "{name} from {} on {}",
                    origin.line,
                    binary.line
                );
            }
            let output = directory.path().join(format!("{name}-unconverted"));
            let report = restored(&archive, &output, None);
            assert_eq!(report.plan.change, None);
            assert_eq!(loaded(origin, &report), digest, "{name} on its own server");
        }
    }
}

fn in_use(binaries: &[Binary]) {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, to) = (directory.path().join("data"), directory.path().join("to"));
    fs::create_dir(&data).expect("a directory");
    fs::create_dir(&to).expect("a directory");
    write(&binaries[0], &data);
    let archive = backed_up(&data, &to, false);
    for binary in binaries {
        let output = directory.path().join(format!("in-use-{}", binary.line));
        fs::create_dir(&output).expect("a directory");
        // Without a log, so that the server can only be detected by its working directory.
        let server = Running::start(binary, &output, &[]).expect("the server starts");
        let options = RestoreOptions {
            output: output.clone(),
            server: None,
            owner: None,
            force: true,
            no_backup: false,
            offline: false,
            dry_run: false,
            compaction: compaction(),
        };
        let error = restore(&archive, &options, &Silent).expect_err("a refusal");
        let program = if binary.line.has_valkey(7, 2) { "valkey-server" } else { "redis-server" };
        assert!(error.to_string().contains(program), "{error}");
        drop(server);
        restore(&archive, &options, &Silent).expect("the directory is no longer in use");
    }
}
