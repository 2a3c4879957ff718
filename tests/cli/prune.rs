//! Retention: what goes, what stays whatever the policy says, and that no instant leaves less than there should be.

use super::backup::{archives, back_up, json, kill_at_random, kills, with_log};
use super::*;

/// A place with backups of `a.aof` of these days in January 2026.
fn with_backups(days: &[u32]) -> Place {
    let place = with_log();
    for day in days {
        back_up(&place, &format!("2026-01-{day:02} 03:00:00"), &[]);
    }
    place
}

fn name(day: u32) -> String {
    format!("aof_202601{day:02}030000-6379.zip")
}

fn names(days: &[u32]) -> Vec<String> {
    days.iter().map(|day| name(*day)).collect()
}

/// Changes a byte in the middle of an archive, where its log is packed.
fn damage(place: &Place, archive: &str) {
    let path = format!("to/{archive}");
    let mut bytes = place.read(&path);
    bytes[60] ^= 0x20;
    place.put(&path, bytes);
}

#[test]
fn what_no_rule_keeps_goes() {
    let place = with_backups(&[1, 2, 3, 9, 10]);
    let keep = ["--keep-last", "1", "--keep-weekly", "2"];
    let run = place.run(&[&["prune", "to", "--dry-run"][..], &keep].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(
        run.stdout.contains("remove 2026-01-09 03:00 aof_20260109030000-6379.zip\n"),
        "{run:#?}"
    );
    assert!(run.stdout.contains("DRY RUN: 3 archives would be removed"), "{run:#?}");
    assert_eq!(archives(&place, "to").len(), 5);
    // January 10 is a Saturday, and the week before ends with January 4, of which none is newer than January 3.
    let run = place.run(&[&["prune", "to", "-q"][..], &keep].concat());
    run.ends(0, "", "");
    assert_eq!(archives(&place, "to"), names(&[3, 10]));
}

#[test]
fn a_policy_must_be_named() {
    let place = with_backups(&[1, 2]);
    for args in [&["prune", "to"][..], &["prune", "to", "--keep-last", "0"]] {
        let run = place.run(args);
        assert!(run.code == Some(2) && run.stderr.contains("--keep-last"), "{run:#?}");
    }
    for wrong in [&["--keep-last", "-1"][..], &["--keep-within", "1w"], &["--keep-daily", "x"]] {
        assert_eq!(place.run(&[&["prune", "to"], wrong].concat()).code, Some(2));
    }
    assert_eq!(archives(&place, "to").len(), 2);
}

#[test]
fn backup_prunes_its_own_source_and_no_other() {
    let place = with_backups(&[1, 2]);
    place.put("b.aof", sound());
    for day in ["2026-01-03 03:00:00", "2026-01-04 03:00:00"] {
        let args = ["backup", "b.aof", "--to", "to", "--created", day, "--keep-last", "1"];
        assert_eq!(place.run(&args).code, Some(0));
    }
    assert_eq!(archives(&place, "to"), names(&[1, 2, 4]));
}

#[test]
fn only_backups_of_aofkit_are_ever_removed() {
    let place = with_backups(&[1, 2]);
    let compress =
        ["compress", "a.aof", "-o", "to/before-migration.zip", "--created", "2025-01-01 00:00:00"];
    assert_eq!(place.run(&compress).code, Some(0));
    let zip = place.shell(
        "python3 -c \"import zipfile; \
        zipfile.ZipFile('to/aof_20200101000000-6379.zip', 'w').write('a.aof')\"",
    );
    assert_eq!(zip.code, Some(0), "{zip:#?}");
    place.put("to/aof_20200102000000-6379.zip", "not even a zip");
    let run = place.run(&["prune", "to", "--keep-last", "1"]);
    assert_eq!(run.code, Some(3), "one cannot be read: {run:#?}");
    assert!(run.stdout.contains("3 archives not made by `aofkit backup`: ignored"), "{run:#?}");
    let expected = [
        "aof_20200101000000-6379.zip".to_owned(),
        "aof_20200102000000-6379.zip".to_owned(),
        name(2),
        "before-migration.zip".to_owned(),
    ];
    assert_eq!(archives(&place, "to"), expected);
    let (code, list) = json(&place, &["list", "to"]);
    assert_eq!(code, Some(1), "one cannot be read");
    let states: Vec<&str> = list["archives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].as_str().unwrap())
        .collect();
    let count = |state: &str| states.iter().filter(|one| **one == state).count();
    assert_eq!((count("read-back"), count("unverified"), count("unreadable")), (1, 2, 1));
}

#[test]
fn the_last_good_one_stays_whatever_the_policy_says() {
    let place = with_backups(&[1, 2, 3, 4]);
    damage(&place, &name(3));
    damage(&place, &name(4));
    let run = place.run(&["prune", "to", "--keep-last", "2"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("last good one") && run.stdout.contains("not whole"), "{run:#?}");
    assert_eq!(archives(&place, "to"), names(&[2, 3, 4]));
}

#[test]
fn where_none_is_whole_none_goes() {
    let place = with_backups(&[1, 2, 3]);
    (1..=3).for_each(|day| damage(&place, &name(day)));
    let run = place.run(&["prune", "to", "--keep-last", "1"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("no archive of this source is whole"), "{run:#?}");
    assert_eq!(archives(&place, "to"), names(&[1, 2, 3]));
}

#[test]
fn a_backup_stays_that_is_older_by_its_clock_than_those_before() {
    let place = with_backups(&[10, 11]);
    back_up(&place, "2026-01-01 03:00:00", &["--keep-last", "1"]);
    assert_eq!(archives(&place, "to"), names(&[1, 11]));
}

#[test]
fn a_backup_of_a_damaged_log_takes_the_place_of_no_good_one() {
    let place = with_backups(&[1, 2]);
    place.put("a.aof", [sound(), b"garbage\r\n".to_vec()].concat());
    let args = ["backup", "a.aof", "--to", "to", "--damaged", "--created", "2026-01-03 03:00:00"];
    let run = place.run(&[&args[..], &["--keep-last", "1"]].concat());
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(archives(&place, "to"), names(&[2, 3]));
}

#[test]
fn list_tells_time_size_and_whether_it_is_whole() {
    let place = with_backups(&[1, 2]);
    damage(&place, &name(2));
    let run = place.run(&["list", "to"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let line = run.stdout.lines().find(|line| line.contains(&name(1))).unwrap();
    assert!(line.starts_with("  2026-01-01 03:00 ") && line.contains(" 3 cmd made "), "{line}");
    let run = place.run(&["list", "--verify", "to"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains(" now ") && run.stdout.contains(" DAMAGED "), "{run:#?}");
    let run = place.run(&["list", "--verify", "-q", "to"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:#?}");
    assert!(run.stderr.contains(&name(2)), "{run:#?}");
    assert_eq!(place.run(&["list", "missing"]).code, Some(2));
    fs::create_dir(place.path("none")).unwrap();
    place.run(&["list", "none"]).ends(0, "none: no archives\n", "");
}

#[test]
fn a_prune_that_is_killed_leaves_what_the_policy_keeps() {
    let days: Vec<u32> = (1..=20).collect();
    let place = with_backups(&days);
    let put_back: Vec<(String, Vec<u8>)> = names(&days)
        .into_iter()
        .map(|name| (format!("to/{name}"), place.read(format!("to/{name}"))))
        .collect();
    let args = ["prune", "to", "--keep-last", "3"];
    let began = std::time::Instant::now();
    assert_eq!(place.run(&args).code, Some(0));
    let span = began.elapsed();
    let restore = || put_back.iter().for_each(|(name, bytes)| place.put(name, bytes));
    restore();
    kill_at_random(&place, &args, span, |round| {
        let there = archives(&place, "to");
        // The oldest went first.
        assert_eq!(there[..], names(&days)[days.len() - there.len()..], "round {round}");
        assert!(there.len() >= 3, "round {round}: {there:?}");
        assert_eq!(place.run(&["list", "--verify", "to"]).code, Some(0), "round {round}");
        restore();
    });
    assert!(kills() > 0);
}

#[test]
fn an_archive_of_the_future_takes_no_place_of_the_newest() {
    let place = with_backups(&[1, 2]);
    back_up(&place, "2099-01-01 03:00:00", &[]);
    let future = "aof_20990101030000-6379.zip".to_owned();
    let run = place.run(&["prune", "to", "--keep-last", "1"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains(&format!("{future}  in the future\n")), "{run:#?}");
    assert_eq!(archives(&place, "to"), [name(2), future.clone()]);
    // A whole one of the future is no reason to remove the last whole one of the past.
    back_up(&place, "2026-01-03 03:00:00", &[]);
    damage(&place, &name(3));
    let run = place.run(&["prune", "to", "--keep-last", "1"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(archives(&place, "to"), [name(2), name(3), future]);
}

#[test]
fn an_archive_that_cannot_be_read_is_a_warning_with_quiet_too() {
    let place = with_backups(&[1, 2, 3]);
    place.put(format!("to/{}", name(3)), "");
    let run = place.run(&["prune", "to", "--keep-last", "1", "--quiet"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{run:#?}");
    assert!(run.stderr.contains(&format!("warning: to/{}: ", name(3))), "{run:#?}");
    assert_eq!(archives(&place, "to"), names(&[2, 3]));
}

#[test]
fn a_lock_is_waited_for_and_no_longer_than_said() {
    let place = with_backups(&[1, 2]);
    let lock = place.shell("ls -a to | grep lock").stdout.trim().to_owned();
    let held = |seconds: &str, line: &[&str]| {
        let mut holder = Command::new("flock")
            .args([&format!("to/{lock}"), "sh", "-c", &format!("echo ready; exec sleep {seconds}")])
            .current_dir(place.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut [0; 6]).unwrap();
        let began = std::time::Instant::now();
        let run = place.run(line);
        let waited = began.elapsed();
        holder.wait().unwrap();
        (run, waited.as_secs_f64())
    };
    let backup = ["backup", "a.aof", "--to", "to", "--created", "2026-01-03 03:00:00"];
    for line in [&backup[..], &["prune", "to", "--keep-last", "1"]] {
        let (run, _) = held("4", &[line, &["--lock-wait", "100ms"]].concat());
        assert_eq!(run.code, Some(5), "{line:?}: {run:#?}");
        let (run, waited) = held("1", line);
        assert!(run.code == Some(0) && waited > 0.5, "{line:?}, {waited} s: {run:#?}");
    }
    assert_eq!(archives(&place, "to"), names(&[3]));
}
