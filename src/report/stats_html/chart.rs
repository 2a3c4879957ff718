//! Charts as SVG. They are as wide as the page: lines are stretched, texts are not.

use std::fmt::Write;

use crate::report::html::Html;

/// The width of a drawing in its own units.
const WIDTH: f64 = 1000.0;

/// The height of a drawing in its own units.
const HEIGHT: f64 = 200.0;

/// What is written at and about a chart.
pub(super) struct Labels<'a> {
    /// The `id` of the chart, of which those of its parts are made.
    pub(super) id: &'a str,
    /// What is drawn.
    pub(super) caption: &'a str,
    /// What a reader without the picture should know.
    pub(super) description: &'a str,
    /// The horizontal axis.
    pub(super) x: Axis,
    /// The vertical axis.
    pub(super) y: Axis,
}

/// An axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Axis {
    /// The number at its beginning.
    pub(super) from: f64,
    /// The number at its end.
    pub(super) to: f64,
    /// The numbers that are named.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Returns the place of a number on the axis, from 0 to 1.
    fn place(&self, number: f64) -> f64 {
        let length = self.to - self.from;
        if length > 0.0 { ((number - self.from) / length).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// A point of an area.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    /// Its place on the horizontal axis.
    pub(super) x: f64,
    /// The place at which it ends: with `x` itself, a line leads from point to point; otherwise the area has steps.
    pub(super) end: f64,
    /// Its place on the vertical axis.
    pub(super) y: f64,
    /// What is shown of it below the pointer.
    pub(super) title: String,
}

/// A column of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bin {
    /// Its height.
    pub(super) y: f64,
    /// What is shown of it below the pointer.
    pub(super) title: String,
}

/// Returns an area below the points, in their order.
pub(super) fn area(points: &[Point], labels: &Labels<'_>) -> String {
    let Some((first, last)) = points.first().zip(points.last()) else { return String::new() };
    let x = |number: f64| labels.x.place(number) * WIDTH;
    let y = |number: f64| HEIGHT - labels.y.place(number) * HEIGHT;
    let mut line = String::new();
    let mut end = None;
    for point in points {
        let letter = if end.is_none() { 'M' } else { 'L' };
        // Between two steps with a gap, nothing was written.
        if let Some(end) = end.filter(|end| point.end > point.x && *end < point.x) {
            let _ = write!(line, "L{:.1} {HEIGHT}L{:.1} {HEIGHT}", x(end), x(point.x));
        }
        let _ = write!(line, "{letter}{:.1} {:.1}", x(point.x), y(point.y));
        if point.end > point.x {
            let _ = write!(line, "L{:.1} {:.1}", x(point.end), y(point.y));
        }
        end = Some(point.end);
    }
    let (from, to) = (x(first.x), x(last.end));
    let mut drawing = format!(
        "<path class=\"fill\" d=\"{line}L{to:.1} {HEIGHT}L{from:.1} {HEIGHT}Z\"/>\
         <path class=\"line\" d=\"{line}\"/>"
    );
    for (index, point) in points.iter().enumerate() {
        // A point of a line is pointed at on the half of the way to each of its neighbours.
        let middle = |other: Option<&Point>| other.map_or(point.x, |it| (it.x + point.x) / 2.0);
        let (from, to) = if point.end > point.x {
            (point.x, point.end)
        } else {
            (
                middle(index.checked_sub(1).and_then(|it| points.get(it))),
                middle(points.get(index + 1)),
            )
        };
        spot(&mut drawing, x(from), x(to) - x(from), &point.title);
    }
    framed(&drawing, labels)
}

/// Returns a histogram, whose horizontal axis counts its columns from 0.
pub(super) fn histogram(bins: &[Bin], labels: &Labels<'_>) -> String {
    let mut drawing = String::new();
    for (index, bin) in (0_u32..).zip(bins) {
        let (from, to) = (f64::from(index), f64::from(index) + 1.0);
        let (from, to) = (labels.x.place(from) * WIDTH, labels.x.place(to) * WIDTH);
        let height = labels.y.place(bin.y) * HEIGHT;
        let gap = (to - from) * 0.08;
        let _ = write!(
            drawing,
            "<rect class=\"column\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            from + gap,
            HEIGHT - height,
            to - from - 2.0 * gap,
        );
        spot(&mut drawing, from, to - from, &bin.title);
    }
    framed(&drawing, labels)
}

/// A part of a bar.
pub(super) struct Share {
    /// The number of its colour.
    pub(super) color: usize,
    /// Its size; all of a bar together are its length.
    pub(super) size: f64,
    /// What is shown of it below the pointer.
    pub(super) title: String,
}

