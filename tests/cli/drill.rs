//! `drill`: sound backups pass, each planted fault is found, and what cannot be tried does not pass.

use crc_fast::{CrcAlgorithm, checksum};
use serde_json::Value;

use super::backup::{archives, json, with_log};
use super::*;

/// Three keys in two databases, one with an expiry that has passed.
fn log() -> Vec<u8> {
    let lines =
        ["SELECT 0", "SET a 1", "SET b 2", "PEXPIREAT b 1000000000000", "SELECT 3", "SET c 3"];
    let words = |line: &&str| command(&line.split(' ').collect::<Vec<_>>());
    lines.iter().flat_map(words).collect()
}

/// A backup of a log, compacted so that its fingerprint is recorded; returns the path of the archive.
fn backup(place: &Place, log: &[u8], more: &[&str]) -> String {
    place.put("log.aof", log);
    let _ = fs::remove_dir_all(place.path("made"));
    fs::create_dir(place.path("made")).unwrap();
    let run = place.run(&[&["backup", "log.aof", "--to", "made"], more].concat());
    assert!(run.code == Some(0) || more.contains(&"--damaged"), "{run:#?}");
    format!("made/{}", archives(place, "made")[0])
}

fn compacted(place: &Place, log: &[u8]) -> String {
    backup(place, log, &["--compact", "--method", "store", "--format", "aof"])
}

/// The verdicts of the steps of the only archive.
fn steps(report: &Value) -> Vec<String> {
    let steps = report["archives"][0]["steps"].as_array().unwrap();
    let shown = |step: &Value| format!("{} {}", step["name"], step["verdict"]).replace('"', "");
    steps.iter().map(shown).collect()
}

const PASSED: [&str; 4] = ["restore passed", "verify passed", "replay passed", "compare passed"];

