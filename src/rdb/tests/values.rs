//! Values of every type, and every kind of damage in them.

use super::*;

#[test]
fn strings_of_every_encoding_are_read() {
    let long = "ab".to_owned() + &"c".repeat(600) + "d";
    for (stored, text) in [
        (string("text"), "text"),
        (string(""), ""),
        (vec![0xc0, 0x80], "-128"),
        (vec![0xc1, 0xff, 0x7f], "32767"),
        (vec![0xc2, 0xff, 0xff, 0xff, 0x7f], "2147483647"),
        (lzf(long.as_bytes()), &long),
        ([&[0x80, 0, 0, 0, 1][..], b"x"].concat(), "x"),
        ([&[0x81, 0, 0, 0, 0, 0, 0, 0, 1][..], b"x"].concat(), "x"),
    ] {
        assert_eq!(value("REDIS0009", 0, &stored), [text]);
        // Also as a key.
        let bytes = Rdb::new("REDIS0009").raw([0]).raw(&stored).string("v").end();
        assert_eq!(reported(&bytes).0[1], format!("key string {text}").as_str());
    }
}

#[test]
fn unknown_string_encodings_are_reported() {
    let found = 0xc4;
    let damage = value_damage("REDIS0009", 0, [found]);
    assert_eq!(damage.kind, DamageKind::StringEncoding { found });
    assert_eq!(damage.offset, VALUE);
    for found in [0x82, 0xbf] {
        let damage = value_damage("REDIS0009", 0, [found]);
        assert_eq!(damage.kind, DamageKind::LengthEncoding { found });
    }
    let damage = value_damage("REDIS0009", 1, [0xc0, 1]);
    assert_eq!(damage.kind, DamageKind::LengthEncoding { found: 0xc0 });
}

#[test]
fn compressed_strings_are_checked_even_if_the_visitor_ignores_them() {
    for (code, prefix) in [(0, &[][..]), (1, &[1]), (4, &[1, 0])] {
        let sound = lzf("x".repeat(100).as_bytes());
        value("REDIS0009", code, [prefix, &sound].concat());
        let mut broken = sound.clone();
        // The declared length: 100 takes two bytes after the compressed one.
        broken[3] += 1;
        let damage = value_damage("REDIS0009", code, [prefix, &broken].concat());
        assert!(matches!(damage.kind, DamageKind::Lzf { .. }), "{damage}");
    }
    let bomb = [&[0xc3, 2][..], &length(1 << 40), &[0, b'x']].concat();
    let damage = value_damage("REDIS0009", 0, &bomb);
    assert!(matches!(damage.kind, DamageKind::Lzf { .. }));
}

#[test]
fn collections_stored_element_by_element_are_read() {
    assert_eq!(value("REDIS0006", 1, [vec![2], strings(&["a", "b"])].concat()), ["a", "b"]);
    assert_eq!(value("REDIS0006", 2, [vec![2], strings(&["a", "b"])].concat()), ["a", "b"]);
    assert_eq!(
        value("REDIS0006", 4, [vec![2], strings(&["a", "1", "b", "2"])].concat()),
        ["a=1", "b=2"]
    );
    let text = [
        vec![5],
        string("a"),
        vec![3],
        b"1.5".to_vec(),
        string("b"),
        vec![255],
        string("c"),
        vec![254],
        string("d"),
        vec![5],
        b"1e+30".to_vec(),
        string("e"),
        vec![2],
        b"-0".to_vec(),
    ];
    assert_eq!(
        value("REDIS0006", 3, text.concat()),
        ["a 1.5", "b -inf", "c inf", "d 1000000000000000000000000000000", "e -0"]
    );
    let binary = [vec![1], string("a"), (-0.25f64).to_le_bytes().to_vec()].concat();
    assert_eq!(value("REDIS0008", 5, binary), ["a -0.25"]);
}

