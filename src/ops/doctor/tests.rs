//! Each check on facts of which one is wrong.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::facts::{
    BackupFacts, DAY, DirectoryFacts, FileFacts, FileKind, ServerFacts, SetDirectory, Settings,
    SystemFacts, User,
};
use super::*;
use crate::base::server::redis;
use crate::live::info::Info;
use crate::rdb::{Header, Magic};

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn file(path: &str, kind: FileKind) -> FileFacts {
    FileFacts {
        path: path.into(),
        kind,
        bytes: 1000,
        mode: 0o640,
        uid: 999,
        modified: now() - HOUR,
        newer_rdb: None,
    }
}

fn some(value: &str) -> Result<Option<String>, String> {
    Ok(Some(value.to_owned()))
}

fn info(lines: &str) -> Info {
    Info::parse(&lines.replace(' ', "\r\n"))
}

const PERSISTENCE: &str = "aof_enabled:1 aof_last_bgrewrite_status:ok aof_last_write_status:ok rdb_last_bgsave_status:ok rdb_bgsave_in_progress:0 aof_rewrite_in_progress:0";

/// A server with which nothing is wrong.
fn healthy() -> Facts {
    let settings = Settings {
        appendonly: some("yes"),
        save: some(""),
        rewrite_percentage: some("100"),
        load_truncated: some("yes"),
        disable_thp: some("no"),
    };
    let server = ServerFacts {
        client: ["redis-cli", "-p", "6380"].map(str::to_owned).into(),
        line: Some(redis(7, 0)),
        info: info("config_file:/etc/redis/redis.conf process_id:4711"),
        persistence: Ok(info(PERSISTENCE)),
        replication: Ok(info("role:master connected_slaves:0")),
        keys: Ok(12),
        settings,
        reports_log: true,
        clock_ms: Ok(3),
        supervisor: None,
        uid: Some(999),
    };
    let set = "/data/appendonlydir/appendonly.aof";
    let directory = DirectoryFacts {
        path: "/data".into(),
        mode: 0o750,
        uid: 999,
        sets: vec![SetDirectory { path: "/data/appendonlydir".into(), mode: 0o750, uid: 999 }],
        files: vec![
            file(&format!("{set}.1.incr.aof"), FileKind::Part),
            file(&format!("{set}.manifest"), FileKind::Part),
            file("/data/dump.rdb", FileKind::Snapshot),
        ],
        free_bytes: Ok(1 << 30),
        last_annotation: Some(1_799_999_000),
        used_by: None,
    };
    let backups = BackupFacts {
        path: "/backup".into(),
        newest: Some(now() - HOUR),
        is_damaged: false,
        others: 0,
    };
    Facts {
        server: Some(server),
        directory: Ok(directory),
        system: Ok(SystemFacts { overcommit: Ok(1), huge_pages: Ok("madvise".to_owned()) }),
        backups: Ok(backups),
        now: now(),
    }
}

fn server(facts: &mut Facts) -> &mut ServerFacts {
    facts.server.as_mut().unwrap()
}

fn directory(facts: &mut Facts) -> &mut DirectoryFacts {
    facts.directory.as_mut().unwrap()
}

fn judge(facts: &Facts) -> Vec<Finding> {
    CHECKS.iter().map(|check| check(facts)).collect()
}

/// Changes the facts of a healthy server, and returns the only finding that is not ok.
#[track_caller]
fn only(change: impl FnOnce(&mut Facts)) -> Finding {
    let mut facts = healthy();
    change(&mut facts);
    let mut findings = judge(&facts);
    findings.retain(|finding| finding.level != Level::Ok);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.pop().unwrap()
}

#[track_caller]
fn expect(finding: &Finding, check: Check, level: Level, commands: &[&str]) {
    assert_eq!((finding.check, finding.level), (check, level), "{finding:#?}");
    let typed: Vec<String> =
        finding.next.iter().flat_map(|step| &step.actions).map(ToString::to_string).collect();
    assert_eq!(typed, commands);
    assert_eq!(finding.why.is_some(), matches!(level, Level::Red | Level::Warning));
}

