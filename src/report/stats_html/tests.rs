//! The page is well-formed, loads nothing, and has names from a log only as text.

use super::START;
use super::testing::{HOSTILE, Sample, page, report};
use super::text::{name, shown};
use super::{SCRIPT, STYLE, StatsReport, page_in_zone};
use crate::report::html::{Html, source_hash};

const SAMPLES: [Sample; 5] =
    [Sample::Shop, Sample::Unreplayed, Sample::Hostile, Sample::Prefixes(300), Sample::Empty];

/// Elements that have no end tag.
const VOID: [&str; 1] = ["meta"];

/// An element: its name and its attributes.
#[derive(Debug, PartialEq)]
struct Element<'p> {
    name: &'p str,
    attributes: &'p str,
}

/// Returns the elements of a page, and what of it is not well-formed. Nothing is known here of HTML but its tags, so that
/// what passes is read by every parser as it is meant.
fn elements(page: &str) -> (Vec<Element<'_>>, Vec<String>) {
    let (mut found, mut open, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = page.strip_prefix(START).unwrap_or_default();
    while let Some(start) = rest.find('<') {
        if rest[..start].contains('>') {
            faults.push(format!("a > in {:?}", &rest[..start]));
        }
        let Some(end) = rest[start..].find('>') else { break };
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let opened: Option<&str> = open.pop();
            if opened != Some(name) {
                faults.push(format!("</{name}> ends {opened:?}"));
            }
            continue;
        }
        let closes_itself = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric());
        if !is_name {
            faults.push(format!("an element {name:?}"));
        }
        if attributes.matches('"').count() % 2 == 1 {
            faults.push(format!("a quote in {attributes:?}"));
        }
        found.push(Element { name, attributes });
        // The content of these two is no markup.
        if let Some(source) = [("style", STYLE), ("script", SCRIPT)].iter().find(|it| it.0 == name)
        {
            match rest.strip_prefix(source.1) {
                Some(after) => rest = after,
                None => faults.push(format!("another {name}")),
            }
        }
        if !closes_itself && !VOID.contains(&name) {
            open.push(name);
        }
    }
    faults.extend(open.iter().map(|name| format!("<{name}> has no end")));
    (found, faults)
}

#[test]
fn pages_are_well_formed() {
    for sample in SAMPLES {
        let page = page(sample);
        let (elements, faults) = elements(&page);
        assert!(faults.is_empty(), "{sample:?}: {faults:?}");
        assert!(elements.len() > 20, "{sample:?}");
        let mut ids: Vec<&str> = elements
            .iter()
            .filter_map(|element| element.attributes.split_once("id=\""))
            .filter_map(|(before, id)| (before.is_empty() || before.ends_with(' ')).then_some(id))
            .filter_map(|id| id.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{sample:?}: an id is twice in the page");
    }
}

#[test]
fn the_check_of_pages_can_fail() {
    for wrong in [
        "<p>",
        "<p></b>",
        "<p></p></p>",
        "<p> > </p>",
        "<p a=\"></p>",
        "<script>alert(1)</script>",
        "<1></1>",
    ] {
        let (_, faults) = elements(&format!("{START}{wrong}"));
        assert!(!faults.is_empty(), "{wrong}");
    }
}

#[test]
fn pages_load_nothing() {
    for sample in SAMPLES {
        let page = page(sample);
        let (elements, _) = elements(&page);
        for element in &elements {
            let attributes = element.attributes;
            assert!(!["img", "link", "iframe", "object", "base"].contains(&element.name));
            assert!(!attributes.contains(" src=") && !attributes.contains("style="));
            assert!(!attributes.contains(" on"), "{sample:?}: {element:?}");
            if let Some((_, link)) = attributes.split_once("href=\"") {
                assert!(link.starts_with("#p"), "{sample:?}: {element:?}");
            }
        }
        let addresses = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!addresses.contains("http://") && !addresses.contains("https://"), "{sample:?}");
        for word in ["url(", "@import"] {
            assert!(!STYLE.contains(word));
        }
        for word in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!SCRIPT.contains(word));
        }
    }
}

#[test]
fn policy_allows_the_own_script_and_style_only() {
    // `printf %s a | openssl dgst -sha256 -binary | base64`
    assert_eq!(source_hash("a"), "sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=");
    let page = page(Sample::Hostile);
    let policy = format!(
        "content=\"default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'\"",
        source_hash(STYLE),
        source_hash(SCRIPT)
    );
    assert!(page.contains(&policy));
    assert_eq!(page.matches("<script").count(), 1);
}

