//! The few elements of the answers of a store that are needed: text between tags, without attributes or nesting of equal names.

/// Returns the texts inside every element `name` of `xml`, in order.
pub(super) fn elements<'x>(xml: &'x str, name: &str) -> Vec<&'x str> {
    let (close, mut rest, mut found) = (format!("</{name}>"), xml, Vec::new());
    while let Some(inner) = after_tag(rest, name) {
        let Some(end) = inner.find(&close) else { break };
        found.push(&inner[..end]);
        rest = &inner[end + close.len()..];
    }
    found
}

/// Returns the text of the first element `name`, with its entities replaced.
pub(super) fn text(xml: &str, name: &str) -> Option<String> {
    let inner = after_tag(xml, name)?;
    Some(unescape(inner.split('<').next().unwrap_or_default()))
}

/// Returns what follows the opening tag `name`.
fn after_tag<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let open = format!("<{name}");
    let mut from = 0;
    while let Some(at) = xml.get(from..)?.find(&open) {
        let rest = &xml[from + at + open.len()..];
        if let Some(inner) = rest.strip_prefix('>') {
            return Some(inner);
        }
        if rest.starts_with(' ') {
            let (tag, inner) = rest.split_once('>')?;
            return if tag.ends_with('/') { None } else { Some(inner) };
        }
        from += at + open.len();
    }
    None
}

fn unescape(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Returns a key as it is, of one that the store was asked to encode as in a URL.
pub(super) fn url_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                decoded.push(value);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found() {
        let xml = "<R xmlns=\"x\"><Keys>no</Keys><C><Key>a%2Fb+c</Key><E>&quot;x&quot;</E></C><C><Key>b</Key></C><E/><Cut><C>";
        let found = elements(xml, "C");
        assert_eq!(found.len(), 2);
        assert_eq!(text(found[0], "Key").map(|key| url_decoded(&key)).as_deref(), Some("a/b c"));
        assert_eq!(text(found[0], "E").as_deref(), Some("\"x\""));
        assert_eq!((text(found[1], "E"), text(xml, "None")), (None, None));
        assert_eq!(
            (url_decoded("%"), url_decoded("%é1"), url_decoded("%4")),
            ("%".into(), "%é1".into(), "%4".into())
        );
    }
}