#[test]
fn a_sound_backup_passes_and_its_fingerprint_is_that_of_the_log() {
    let place = Place::new();
    let archive = compacted(&place, &log());
    let (code, report) = json(&place, &["drill", &archive]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(steps(&report), PASSED);
    let drilled = &report["archives"][0];
    let (_, digest) = json(&place, &["digest", "log.aof"]);
    assert_eq!(drilled["fingerprint"], digest["fingerprint"]);
    assert_eq!(drilled["recorded_fingerprint"], digest["fingerprint"]);
    assert_eq!(drilled["keys"], serde_json::json!({"0": 2, "3": 1}));
    let sum = place.shell(&format!("sha256sum < {archive}"));
    assert_eq!(drilled["sha256"].as_str(), sum.stdout.split(' ').next());
    let run = place.run(&["drill", &archive]);
    assert!(run.stdout.contains("\nPASSED: 1 archive in "), "{run:#?}");
    place.run(&["drill", &archive, "--quiet"]).ends(0, "", "");
}

#[test]
fn a_fingerprint_that_was_not_recorded_is_not_equal() {
    let place = Place::new();
    let archive = backup(&place, &log(), &[]);
    let (code, report) = json(&place, &["drill", &archive]);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(steps(&report)[3], "compare not-recorded");
    assert!(place.run(&["drill", &archive]).stdout.contains("not recorded"));
}

#[test]
fn the_newest_good_backup_of_each_source_is_tried_and_with_each_all() {
    let place = with_log();
    for (day, port) in [(1, "1"), (2, "1"), (1, "2")] {
        let created = format!("2026-01-0{day} 03:00:00");
        super::backup::back_up(&place, &created, &["--port", port]);
    }
    super::backup::back_up(&place, "2099-01-01 03:00:00", &["--port", "1"]);
    let names = |args: &[&str]| -> Vec<String> {
        let (code, report) = json(&place, args);
        assert_eq!(code, Some(0), "{report:#}");
        let archives = report["archives"].as_array().unwrap();
        archives.iter().map(|one| one["path"].as_str().unwrap()[3..].to_owned()).collect()
    };
    let newest = ["aof_20260102030000-1.zip", "aof_20260101030000-2.zip"];
    assert_eq!(names(&["drill", "to"]), newest);
    assert_eq!(names(&["drill", "to", "--each"]).len(), 4);
    // What cannot be read does not pass unseen.
    place.put("to/empty.zip", "");
    let run = place.run(&["drill", "to"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("FAILED: 1 of 3 archives"), "{run:#?}");
}

#[test]
fn nothing_to_try_is_not_passed() {
    let place = with_log();
    assert_eq!(place.run(&["drill", "to"]).code, Some(2));
    assert_eq!(place.run(&["drill", "missing"]).code, Some(2));
}

#[test]
fn nothing_is_left_in_the_scratch_directory() {
    let place = Place::new();
    let archive = compacted(&place, &log());
    fs::create_dir(place.path("scratch")).unwrap();
    for args in [
        &["drill", &archive, "--scratch", "scratch"][..],
        &["drill", "log.aof", "--scratch", "scratch"],
    ] {
        place.run(args);
        assert_eq!(fs::read_dir(place.path("scratch")).unwrap().count(), 0);
    }
}

#[test]
fn what_cannot_be_tried_does_not_pass() {
    let place = Place::new();
    let archive = compacted(&place, &log());
    // A file system without space, and a directory that is not there.
    for (scratch, named) in [("/proc", "0 bytes are free"), ("nowhere", "No such file")] {
        let run = place.run(&["drill", &archive, "--scratch", scratch]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stdout.contains("NOT TRIED") && run.stdout.contains(named), "{run:#?}");
    }
    for server in ["/bin/true", "/bin/cat", "nowhere/redis-server", "no-such-server"] {
        let run = place.run(&["drill", &archive, "--server", server]);
        assert!(run.code == Some(2) && run.stderr.contains(server), "{run:#?}");
    }
}

#[test]
fn metrics_have_the_steps_and_the_verdict() {
    let place = with_log();
    place.run(&["backup", "a.aof", "--to", "to", "--compact", "--port", "7"]).code.unwrap();
    let args = ["drill", "to", "--metrics", "d.prom"];
    assert_eq!(place.run(&args).code, Some(0));
    let text = || String::from_utf8(place.read("d.prom")).unwrap();
    let has = |start: &str, end: &str| {
        text().lines().any(|line| line.starts_with(start) && line.ends_with(end))
    };
    assert!(has("aofkit_drill_last_run_success{path=\"to\"}", " 1"), "{}", text());
    assert!(has("aofkit_drill_source_success{path=\"to\",source=\"", " 1"), "{}", text());
    for step in ["restore", "verify", "replay", "compare"] {
        let label = format!("step=\"{step}\"}} ");
        let is_of = |line: &str| {
            line.starts_with("aofkit_drill_step_duration_seconds{") && line.contains(&label)
        };
        assert!(text().lines().any(is_of), "{step}: {}", text());
    }
    let name = archives(&place, "to")[0].clone();
    let mut bytes = place.read(format!("to/{name}"));
    bytes[60] ^= 1;
    place.put(format!("to/{name}"), bytes);
    assert_eq!(place.run(&args).code, Some(1));
    assert!(has("aofkit_drill_last_run_success{path=\"to\"}", " 0"), "{}", text());
    assert!(has("aofkit_drill_source_success{path=\"to\",source=\"", " 0"), "{}", text());
    assert!(has("aofkit_drill_last_success_timestamp_seconds{", ""), "{}", text());
    assert!(!text().contains("step=\"compare\""), "of the run before: {}", text());
}

/// Where a local header or a record of the directory of a zip begins, by its signature.
fn records(zip: &[u8], signature: &[u8; 4]) -> Vec<usize> {
    (0..zip.len() - 4).filter(|at| zip[*at..].starts_with(signature)).collect()
}

fn number(zip: &[u8], at: usize, bytes: usize) -> usize {
    zip[at..at + bytes].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Changes the stored bytes of an entry in place, and its CRC-32 in both records.
fn change_entry(zip: &mut [u8], name: &str, change: impl FnOnce(&mut [u8])) {
    let is_its = |zip: &[u8], at: usize| zip[at..].starts_with(name.as_bytes());
    let local = records(zip, b"PK\x03\x04").into_iter().find(|at| is_its(zip, at + 30)).unwrap();
    let start = local + 30 + number(zip, local + 26, 2) + number(zip, local + 28, 2);
    let len = number(zip, local + 18, 4);
    assert_eq!(len, number(zip, local + 22, 4), "it is stored");
    change(&mut zip[start..start + len]);
    let crc = checksum(CrcAlgorithm::Crc32IsoHdlc, &zip[start..start + len]);
    let crc = u32::try_from(crc).unwrap().to_le_bytes();
    zip[local + 14..local + 18].copy_from_slice(&crc);
    let central = records(zip, b"PK\x01\x02").into_iter().find(|at| is_its(zip, at + 46)).unwrap();
    zip[central + 16..central + 20].copy_from_slice(&crc);
}

/// Replaces a text in the metadata by one of the same length, and corrects its checksum.
fn change_metadata(zip: &mut [u8], old: &str, new: &str) {
    assert_eq!(old.len(), new.len());
    change_entry(zip, "aofkit.json", |json| {
        let at = json.windows(old.len()).position(|text| text == old.as_bytes());
        let at = at.unwrap_or_else(|| panic!("{old} in {}", String::from_utf8_lossy(json)));
        json[at..at + new.len()].copy_from_slice(new.as_bytes());
    });
}

fn fingerprint(place: &Place, log: &[u8]) -> String {
    place.put("x.aof", log);
    json(place, &["digest", "x.aof"]).1["fingerprint"].as_str().unwrap().to_owned()
}

/// The backup of another log, whose every checksum is right, with the fingerprint of the log that it should be of.
fn other_data(place: &Place, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(log()).unwrap();
    assert!(text.contains(from));
    let other = text.replace(from, to).into_bytes();
    let archive = compacted(place, &other);
    let mut zip = place.read(archive);
    change_metadata(&mut zip, &fingerprint(place, &other), &fingerprint(place, &log()));
    zip
}

/// A zip of these files, made by another program.
fn foreign(place: &Place, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut script = "import zipfile\nz = zipfile.ZipFile('x.zip', 'w')\n".to_owned();
    for (at, (name, bytes)) in files.iter().enumerate() {
        place.put(format!("file-{at}"), bytes);
        script += &format!("z.writestr({name:?}, open('file-{at}', 'rb').read())\n");
    }
    place.put("zip.py", script + "z.close()\n");
    let made = place.shell("python3 zip.py");
    assert_eq!(made.code, Some(0), "{made:#?}");
    place.read("x.zip")
}

fn manifest(base: &str) -> Vec<u8> {
    format!("file {base} seq 1 type b\n").into_bytes()
}

const BASE: &str = "appendonlydir/appendonly.aof.1.base.aof";
const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";

/// An RDB of a real server.
fn rdb() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/real/rdb-redis-7.0/dump.rdb");
    fs::read(path).unwrap()
}

/// A planted fault: what it is, how it is made, and a word that must be in the report.
type Fault = (&'static str, fn(&Place) -> Vec<u8>, &'static str);

const FAULTS: [Fault; 20] = [
    (
        "a flipped bit of compressed data",
        |place| {
            let mut zip = place.read(backup(place, &log().repeat(50), &[]));
            zip[70] ^= 1;
            zip
        },
        "appendonly.aof",
    ),
    (
        "a flipped bit of the metadata",
        |place| {
            let mut zip = place.read(compacted(place, &log()));
            let at = zip.windows(8).position(|text| text == b"\"tool\": ").unwrap();
            zip[at + 10] ^= 1;
            zip
        },
        "aofkit.json",
    ),
    (
        "a zip that ends in the middle",
        |place| {
            let zip = place.read(compacted(place, &log()));
            zip[..zip.len() / 2].to_vec()
        },
        "zip",
    ),
    (
        "an entry that is missing",
        |place| foreign(place, &[(MANIFEST, manifest("appendonly.aof.1.base.aof"))]),
        "appendonly.aof.1.base.aof",
    ),
    (
        "an entry with another name",
        |place| {
            let mut zip = place.read(compacted(place, &log()));
            let at = records(&zip, b"PK\x03\x04")[0] + 30;
            assert!(zip[at..].starts_with(b"appendonly.aof"));
            zip[at] = b'A';
            let at = records(&zip, b"PK\x01\x02")[0] + 46;
            zip[at] = b'A';
            zip
        },
        "it should be in the archive, and is not",
    ),
    (
        "another fingerprint in the metadata",
        |place| {
            let mut zip = place.read(compacted(place, &log()));
            change_metadata(&mut zip, &fingerprint(place, &log()), &"0".repeat(32));
            zip
        },
        "00000000000000000000000000000000 was recorded",
    ),
    (
        "a manifest that lists another base",
        |place| foreign(place, &[(BASE, log()), (MANIFEST, manifest("appendonly.aof.2.base.aof"))]),
        "appendonly.aof.2.base.aof",
    ),
    (
        "another log of the same size, with its CRC-32",
        |place| {
            let mut zip = place.read(compacted(place, &log()));
            change_entry(&mut zip, "appendonly.aof", |bytes| {
                let at = bytes.windows(3).position(|text| text == b"\r\n1").unwrap() + 2;
                bytes[at] = b'9';
            });
            zip
        },
        "SHA-256 mismatch",
    ),
    (
        "a log without content",
        |place| place.read(backup(place, b"", &["--damaged"])),
        "holds nothing",
    ),
    ("a file of 0 bytes", |_| Vec::new(), "empty"),
    (
        "a log that was damaged before, and is said not to be",
        |place| {
            let log = [log(), b"garbage\r\n".to_vec(), log()].concat();
            let mut zip = place.read(backup(place, &log, &["--damaged"]));
            change_metadata(&mut zip, "\"damage\"", "\"xamage\"");
            zip
        },
        "the log is damaged",
    ),
    (
        "a file that was added",
        |place| {
            let archive = compacted(place, &log());
            let script = format!(
                "import zipfile; zipfile.ZipFile('{archive}', 'a').writestr('new.aof', 'x')"
            );
            assert_eq!(place.shell(&format!("python3 -c \"{script}\"")).code, Some(0));
            place.read(archive)
        },
        "not",
    ),
    (
        "an entry above the directory",
        |place| foreign(place, &[("appendonly.aof", log()), ("../appendonly.aof", log())]),
        "../appendonly.aof",
    ),
    (
        "a value that was altered",
        |place| other_data(place, "\r\na\r\n$1\r\n1", "\r\na\r\n$1\r\n9"),
        "fingerprint",
    ),
    (
        "a key that was removed",
        |place| other_data(place, "SET\r\n$1\r\nc", "DEL\r\n$1\r\nc"),
        "fingerprint",
    ),
    (
        "an expiry that was altered",
        |place| other_data(place, "1000000000000", "1000000000001"),
        "fingerprint",
    ),
    (
        "an RDB with a wrong checksum",
        |place| {
            let mut rdb = rdb();
            *rdb.last_mut().unwrap() ^= 1;
            let files =
                [(&*BASE.replace(".aof", ".rdb").replace("appendonly.rdb", "appendonly.aof"), rdb)];
            foreign(place, &[files[0].clone(), (MANIFEST, manifest("appendonly.aof.1.base.rdb"))])
        },
        "checksum",
    ),
    (
        "a command that fails",
        |place| place.read(backup(place, &[log(), command(&["LPUSH", "c", "x"])].concat(), &[])),
        "1 command that a server answers with an error",
    ),
    (
        "a log that ends in a command",
        |place| {
            let torn = [log(), b"*3\r\n$3\r\nSET\r\n$1".to_vec()].concat();
            foreign(place, &[("appendonly.aof", torn)])
        },
        "damaged",
    ),
    (
        "bytes after the archive",
        |place| [place.read(compacted(place, &log())), b"more".to_vec()].concat(),
        "is not what aofkit writes there",
    ),
];

#[test]
fn every_planted_fault_is_found_and_named() {
    let place = Place::new();
    fs::create_dir(place.path("all")).unwrap();
    let mut passed = Vec::new();
    for (at, (fault, make, named)) in FAULTS.iter().enumerate() {
        let zip = make(&place);
        let path = format!("all/{at:02}.zip");
        place.put(&path, zip);
        let run = place.run(&["drill", &path]);
        let words = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        if run.code != Some(1) || !words.contains("FAILED") || !words.contains(named) {
            passed.push(format!("{fault}: {run:#?}"));
        }
        let (code, report) = json(&place, &["drill", &path]);
        let verdict = &report["archives"][0]["verdict"];
        if code != Some(1) || *verdict != "failed" {
            passed.push(format!("{fault}: {report:#}"));
        }
    }
    assert!(passed.is_empty(), "{}", passed.join("\n"));
    let (code, report) = json(&place, &["drill", "all", "--each"]);
    let archives = report["archives"].as_array().unwrap();
    assert_eq!((code, archives.len()), (Some(1), FAULTS.len()));
    assert!(archives.iter().all(|archive| archive["verdict"] == "failed"), "{report:#}");
    assert!(!place.path("appendonly.aof").exists() && !place.path("all/appendonly.aof").exists());
}

#[test]
fn the_html_file_is_whole_private_and_escaped() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let archive = compacted(&place, &log());
    let name = "<img src=x onerror=alert(1)>&'.zip";
    place.put(name, place.read(&archive));
    let sound = place.run(&["drill", &archive, "--html", "a.html", "-q"]);
    sound.ends(0, "", "");
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("a.html"), 0o600);
    // The file replaces an earlier report.
    place.put("broken.zip", [place.read(&archive), b"x".to_vec()].concat());
    let args = ["drill", name, "--html", "a.html", "--mode", "0644", "-q"];
    assert_eq!(place.run(&args).code, Some(0));
    assert_eq!(mode("a.html"), 0o644);
    let html = String::from_utf8(place.read("a.html")).unwrap();
    assert!(html.starts_with("<!doctype html>\n") && html.ends_with("</body></html>\n"));
    assert!(
        !html.contains("<img") && html.contains("&lt;img src=x onerror=alert(1)&gt;&amp;&#39;")
    );
    // The only style sheet is the one that the policy of the file allows.
    let style = html.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    place.put("style", style);
    let script = "import base64, hashlib; \
        print(base64.b64encode(hashlib.sha256(open('style', 'rb').read()).digest()).decode())";
    let hash = place.shell(&format!("python3 -c \"{script}\""));
    assert!(html.contains(&format!("style-src 'sha256-{}'", hash.stdout.trim())), "{hash:#?}");
    for banned in ["<script", "http:", "https:", "url(", "@import", "<link", "src="] {
        let found = html.replace("img src=x", "").contains(banned);
        assert!(!found, "{banned}");
    }
    let (_, report) = json(&place, &["drill", name]);
    let drilled = &report["archives"][0];
    for field in ["sha256", "fingerprint", "recorded_fingerprint", "source", "tool"] {
        assert!(html.contains(drilled[field].as_str().unwrap()), "{field}");
    }
    for word in [
        "prefers-color-scheme:dark",
        "@media print",
        "+00:00",
        "restore",
        "compare",
        "1 of 1 archive passed",
    ] {
        assert!(html.contains(word), "{word}");
    }
    assert_eq!(place.run(&["drill", "broken.zip", "--html", "b.html", "-q"]).code, Some(1));
    let html = String::from_utf8(place.read("b.html")).unwrap();
    assert!(
        html.contains("0 of 1 archive passed") && html.contains("is not what aofkit writes there")
    );
}