#[test]
fn scores_that_are_not_numbers_are_reported() {
    for score in [vec![253], vec![1, b'x'], vec![0], vec![3, b'n', b'a', b'n']] {
        let damage = value_damage("REDIS0006", 3, [vec![1], string("a"), score].concat());
        assert!(matches!(damage.kind, DamageKind::Broken { .. }));
        assert_eq!(damage.offset, VALUE + 3);
    }
    let nan = [vec![1], string("a"), f64::NAN.to_le_bytes().to_vec()].concat();
    value_damage("REDIS0008", 5, nan);
    let packed = string(listpack(&["a", "one"]));
    value_damage("REDIS0010", 17, packed);
}

#[test]
fn packed_collections_are_read_plain_and_compressed() {
    let list = ["one", "2", "-30000", "four"];
    let pairs = ["f", "1", "17", "v"];
    for (code, packed, expected) in [
        (9, zipmap(&[("f", "v", 2), ("g", "", 0)]), vec!["f=v", "g="]),
        (10, ziplist(&list), list.to_vec()),
        (11, intset(2, &[-5, 0, 300]), vec!["-5", "0", "300"]),
        (12, ziplist(&["a", "1", "b", "2.5", "c", "-inf"]), vec!["a 1", "b 2.5", "c -inf"]),
        (13, ziplist(&pairs), vec!["f=1", "17=v"]),
        (16, listpack(&pairs), vec!["f=1", "17=v"]),
        (17, listpack(&["a", "1", "b", "2.5"]), vec!["a 1", "b 2.5"]),
        (20, listpack(&list), list.to_vec()),
    ] {
        assert_eq!(value("REDIS0011", code, string(&packed)), expected);
        assert_eq!(value("VALKEY080", code, lzf(&packed)), expected);
    }
}

#[test]
fn lists_of_nodes_are_read() {
    let nodes = [vec![2], string(ziplist(&["a", "1"])), lzf(&ziplist(&["b"]))].concat();
    assert_eq!(value("REDIS0007", 14, nodes), ["a", "1", "b"]);
    let nodes = [
        vec![3, 2],
        string(listpack(&["a", "1"])),
        vec![1],
        lzf("long".repeat(20).as_bytes()),
        vec![2],
        lzf(&listpack(&["b"])),
    ];
    assert_eq!(value("REDIS0010", 18, nodes.concat()), ["a", "1", &"long".repeat(20), "b"]);
    value_damage("REDIS0010", 18, [vec![1, 3], string("x")].concat());
    value_damage("REDIS0010", 18, [1, 1, 0]);
}

#[test]
fn hashes_with_field_expiry_are_read_in_every_encoding() {
    let min = 1_700_000_000_000i64;
    let body = [
        vec![3, 0],
        strings(&["a", "1"]),
        length(1),
        strings(&["b", "2"]),
        length(501),
        strings(&["c", "3"]),
    ];
    assert_eq!(
        value("REDIS0012", 24, [&min.to_le_bytes()[..], &body.concat()].concat()),
        ["a=1", "b=2 expires=1700000000000", "c=3 expires=1700000000500"]
    );
    let body = [vec![2, 0], strings(&["a", "1"]), length(9), strings(&["b", "2"])].concat();
    assert_eq!(value("REDIS0012", 22, body), ["a=1", "b=2 expires=9"]);
    let packed = listpack(&["b", "2", "1700000000000", "c", "3", "1700000000001", "a", "1", "0"]);
    let expected = ["b=2 expires=1700000000000", "c=3 expires=1700000000001", "a=1"];
    for stored in [string(&packed), lzf(&packed)] {
        assert_eq!(value("REDIS0012", 23, &stored), expected);
        let stored = [&min.to_le_bytes()[..], &stored].concat();
        assert_eq!(value("REDIS0012", 25, &stored), expected);
    }
    for wrong in [
        &["a", "1", "0", "b", "2", "5"][..],
        &["a", "1", "6", "b", "2", "5"],
        &["a", "1", "-1"],
        &["a", "1", "soon"],
        &["a", "1", "281474976710656"],
        &["a", "1", "5", "b", "2"],
        &["a", "1", "5", "b"],
    ] {
        let damage = value_damage("REDIS0012", 23, string(listpack(wrong)));
        assert!(matches!(damage.kind, DamageKind::Broken { .. }), "{damage}");
    }
    let late = [&min.to_le_bytes()[..], &[1], &length(u64::MAX), &strings(&["a", "1"])].concat();
    value_damage("REDIS0012", 24, late);
    value_damage("REDIS0012", 24, [&[0xff; 8][..], &[0]].concat());
    // What valkey-check-rdb of Valkey 9.0 and 9.1 accepts.
    let of_valkey = |expiry: i64| [&[1][..], &strings(&["f", "v"]), &expiry.to_le_bytes()].concat();
    for (expiry, field) in [(-1, "f=v"), (0, "f=v expires=0"), (7, "f=v expires=7")] {
        assert_eq!(value("VALKEY080", 22, of_valkey(expiry)), [field]);
    }
    for refused in [-2, -1_000_000_000_000, i64::MIN] {
        let damage = value_damage("VALKEY080", 22, of_valkey(refused));
        assert!(matches!(damage.kind, DamageKind::Broken { .. }), "{damage}");
    }
}

