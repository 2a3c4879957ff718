//! The steps in the text of a report.

/// A step: what it does, and the lines to type or to compare.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) why: String,
    pub(super) lines: Vec<String>,
}

/// Returns the steps that put a result in place.
pub(super) fn steps(report: &str) -> Vec<Step> {
    report.split_once("To put it in place:\n").map_or(Vec::new(), |(_, rest)| numbered(rest))
}

/// Returns the steps for a running server in a preview.
pub(super) fn first_steps(preview: &str) -> Vec<Step> {
    preview.split_once("irst, in this order:\n").map_or(Vec::new(), |(_, rest)| numbered(rest))
}

/// Reads `  1. What to do:`, wrapped lines with 5 blanks, and lines to type with 7.
fn numbered(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines().take_while(|line| line.starts_with("  ")) {
        let number = line.trim_start().split_once(". ").filter(|(number, _)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if let Some(action) = line.strip_prefix("       ") {
            let step = steps.last_mut().expect("a step before its actions");
            step.lines.push(action.to_owned());
        } else if let Some((_, why)) = number {
            steps.push(Step { why: why.to_owned(), lines: Vec::new() });
        } else {
            let step = steps.last_mut().expect("a step before its second line");
            step.why = format!("{} {}", step.why, line.trim());
        }
    }
    steps
}
