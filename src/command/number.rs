//! Numbers as servers read and write them.

/// Parses an integer in the one form in which servers write it (`string2ll` in `util.c`).
pub(crate) use crate::rdb::write::canonical as integer;

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn only_the_canonical_form_is_an_integer() {
        for number in [0, 1, -1, 10, 1234567890123456789, i64::MAX, i64::MIN, i64::MIN + 1] {
            assert_eq!(integer(number.to_string().as_bytes()), Some(number));
        }
        for text in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "x",
            "1x",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
            "1:",
        ] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
    }
}