const TURN_ON: [&str; 2] =
    ["redis-cli -p 6380 CONFIG SET appendonly yes", "redis-cli -p 6380 CONFIG REWRITE"];

#[test]
fn nothing_is_found_at_a_healthy_server() {
    let findings = judge(&healthy());
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:#?}");
    assert!(findings.iter().all(|finding| !finding.what.is_empty() && finding.next.is_empty()));
}

fn without_log(facts: &mut Facts) {
    server(facts).settings.appendonly = some("no");
    directory(facts).files.retain(|file| file.kind == FileKind::Snapshot);
}

#[test]
fn server_that_writes_nothing_to_disk_is_red() {
    let finding = only(without_log);
    expect(&finding, Check::Persistence, Level::Red, &TURN_ON);
    assert!(finding.why.unwrap().contains("12 keys"));
    // With snapshots it is not.
    let mut facts = healthy();
    without_log(&mut facts);
    server(&mut facts).settings.save = some("3600 1");
    assert!(judge(&facts).iter().all(|finding| finding.level == Level::Ok));
}

#[test]
fn setting_that_cannot_be_saved_in_a_file_is_said_to_end_with_the_process() {
    let finding = only(|facts| {
        without_log(facts);
        server(facts).info = info("config_file:");
    });
    expect(&finding, Check::Persistence, Level::Red, &TURN_ON[..1]);
    assert!(finding.next[0].why.contains("--appendonly yes"), "{finding:#?}");
}

#[test]
fn old_log_of_a_server_without_one_is_red() {
    let finding = only(|facts| {
        server(facts).settings.appendonly = some("no");
        server(facts).settings.save = some("3600 1");
    });
    let [set, rewrite] = TURN_ON;
    let commands = [set, rewrite, "mv /data/appendonlydir /data/appendonlydir.old"];
    expect(&finding, Check::OldLog, Level::Red, &commands);
    assert!(finding.what.contains("appendonlydir, written 60 minutes ago"), "{finding:#?}");
    let single = only(|facts| {
        without_log(facts);
        server(facts).settings.save = some("3600 1");
        directory(facts).files.push(file("/data/appendonly.aof", FileKind::Log));
    });
    let commands = [set, rewrite, "mv /data/appendonly.aof /data/appendonly.aof.old"];
    expect(&single, Check::OldLog, Level::Red, &commands);
}

#[test]
fn log_that_is_never_rewritten_is_a_warning() {
    let finding = only(|facts| server(facts).settings.rewrite_percentage = some("0"));
    let commands = [
        "redis-cli -p 6380 CONFIG SET auto-aof-rewrite-percentage 100",
        "redis-cli -p 6380 CONFIG REWRITE",
    ];
    expect(&finding, Check::AutoRewrite, Level::Warning, &commands);
}

#[test]
fn failed_rewrite_write_and_save_are_red() {
    let failed = |field: &str| {
        only(|facts| {
            let text = PERSISTENCE.replace(&format!("{field}:ok"), &format!("{field}:err"));
            server(facts).persistence = Ok(info(&text));
        })
    };
    let rewrite = failed("aof_last_bgrewrite_status");
    expect(&rewrite, Check::LastRewrite, Level::Red, &["redis-cli -p 6380 BGREWRITEAOF"]);
    let write = failed("aof_last_write_status");
    expect(&write, Check::LastRewrite, Level::Red, &["redis-cli -p 6380 INFO persistence"]);
    let save = failed("rdb_last_bgsave_status");
    expect(&save, Check::LastSave, Level::Red, &["redis-cli -p 6380 BGSAVE"]);
}

#[test]
fn server_that_refuses_a_truncated_log_is_a_warning() {
    let finding = only(|facts| server(facts).settings.load_truncated = some("no"));
    let commands =
        ["redis-cli -p 6380 CONFIG SET aof-load-truncated yes", "redis-cli -p 6380 CONFIG REWRITE"];
    expect(&finding, Check::LoadTruncated, Level::Warning, &commands);
}