#[test]
fn duplicates_in_a_value_are_reported_at_their_second_offset() {
    let twice = ["a", "b", "a"];
    let pairs = ["a", "1", "b", "2", "a", "3"];
    // After the string's header: everything in the packed encoding before the last item's own
    // bytes.
    let after = |before: Vec<u8>| VALUE + before.len() as u64;
    for (code, stored, offset) in [
        (2, [vec![3], strings(&twice)].concat(), VALUE + 1 + 4),
        (4, [vec![3], strings(&pairs)].concat(), VALUE + 1 + 8),
        (20, string(listpack(&twice)), after(listpack(&twice[..2]))),
        (16, string(listpack(&pairs)), after(listpack(&pairs[..4]))),
        (17, string(listpack(&pairs)), after(listpack(&pairs[..4]))),
        (13, string(ziplist(&pairs)), after(ziplist(&pairs[..4]))),
        (12, string(ziplist(&pairs)), after(ziplist(&pairs[..4]))),
        (9, string(zipmap(&[("a", "1", 0), ("a", "2", 0)])), VALUE + 1 + 1 + 5),
    ] {
        let damage = value_damage("REDIS0011", code, stored);
        assert_eq!((damage.kind, damage.offset), (DamageKind::Duplicate, offset));
    }
    // One text, stored in two ways.
    let stored = [vec![2, 0xc0, 5], string("5")].concat();
    assert_eq!(value_damage("REDIS0011", 2, stored).kind, DamageKind::Duplicate);
    let long = "x".repeat(50);
    let stored = [vec![2], lzf(long.as_bytes()), string(&long)].concat();
    assert_eq!(value_damage("REDIS0011", 2, stored).kind, DamageKind::Duplicate);
    // The second of two values may have the members of the first.
    let set = [vec![2], strings(&["a", "b"])].concat();
    reported(&Rdb::new("REDIS0011").key(2, "k").raw(&set).key(2, "l").raw(&set).end());
}

#[test]
fn damage_in_compressed_content_is_reported_with_string_and_inner_offset() {
    let mut packed = listpack(&["aaaaaaaa", "b"]);
    packed[6 + 9] ^= 1;
    let damage = value_damage("REDIS0011", 20, lzf(&packed));
    assert_eq!((damage.offset, damage.inside), (VALUE, Some(6 + 9)));
    assert_eq!(
        damage.to_string(),
        "byte 12, byte 15 of the text compressed there: an entry of a listpack: the length after it \
         is not that of the entry, in key \"k\" of db 0 (set-listpack)"
    );
    let damage = value_damage("REDIS0011", 20, string(&packed));
    assert_eq!((damage.offset, damage.inside), (VALUE + 1 + 6 + 9, None));
}
