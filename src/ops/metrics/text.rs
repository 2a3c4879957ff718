//! The text format of Prometheus, as far as it is written here: comments, and samples with labels and a value.
//!
//! In the value of a label, a backslash, a double quote and a line feed are escaped by a backslash; in a help text, a
//! backslash and a line feed. See "Exposition formats" of the documentation of Prometheus.

use std::fmt::Write;

/// The first line of a file that aofkit wrote.
pub(super) const HEADER: &str = "# Written by aofkit --metrics: each run replaces its own lines.";

/// What the names of all metrics begin with.
const PREFIX: &str = "aofkit_";

/// A sample: a metric, labels, and a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name of the metric.
    pub name: String,
    /// The labels, in order.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// Returns a sample of the metric `name` with one label.
    pub fn new(name: &str, label: &str, text: &str, value: f64) -> Self {
        Sample { name: name.to_owned(), labels: Vec::new(), value }.with(label, text)
    }

    /// Adds a label.
    #[must_use]
    pub fn with(mut self, label: &str, text: &str) -> Self {
        self.labels.push((label.to_owned(), text.to_owned()));
        self
    }

    /// Returns the value of a label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, text)| text.as_str())
    }

    /// Appends the sample as a line.
    pub(super) fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(name, text)| format!("{name}=\"{}\"", escaped(text)))
            .collect();
        let _ = writeln!(out, "{}{{{}}} {}", self.name, labels.join(","), self.value);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

/// Returns the samples of a file that aofkit wrote; `None` if the file has anything else.
pub(super) fn parse(text: &str) -> Option<Vec<Sample>> {
    let mut lines = text.lines();
    if lines.next()? != HEADER {
        return None;
    }
    let is_comment = |line: &str| {
        let rest = ["# HELP ", "# TYPE "].iter().find_map(|start| line.strip_prefix(start));
        line.is_empty() || rest.is_some_and(|rest| rest.starts_with(PREFIX))
    };
    lines.filter(|line| !is_comment(line)).map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (name, rest) = line.split_once('{')?;
    let is_name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let mut sample = Sample { name: name.to_owned(), labels: Vec::new(), value: 0.0 };
    let mut rest = rest;
    loop {
        let (label, after) = rest.split_once("=\"")?;
        let (text, after) = quoted(after)?;
        if !is_name(label) {
            return None;
        }
        sample.labels.push((label.to_owned(), text));
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => {
                sample.value = after.strip_prefix("} ")?.parse().ok()?;
                break;
            }
        }
    }
    (name.starts_with(PREFIX) && is_name(name)).then_some(sample)
}

/// Returns the text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((out, text.get(at + 1..)?)),
            '\\' => out.push(match chars.next()?.1 {
                'n' => '\n',
                char @ ('\\' | '"') => char,
                _ => return None,
            }),
            char => out.push(char),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_as_the_format_says() {
        let text = "a\\b \"c\"\nd,e}{=";
        let sample = Sample::new("aofkit_x", "source", text, 1.5).with("step", "");
        let mut line = String::new();
        sample.write(&mut line);
        let expected = "aofkit_x{source=\"a\\\\b \\\"c\\\"\\nd,e}{=\",step=\"\"} 1.5\n";
        assert_eq!(line, expected);
        assert_eq!(parse(&format!("{HEADER}\n{line}")), Some(vec![sample]));
    }

    #[test]
    fn values_have_no_exponent() {
        for (value, text) in [(0.0, "0"), (1e18, "1000000000000000000"), (0.25, "0.25")] {
            let mut line = String::new();
            Sample::new("aofkit_x", "a", "b", value).write(&mut line);
            assert_eq!(line, format!("aofkit_x{{a=\"b\"}} {text}\n"));
        }
    }

    #[test]
    fn what_another_program_wrote_is_not_parsed() {
        let own = format!("{HEADER}\n# HELP aofkit_x X.\naofkit_x{{a=\"b\"}} 1\n");
        assert_eq!(parse(&own).map(|samples| samples.len()), Some(1));
        for other in [
            "",
            "\n",
            "aofkit_x{a=\"b\"} 1\n",
            &format!("{own}node_x{{a=\"b\"}} 1\n"),
            &format!("{own}aofkit_x 1\n"),
            &format!("{own}aofkit_x{{a=\"b\"}} \n"),
            &format!("{own}aofkit_x{{a=\"b\"}} 1 \n"),
            &format!("{own}aofkit_x{{a=\"b\n"),
            &format!("{own}aofkit_x{{a=\"\\x\"}} 1\n"),
            &format!("{own}# a comment\n"),
            &format!("{own}# HELP node_x X.\n"),
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
