//! The envelope of everything that is printed with `--json`.
//!
//! Each document is an object that begins with `schema`, `report` and `version`, followed by the fields of the report.
//! A report that is printed while it is made is a list of lines, each of which is an object with a `kind`: first the
//! envelope, `header`, then the lines, last `summary` with the fields of the report. `docs/json.md` documents all of
//! them.

use std::marker::PhantomData;

use serde::Serialize;

/// The version of the schema: it increases when a field is removed or changes its meaning, not when one is added.
pub const SCHEMA: u32 = 1;

/// A report that is printed with `--json`.
pub trait Report: Serialize {
    /// The name of the report, which is the field `report` of its envelope.
    const NAME: &'static str;
}

/// A report in its envelope.
#[derive(Debug, Serialize)]
pub struct Envelope<'r, T> {
    schema: u32,
    report: &'static str,
    version: &'static str,
    #[serde(flatten)]
    fields: &'r T,
}

impl<'r, T: Report> Envelope<'r, T> {
    /// Returns the report in its envelope.
    pub fn new(fields: &'r T) -> Self {
        Envelope::with::<T>(fields)
    }
}

impl<'r, T> Envelope<'r, T> {
    /// Returns `fields` in the envelope of the report `R`.
    fn with<R: Report>(fields: &'r T) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Envelope { schema: SCHEMA, report: R::NAME, version, fields }
    }
}

/// Returns the report as one JSON document with a final newline.
pub fn json(report: &impl Report) -> String {
    // Reports have only text as keys of maps, and writing to memory cannot fail.
    let mut text = serde_json::to_string_pretty(&Envelope::new(report)).unwrap_or_default();
    text.push('\n');
    text
}

/// Returns the report as one line of JSON with a final newline.
pub fn json_line(report: &impl Report) -> String {
    let mut text = serde_json::to_string(&Envelope::new(report)).unwrap_or_default();
    text.push('\n');
    text
}

/// The lines of the report `R`, which is printed while it is made. The header comes before the first of them.
#[derive(Debug)]
pub struct JsonLines<R> {
    begun: bool,
    report: PhantomData<R>,
}

/// A line with its kind.
#[derive(Serialize)]
struct Line<T> {
    kind: &'static str,
    #[serde(flatten)]
    fields: T,
}

/// A line without any field but its kind.
#[derive(Serialize)]
struct NoFields {}

impl<R> Default for JsonLines<R> {
    fn default() -> Self {
        JsonLines { begun: false, report: PhantomData }
    }
}

impl<R: Report> JsonLines<R> {
    /// Appends the header to `out`, unless it was appended before.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            let header = Line { kind: "header", fields: NoFields {} };
            append(&Envelope::with::<R>(&header), out);
        }
    }

    /// Appends a line of this kind to `out`.
    pub fn line(&mut self, kind: &'static str, fields: impl Serialize, out: &mut Vec<u8>) {
        self.begin(out);
        append(&Line { kind, fields }, out);
    }

    /// Appends the last line to `out`: the report.
    pub fn summary(&mut self, report: &R, out: &mut Vec<u8>) {
        self.line("summary", report, out);
    }
}

/// Appends an object in a line to `out`.
pub(super) fn append(object: &impl Serialize, out: &mut Vec<u8>) {
    // Lines always serialise, and writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut *out, object);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Sample {
        keys: u64,
    }

    impl Report for Sample {
        const NAME: &'static str = "sample";
    }

    #[test]
    fn document_begins_with_the_envelope() {
        let version = env!("CARGO_PKG_VERSION");
        let line = json_line(&Sample { keys: 3 });
        let expected = format!(
            "{{\"schema\":1,\"report\":\"sample\",\"version\":\"{version}\",\"keys\":3}}\n"
        );
        assert_eq!(line, expected);
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&json(&Sample { keys: 3 })), value(&line));
    }

    #[test]
    fn lines_begin_with_one_header() {
        let version = env!("CARGO_PKG_VERSION");
        let (mut lines, mut out) = (JsonLines::<Sample>::default(), Vec::new());
        lines.line("key", Sample { keys: 1 }, &mut out);
        lines.summary(&Sample { keys: 2 }, &mut out);
        let expected = format!(
            "{{\"schema\":1,\"report\":\"sample\",\"version\":\"{version}\",\"kind\":\"header\"}}\n\
             {{\"kind\":\"key\",\"keys\":1}}\n{{\"kind\":\"summary\",\"keys\":2}}\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
