//! The exit codes of every subcommand, by outcome. Those that need a server are in tests/servers.

use super::*;

/// The files that the lines below are about.
fn put_files(place: &Place) {
    place.put("sound.aof", sound());
    place.put("other.aof", [sound(), command(&["SET", "d", "4"])].concat());
    place.put("torn.aof", torn());
    place.put("damaged.aof", [&sound()[..], b"rubbish", &sound()].concat());
    let fields = ["HSET h f v", "HPEXPIREAT h 4102444800000 FIELDS 1 f"];
    let fields = fields.map(|line| command(&line.split(' ').collect::<Vec<_>>()));
    place.put("fields.aof", fields.concat());
    place.put("failing.aof", [sound(), command(&["LPUSH", "a", "x"])].concat());
    place.put("flushed.aof", [sound(), command(&["FLUSHALL"])].concat());
    place.put("nothing.aof", "<html></html>\n");
    for name in ["to", "empty", "made", "used"] {
        fs::create_dir(place.path(name)).unwrap();
    }
    place.put("used/file", "");
    for line in [
        "compress sound.aof -o sound.zip",
        "compress damaged.aof -o damaged.zip --damaged",
        "compress sound.aof -o made/sound.zip",
        "compress damaged.aof -o made/damaged.zip --damaged",
    ] {
        let run = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(run.code, Some(0), "{line}: {run:#?}");
    }
    let mut bytes = place.read("sound.zip");
    bytes[60] ^= 0xff;
    place.put("broken.zip", bytes);
}

