//! The tree of prefixes: as an icicle, and as a table.
//!
//! The script draws the icicle again when somebody zooms; the one here is what is there before, and without scripts.

use std::fmt::Write;

use super::chart::COLORS;
use super::figures;
use super::table::{Cell, Column, Row, Table, measure_column, number_column, text_column};
use super::text;
use crate::ops::stats::report::{PrefixKind, PrefixNode};
use crate::report::html::Html;

/// The number of levels of the tree that the icicle shows at once, with the root.
const LEVELS: usize = 7;

/// The height of a level in pixels.
const LEVEL_HEIGHT: usize = 28;

/// The width below which a prefix is not drawn by itself, as a part of all.
const NARROW: f64 = 0.002;

/// The width from which the name of a prefix is in it, as a part of all.
const NAMED: f64 = 0.03;

/// The width from which that is so on phones.
const NAMED_ON_PHONES: f64 = 0.12;

/// The length of a path in bytes after which the names above a prefix are left out.
const LONGEST_PATH: usize = 400;

/// The columns of the table. The names of those with measures are also those of the buttons above the icicle.
const COLUMNS: [Column<'static>; 7] = [
    text_column("prefix"),
    measure_column("written"),
    number_column("of the log"),
    measure_column("commands"),
    measure_column("keys"),
    measure_column("size of keys"),
    measure_column("reclaimable"),
];

/// A node of the tree, in an array in which each comes before those below it.
struct Flat<'a> {
    node: &'a PrefixNode,
    depth: usize,
    parent: Option<usize>,
    /// The names of all above it and its own, as text.
    path: String,
    /// Its own name as text.
    label: String,
    /// The class of its colour.
    color: String,
    /// Its size in the icicle: its bytes, or those of all below it if they are more.
    weight: u64,
}

/// Returns the tree as HTML; nothing if it is empty.
pub(super) fn section(root: &PrefixNode) -> String {
    if root.children.is_empty() {
        return String::new();
    }
    let tree = flatten(root);
    let columns = columns(root);
    let measure = if has_keys_alone(root) { "size of keys" } else { "bytes written" };
    let mut out = format!(
        "<section id=\"prefixes-section\"><h2>Key name prefixes</h2>\n\
         <p class=\"about\">The width of a prefix is its part of the {measure}. Below each prefix are \
         those that it consists of; <i>*</i> is a part that differs from key to key. \
         <span class=\"js-only\">Select a prefix to zoom in, and Escape to zoom out.</span></p>\n",
    );
    out.push_str(&icicle(&tree, measure));
    let rows = tree.iter().enumerate().map(|(index, flat)| row(index, flat, root, &columns));
    let table = Table {
        id: Some("prefixes"),
        caption: &format!("Prefixes by {measure}"),
        columns: &columns.iter().map(|index| COLUMNS[*index]).collect::<Vec<_>>(),
        rows: rows.collect(),
    };
    out.push_str(&table.html());
    out.push_str("</section>\n");
    out
}

/// Returns whether the tree has keys alone, as that of an RDB.
fn has_keys_alone(root: &PrefixNode) -> bool {
    root.commands == 0
}

/// Returns the indexes of the columns that have content. The first with a measure is that of the icicle.
fn columns(root: &PrefixNode) -> Vec<usize> {
    if has_keys_alone(root) {
        return vec![0, 5, 4];
    }
    let known = [
        true,
        true,
        true,
        true,
        root.keys.is_some(),
        root.key_bytes.is_some(),
        root.reclaimable_bytes.is_some(),
    ];
    (0..COLUMNS.len()).filter(|index| known[*index]).collect()
}

fn flatten(root: &PrefixNode) -> Vec<Flat<'_>> {
    let mut tree: Vec<Flat<'_>> = Vec::new();
    // The nodes that are left, the next one last: with their parent, and their index among its children.
    let mut left: Vec<(&PrefixNode, Option<usize>, usize)> = vec![(root, None, 0)];
    while let Some((node, parent, place)) = left.pop() {
        let above = parent.and_then(|parent| tree.get(parent));
        let depth = above.map_or(0, |above| above.depth + 1);
        let label = label(node, depth);
        let path = match above {
            Some(above) if above.path.len() > LONGEST_PATH => format!("..{label}"),
            Some(above) if above.depth > 0 => format!("{}{label}", above.path),
            _ => label.clone(),
        };
        let color = match (depth, node.kind) {
            (0, _) => "root".to_owned(),
            (1, PrefixKind::Others | PrefixKind::Keyless) => "rest".to_owned(),
            (1, _) => format!("t{}", place % COLORS),
            _ => above.map_or(String::new(), |above| above.color.clone()),
        };
        let index = tree.len();
        tree.push(Flat { node, depth, parent, path, label, color, weight: 0 });
        let below = node.children.iter().enumerate().rev();
        left.extend(below.map(|(place, child)| (child, Some(index), place)));
    }
    let mut below = vec![0_u64; tree.len()];
    let of_keys = has_keys_alone(root);
    for index in (0..tree.len()).rev() {
        let node = tree[index].node;
        let own = if of_keys { node.key_bytes.unwrap_or(0) } else { node.bytes };
        let weight = own.max(below[index]);
        tree[index].weight = weight;
        if let Some(parent) = tree[index].parent {
            below[parent] = below[parent].saturating_add(weight);
        }
    }
    tree
}

