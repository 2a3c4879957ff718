//! Repair of compressed logs, and of logs with conflict markers of git.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn compressed_log_is_decompressed_and_what_is_in_it_is_repaired() {
    let lf = String::from_utf8(sound()).unwrap().replace("\r\n", "\n").into_bytes();
    let rdb = super::joined::rdb(0, &[("a", "1")]);
    let preamble = [&rdb[..], &sound()].concat();
    let contents = [
        ("a.aof", &sound(), sound(), 1),
        ("a.aof", &torn(), sound(), 1),
        ("a.aof", &lf, sound(), 2),
        ("dump.rdb", &rdb, rdb.clone(), 1),
        ("appendonly.aof", &preamble, preamble.clone(), 1),
    ];
    for (name, content, expected, changes) in contents {
        for (change, wrapped) in [("gzip", gz(content)), ("zstd", zst(content))] {
            let place = Place::new();
            place.put(name, &wrapped);
            let run = place.run(&["verify", name]);
            assert!(run.code == Some(2) && run.stderr.contains("aofkit repair FILE"), "{run:#?}");
            let run = place.run(&["repair", name, "--output", "new", "--json"]);
            assert_eq!((run.code, place.read("new")), (Some(0), expected.clone()), "{run:#?}");
            let report = json(&run);
            let undone = report["undone"].as_array().unwrap();
            assert_eq!((undone[0]["change"].as_str(), undone.len()), (Some(change), changes));
            assert_eq!(report["start"]["proved"], true, "{report:#}");
            assert_eq!(report["lost_bytes"], content.len() - expected.len().min(content.len()));
            let run = place.run(&["repair", name, "--in-place", "--max-loss", "64kb"]);
            assert_eq!((run.code, place.read(name)), (Some(0), expected.clone()), "{run:#?}");
            let names = place.names();
            let backup = names.iter().find(|name| name.contains(".bak-")).unwrap();
            assert_eq!(place.read(backup), wrapped);
        }
    }
}