/// Returns a bar that is divided in shares.
pub(super) fn stacked(label: &str, description: &str, shares: &[Share]) -> String {
    let total: f64 = shares.iter().map(|share| share.size).sum();
    let mut out = format!(
        "<div class=\"stacked\"><span>{}</span><svg viewBox=\"0 0 {WIDTH} 20\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        Html(label),
        Html(description)
    );
    let mut at = 0.0;
    for share in shares.iter().filter(|share| share.size > 0.0) {
        let width = share.size / total * WIDTH;
        let _ = write!(
            out,
            "<rect class=\"c{}\" x=\"{at:.2}\" width=\"{width:.2}\" height=\"20\"><title>{}</title></rect>",
            share.color % COLORS,
            Html(&share.title)
        );
        at += width;
    }
    out.push_str("</svg></div>\n");
    out
}

/// The number of colours, which the style sheet has as `c0` to `c7`.
pub(super) const COLORS: usize = 8;

/// Appends an invisible area over the whole height, which has a title.
fn spot(out: &mut String, x: f64, width: f64, title: &str) {
    let _ = write!(
        out,
        "<rect class=\"spot\" x=\"{x:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\"><title>{}</title></rect>",
        Html(title)
    );
}

/// Returns a drawing with its axes.
fn framed(drawing: &str, labels: &Labels<'_>) -> String {
    let id = labels.id;
    let mut y = String::new();
    let mut grid = String::new();
    for (number, label) in &labels.y.ticks {
        let place = 1.0 - labels.y.place(*number);
        // The text of the lowest line is above it, that of others is centred at it.
        let shift = if place > 0.95 { "0" } else { "0.35em" };
        let _ = write!(
            y,
            "<text x=\"100%\" y=\"{:.1}%\" dy=\"{shift}\">{}</text>",
            place * 100.0,
            Html(label)
        );
        let at = place * HEIGHT;
        let _ = write!(grid, "<path class=\"grid\" d=\"M0 {at:.1}H{WIDTH}\"/>");
    }
    let mut x = String::new();
    for (number, label) in &labels.x.ticks {
        let place = labels.x.place(*number);
        let anchor = match place {
            0.0..0.04 => "start",
            0.96.. => "end",
            _ => "middle",
        };
        let _ = write!(
            x,
            "<text x=\"{:.2}%\" y=\"1.1em\" text-anchor=\"{anchor}\">{}</text>",
            place * 100.0,
            Html(label)
        );
    }
    format!(
        "<figure class=\"chart\"><figcaption>{}</figcaption><div class=\"plot\">\
         <svg class=\"y\" aria-hidden=\"true\">{y}</svg>\
         <svg class=\"area\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-labelledby=\"{id}-title {id}-desc\"><title id=\"{id}-title\">{}</title>\
         <desc id=\"{id}-desc\">{}</desc>{grid}{drawing}</svg>\
         <svg class=\"x\" aria-hidden=\"true\">{x}</svg></div></figure>\n",
        Html(labels.caption),
        Html(labels.caption),
        Html(labels.description)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(to: f64, top: f64) -> Labels<'static> {
        Labels {
            id: "keys",
            caption: "Keys over the log",
            description: "From none to 100.",
            x: Axis { from: 0.0, to, ticks: vec![(0.0, "0".to_owned()), (to, "end".to_owned())] },
            y: Axis { from: 0.0, to: top, ticks: vec![(top, top.to_string())] },
        }
    }

    fn point(x: f64, end: f64, y: f64) -> Point {
        Point { x, end, y, title: format!("{y} keys at {x}") }
    }

    /// Such points are what `recover` knows of the keys over a log.
    #[test]
    fn area_of_points_has_a_line_from_each_to_the_next() {
        let points = [point(0.0, 0.0, 0.0), point(50.0, 50.0, 100.0), point(100.0, 100.0, 25.0)];
        let html = area(&points, &labels(100.0, 100.0));
        assert!(html.contains("class=\"line\" d=\"M0.0 200.0L500.0 0.0L1000.0 150.0\""), "{html}");
        // Pointed at from half of the way to the point before to half of the way to the next.
        assert!(html.contains("x=\"250.0\" width=\"500.0\" height=\"200\"><title>100 keys at 50<"));
        assert!(area(&[], &labels(1.0, 1.0)).is_empty());
    }

    #[test]
    fn area_of_steps_is_empty_where_steps_have_a_gap() {
        let points = [point(0.0, 10.0, 50.0), point(30.0, 40.0, 100.0)];
        let html = area(&points, &labels(40.0, 100.0));
        let line = "M0.0 100.0L250.0 100.0L250.0 200L750.0 200L750.0 0.0L1000.0 0.0";
        assert!(html.contains(line), "{html}");
    }

    #[test]
    fn axis_of_a_single_point_has_no_length() {
        let html = area(&[point(7.0, 7.0, 0.0)], &labels(0.0, 0.0));
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
    }

    #[test]
    fn shares_fill_a_bar() {
        let share = |color, size| Share { color, size, title: String::new() };
        let html = stacked("keys", "", &[share(0, 1.0), share(9, 3.0), share(2, 0.0)]);
        assert!(html.contains("class=\"c0\" x=\"0.00\" width=\"250.00\""), "{html}");
        assert!(html.contains("class=\"c1\" x=\"250.00\" width=\"750.00\""), "{html}");
        assert_eq!(html.matches("<rect").count(), 2);
    }
}