const CASES: &[(i32, &str)] = &[
    (0, "drill sound.zip"),
    (1, "drill broken.zip"),
    (1, "drill made --each"),
    (2, "drill empty"),
    (2, "drill missing"),
    (2, "drill sound.zip --scratch missing"),
    (1, "list empty --max-age 26h"),
    (0, "verify sound.aof"),
    (0, "verify sound.aof other.aof"),
    (1, "verify damaged.aof"),
    (1, "verify sound.aof torn.aof"),
    (2, "verify missing"),
    (2, "verify missing absent"),
    (2, "verify"),
    (0, "verify sound.aof --for redis-1.0"),
    (3, "verify sound.aof missing"),
    (3, "verify damaged.aof missing"),
    (0, "recover sound.aof"),
    (1, "recover flushed.aof"),
    (1, "recover damaged.aof"),
    (1, "recover flushed.aof --strip -n"),
    (0, "recover flushed.aof --strip -o recovered.aof"),
    (2, "recover flushed.aof --strip -o recovered.aof"),
    (2, "recover sound.aof --strip -o new.aof"),
    (2, "recover missing"),
    (1, "strip-flushall flushed.aof -n"),
    (0, "strip-flushall flushed.aof -o stripped.aof"),
    (2, "strip-flushall flushed.aof"),
    (0, "doctor empty"),
    (1, "doctor empty --backups empty"),
    (2, "doctor missing"),
    (0, "log sound.aof"),
    (1, "log torn.aof"),
    (1, "log damaged.aof"),
    (2, "log missing"),
    (0, "history a sound.aof"),
    (1, "history absent sound.aof"),
    (2, "history a missing"),
    (0, "get a sound.aof"),
    (1, "get absent sound.aof"),
    (2, "get a missing"),
    (2, "get a sound.aof --at 2026-01-01T00:00:00Z"),
    (0, "find a sound.aof"),
    (1, "find absent sound.aof"),
    (3, "find a sound.aof missing"),
    (2, "find a missing"),
    (0, "digest sound.aof"),
    (1, "digest failing.aof"),
    (2, "digest missing"),
    (0, "diff sound.aof torn.aof"),
    (1, "diff sound.aof other.aof"),
    (1, "diff --list sound.aof other.aof"),
    (2, "diff sound.aof missing"),
    (0, "repair sound.aof -n"),
    (1, "repair torn.aof -n"),
    (0, "repair torn.aof -o repaired.aof"),
    (2, "repair torn.aof -o repaired.aof"),
    (2, "repair torn.aof"),
    (2, "repair missing -n"),
    (4, "repair damaged.aof -o new.aof --max-loss 1"),
    (4, "repair damaged.aof -o new.aof --max-commands 0"),
    (4, "repair nothing.aof -o new.aof"),
    (0, "check-aof sound.aof"),
    (1, "check-aof torn.aof"),
    (1, "check-aof missing"),
    (0, "compact sound.aof -n"),
    (0, "compact sound.aof -o compacted.aof"),
    (1, "compact failing.aof -n"),
    (2, "compact sound.aof"),
    (2, "compact sound.aof -o compacted.aof"),
    (2, "compact missing -n"),
    (0, "convert sound.aof --for redis-6.2 -n"),
    (0, "convert fields.aof --for redis-6.2 -n --allow-loss"),
    (1, "convert failing.aof --for redis-6.2 -n"),
    (2, "convert fields.aof --for redis-6.2 -n"),
    (2, "convert fields.aof --for redis-6.2 -o converted.aof"),
    (2, "convert sound.aof -o converted.aof"),
    (2, "convert sound.aof --for redis-6.2"),
    (0, "compress sound.aof -o new.zip"),
    (2, "compress sound.aof -o new.zip"),
    (2, "compress damaged.aof -o new-too.zip"),
    (2, "compress missing absent -o to --name-template {name}.zip"),
    (3, "compress sound.aof missing -o to --name-template {name}.zip"),
    (0, "extract sound.zip -o extracted"),
    (1, "extract broken.zip -o extracted-too --damaged"),
    (2, "extract broken.zip -o new"),
    (2, "extract missing -o new"),
    (0, "backup sound.aof --to to -n"),
    (0, "backup sound.aof --to to"),
    (1, "backup damaged.aof --to to"),
    (1, "backup damaged.aof --to made --damaged"),
    (2, "backup missing --to to"),
    (2, "backup sound.aof --to missing/to"),
    (2, "backup --to to"),
    (2, "backup --live --to to -p 1"),
    (0, "list to"),
    (0, "list empty"),
    (1, "list made --verify"),
    (2, "list missing"),
    (0, "prune to --keep-last 9"),
    (2, "prune missing --keep-last 9"),
    (0, "restore sound.zip -o restored"),
    (2, "restore sound.zip -o used"),
    (2, "restore broken.zip -o new"),
    (2, "restore missing -o new"),
    (0, "generate -o generated.aof --commands 9"),
    (2, "generate -o generated.aof --commands 9"),
    (2, "generate -o new.aof --transactions 2"),
    (0, "bench sound.aof --rounds 1"),
    (2, "bench damaged.aof --rounds 1"),
    (2, "bench missing --rounds 1"),
    (0, "clean to"),
    (0, "clean empty --yes"),
    (2, "clean missing"),
    (2, "clean"),
    (0, "completions bash"),
    (2, "completions tcl"),
    (0, "man"),
    (2, "man --to missing/man1"),
    (0, "--version"),
    (0, "--help"),
    (2, "no-such-subcommand"),
];

#[test]
fn every_outcome_of_every_subcommand_has_its_exit_code() {
    let place = Place::new();
    put_files(&place);
    let mut unlike = Vec::new();
    for (code, line) in CASES {
        let run = place.run(&line.split(' ').collect::<Vec<_>>());
        if run.code != Some(*code) {
            unlike.push(format!("{line}: {:?}, not {code}: {}", run.code, run.stderr));
        }
        // Only what was asked for is written.
        assert!(
            !place.names().iter().any(|name| name.starts_with('.')),
            "{line}: {:?}",
            place.names()
        );
    }
    assert!(unlike.is_empty(), "{unlike:#?}");
}

#[test]
fn report_and_error_have_the_same_exit_code_with_json_and_quiet() {
    let place = Place::new();
    put_files(&place);
    for (code, line) in CASES.iter().filter(|(_, line)| !line.contains(" -o ")) {
        for option in ["--json", "--quiet"] {
            let words: Vec<&str> = line.split(' ').chain([option]).collect();
            let run = place.run(&words);
            assert_eq!(run.code, Some(*code), "{words:?}: {run:#?}");
        }
    }
}