/// Returns the name of a node as text.
fn label(node: &PrefixNode, depth: usize) -> String {
    let name = &node.name.0;
    match node.kind {
        PrefixKind::Literal if depth == 0 => "all".to_owned(),
        PrefixKind::Literal => text::shown(name),
        PrefixKind::Wildcard if name.is_empty() => "*".to_owned(),
        PrefixKind::Wildcard if name.starts_with(b"*") => text::shown(name),
        PrefixKind::Wildcard => format!("*{}", text::shown(name)),
        PrefixKind::Others => "(others)".to_owned(),
        PrefixKind::Keyless => "(no key)".to_owned(),
    }
}

fn row(index: usize, flat: &Flat<'_>, root: &PrefixNode, columns: &[usize]) -> Row {
    let node = flat.node;
    let above = flat.path.strip_suffix(&flat.label).unwrap_or_default();
    let name = format!(
        "<bdi class=\"name\"><span class=\"above\">{}</span>{}</bdi>",
        Html(above),
        Html(&flat.label)
    );
    let cell = |column: &usize| match column {
        0 => Cell::html(name.clone()),
        1 => Cell::bytes(node.bytes),
        2 => Cell::percent(node.bytes, root.bytes),
        3 => Cell::count(node.commands),
        4 => node.keys.map(Cell::count).unwrap_or_default(),
        5 => node.key_bytes.map(Cell::bytes).unwrap_or_default(),
        _ => node.reclaimable_bytes.map(Cell::signed_bytes).unwrap_or_default(),
    };
    let mut attributes = format!(" id=\"p{index}\" data-depth=\"{}\"", flat.depth);
    // Those below have the colour of the prefix above them.
    if flat.depth <= 1 {
        let _ = write!(attributes, " data-color=\"{}\"", flat.color);
    }
    Row { attributes, cells: columns.iter().map(cell).collect() }
}

/// Returns the icicle.
fn icicle(tree: &[Flat<'_>], measure: &str) -> String {
    let levels = tree.iter().map(|flat| flat.depth + 1).max().unwrap_or(0).min(LEVELS);
    let total = tree.first().map_or(0, |root| root.weight);
    let mut out = format!(
        "<figure><svg id=\"icicle\" height=\"{}\" role=\"group\" aria-labelledby=\"icicle-title icicle-desc\">\
         <title id=\"icicle-title\">Prefixes by {measure}</title>\
         <desc id=\"icicle-desc\">The table below has the same numbers.</desc>\n",
        levels * LEVEL_HEIGHT
    );
    // Where the next child of each node begins, and whether its remaining children are too narrow.
    let mut next = vec![0.0_f64; tree.len()];
    let mut is_full = vec![false; tree.len()];
    for (index, flat) in tree.iter().enumerate() {
        let width = figures::fraction(flat.weight, total);
        let at = flat.parent.map_or(0.0, |parent| next[parent]);
        next[index] = at;
        is_full[index] = flat.depth + 1 >= LEVELS;
        let Some(parent) = flat.parent else {
            part(&mut out, index, flat, at, width);
            continue;
        };
        if is_full[parent] {
            is_full[index] = true;
            continue;
        }
        next[parent] += width;
        if width >= NARROW {
            part(&mut out, index, flat, at, width);
        } else {
            is_full[index] = true;
            is_full[parent] = true;
            rest(&mut out, tree, (index, parent), at, total);
        }
    }
    out.push_str("</svg></figure>\n");
    out
}

/// Appends the box of a node.
fn part(out: &mut String, index: usize, flat: &Flat<'_>, at: f64, width: f64) {
    let node = flat.node;
    let mut title = format!("{}\n{}", flat.path, figures::bytes(flat.weight));
    if node.commands > 0 {
        let _ = write!(title, " in {} commands", figures::count(node.commands));
    }
    if let Some(keys) = node.keys {
        let _ = write!(title, ", {} keys", figures::count(keys));
    }
    let is_named = width >= NAMED;
    let tab = if is_named { "" } else { " tabindex=\"-1\"" };
    let _ = write!(
        out,
        "<a href=\"#p{index}\"{tab}><svg x=\"{:.3}%\" y=\"{}\" width=\"{:.3}%\" height=\"{}\"><title>{}</title>\
         <rect class=\"{}\" width=\"100%\" height=\"100%\"/>",
        at * 100.0,
        flat.depth * LEVEL_HEIGHT,
        width * 100.0,
        LEVEL_HEIGHT - 1,
        multiline(&title),
        flat.color
    );
    if is_named {
        let class = if width < NAMED_ON_PHONES { "small" } else { "" };
        let label = Html(&flat.label);
        let _ = write!(out, "<text class=\"{class}\" x=\"6\" y=\"18\">{label}</text>");
    }
    out.push_str("</svg></a>\n");
}

/// Appends a box for a narrow node and those of its parent that follow.
fn rest(out: &mut String, tree: &[Flat<'_>], (first, parent): (usize, usize), at: f64, total: u64) {
    let narrow = tree.iter().skip(first).take_while(|flat| flat.depth >= tree[first].depth);
    let narrow: Vec<&Flat<'_>> = narrow.filter(|flat| flat.parent == Some(parent)).collect();
    let weight = narrow.iter().fold(0_u64, |sum, flat| sum.saturating_add(flat.weight));
    let _ = writeln!(
        out,
        "<svg x=\"{:.3}%\" y=\"{}\" width=\"{:.3}%\" height=\"{}\"><title>{} smaller prefixes: {}</title>\
         <rect class=\"rest\" width=\"100%\" height=\"100%\"/></svg>",
        at * 100.0,
        tree[first].depth * LEVEL_HEIGHT,
        figures::fraction(weight, total) * 100.0,
        LEVEL_HEIGHT - 1,
        figures::count(number_of(narrow.len())),
        figures::bytes(weight),
    );
}

fn number_of(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Returns a text as HTML in which line ends remain.
fn multiline(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| Html(line).to_string()).collect();
    lines.join("\n")
}
