//! The prefixes of `aofkit stats` as folded stacks, which programs that draw flame graphs read: one line for each node, with
//! the names from the root on, separated by semicolons, and the bytes of the node without those below.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::base::escape::ShownPath;
use crate::ops::stats::report::{PrefixKind, PrefixNode, StatsRun};

/// Returns the prefixes of all logs: by bytes written, or by the size of keys if nothing was written.
pub(crate) fn folded(run: &StatsRun) -> String {
    let mut out = String::new();
    for log in &run.logs {
        let written = log.written.as_ref().map(|written| &written.prefixes);
        let tree = written.or_else(|| log.present.as_ref()?.prefixes.as_ref());
        let Some(root) = tree else { continue };
        // Several logs are told apart by their paths.
        let mut stack = match run.logs.len() {
            1 => String::new(),
            _ => frame(log.path.as_os_str().as_bytes()),
        };
        write_node(&mut out, root, &mut stack, &weight_of(root));
    }
    out
}

/// Returns the size of nodes of this tree.
fn weight_of(root: &PrefixNode) -> impl Fn(&PrefixNode) -> u64 + use<> {
    let is_written = root.bytes > 0;
    move |node| if is_written { node.bytes } else { node.key_bytes.unwrap_or(0) }
}

fn write_node(
    out: &mut String,
    node: &PrefixNode,
    stack: &mut String,
    weight: &impl Fn(&PrefixNode) -> u64,
) {
    let below: u64 = node.children.iter().map(weight).sum();
    let own = weight(node).saturating_sub(below);
    if own > 0 {
        let name = if stack.is_empty() { "(empty name)" } else { stack.as_str() };
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{name} {own}");
    }
    for child in &node.children {
        let len = stack.len();
        if len > 0 {
            stack.push(';');
        }
        let name = match child.kind {
            PrefixKind::Keyless => "(without a key)".to_owned(),
            PrefixKind::Others => "(others)".to_owned(),
            PrefixKind::Literal | PrefixKind::Wildcard => frame(&child.name.0),
        };
        stack.push_str(&name);
        write_node(out, child, stack, weight);
        stack.truncate(len);
    }
}

/// Returns the name of a frame: with bytes that are no text escaped, and without a semicolon, which would end it.
fn frame(name: &[u8]) -> String {
    ShownPath(Path::new(OsStr::from_bytes(name))).to_string().replace(';', "\\x3b")
}