#[test]
fn names_are_text() {
    let page = page(Sample::Hostile);
    assert!(!page.contains("<img") && !page.contains("<script>alert"));
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
    for c in ['\0', '\u{1b}', '\u{202e}'] {
        assert!(!page.contains(c), "{c:?}");
    }
    assert!(page.contains("\\xff\\xfe\\u{0}\\u{1b}[31m"));
    assert!(page.contains("cart\\u{202e}gpj.exe"));
    assert!(page.contains("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"));
}

#[test]
fn text_is_escaped() {
    assert_eq!(Html("a<b>&\"'\n\u{7f}é").to_string(), "a&lt;b&gt;&amp;&quot;&#39;\\n\\u{7f}é");
    assert_eq!(shown(b""), "\"\"");
    assert_eq!(shown("é\u{202e}".as_bytes()), "é\\u{202e}");
    assert_eq!(shown(&[b'x'; 70]), format!("{}.. (70 bytes)", "x".repeat(64)));
    assert_eq!(shown(&[0xff; 70]), format!("{}.. (70 bytes)", "\\xff".repeat(64)));
    assert_eq!(name(HOSTILE[4]), "<bdi class=\"name\">&#39; onmouseover=&#39;alert(1)</bdi>");
}

#[test]
fn numbers_of_the_report_are_in_the_page() {
    let page = page(Sample::Shop);
    for text in [
        // 1,015,850,000 bytes of prefixes and 131,072,000 of the RDB, of which 402,653,184 remain.
        "<dt>Size of the log</dt><dd class=\"value\">1.07 GiB</dd><dd>125 MiB of it an RDB</dd>",
        "<dt>Reclaimable by a rewrite</dt><dd class=\"value\">710 MiB</dd><dd>64.9% of the log;",
        "<dd class=\"value\">25 h 59 min</dd>",
        "<dt>Keys at the end</dt><dd class=\"value\">760,313</dd>",
        "<span class=\"above\">user:*:</span>cart</bdi>",
        "aofkit stats --html shop.html /var/lib/redis/appendonlydir",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn keys_over_the_log_fall_where_a_flush_is() {
    let shop = page(Sample::Shop);
    // 301,000 + 180 * 2,900 keys, and 12,100 at the next point, after 180 and 181 steps of 4,232,708 bytes.
    let fall = "The largest fall in database 0 is from 823,000 keys to 12,100 (98.5%), between \
                appendonly.aof.7.incr.aof:761887440 and appendonly.aof.7.incr.aof:766120148.";
    assert!(shop.contains(fall));
    for caption in ["Keys in all databases", "Keys in database 0", "Keys in database 1"] {
        assert_eq!(shop.matches(&format!("<figcaption>{caption}<")).count(), 1, "{caption}");
    }
    // The highest point of db 0 is 823,000 of an axis to 1,000,000, at 180 of 240 points.
    assert!(shop.contains("L750.0 35.4L754.2 197.6"), "no cliff");
    let unreplayed = page(Sample::Unreplayed);
    assert!(!unreplayed.contains("Keys over the log"));
}

#[test]
fn keys_that_never_fall_are_said_not_to() {
    let mut report = report(Sample::Shop);
    report.course.truncate(181);
    let page = page_in_zone(&report, "", &jiff::tz::TimeZone::UTC);
    assert!(page.contains("The number of keys never falls from one point to the next."));
}

#[test]
fn time_to_load_is_in_the_page_or_said_not_to_be_estimated() {
    let mut report = report(Sample::Shop);
    let figure = |report: &StatsReport| {
        let page = page_in_zone(report, "", &jiff::tz::TimeZone::UTC);
        let (_, figure) = page.split_once("<dt>Time to load</dt>").unwrap();
        figure.split_once("</div>").unwrap().0.to_owned()
    };
    assert_eq!(
        figure(&report),
        "<dd class=\"value\">11.40 s</dd><dd>in redis 7.2.5 on the machine of this report, estimated by a sample of \
         48.0 MiB that it loaded in 0.60 s</dd>"
    );
    (report.load, report.load_s) = (None, None);
    assert!(figure(&report).starts_with("<dd class=\"value\">not estimated</dd><dd>no server"));
    report.load_problem = Some("the server <b> ended".to_owned());
    let refused = "<dd class=\"value\">not estimated</dd><dd>the server &lt;b&gt; ended</dd>";
    assert_eq!(figure(&report), refused);
}

#[test]
fn what_is_not_known_is_left_out() {
    let page = page(Sample::Unreplayed);
    for text in ["reclaimable", "Effects on keys", "Largest keys", "Bytes per second"] {
        assert!(!page.contains(text), "{text}");
    }
    assert!(page.contains("The log has no timestamps"));
    let mut report = report(Sample::Shop);
    report.present.as_mut().unwrap().memory = None;
    let page = page_in_zone(&report, "", &jiff::tz::TimeZone::UTC);
    assert!(page.contains("<dt>Memory of the keys</dt><dd class=\"value\">not estimated</dd>"));
}
