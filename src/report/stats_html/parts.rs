//! Parts that several sections of the page have.

use super::chart::{self, Share};
use super::table::{Cell, Table};
use crate::report::html::Html;

/// Returns a section with a heading; nothing if it has no content.
pub(super) fn section(heading: &str, html: &str) -> String {
    if html.is_empty() {
        return String::new();
    }
    format!("<section><h2>{}</h2>\n{html}</section>\n", Html(heading))
}

pub(super) fn paragraph(text: &str) -> String {
    format!("<p class=\"about\">{}</p>\n", Html(text))
}

/// Returns the cell of a name with the colour of its share in a bar.
pub(super) fn swatch(color: usize, name: &str) -> Cell {
    let color = color % chart::COLORS;
    Cell::html(format!(
        "<svg class=\"swatch\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"c{color}\" width=\"10\" \
         height=\"10\"/></svg>{}",
        Html(name)
    ))
}

/// Returns bars with shares, and the table that explains their colours; nothing without rows.
pub(super) fn shares_section(bars: &[(&str, Vec<Share>)], table: &Table<'_>) -> String {
    let html = table.html();
    if html.is_empty() {
        return html;
    }
    let bar = |(label, shares): &(&str, Vec<Share>)| {
        chart::stacked(label, &format!("{}: {label}", table.caption), shares)
    };
    let bars: String = bars.iter().map(bar).collect();
    format!("<div class=\"shares\"><h3>{}</h3>\n{bars}{html}</div>\n", Html(table.caption))
}
