//! Tables, which a script makes sortable.

use std::fmt::Write;

use super::figures;
use super::text;
use crate::report::html::Html;

/// The number of rows that are shown at first.
const ROWS: usize = 100;

/// A table.
pub(super) struct Table<'a> {
    /// Its `id`, if something refers to it.
    pub(super) id: Option<&'a str>,
    /// Its caption.
    pub(super) caption: &'a str,
    /// The headings of its columns.
    pub(super) columns: &'a [Column<'a>],
    /// Its rows.
    pub(super) rows: Vec<Row>,
}

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Column<'a> {
    heading: &'a str,
    is_number: bool,
    is_measure: bool,
}

/// Returns a column of text.
pub(super) const fn text_column(heading: &str) -> Column<'_> {
    Column { heading, is_number: false, is_measure: false }
}

/// Returns a column of numbers, which is on the right.
pub(super) const fn number_column(heading: &str) -> Column<'_> {
    Column { heading, is_number: true, is_measure: false }
}

/// Returns a column of numbers by which the diagram of prefixes can be drawn.
pub(super) const fn measure_column(heading: &str) -> Column<'_> {
    Column { heading, is_number: true, is_measure: true }
}

/// A row.
#[derive(Default)]
pub(super) struct Row {
    /// Further attributes of its element, as HTML with a blank before each.
    pub(super) attributes: String,
    /// Its cells, as many as there are columns.
    pub(super) cells: Vec<Cell>,
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Row {
        Row { attributes: String::new(), cells }
    }
}

/// A cell.
#[derive(Default)]
pub(super) struct Cell {
    /// Its content as HTML.
    html: String,
    /// The number by which it is sorted, if its text does not begin with that.
    value: Option<String>,
}

impl Cell {
    pub(super) fn html(html: String) -> Cell {
        Cell { html, value: None }
    }

    pub(super) fn text(text: &str) -> Cell {
        Cell::html(Html(text).to_string())
    }

    pub(super) fn name(name: &[u8]) -> Cell {
        Cell::html(text::name(name))
    }

    pub(super) fn count(count: u64) -> Cell {
        Cell::html(figures::count(count))
    }

    pub(super) fn bytes(bytes: u64) -> Cell {
        Cell { html: figures::bytes(bytes), value: Some(bytes.to_string()) }
    }

    pub(super) fn signed_bytes(bytes: i64) -> Cell {
        Cell { html: figures::signed_bytes(bytes), value: Some(bytes.to_string()) }
    }

    pub(super) fn percent(part: u64, whole: u64) -> Cell {
        let value = format!("{:.6}", figures::fraction(part, whole));
        Cell::sorted_by(&figures::percent(part, whole), value)
    }

    /// Returns a cell with a text that is sorted by a number.
    pub(super) fn sorted_by(text: &str, value: impl ToString) -> Cell {
        Cell { html: Html(text).to_string(), value: Some(value.to_string()) }
    }

    /// Returns a cell with a bar, whose length is the part of a whole.
    pub(super) fn bar(part: u64, whole: u64) -> Cell {
        let width = figures::fraction(part, whole) * 100.0;
        let html = format!(
            "<svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" \
             aria-hidden=\"true\"><rect width=\"{width:.2}\" height=\"8\"/></svg>"
        );
        Cell { html, value: Some(part.to_string()) }
    }

    fn write(&self, out: &mut String, column: Column<'_>, is_heading: bool) {
        let element = if is_heading { "th scope=\"row\"" } else { "td" };
        // Most cells are numbers, and pages have tens of thousands of them.
        let class = match (is_heading, column.is_number) {
            (true, true) => " class=\"n\"",
            (false, false) => " class=\"t\"",
            _ => "",
        };
        let _ = match &self.value {
            Some(value) => write!(out, "<{element}{class} data-v=\"{value}\">"),
            None => write!(out, "<{element}{class}>"),
        };
        out.push_str(&self.html);
        out.push_str(if is_heading { "</th>" } else { "</td>" });
    }
}

impl Table<'_> {
    /// Returns the table as HTML; nothing if it has no rows.
    pub(super) fn html(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let id = self.id.map(|id| format!(" id=\"{id}\"")).unwrap_or_default();
        let caption = Html(self.caption);
        let mut out = format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{caption}\">\
             <table{id} data-rows=\"{ROWS}\"><caption>{caption}</caption><thead><tr>"
        );
        for column in self.columns {
            let class = if column.is_number { " class=\"n\"" } else { "" };
            let measure = if column.is_measure { " data-measure=\"\"" } else { "" };
            let heading = Html(column.heading);
            let _ = write!(out, "<th scope=\"col\"{class}{measure}>{heading}</th>");
        }
        out.push_str("</tr></thead>\n");
        let (first, more) = self.rows.split_at(self.rows.len().min(ROWS));
        self.body(&mut out, first, "tbody");
        if !more.is_empty() {
            self.body(&mut out, more, "tbody class=\"more\"");
        }
        out.push_str("</table></div>\n");
        out
    }

    fn body(&self, out: &mut String, rows: &[Row], element: &str) {
        let _ = writeln!(out, "<{element}>");
        for row in rows {
            let _ = write!(out, "<tr{}>", row.attributes);
            for (index, (cell, column)) in row.cells.iter().zip(self.columns).enumerate() {
                cell.write(out, *column, index == 0);
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</tbody>");
    }
}
