//! Repair of logs and RDBs that a program read as text.
//!
//! What the text is comes from the tables of Python's `cp437` and `cp1252`.

use super::*;

/// The characters of code page 437 from 0x80 on: `bytes(range(128, 256)).decode("cp437")` in Python.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The characters of Windows-1252 from 0x80 to 0x9f: `bytes([byte]).decode("cp1252")` in Python, and control characters for
/// the bytes without one, as in the Encoding Standard.
const WINDOWS_1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

fn cp437(bytes: &[u8]) -> String {
    let table: Vec<char> = CP437.chars().collect();
    let character = |byte: &u8| match byte {
        0..0x80 => char::from(*byte),
        _ => table[usize::from(*byte) - 0x80],
    };
    bytes.iter().map(character).collect()
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn windows_1252(bytes: &[u8]) -> String {
    let table: Vec<char> = WINDOWS_1252.chars().collect();
    let character = |byte: &u8| match byte {
        0x80..0xa0 => table[usize::from(*byte) - 0x80],
        _ => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}

type Read = fn(&[u8]) -> String;

const READ_AS: [(&str, Read); 3] =
    [("latin-1", latin_1), ("windows-1252", windows_1252), ("cp437", cp437)];

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().fold(vec![0xff, 0xfe], |mut bytes, unit| {
        bytes.extend(unit.to_le_bytes());
        bytes
    })
}

/// Text as `>` of PowerShell writes it.
fn powershell(text: &str) -> Vec<u8> {
    let lines = text.replace("\r\n", "\n").replace('\n', "\r\n");
    utf16(&lines)
}

fn binary(key: &str, value: &[u8]) -> Vec<u8> {
    let header = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n", key.len(), value.len());
    [header.as_bytes(), value, b"\r\n"].concat()
}

fn log() -> Vec<u8> {
    let all: Vec<u8> = (0x80..=0xff).collect();
    let texts = ["Zürich", "naïve café", "20 €", "日本", "плюс"];
    let texts: Vec<u8> = texts.iter().flat_map(|it| command(&["SET", it, it])).collect();
    [sound(), texts, binary("binary", &all), command(&["SET", "last", "1"])].concat()
}

/// A log that a program read as Latin-1 and saved as UTF-8.
pub(super) fn read_as_latin_1() -> Vec<u8> {
    latin_1(&log()).into_bytes()
}

/// Logs and RDBs that programs saved as text, or that text is before.
pub(super) fn saved_as_text() -> Vec<(&'static str, Vec<u8>)> {
    let (log, rdb) = (log(), testdata("rdb/redis-6.2.5-types.rdb"));
    let replaced = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let base64 = b"KjINCiQ2DQpTRUxFQ1QNCiQxDQowDQoqMw0KJDMNClNFVA0K\n".to_vec();
    vec![
        ("latin-1.aof", read_as_latin_1()),
        ("undecided.aof", counted(&["│▒"])),
        ("replaced.aof", replaced(&log).into_bytes()),
        ("replaced-wide.aof", utf16(&replaced(&log))),
        ("one-line.aof", replaced(&sound()).replace("\r\n", "\\r\\n").into_bytes()),
        ("base64.aof", base64),
        ("latin-1.rdb", latin_1(&rdb).into_bytes()),
        ("console.rdb", utf16(&cp437(&rdb))),
        ("replaced.rdb", replaced(&rdb).into_bytes()),
        ("replaced-wide.rdb", utf16(&replaced(&rdb))),
        ("kubectl.rdb", [b"Unable to use a TTY\n", &rdb[..]].concat()),
        ("kubectl.aof", [b"Unable to use a TTY\n", &sound()[..]].concat()),
    ]
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn log_that_was_read_in_another_encoding_is_restored() {
    for (name, read) in READ_AS {
        let text = read(&log());
        for (bytes, changes) in [(text.clone().into_bytes(), 1), (utf16(&text), 2)] {
            let place = Place::new();
            place.put("a.aof", &bytes);
            let run = place.run(&["verify", "a.aof"]);
            assert!(run.code == Some(1) && run.stdout.contains("`aofkit repair "), "{run:#?}");
            assert!(!run.stdout.contains("--salvage"), "{run:#?}");
            let run = place.run(&["repair", "a.aof", "-o", "new", "--json"]);
            assert_eq!(run.code, Some(0), "{name}: {run:#?}");
            assert_eq!(place.read("new"), log(), "{name}");
            let report = json(&run);
            let undone = report["undone"].as_array().unwrap();
            let last = undone.last().unwrap();
            assert_eq!((undone.len(), &last["change"]), (changes, &"text-encoding".into()));
            assert_eq!((&last["encoding"], &last["assumed"]), (&name.into(), &0.into()));
        }
    }
}

/// Commands whose lengths count characters.
fn counted(values: &[&str]) -> Vec<u8> {
    let command = |value: &&str| {
        let len = value.chars().count();
        format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${len}\r\n{value}\r\n").into_bytes()
    };
    [sound(), values.iter().flat_map(command).collect()].concat()
}

#[test]
fn counted_characters_are_corrected_and_doubt_is_said() {
    for (value, assumed) in [("日本", 0), ("Zürich", 1)] {
        let place = Place::new();
        place.put("a.aof", counted(&[value]));
        let run = place.run(&["repair", "a.aof", "-o", "new"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(place.read("new"), [sound(), command(&["SET", "k", value])].concat());
        assert_eq!(run.stdout.contains("--assume latin-1"), assumed == 1, "{run:#?}");
    }
    let place = Place::new();
    place.put("a.aof", counted(&["Zürich"]));
    let run = place.run(&["repair", "a.aof", "-o", "new", "--assume", "latin-1"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read("new"), [sound(), binary("k", b"Z\xfcrich")].concat());
}

#[test]
fn text_that_tells_nothing_is_asked_for() {
    let place = Place::new();
    place.put("a.aof", counted(&["│▒"]));
    for limits in [&[][..], &["--salvage"], &["--max-loss", "1gb", "--max-commands", "1000"]] {
        let run = place.run(&[&["repair", "a.aof", "--in-place"], limits].concat());
        let expected = if limits.len() > 1 { 4 } else { 2 };
        assert_eq!(
            (run.code, place.names()),
            (Some(expected), vec!["a.aof".to_owned()]),
            "{run:#?}"
        );
        let steps: Vec<&str> = run.stderr.lines().filter(|it| it.contains("--assume ")).collect();
        let names = ["utf-8", "cp437", "cp850"];
        assert_eq!(steps.len(), names.len(), "{run:#?}");
        for (step, name) in steps.iter().zip(names) {
            assert_eq!(step.trim(), format!("aofkit repair a.aof --assume {name} --dry-run"));
        }
    }
    for (name, value) in
        [("utf-8", "│▒".as_bytes()), ("cp437", b"\xb3\xb1"), ("cp850", b"\xb3\xb1")]
    {
        let run = place.run(&["repair", "a.aof", "--assume", name, "--dry-run"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        let run = place.run(&["repair", "a.aof", "--assume", name, "-o", name]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(place.read(name), [sound(), binary("k", value)].concat(), "{name}");
    }
}

#[test]
fn values_whose_bytes_were_replaced_are_not_called_restored() {
    let text = String::from_utf8_lossy(&log()).into_owned();
    for bytes in [text.clone().into_bytes(), utf16(&text)] {
        let place = Place::new();
        place.put("a.aof", &bytes);
        let run = place.run(&["repair", "a.aof", "-o", "new"]);
        assert_eq!((run.code, place.names().len()), (Some(2), 1), "{run:#?}");
        assert!(run.stderr.contains("U+FFFD") && run.stderr.contains("in 1 value"), "{run:#?}");
        let run = place.run(&["repair", "a.aof", "-o", "new", "--max-loss", "1gb"]);
        assert_eq!((run.code, place.names().len()), (Some(4), 1), "{run:#?}");
        let run = place.run(&["repair", "a.aof", "-o", "new", "--assume", "utf-8"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let replaced = "\u{fffd}".repeat(128);
        let value = binary("binary", replaced.as_bytes());
        let all: Vec<u8> = (0x80..=0xff).collect();
        let log = log();
        let at = memchr::memmem::find(&log, &binary("binary", &all)).unwrap();
        let after = at + binary("binary", &all).len();
        assert_eq!(place.read("new"), [&log[..at], &value, &log[after..]].concat());
    }
}

fn testdata(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()
}

#[test]
fn rdb_that_was_read_as_text_is_restored_where_its_checksum_proves_it() {
    for name in ["rdb/redis-6.2.5-types.rdb", "rdb/redis-8.2.3-cluster.rdb"] {
        let rdb = testdata(name);
        // As a dump, and before commands.
        for (file, original) in
            [("dump.rdb", rdb.clone()), ("a.aof", [&rdb[..], &sound()].concat())]
        {
            for (encoding, read) in READ_AS {
                let text = read(&original);
                for bytes in [text.clone().into_bytes(), utf16(&text)] {
                    let place = Place::new();
                    place.put(file, &bytes);
                    let run = place.run(&["verify", file]);
                    assert!(
                        run.code == Some(1) && run.stdout.contains("read it as text"),
                        "{run:#?}"
                    );
                    assert!(
                        run.stdout.contains("`aofkit repair` undoes it")
                            || run.stdout.contains("repair`"),
                        "{run:#?}"
                    );
                    let run = place.run(&["repair", file, "-o", "new", "--json"]);
                    assert_eq!(run.code, Some(0), "{name} {encoding}: {run:#?}");
                    assert!(place.read("new") == original, "{name} {encoding}");
                    let report = json(&run);
                    let undone = report["undone"].as_array().unwrap();
                    let last = undone.last().unwrap();
                    assert_eq!(
                        (&last["encoding"], &last["assumed"]),
                        (&encoding.into(), &0.into())
                    );
                }
            }
        }
    }
}

#[test]
fn rdb_of_a_console_is_restored_with_its_line_ends() {
    let rdb = testdata("rdb/redis-6.2.5-types.rdb");
    assert!(rdb.contains(&b'\n'));
    let place = Place::new();
    place.put("dump.rdb", powershell(&format!("{}\n", cp437(&rdb))));
    let run = place.run(&["repair", "dump.rdb", "-o", "new", "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(place.read("new").starts_with(&rdb), "{run:#?}");
    let undone = json(&run)["undone"].clone();
    let changes: Vec<&str> =
        undone.as_array().unwrap().iter().map(|it| it["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["utf-16", "text-encoding", "rdb-cr-added"]);
}

#[test]
fn rdb_whose_bytes_were_replaced_is_not_repaired() {
    let rdb = testdata("rdb/redis-6.2.5-types.rdb");
    let text = String::from_utf8_lossy(&rdb).into_owned();
    for bytes in [text.clone().into_bytes(), utf16(&text)] {
        let place = Place::new();
        place.put("dump.rdb", &bytes);
        let run = place.run(&["verify", "dump.rdb"]);
        assert!(run.code == Some(1) && run.stdout.contains("copy the file again"), "{run:#?}");
        for (more, code) in [(&[][..], 2), (&["--salvage"], 2), (&["--max-loss", "1gb"], 4)] {
            let run = place.run(&[&["repair", "dump.rdb", "-o", "new"], more].concat());
            assert_eq!((run.code, place.names().len()), (Some(code), 1), "{run:#?}");
            assert!(run.stderr.contains("U+FFFD"), "{run:#?}");
        }
    }
}