#[test]
fn replica_is_a_warning_and_without_its_primary_red() {
    let replica = |link: &str| {
        let fields =
            format!("role:slave master_host:10.0.0.1 master_port:6379 master_link_status:{link}");
        only(|facts| server(facts).replication = Ok(info(&fields)))
    };
    let ask = "aofkit doctor -h 10.0.0.1 -p 6379";
    expect(&replica("up"), Check::Replica, Level::Warning, &[ask]);
    let promote = "redis-cli -p 6380 REPLICAOF NO ONE";
    expect(&replica("down"), Check::Replica, Level::Red, &[ask, promote]);
}

#[test]
fn primary_that_would_empty_its_replicas_is_red() {
    let trap = |save: &str, supervisor: Option<&str>| {
        let mut facts = healthy();
        without_log(&mut facts);
        let of_server = server(&mut facts);
        of_server.replication = Ok(info("role:master connected_slaves:2"));
        of_server.settings.save = some(save);
        of_server.supervisor = supervisor.map(str::to_owned);
        replication::empty_primary(&facts)
    };
    let empty = trap("", Some("systemd (redis.service)"));
    expect(&empty, Check::EmptyPrimary, Level::Red, &TURN_ON);
    assert!(empty.what.starts_with("systemd (redis.service) restarts it by itself: "), "{empty:?}");
    assert!(empty.what.contains("2 replicas"));
    expect(&trap("", None), Check::EmptyPrimary, Level::Red, &TURN_ON);
    expect(&trap("3600 1", None), Check::EmptyPrimary, Level::Warning, &TURN_ON);
}

#[test]
fn backup_that_is_missing_old_or_damaged_is_red() {
    let of = |change: fn(&mut BackupFacts)| only(|facts| change(facts.backups.as_mut().unwrap()));
    let command = ["aofkit backup --live -p 6380 --dir /data --to /backup"];
    let missing = of(|backups| (backups.newest, backups.others) = (None, 3));
    expect(&missing, Check::Backups, Level::Red, &command);
    assert!(missing.what.contains("3 backups of other sources"), "{missing:?}");
    let old = of(|backups| backups.newest = Some(now() - DAY - HOUR));
    expect(&old, Check::Backups, Level::Red, &command);
    assert!(old.what.contains("is 25 hours old"), "{old:?}");
    expect(&of(|backups| backups.is_damaged = true), Check::Backups, Level::Red, &command);
    // A server that does not report where its log is.
    let mut facts = healthy();
    server(&mut facts).reports_log = false;
    facts.backups.as_mut().unwrap().newest = None;
    let path = ["aofkit backup /data --to /backup"];
    expect(&backups::backups(&facts), Check::Backups, Level::Red, &path);
    // Without a log, the snapshot is backed up; without a server, the directory.
    let mut facts = healthy();
    without_log(&mut facts);
    facts.backups.as_mut().unwrap().newest = None;
    let snapshot = ["aofkit backup /data/dump.rdb --to /backup"];
    expect(&backups::backups(&facts), Check::Backups, Level::Red, &snapshot);
    facts.server = None;
    let directory = ["aofkit backup /data --to /backup"];
    expect(&backups::backups(&facts), Check::Backups, Level::Red, &directory);
}

#[test]
fn disk_without_room_for_a_rewrite_is_red() {
    // The log has 2000 bytes.
    let free = |bytes| only(|facts| directory(facts).free_bytes = Ok(bytes));
    expect(&free(1999), Check::DiskSpace, Level::Red, &["df -h /data"]);
    expect(&free(2000), Check::DiskSpace, Level::Warning, &["df -h /data"]);
    expect(&free(3999), Check::DiskSpace, Level::Warning, &["df -h /data"]);
    let mut facts = healthy();
    directory(&mut facts).free_bytes = Ok(4000);
    assert_eq!(files::disk_space(&facts).level, Level::Ok);
}

#[test]
fn files_that_others_can_write_are_red_and_readable_ones_a_warning() {
    let finding = only(|facts| directory(facts).mode = 0o757);
    expect(&finding, Check::FileRights, Level::Red, &["chmod o-w /data"]);
    let finding = only(|facts| directory(facts).files[2].mode = 0o642);
    expect(&finding, Check::FileRights, Level::Red, &["chmod o-w /data/dump.rdb"]);
    let readable = |facts: &mut Facts| {
        let directory = directory(facts);
        directory.mode = 0o755;
        directory.files.iter_mut().for_each(|file| file.mode = 0o644);
    };
    expect(&only(readable), Check::FileRights, Level::Warning, &["chmod o-rwx /data"]);
    // Nobody else can enter the directory.
    let mut facts = healthy();
    readable(&mut facts);
    directory(&mut facts).mode = 0o750;
    assert_eq!(files::file_rights(&facts).level, Level::Ok);
}