#[test]
fn broken_compressed_data_is_kept_up_to_there_only_on_request() {
    // Enough commands that some of them are in what can be decompressed.
    let commands: Vec<Vec<u8>> = (0..20_000)
        .map(|n| command(&["SET", &format!("k{n}"), &format!("{}", n * 7919)]))
        .collect();
    let log = commands.concat();
    for wrapped in [gz(&log), zst(&log)] {
        let place = Place::new();
        let half = &wrapped[..wrapped.len() / 2];
        place.put("a.aof.gz", half);
        let run = place.run(&["repair", "a.aof.gz", "-o", "new"]);
        assert_eq!((run.code, place.names().len()), (Some(2), 1), "{run:#?}");
        assert!(
            run.stderr.contains("data is broken") && run.stderr.contains("--salvage"),
            "{run:#?}"
        );
        let run = place.run(&["repair", "a.aof.gz", "-o", "new", "--salvage", "--json"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let report = json(&run);
        assert_eq!(report["lost_more"], true);
        let kept = place.read("new");
        assert!(log.starts_with(&kept) && kept.len() > 1000, "{report:#}");
        // How many commands are lost is not known.
        let run =
            place.run(&["repair", "a.aof.gz", "--in-place", "--salvage", "--max-loss", "1gb"]);
        assert_eq!((run.code, place.read("a.aof.gz")), (Some(4), half.to_vec()), "{run:#?}");
    }
    let place = Place::new();
    let tar = [&[b'x'; 257][..], b"ustar\x0000"].concat();
    place.put("a.tgz", gz(&tar));
    let run = place.run(&["repair", "a.tgz", "-n"]);
    assert!(run.code == Some(2) && run.stderr.contains("in it is a tar archive"), "{run:#?}");
    place.put("html.gz", gz(b"<!DOCTYPE html><html><body>404 not found</body></html>"));
    let run = place.run(&["repair", "html.gz", "-o", "new"]);
    assert_eq!((run.code, place.path("new").exists()), (Some(4), false), "{run:#?}");
}

#[test]
fn version_of_a_conflict_is_asked_for() {
    let (a, b, c) =
        (command(&["SET", "a", "1"]), command(&["SET", "b", "22"]), command(&["DEL", "c"]));
    let whole = [b"<<<<<<< HEAD\n", &b[..], b"=======\n", &c, b">>>>>>> branch\n"].concat();
    // The value alone differs, and git wrote the version before both as well.
    let inside =
        b"<<<<<<< HEAD\r\nxx\r\n||||||| 1a2b3c4\r\n0\r\n=======\r\nyy\r\n>>>>>>> theirs\r\n";
    let head = b"*3\r\n$3\r\nSET\r\n$1\r\nd\r\n$2\r\n";
    let value = |value: &str| command(&["SET", "d", value]);
    let cases = [
        (
            [&sound()[..], &whole, &a].concat(),
            vec![
                ("ours", [&sound()[..], &b, &a].concat()),
                ("theirs", [&sound()[..], &c, &a].concat()),
                ("both", [&sound()[..], &b, &c, &a].concat()),
            ],
        ),
        (
            [&sound()[..], head, inside, &a].concat(),
            vec![
                ("ours", [&sound()[..], &value("xx"), &a].concat()),
                ("theirs", [&sound()[..], &value("yy"), &a].concat()),
            ],
        ),
    ];
    for (text, versions) in cases {
        let place = Place::new();
        place.put("a.aof", &text);
        let run = place.run(&["verify", "a.aof"]);
        assert!(run.code == Some(1) && run.stdout.contains("conflict markers"), "{run:#?}");
        let run = place.run(&["repair", "a.aof", "--salvage", "-o", "new"]);
        assert_eq!((run.code, place.names().len()), (Some(2), 1), "{run:#?}");
        assert!(
            run.stderr.contains("1 conflict") && run.stderr.contains("--assume ours"),
            "{run:#?}"
        );
        let run = place.run(&["repair", "a.aof", "--in-place", "--max-loss", "1gb"]);
        assert_eq!((run.code, place.read("a.aof")), (Some(4), text.clone()), "{run:#?}");
        for (version, expected) in versions {
            let run = place.run(&["repair", "a.aof", "--assume", version, "-o", version, "--json"]);
            assert_eq!((run.code, place.read(version)), (Some(0), expected), "{run:#?}");
            let report = json(&run);
            assert_eq!(report["undone"][0]["change"], "conflict-markers");
            assert_eq!(
                (&report["lost_bytes"], &report["start"]["proved"]),
                (&0.into(), &true.into())
            );
        }
    }
}

#[test]
fn conflict_in_a_value_is_no_conflict() {
    let place = Place::new();
    let value = "<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> branch\n";
    let log = [sound(), command(&["SET", "k", value])].concat();
    place.put("a.aof", &log);
    assert_eq!(place.run(&["verify", "a.aof"]).code, Some(0));
    place.put("a.aof", [&log[..], b"noise", &log].concat());
    let run = place.run(&["repair", "a.aof", "--salvage", "-o", "new"]);
    assert_eq!((run.code, place.read("new")), (Some(0), [&log[..], &log].concat()), "{run:#?}");
}

#[test]
fn versions_that_select_different_databases_are_not_joined_in_doubt() {
    let place = Place::new();
    let text = [
        b"<<<<<<< HEAD\n",
        &command(&["SELECT", "2"])[..],
        &command(&["SET", "x", "1"]),
        b"=======\n",
        &command(&["SET", "y", "1"]),
        b">>>>>>> branch\n",
        &sound(),
    ]
    .concat();
    place.put("a.aof", &text);
    let run = place.run(&["repair", "a.aof", "--assume", "both", "-o", "new"]);
    assert!(run.code == Some(2) && run.stderr.contains("different databases"), "{run:#?}");
    assert_eq!(place.run(&["repair", "a.aof", "--assume", "ours", "-o", "new"]).code, Some(0));
}

#[test]
fn line_ends_that_no_length_proves_are_asked_for() {
    // Of the line ends in the second value, one was CR LF before the log was changed by `tr -d '\r'`.
    let place = Place::new();
    let log = |mixed: &str| {
        [sound(), command(&["SET", "t", "a\r\nb\r\n"]), command(&["SET", "m", mixed]), sound()]
            .concat()
    };
    let changed: Vec<u8> = log("x\r\ny\nz").into_iter().filter(|byte| *byte != b'\r').collect();
    place.put("a.aof", &changed);
    let run = place.run(&["repair", "a.aof", "-o", "new"]);
    assert_eq!((run.code, place.names().len()), (Some(2), 1), "{run:#?}");
    for said in ["1 command", "--assume lf", "--assume crlf", "--salvage"] {
        assert!(run.stderr.contains(said), "{said}: {run:#?}");
    }
    let run = place.run(&["repair", "a.aof", "--in-place", "--max-loss", "1gb"]);
    assert_eq!((run.code, place.read("a.aof")), (Some(4), changed), "{run:#?}");
    for (assumed, value) in [("lf", "x\ny\nz"), ("crlf", "x\r\ny\r\nz")] {
        let run = place.run(&["repair", "a.aof", "--assume", assumed, "-o", assumed, "--json"]);
        assert_eq!((run.code, place.read(assumed)), (Some(0), log(value)), "{run:#?}");
        let report = json(&run);
        let undone = &report["undone"][0];
        assert_eq!((&undone["change"], &undone["assumed"]), (&"lf-line-ends".into(), &1.into()));
        assert_eq!(&report["lost_bytes"], &0);
    }
    let run = place.run(&["repair", "a.aof", "--assume", "lf", "--dry-run"]);
    let said: Vec<&str> = run.stdout.split_whitespace().collect();
    assert!(said.join(" ").contains("line ends are assumed"), "{run:#?}");
    let run = place.run(&["repair", "a.aof", "--salvage", "-o", "without"]);
    let without = [sound(), command(&["SET", "t", "a\r\nb\r\n"]), sound()].concat();
    assert_eq!((run.code, place.read("without")), (Some(0), without), "{run:#?}");
}
