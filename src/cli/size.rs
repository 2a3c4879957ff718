//! SIZE, as redis.conf writes it.

/// Parses a size in bytes: `1000`, `1000b`, and with units `k m g t` of 1000 or `kb mb gb tb` of
/// 1024, in either case.
///
/// # Errors
///
/// A sentence for the person who typed it, when the text has another shape or the size does not
/// fit 64 bits.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1000 * 1000,
        "mb" => 1 << 20,
        "g" => 1000 * 1000 * 1000,
        "gb" => 1 << 30,
        "t" => 1000 * 1000 * 1000 * 1000,
        "tb" => 1 << 40,
        _ => return Err(no_size(text)),
    };
    if number.is_empty() {
        return Err(no_size(text));
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("`{text}` is more than 64 bits can count"))
}

fn no_size(text: &str) -> String {
    format!("`{text}` is no size; write it as 1000, 64mb (1024-based) or 64m (1000-based)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_redis_conf() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("7b", 7),
            ("1k", 1000),
            ("1kb", 1024),
            ("64m", 64_000_000),
            ("64mb", 67_108_864),
            ("64MB", 67_108_864),
            ("2Gb", 2 << 30),
            ("2g", 2_000_000_000),
            ("1t", 1_000_000_000_000),
            ("1tb", 1 << 40),
            (" 5mb ", 5 << 20),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn other_text_is_told_what_would_do() {
        for text in ["", "mb", "-1", "+1", "1.5gb", "1 mb", "1kib", "1 000", "1mbb", "\u{661}kb"] {
            let told = parse_size(text).unwrap_err();
            assert!(told.contains("64mb (1024-based)"), "{text}: {told}");
        }
    }

    #[test]
    fn sizes_beyond_64_bits_are_refused() {
        for text in ["18446744073709551616", "16777216tb", "99999999999t"] {
            let told = parse_size(text).unwrap_err();
            assert!(told.contains("64 bits"), "{text}: {told}");
        }
        assert_eq!(parse_size("16777215tb"), Ok(16_777_215 << 40));
    }
}
