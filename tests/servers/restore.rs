//! Logs that servers wrote, backed up and restored for every server: each loads what the first one had.

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

use crate::support::server::{Binary, Running};
use crate::support::twin::args;
use crate::support::{LINES, on_all};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        on_all(&LINES, "restore::every_server_loads_what_the_others_had", everywhere),
        on_all(&LINES, "restore::a_directory_that_a_server_runs_in_is_refused", in_use),
    ]
}

/// Writes a data set that all servers can hold, with a rewrite in the middle, and gives its digest.
fn write(binary: &Binary, data: &Path) -> String {
    let config = [("appendonly", "yes"), ("appendfsync", "no")];
    let mut server = Running::start(binary, data, &config).expect("it starts");
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
            super::rewrite::rewritten(&mut server, data);
        }
    }
    let digest = server.digest();
    assert!(server.shut_down().success());
    digest
}

/// Backs up the log of a data directory; compacted first, if asked for.
fn backed_up(data: &Path, to: &Path, is_compacted: bool) -> PathBuf {
    let options = BackupOptions {
        to: to.to_owned(),
        archive: CompressOptions::new(to.to_owned(), jiff::Timestamp::now()),
        compact: is_compacted.then(compaction),
        keep: KeepPolicy::default(),
        dry_run: false,
    };
    let report = backup_path(data, &options, &Silent).expect("it is backed up");
    assert!(report.read_back && !report.damaged);
    report.archive.expect("there is an archive")
}

fn compaction() -> compact::Options {
    compact::Options {
        output: None,
        existing: Existing::Keep,
        form: None,
        server: None,
        filter: Filter::default(),
        check: true,
        route: RouteOptions::default(),
        replay: ReplayOptions {
            server: aofkit::base::server::redis(7, 0),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            time_ms: None,
            threads: 2,
        },
        ctime: 1_700_000_000,
        compress: true,
    }
}

fn restored(archive: &Path, output: &Path, server: Option<Server>) -> RestoreReport {
    let options = RestoreOptions {
        output: output.to_owned(),
        server,
        owner: None,
        force: false,
        compaction: compact::Options { server, ..compaction() },
    };
    restore(archive, &options, &Silent)
        .unwrap_or_else(|error| panic!("{} for {server:?}: {error}", archive.display()))
}

/// The digest of what a server has that is started with the settings that the report names.
fn loaded(binary: &Binary, report: &RestoreReport) -> String {
    let setting = |name: &str| {
        let setting = report.settings.iter().find(|setting| setting.name == name);
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
    // It goes on from there: a second start has the same.
    let mut server = Running::start(binary, Path::new(dir), &config).expect("it starts again");
    assert_eq!(server.digest(), digest);
    digest
}

fn everywhere(binaries: &[Binary]) {
    for origin in binaries {
        let place = tempfile::tempdir().expect("a directory");
        let data = place.path().join("data");
        let to = place.path().join("to");
        fs::create_dir(&data).expect("a directory");
        fs::create_dir(&to).expect("a directory");
        let digest = write(origin, &data);
        for (is_compacted, name) in [(false, "plain"), (true, "compacted")] {
            let archive = backed_up(&data, &to, is_compacted);
            for binary in binaries {
                // Compacted for its own server, it is the same way to all the others.
                if is_compacted && binary.line != origin.line {
                    continue;
                }
                let output = place.path().join(format!("{name}-{}", binary.line));
                let report = restored(&archive, &output, Some(binary.line));
                assert_eq!(
                    loaded(binary, &report),
                    digest,
                    "{name} from {} on {}",
                    origin.line,
                    binary.line
                );
            }
            let output = place.path().join(format!("{name}-as-it-was"));
            let report = restored(&archive, &output, None);
            assert_eq!(report.change, None);
            assert_eq!(loaded(origin, &report), digest, "{name} on its own server");
        }
    }
}

fn in_use(binaries: &[Binary]) {
    let place = tempfile::tempdir().expect("a directory");
    let (data, to) = (place.path().join("data"), place.path().join("to"));
    fs::create_dir(&data).expect("a directory");
    fs::create_dir(&to).expect("a directory");
    write(&binaries[0], &data);
    let archive = backed_up(&data, &to, false);
    for binary in binaries {
        let output = place.path().join(format!("in-use-{}", binary.line));
        fs::create_dir(&output).expect("a directory");
        // Without a log, so that only its working directory tells of it.
        let server = Running::start(binary, &output, &[]).expect("it starts");
        let options = RestoreOptions {
            output: output.clone(),
            server: None,
            owner: None,
            force: true,
            compaction: compaction(),
        };
        let error = restore(&archive, &options, &Silent).expect_err("it is refused");
        let program = if binary.line.has_valkey(7, 2) { "valkey-server" } else { "redis-server" };
        assert!(error.to_string().contains(program), "{error}");
        drop(server);
        restore(&archive, &options, &Silent).expect("it is free now");
    }
}