#[test]
fn another_file_is_not_replaced_by_the_html_file() {
    let place = Place::new();
    let archive = compacted(&place, &log());
    place.put("index.html", "<!doctype html>\n<title>precious</title>\n");
    std::os::unix::fs::symlink(place.path("index.html"), place.path("link.html")).unwrap();
    for file in ["index.html", "link.html", "absent/x.html"] {
        let run = place.run(&["drill", &archive, "--html", file]);
        assert!(run.code == Some(2) && run.stderr.contains(file), "{run:#?}");
    }
    assert!(place.read("index.html").ends_with(b"precious</title>\n"));
}

/// A drill that was killed leaves its scratch directory: the next one removes it, and so does `clean`.
#[test]
fn scratch_directories_of_killed_drills_are_removed() {
    let place = Place::new();
    place.put("a.aof", sound());
    assert_eq!(place.run(&["compress", "a.aof", "-o", "a.zip"]).code, Some(0));
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let put = |name: &str, is_old: bool| {
        fs::create_dir_all(place.path("scratch").join(name).join("data")).unwrap();
        let directory = fs::File::open(place.path("scratch").join(name)).unwrap();
        if is_old {
            directory.set_modified(hour_ago).unwrap();
        }
    };
    let has = |name: &str| place.path("scratch").join(name).exists();
    let (old, young) = ("aofkit-drill.Xy12Zw.tmp", "aofkit-drill.Ab34Cd.tmp");
    put(old, true);
    put(young, false);
    put("aofkit-drill.mine", true);
    let run = place.run(&["drill", "a.zip", "--scratch", "scratch"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!has(old) && has(young) && has("aofkit-drill.mine"));
    put(old, true);
    let run = place.run(&["clean", "--yes", "scratch"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!has(old) && has(young) && has("aofkit-drill.mine"), "{run:#?}");
}