/// A rewrite makes its temporary file in the data directory, and the next part in that of the set.
#[test]
fn directory_in_which_the_server_creates_no_file_is_red() {
    let owned_by_root = |facts: &mut Facts| {
        let directory = directory(facts);
        (directory.mode, directory.uid) = (0o755, 0);
    };
    let finding = only(owned_by_root);
    expect(&finding, Check::FileRights, Level::Red, &["chown 999 /data"]);
    let of_set = |facts: &mut Facts| directory(facts).sets[0].uid = 0;
    let finding = only(of_set);
    expect(&finding, Check::FileRights, Level::Red, &["chown 999 /data/appendonlydir"]);
    let finding = only(|facts| directory(facts).mode = 0o550);
    expect(&finding, Check::FileRights, Level::Red, &["chmod u+rwx /data"]);
    // A group that may write can be that of the server, and root needs no permission.
    let mut facts = healthy();
    owned_by_root(&mut facts);
    directory(&mut facts).mode = 0o770;
    assert_eq!(files::file_rights(&facts).level, Level::Ok);
    owned_by_root(&mut facts);
    server(&mut facts).uid = Some(0);
    assert_eq!(files::file_rights(&facts).level, Level::Ok);
    // What others may do is not taken away where the server is one of them.
    let mut facts = healthy();
    let of_group = directory(&mut facts);
    (of_group.mode, of_group.uid) = (0o775, 0);
    of_group.files.iter_mut().for_each(|file| file.mode = 0o644);
    let commands = ["chown 999 /data", "chmod o-rwx /data"];
    expect(&files::file_rights(&facts), Check::FileRights, Level::Warning, &commands);
}

#[test]
fn save_that_does_not_end_is_red_and_what_it_has_left_is_not_taken_for_work() {
    let running =
        "rdb_bgsave_in_progress:1 rdb_current_bgsave_time_sec:51074033 aof_rewrite_scheduled:1";
    let finding =
        only(|facts| server(facts).persistence = Ok(info(&format!("{PERSISTENCE} {running}"))));
    expect(&finding, Check::LastSave, Level::Red, &["ps -o pid,etime,stat,args --ppid 4711"]);
    assert!(finding.what.contains("14,187 hours"), "{finding:#?}");
    let running = "aof_rewrite_in_progress:1 aof_current_rewrite_time_sec:30000";
    let finding =
        only(|facts| server(facts).persistence = Ok(info(&format!("{PERSISTENCE} {running}"))));
    expect(&finding, Check::LastRewrite, Level::Red, &["ps -o pid,etime,stat,args --ppid 4711"]);
    let running = "rdb_bgsave_in_progress:1 rdb_current_bgsave_time_sec:900";
    let mut facts = healthy();
    server(&mut facts).persistence = Ok(info(&format!("{PERSISTENCE} {running}")));
    assert!(judge(&facts).iter().all(|finding| finding.level == Level::Ok));
}

#[test]
fn file_of_another_user_than_the_server_is_red() {
    let finding = only(|facts| directory(facts).files[2].uid = 0);
    expect(&finding, Check::FileRights, Level::Red, &["chown 999 /data/dump.rdb"]);
    let mut facts = healthy();
    directory(&mut facts).files[2].uid = 0;
    facts.server = None;
    let command = ["chown 999 /data/dump.rdb"];
    expect(&files::file_rights(&facts), Check::FileRights, Level::Warning, &command);
    // Root writes everything.
    let mut facts = healthy();
    server(&mut facts).uid = Some(0);
    assert_eq!(files::file_rights(&facts).level, Level::Ok);
}

