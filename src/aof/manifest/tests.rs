//! Tests of `manifest`.

use super::*;
use proptest::prelude::*;

/// Returns a summary of a manifest: `b:NAME:SEQ` and so on in load order, or the violated rule.
fn outcome(text: &[u8]) -> String {
    match parse(text) {
        Err(error) => format!("{} at line {}", error.rule.kind(), error.line),
        Ok(manifest) => {
            let loaded = manifest.load_order().chain(manifest.with_role(Role::History));
            let summaries = loaded.map(|entry| {
                let name = printable(&entry.name);
                format!("{}:{name}:{}", entry.role.letter(), entry.seq)
            });
            summaries.collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn every_rule_is_enforced_and_its_limits_are_accepted() {
    let comment = |len: usize, then: &str| format!("#{}{then}", "c".repeat(len - 1));
    let padded = |len: usize| {
        let line = "file a seq 1 type b";
        format!("{line}{}\n", " ".repeat(len - line.len() - 1))
    };
    let cases: &[(&str, &str)] = &[
        // Whole files.
        ("", "empty at line 1"),
        ("# nothing\n", ""),
        ("# nothing", ""),
        ("file a seq 1 type b\n", "b:a:1"),
        ("file i seq 1 type i\nfile b seq 2 type b\n", "b:b:2 i:i:1"),
        (
            "file a seq 2 type b\nfile h seq 9 type h\nfile x seq 1 type i\nfile y seq 5 type i\n",
            "b:a:2 i:x:1 i:y:5 h:h:9",
        ),
        // Lines.
        (&padded(1024), "b:a:1"),
        (&padded(1025), "line-too-long at line 1"),
        ("file a seq 1 type b", "no-newline at line 1"),
        ("#\n\nfile a seq 1 type b\n", "blank-line at line 2"),
        ("file a seq 1 type b\n \t\r\n", "blank-line at line 2"),
        ("file a seq 1 type b\n\n", "blank-line at line 2"),
        (" \t file a seq 1 type b \t\r\n", "b:a:1"),
        ("file a\0 seq 1 type b\n", "zero-byte at line 1"),
        ("file a seq 1 type b\n\0\n", "zero-byte at line 2"),
        // Comments.
        ("#\0\nfile a seq 1 type b\n", "b:a:1"),
        ("file a seq 1 type b\n# end", "b:a:1"),
        (" # no comment\n", "too-few-words at line 1"),
        (&comment(1023, "\nfile a seq 1 type b\n"), "b:a:1"),
        (&comment(1024, "\nfile a seq 1 type b\n"), "blank-line at line 1"),
        (&comment(1030, "\n"), "too-few-words at line 1"),
        (&comment(1024, "#\nfile a seq 1 type b\n"), "b:a:1"),
        (&comment(1024, "file a seq 1 type b\n"), "b:a:1"),
        // Tokens.
        ("file a seq 1 type\n", "too-few-words at line 1"),
        ("\u{b}\n", "too-few-words at line 1"),
        ("file a seq 1 type b x\n", "odd-words at line 1"),
        ("file a seq 1 type b x y\n", "b:a:1"),
        ("\u{b}file\u{c} a seq 1 type b\n", "no-file at line 1"),
        ("\u{b}file \u{c}a seq 1 type b\n", "b:a:1"),
        ("file a\u{b}b seq 1 type b\n", "b:a\\u{b}b:1"),
        // Quotes.
        ("file \"my log\" seq 1 type b\n", "b:my log:1"),
        ("\"file\" 'my log' 'seq' '1' \"type\" \"b\"\n", "b:my log:1"),
        (r#"file "\x41\n\r\t\"\q\x4g" seq 1 type b"#, "no-newline at line 1"),
        ("file \"\\x41\\n\\t\\\"\\q\\x4g\" seq 1 type b\n", "b:A\\n\\t\"qx4g:1"),
        ("file \"\\a\\b\\r\" seq 1 type b\n", "b:\\u{7}\\u{8}\\r:1"),
        ("file 'it\\'s\\x41' seq 1 type b\n", "name-is-path at line 1"),
        ("file 'it\\'s' seq 1 type b\n", "b:it's:1"),
        ("file \"it's\" seq 1 type b\n", "b:it's:1"),
        ("file it's seq 1 type b\n", "quoting at line 1"),
        ("file \"a seq 1 type b\n", "quoting at line 1"),
        ("file \"a\"b seq 1 type b\n", "quoting at line 1"),
        ("file 'a'b seq 1 type b\n", "quoting at line 1"),
        ("file \"a\\\" seq 1 type b\n", "quoting at line 1"),
        ("file x\" y\" seq 1 type b\n", "b:x y:1"),
        ("file x\" \"y seq 1 type b\n", "quoting at line 1"),
        ("file \"a\"\u{b}seq 1 type b\n", "b:a:1"),
        ("file \"a\\x00zz\" seq 1 type b\n", "b:a:1"),
        // Keys.
        ("type b seq 1 file a\n", "b:a:1"),
        ("FILE a Seq 1 tYPE b\n", "b:a:1"),
        ("file a file b seq 1 seq 2 type h type i\n", "i:b:2"),
        ("fil a seq 1 type b\n", "no-file at line 1"),
        ("file a sequence 1 type b\n", "no-seq at line 1"),
        ("file a seq 1 typ b\n", "no-type at line 1"),
        // Names.
        ("file ../a seq 1 type b\n", "name-is-path at line 1"),
        ("file \"a\\\\b\" seq 1 type b\n", "name-is-path at line 1"),
        ("file /a file b seq 1 type b a b\n", "name-is-path at line 1"),
        ("file .. seq 1 type b\n", "b:..:1"),
        ("file \"\" seq 1 type b\n", "b::1"),
        // Numbers.
        ("file a seq 0 type b\n", "no-seq at line 1"),
        ("file a seq 0x10 type b\n", "no-seq at line 1"),
        ("file a seq x type b\n", "no-seq at line 1"),
        ("file a seq 7x type b\n", "b:a:7"),
        ("file a seq \" +7\" type b\n", "b:a:7"),
        ("file a seq -1 type b\n", "b:a:-1"),
        ("file a seq -1 type h\n", "h:a:-1"),
        ("file a seq 99999999999999999999 type b\n", "b:a:9223372036854775807"),
        ("file a seq -99999999999999999999 type b\n", "b:a:-9223372036854775808"),
        // Types.
        ("file a seq 1 type base\n", "b:a:1"),
        ("file a seq 1 type incr\n", "i:a:1"),
        ("file a seq 1 type history\n", "h:a:1"),
        ("file a seq 1 type B\n", "unknown-type at line 1"),
        ("file a seq 1 type \"\"\n", "no-type at line 1"),
        // Rules across lines.
        ("file a seq 1 type b\n#\nfile b seq 2 type b\n", "duplicate-base at line 3"),
        ("file a seq -1 type i\n", "not-increasing at line 1"),
        ("file a seq 2 type i\nfile b seq 2 type i\n", "not-increasing at line 2"),
        ("file a seq 2 type i\nfile h seq 1 type h\nfile b seq 9 type i\n", "i:a:2 i:b:9 h:h:1"),
    ];
    for (text, expected) in cases {
        assert_eq!(outcome(text.as_bytes()), *expected, "{text:?}");
    }
}

#[test]
fn an_error_contains_the_value_and_its_position() {
    let cases: &[(&str, u64, &str)] = &[
        (
            "file a seq 1 type b\n  file b seq 1 type x\n",
            22,
            "line 2: the type `x` is none of b (base), i (incremental) and h (history): file b seq 1 type x",
        ),
        (
            "file a seq 3 type i\nfile b seq 2 type i\n",
            20,
            "line 2: the sequence number 2 of this incremental file is not above 3: file b seq 2 type i",
        ),
        (
            "file ../a seq 1 type b\n",
            0,
            "line 1: the file name `../a` is a path; it must be a bare name, without / and \\: file ../a seq 1 type b",
        ),
        ("\n", 1, "line 1: the line is blank"),
        ("", 0, "line 1: the manifest is empty"),
    ];
    for (text, offset, message) in cases {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!((error.offset, error.to_string().as_str()), (*offset, *message));
    }
    let error = parse(&[&[b'#'; 1][..], &[b' '; 1030], b"\n"].concat()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1: the line is blank (it is the rest of a comment longer than 1024 bytes)"
    );
}

#[test]
fn an_error_is_serialised_flat() {
    let error = parse(b"file a seq 1 type x\n").unwrap_err();
    assert_eq!(
        serde_json::to_value(&error).unwrap(),
        serde_json::json!({
            "line": 1, "offset": 0, "kind": "unknown-type", "found": "x",
            "text": "file a seq 1 type x", "rest_of_comment": false,
        })
    );
    assert_eq!(error.rule.kind(), "unknown-type");
}

#[test]
fn offsets_and_unknown_keys_are_retained() {
    let text = b"file a seq 1 type i startoffset 12 endoffset 99 colour \"sea green\"\n";
    let manifest = parse(text).unwrap();
    assert_eq!(manifest.entries[0].start_offset, Some(12));
    assert_eq!(manifest.entries[0].end_offset, Some(99));
    assert_eq!(manifest.entries[0].extra, [(b"colour".to_vec(), b"sea green".to_vec())]);
    assert_eq!(manifest.to_bytes(), text);
}

#[test]
fn unknown_keys_are_omitted_if_the_line_would_be_too_long() {
    // A quote takes two bytes when written, but one in the original.
    let text = format!("file a seq 1 type b colour '{}'\n", "\"".repeat(520));
    let read = parse(text.as_bytes()).unwrap();
    assert_eq!(read.entries[0].extra[0].1.len(), 520);
    assert_eq!(read.to_bytes(), b"file a seq 1 type b\n");
}

#[test]
fn entries_are_written_in_the_order_of_servers() {
    let text =
        b"file i seq 1 type i\nfile h2 seq 2 type h\nfile h1 seq 1 type h\nfile b seq 3 type b\n";
    assert_eq!(
        String::from_utf8(parse(text).unwrap().to_bytes()).unwrap(),
        "file b seq 3 type b\nfile h2 seq 2 type h\nfile h1 seq 1 type h\nfile i seq 1 type i\n"
    );
}

#[test]
fn names_are_quoted_as_by_servers_and_where_servers_fail_to() {
    let line = |name: &[u8]| String::from_utf8(Entry::new(Role::Base, name, 1).to_line()).unwrap();
    assert_eq!(line(b"a-b.1"), "file a-b.1 seq 1 type b\n");
    assert_eq!(line(b"my log"), "file \"my log\" seq 1 type b\n");
    assert_eq!(line("é\n".as_bytes()), "file \"\\xc3\\xa9\\n\" seq 1 type b\n");
    assert_eq!(line(b"it's"), "file \"it's\" seq 1 type b\n");
    let long = "é".repeat(127);
    assert_eq!(line(long.as_bytes()).len(), 254 + "file \"\" seq 1 type b\n".len());
}

#[test]
fn a_manifest_is_recognised_by_its_first_line() {
    for yes in ["file a seq 1 type b\n", "# c\nseq 1 type b file a", "FILE a SEQ x"] {
        assert!(looks_like_manifest(yes.as_bytes()), "{yes:?}");
    }
    for no in ["", "# c\n", "*1\r\n$4\r\nPING\r\n", "file\n", "files a seq 1\n", "REDIS0011"] {
        assert!(!looks_like_manifest(no.as_bytes()), "{no:?}");
    }
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("not in a name", |byte| !matches!(byte, 0 | b'/' | b'\\'));
    proptest::collection::vec(byte, 0..=255)
}

proptest! {
    #[test]
    fn written_manifests_are_read_back(
        base in proptest::option::of((name(), 1..i64::MAX)),
        history in proptest::collection::vec((name(), 1..i64::MAX), 0..3),
        incr in proptest::collection::btree_map(1..i64::MAX, (name(), any::<Option<i64>>()), 0..3),
        extra in proptest::collection::vec((proptest::collection::vec(1..=255_u8, 0..20), "[a-z]{9}"), 0..3),
    ) {
        let mut manifest = Manifest::default();
        manifest.entries.extend(base.map(|(name, seq)| Entry::new(Role::Base, name, seq)));
        manifest.entries.extend(history.into_iter().map(|(name, seq)| Entry::new(Role::History, name, seq)));
        manifest.entries.extend(incr.into_iter().map(|(seq, (name, start_offset))| Entry {
            start_offset,
            extra: extra.iter().map(|(value, key)| (key.clone().into_bytes(), value.clone())).collect(),
            ..Entry::new(Role::Incr, name, seq)
        }));
        prop_assume!(!manifest.entries.is_empty());
        for (entry, line) in manifest.entries.iter_mut().zip(1..) {
            entry.line = line;
        }
        prop_assert_eq!(parse(&manifest.to_bytes()), Ok(manifest));
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let _ = (parse(&bytes), looks_like_manifest(&bytes));
    }

    #[test]
    fn parsed_manifests_are_preserved_by_writing(
        text in "(file|seq|type|[a-z]{1,3}|[bhi]|[0-9]{1,2}|['\"\\\\ \t\n#x0-9a-f]|.){0,60}\n",
    ) {
        let once = parse(format!("file a seq 1 type b {text}").as_bytes());
        if let Ok(once) = once {
            let twice = parse(&once.to_bytes()).unwrap();
            prop_assert_eq!(twice.to_bytes(), once.to_bytes());
        }
    }
}