#[test]
fn clocks_that_differ_and_times_in_the_future_are_warnings() {
    let ntp = "timedatectl set-ntp true";
    let ahead = only(|facts| server(facts).clock_ms = Ok(90_000));
    expect(&ahead, Check::Clock, Level::Warning, &[ntp]);
    assert!(ahead.what.contains("90 seconds ahead of"), "{ahead:?}");
    let behind = only(|facts| server(facts).clock_ms = Ok(-90_000));
    assert!(behind.what.contains("90 seconds behind"), "{behind:?}");
    let later = only(|facts| directory(facts).last_annotation = Some(1_800_000_061));
    expect(&later, Check::Clock, Level::Warning, &[ntp]);
    let file = only(|facts| directory(facts).files[2].modified = now() + HOUR);
    expect(&file, Check::Clock, Level::Warning, &[ntp, "touch /data/dump.rdb"]);
}

#[test]
fn unfinished_files_are_leftovers_unless_a_save_is_running() {
    let temporary = || file("/data/temp-17.rdb", FileKind::Temporary);
    let finding = only(|facts| directory(facts).files.push(temporary()));
    let commands = ["aofkit recover /data", "rm /data/temp-17.rdb"];
    expect(&finding, Check::Leftovers, Level::Warning, &commands);
    assert!(finding.what.contains("temp-17.rdb, 1000 bytes"), "{finding:?}");
    for running in ["rdb_bgsave_in_progress", "aof_rewrite_in_progress"] {
        let mut facts = healthy();
        directory(&mut facts).files.push(temporary());
        let text = PERSISTENCE.replace(&format!("{running}:0"), &format!("{running}:1"));
        server(&mut facts).persistence = Ok(info(&text));
        assert_eq!(files::leftovers(&facts).level, Level::Ok);
    }
    // A server that was not asked may be writing them.
    let mut facts = healthy();
    directory(&mut facts).files.push(temporary());
    facts.server = None;
    assert_eq!(files::leftovers(&facts).level, Level::Warning);
    directory(&mut facts).used_by = Some(User {
        process: "redis-server of process 7".to_owned(),
        options: Some(["-p", "6380"].map(str::to_owned).into()),
    });
    let unknown = files::leftovers(&facts);
    assert_eq!(unknown.level, Level::Unknown);
    assert!(unknown.what.ends_with("`aofkit doctor -p 6380` asks it"), "{unknown:?}");
}

#[test]
fn rdb_or_server_of_an_unknown_version_is_a_warning() {
    let command = ["cargo install aofkit"];
    let header = Header { magic: Magic::Redis, version: 99 };
    let finding = only(|facts| directory(facts).files[2].newer_rdb = Some(header));
    expect(&finding, Check::RdbVersion, Level::Warning, &command);
    assert!(finding.what.contains("dump.rdb is of RDB version 99"), "{finding:?}");
    let finding = only(|facts| server(facts).line = Some(redis(9, 9)));
    expect(&finding, Check::RdbVersion, Level::Warning, &command);
}

#[test]
fn kernel_that_can_refuse_a_fork_is_a_warning() {
    let system =
        |facts: &mut Facts, overcommit| facts.system.as_mut().unwrap().overcommit = Ok(overcommit);
    for value in [0, 2] {
        let finding = only(|facts| system(facts, value));
        let command = ["sysctl -w vm.overcommit_memory=1"];
        expect(&finding, Check::Overcommit, Level::Warning, &command);
    }
}

#[test]
fn huge_pages_are_a_warning_unless_the_server_turns_them_off() {
    let always =
        |facts: &mut Facts| facts.system.as_mut().unwrap().huge_pages = Ok("always".to_owned());
    let command = "sh -c 'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled'";
    expect(&only(always), Check::HugePages, Level::Warning, &[command]);
    let mut facts = healthy();
    always(&mut facts);
    server(&mut facts).settings.disable_thp = some("yes");
    assert_eq!(system::huge_pages(&facts).level, Level::Ok);
    // A server before 6.2 has no such setting, and one that was not asked may have it or not.
    server(&mut facts).settings.disable_thp = Ok(None);
    assert_eq!(system::huge_pages(&facts).level, Level::Warning);
}

/// What is not known is never ok, and has no command.
#[test]
fn what_could_not_be_asked_is_unknown_with_its_reason() {
    let mut facts = healthy();
    let refused = || Err("CONFIG GET: unknown command".to_owned());
    server(&mut facts).settings = Settings {
        appendonly: refused(),
        save: refused(),
        rewrite_percentage: refused(),
        load_truncated: refused(),
        disable_thp: refused(),
    };
    facts.directory = Err("not visible".to_owned());
    facts.system = Err("another machine".to_owned());
    facts.backups = Err("not given".to_owned());
    let mut unknown: Vec<Finding> = judge(&facts);
    unknown.retain(|finding| finding.level == Level::Unknown);
    assert!(unknown.iter().all(|finding| !finding.what.is_empty() && finding.next.is_empty()));
    let unknown: Vec<Check> = unknown.into_iter().map(|finding| finding.check).collect();
    // INFO says that the log is enabled.
    let expected = [
        Check::AutoRewrite,
        Check::LoadTruncated,
        Check::Backups,
        Check::DiskSpace,
        Check::FileRights,
        Check::Leftovers,
        Check::RdbVersion,
        Check::Overcommit,
        Check::HugePages,
    ];
    assert_eq!(unknown, expected);
    // Without INFO and without a server, nothing is known of it either.
    server(&mut facts).persistence = Err("INFO: NOPERM".to_owned());
    server(&mut facts).replication = Err("INFO: NOPERM".to_owned());
    server(&mut facts).clock_ms = Err("no time".to_owned());
    assert!(judge(&facts).iter().all(|finding| finding.level == Level::Unknown));
    facts.server = None;
    assert!(judge(&facts).iter().all(|finding| finding.level == Level::Unknown));
}

/// The settings of a server that refuses CONFIG are changed in its configuration.
#[test]
fn fix_for_a_server_that_refuses_config_is_a_line_of_its_configuration() {
    let mut facts = healthy();
    let refused = || Err("CONFIG GET: unknown command".to_owned());
    let of_server = server(&mut facts);
    of_server.settings.appendonly = refused();
    of_server.settings.save = some("");
    of_server.persistence = Ok(info(&PERSISTENCE.replace("aof_enabled:1", "aof_enabled:0")));
    let finding = persistence::persistence(&facts);
    expect(&finding, Check::Persistence, Level::Red, &["appendonly yes"]);
}

#[test]
fn facts_of_a_directory_are_read() {
    let place = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(place.path().join(name), bytes).unwrap();
    std::fs::create_dir(place.path().join("set")).unwrap();
    put("set/a.aof.manifest", b"file a.aof.1.incr.aof seq 1 type i\n");
    put(
        "set/a.aof.1.incr.aof",
        b"#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n#TS:1700000030\r\n#TS:1700000060\r\n",
    );
    put("temp-4.rdb", b"REDIS");
    put("dump.rdb", b"REDIS0099rest");
    put("dump.rdb.bak-20260101000000", b"REDIS0009");
    put("notes.txt", b"*note");
    put("a.aof.old", b"*1\r\n$4\r\nPING\r\n");
    put("log", b"*1\r\n$4\r\nPING\r\n");
    let target = Target::Directory(place.path().join("set/a.aof.1.incr.aof"));
    let facts = gather::gather(&target, &DoctorOptions::default(), &crate::base::progress::Silent);
    let directory = facts.unwrap().directory.unwrap();
    let whole = std::fs::canonicalize(place.path()).unwrap();
    assert_eq!(directory.path, whole);
    assert_eq!(directory.last_annotation, Some(1_700_000_060));
    let found: Vec<(&Path, FileKind, bool)> = directory
        .files
        .iter()
        .map(|file| (file.path.strip_prefix(&whole).unwrap(), file.kind, file.newer_rdb.is_some()))
        .collect();
    let expected = [
        (Path::new("dump.rdb"), FileKind::Snapshot, true),
        (Path::new("log"), FileKind::Log, false),
        (Path::new("set/a.aof.1.incr.aof"), FileKind::Part, false),
        (Path::new("set/a.aof.manifest"), FileKind::Part, false),
        (Path::new("temp-4.rdb"), FileKind::Temporary, false),
    ];
    assert_eq!(found, expected);
}
