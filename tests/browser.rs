//! The page of `stats --html` in a real browser: headless Chromium, which prints the document after a script of the test has
//! clicked and typed in it.
//!
//! If Chromium is not installed, the tests are reported as ignored. With `AOFKIT_REQUIRE_SERVERS=1` they fail instead.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aofkit::report::stats_html::testing::{HOSTILE, Sample, page};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use sha2::{Digest, Sha256};

type Test = fn(&Browser) -> Result<(), Failed>;

fn main() {
    let arguments = Arguments::from_args();
    let tests: &[(&str, Test)] = &[
        ("pages_open_without_errors_and_requests", opens),
        ("tables_are_sorted_by_their_headings", sorts),
        ("tables_are_filtered", filters),
        ("prefixes_are_zoomed", zooms),
        ("prefixes_are_drawn_by_other_measures", measures),
        ("names_with_markup_are_text", hostile_names_are_text),
        ("phones_need_no_horizontal_scrolling", fits_a_phone),
        ("ten_thousand_prefixes_are_sorted_filtered_and_zoomed", works_with_many_prefixes),
        ("ten_thousand_prefixes_open_quickly", opens_quickly),
    ];
    let browser = Browser::find();
    let required = env::var_os("AOFKIT_REQUIRE_SERVERS").is_some_and(|value| value == "1");
    let trials = tests.iter().map(|&(name, test)| match browser.clone() {
        Some(browser) => Trial::test(name, move || test(&browser)),
        None if required => Trial::test(name, || Err("needs chromium: not found".into())),
        None => Trial::test(name, || Ok(()))
            .with_ignored_flag(true)
            .with_kind("needs chromium: not found"),
    });
    libtest_mimic::run(&arguments, trials.collect()).exit()
}

/// A Chromium that is installed.
#[derive(Clone)]
struct Browser(PathBuf);

/// What is done in a page.
struct Visit<'v> {
    sample: Sample,
    /// The width of the window in pixels.
    width: u32,
    /// The statements of a function that returns what is to be reported.
    script: &'v str,
}

/// The functions that scripts of visits can use.
const HELPERS: &str = r#"
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const one = (selector, root = document) => root.querySelector(selector);
const captioned = (caption) => all("table").find((table) => table.caption.textContent === caption);
const column = (table, index) => all("tbody tr", table).map((row) => row.cells[index].textContent);
const press = (target, key) => target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const click = (target) => target.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
const boxes = () => all('#icicle a text').map((text) => text.textContent);
const crumbs = () => all(".crumbs > *").map((crumb) => crumb.textContent);
"#;

/// Copies the report of a page out of its frame.
const UNFRAME: &str = "<script>addEventListener('load', () => \
    document.body.append(document.importNode(frames[0].document.getElementById('reported'), true)))</script>";

impl Browser {
    fn find() -> Option<Browser> {
        let path = env::var_os("PATH").unwrap_or_default();
        let files =
            |directory: PathBuf| ["chromium", "chromium-browser"].map(|name| directory.join(name));
        env::split_paths(&path).flat_map(files).find(|path| path.is_file()).map(Browser)
    }

    /// Opens the page of a sample, runs the script in it, and returns what that reports.
    ///
    /// Fails if the browser writes anything to the console of the page.
    fn visit(&self, visit: &Visit<'_>) -> Result<Value, Failed> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("page.html");
        fs::write(&file, with_script(&page(visit.sample), visit.script)?)?;
        let frame = directory.path().join("frame.html");
        // A window is at least 500 pixels wide, which a phone is not; a frame can be narrower.
        fs::write(
            &frame,
            format!(
                "<!doctype html><iframe src=page.html width={} height=900></iframe>{UNFRAME}",
                visit.width
            ),
        )?;
        let output = self.open(directory.path(), &frame)?;
        let messages = String::from_utf8_lossy(&output.stderr);
        if let Some(message) = messages.lines().find(|line| line.contains("CONSOLE")) {
            return Err(format!("{:?}: {message}", visit.sample).into());
        }
        let document = String::from_utf8_lossy(&output.stdout);
        let reported = document
            .split_once("<pre id=\"reported\">")
            .and_then(|(_, rest)| rest.split_once("</pre>"))
            .ok_or_else(|| format!("{:?}: no report; {messages}", visit.sample))?;
        let json = reported.0.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        Ok(serde_json::from_str(&json)?)
    }

    fn open(&self, directory: &Path, file: &Path) -> Result<std::process::Output, Failed> {
        let output = Command::new(&self.0)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-extensions", "--disable-background-networking"])
            // No name is resolved, so that no request leaves the machine.
            .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", directory.join("profile").display()))
            // Otherwise each file is an origin of its own, and the frame cannot be read.
            .args(["--allow-file-access-from-files", "--window-size=1400,1000", "--dump-dom"])
            .arg(format!("file://{}", file.display()))
            .stdin(Stdio::null())
            .output()?;
        Ok(output)
    }
}

/// Returns a page that also runs a script when it is loaded. Its policy allows that script as well.
fn with_script(page: &str, script: &str) -> Result<String, Failed> {
    let script = format!(
        "{HELPERS}
const faults = [];
addEventListener('error', (event) => faults.push(event.message));
addEventListener('securitypolicyviolation', (event) => faults.push(event.violatedDirective));
addEventListener('load', () => {{
  let reported;
  try {{
    reported = (() => {{ {script} }})();
  }} catch (error) {{
    faults.push(String(error));
  }}
  const pre = document.createElement('pre');
  pre.id = 'reported';
  pre.textContent = JSON.stringify({{ faults, reported }});
  document.body.append(pre);
}});"
    );
    let hash = BASE64_STANDARD.encode(Sha256::digest(&script));
    let (before, after) = page.split_once("script-src ").ok_or("no policy")?;
    let page = format!("{before}script-src 'sha256-{hash}' {after}");
    let (before, after) = page.rsplit_once("</body>").ok_or("no end")?;
    Ok(format!("{before}<script>{script}</script></body>{after}"))
}

/// Runs a script in a page and returns what it reports.
fn run(browser: &Browser, sample: Sample, script: &str) -> Result<Value, Failed> {
    run_at(browser, sample, 1280, script)
}

fn run_at(browser: &Browser, sample: Sample, width: u32, script: &str) -> Result<Value, Failed> {
    let mut value = browser.visit(&Visit { sample, width, script })?;
    if value["faults"] != Value::Array(Vec::new()) {
        return Err(format!("{sample:?}: {}", value["faults"]).into());
    }
    Ok(value["reported"].take())
}

fn same(found: &Value, expected: Value) -> Result<(), Failed> {
    if *found == expected {
        Ok(())
    } else {
        Err(format!("found {found}, expected {expected}").into())
    }
}

fn opens(browser: &Browser) -> Result<(), Failed> {
    let script = "return {
        requests: performance.getEntriesByType('resource').length,
        headings: all('h2').map((heading) => heading.textContent),
        charts: all('.chart svg.area').length,
        boxes: all('#icicle a').length > 20,
        isStyled: getComputedStyle(one('main')).maxWidth !== 'none',
    };";
    let found = run(browser, Sample::Shop, script)?;
    let headings = [
        "Write rate",
        "Keys over the log",
        "Key name prefixes",
        "Commands",
        "Types and encodings",
        "Expiry",
        "Sizes of keys",
        "Effects on keys",
        "Largest commands",
        "Largest keys",
        "Streams",
        "Functions",
        "Cluster slots",
        "About this report",
    ];
    let expected = serde_json::json!({
        "requests": 0, "headings": headings, "charts": 7, "boxes": true, "isStyled": true,
    });
    same(&found, expected)?;
    for (sample, headings) in [(Sample::Unreplayed, 5), (Sample::Empty, 2)] {
        let found = run(browser, sample, "return all('h2').length;")?;
        if found.as_u64().is_none_or(|found| found > headings) {
            return Err(format!("{sample:?}: {found} headings").into());
        }
    }
    Ok(())
}

fn sorts(browser: &Browser) -> Result<(), Failed> {
    let script = "
        const table = captioned('Commands by bytes written');
        const head = (index) => table.tHead.rows[0].cells[index];
        const orders = [column(table, 0)];
        for (const index of [1, 1, 0]) {
          click(one('button', head(index)));
          orders.push([head(index).getAttribute('aria-sort'), ...column(table, 0).slice(0, 3)]);
        }
        return [orders[0].slice(0, 3), orders.slice(1), all('[aria-sort]', table).length];";
    let found = run(browser, Sample::Shop, script)?;
    let expected = serde_json::json!([
        ["SET", "HSET", "PEXPIREAT"],
        [
            // 3,120,400, 1,870,221 and 1,422,019 commands; at the other end 12, 61,920 and 88,231.
            ["descending", "SET", "HSET", "PEXPIREAT"],
            ["ascending", "SELECT", "SADD", "LPUSH"],
            ["ascending", "DEL", "HSET", "INCRBY"],
        ],
        1,
    ]);
    same(&found, expected)
}

fn filters(browser: &Browser) -> Result<(), Failed> {
    let script = "
        const table = one('#prefixes');
        const controls = table.parentElement.previousElementSibling;
        const input = one('input[type=search]', controls);
        const counts = [column(table, 0).length];
        const type = (text) => { input.value = text; input.dispatchEvent(new Event('input')); };
        type('PART-098');
        counts.push(column(table, 0).length, new Set(column(table, 0).map((name) => name.slice(-9))).size);
        const status = one('.status', controls).textContent;
        type('');
        counts.push(column(table, 0).length);
        click(one('button', controls));
        counts.push(column(table, 0).length);
        return { counts, status };";
    // 5 services with 99 parts each, and all.
    let found = run(browser, Sample::Prefixes(500), script)?;
    let expected = serde_json::json!({
        "counts": [501, 5, 1, 100, 501], "status": "5 of 5 rows that match, of 501",
    });
    same(&found, expected)
}

fn zooms(browser: &Browser) -> Result<(), Failed> {
    let script = "
        const state = () => [boxes(), crumbs()];
        const states = [boxes().length > 8];
        const box = (name) => all('#icicle a').find((link) => link.textContent.split('\\n')[0].startsWith(name));
        click(one('rect', box('user:')));
        states.push(state());
        states.push(document.activeElement === one('#icicle a'));
        click(one('rect', box('user:*:')));
        states.push(crumbs());
        press(one('#icicle a'), 'Escape');
        states.push(crumbs());
        click(all('.crumbs button')[0]);
        states.push(crumbs().length, boxes()[0], boxes().length > 8);
        press(one('#icicle a'), 'Escape');
        states.push(boxes()[0]);
        return states;";
    let found = run(browser, Sample::Shop, script)?;
    let all = "all";
    // 21,000,000 bytes of user:* itself, and 151,000,000, 48,000,000, 30,500,000 and 9,100,000 below it: 259,600,000.
    let user = "user: - written: 248 MiB";
    let expected = serde_json::json!([
        true,
        [["user:", "*:", "cart", "profile", "orders:", "*", "seen"], [all, user]],
        true,
        [all, "user:", "*: - written: 248 MiB"],
        [all, user],
        1,
        all,
        true,
        all,
    ]);
    same(&found, expected)
}

fn works_with_many_prefixes(browser: &Browser) -> Result<(), Failed> {
    let script = "
        const table = one('#prefixes');
        const head = (index) => table.tHead.rows[0].cells[index];
        const found = {};
        for (const [name, index] of [['ascending', 0], ['descending', 0], ['largest', 1], ['smallest', 1]]) {
          click(one('button', head(index)));
          found[name] = column(table, 0).slice(0, 3);
        }
        const controls = table.parentElement.previousElementSibling;
        const input = one('input[type=search]', controls);
        const type = (text) => { input.value = text; input.dispatchEvent(new Event('input')); };
        type('part-098');
        found.matches = [column(table, 0).length, one('.status', controls).textContent];
        type('');
        click(one('button', controls));
        found.all = column(table, 0).length;
        found.boxes = all('#icicle a').length;
        found.named = [boxes().includes('part-000:')];
        const box = (name) => all('#icicle a').find((link) => link.textContent.startsWith(name));
        click(one('rect', box('service-003:')));
        found.zoomed = [crumbs().length, box('service-004:') === undefined];
        found.named.push(boxes().includes('part-000:'));
        press(one('#icicle a'), 'Escape');
        found.out = [crumbs().length, all('#icicle a').length === found.boxes];
        return found;";
    let mut found = run(browser, Sample::Prefixes(10_000), script)?;
    if found["boxes"].take().as_u64().is_none_or(|boxes| boxes < 20) {
        return Err("few boxes".into());
    }
    // 100 services with 99 parts each, and all of them. The sizes of parts are 40,000,000 / (service + 9 * part + 1): the
    // smallest is 40,000,000 / 982, and the parts of service 1 are 41,571,284 together, more than the largest part has.
    let expected = serde_json::json!({
        "ascending": ["all", "service-000:", "service-000:part-000:"],
        "descending": ["service-099:part-098:", "service-099:part-097:", "service-099:part-096:"],
        "largest": ["all", "service-000:", "service-001:"],
        "smallest": ["service-099:part-098:", "service-098:part-098:", "service-097:part-098:"],
        "matches": [100, "100 of 100 rows that match, of 10,001"],
        "all": 10_001,
        "boxes": null,
        "named": [false, true],
        "zoomed": [2, true],
        "out": [1, true],
    });
    same(&found, expected)
}

fn measures(browser: &Browser) -> Result<(), Failed> {
    let script = "
        const widths = () => {
          const box = all('#icicle a').find((link) => link.textContent.startsWith('events'));
          return box ? Number.parseFloat(one('svg', box).getAttribute('width')) : 0;
        };
        const found = [all('fieldset label').map((label) => label.textContent), Math.round(widths())];
        all('fieldset input')[1].click();
        found.push(Math.round(widths()), one('#icicle title').textContent);
        all('fieldset input').at(-1).click();
        found.push(widths(), one('#icicle title').textContent);
        return found;";
    let found = run(browser, Sample::Shop, script)?;
    // 88,120,000 of 1,015,850,000 bytes, and 699,365 of 8,062,301 commands; a rewrite takes more for this prefix, so that
    // it has no width.
    let measures = ["written", "commands", "keys", "size of keys", "reclaimable"];
    let by_commands = "Prefixes by commands";
    let expected = serde_json::json!([measures, 9, 9, by_commands, 0, "Prefixes by reclaimable"]);
    same(&found, expected)
}

fn hostile_names_are_text(browser: &Browser) -> Result<(), Failed> {
    let script = "return {
        scripts: all('script').length,
        images: all('img').length,
        handlers: all('*').filter((element) => element.getAttributeNames().some((name) => name.startsWith('on'))).length,
        names: all('#prefixes .name').map((name) => name.lastChild.textContent),
        title: document.title,
    };";
    let zoom = format!("click(one('rect', all('#icicle a')[1])); {script}");
    for script in [script, &zoom] {
        let found = run(browser, Sample::Hostile, script)?;
        // That of the page and that of the test.
        let numbers = [&found["scripts"], &found["images"], &found["handlers"]];
        same(&serde_json::json!(numbers), serde_json::json!([2, 0, 0]))?;
        let name = String::from_utf8_lossy(HOSTILE[0]);
        let names = found["names"].as_array().ok_or("no names")?;
        if !names.iter().any(|found| *found == *name) || names.len() != 7 {
            return Err(format!("{names:?}").into());
        }
        same(&found["title"], format!("/tmp/{name} - aofkit stats").into())?;
    }
    Ok(())
}

fn fits_a_phone(browser: &Browser) -> Result<(), Failed> {
    let script = "
        const isWide = (element) => element.getBoundingClientRect().right > innerWidth;
        const wide = all('main > *, header, section > *').filter(isWide);
        const [root, targets] = [document.documentElement, all('button, .controls label, input[type=search]')];
        const isLow = (element) => element.offsetParent && element.getBoundingClientRect().height < 40;
        return [
          innerWidth, root.scrollWidth <= innerWidth, wide.map((element) => element.outerHTML.slice(0, 80)),
          targets.filter(isLow).map((element) => element.outerHTML),
        ];";
    for sample in [Sample::Shop, Sample::Unreplayed, Sample::Hostile] {
        same(&run_at(browser, sample, 400, script)?, serde_json::json!([400, true, [], []]))?;
    }
    Ok(())
}

#[allow(clippy::print_stdout)] // The times are for people.
fn opens_quickly(browser: &Browser) -> Result<(), Failed> {
    // Layout is included, which a browser otherwise does after the load.
    let script = "
        document.body.getBoundingClientRect();
        const loaded = performance.now();
        click(one('#prefixes thead button'));
        document.body.getBoundingClientRect();
        const sorted = performance.now();
        click(all('#icicle a rect')[1]);
        document.body.getBoundingClientRect();
        return [loaded, sorted - loaded, performance.now() - sorted].map(Math.round);";
    // A second on an idle machine; tests run on busy ones.
    let mut slow = Vec::new();
    for _ in 0..3 {
        let found = run(browser, Sample::Prefixes(10_000), script)?;
        let times: Vec<u64> =
            found.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        println!("10,000 prefixes: ms to load, sort and zoom: {found}");
        if times.len() == 3 && times.iter().all(|ms| *ms < 10_000) {
            return Ok(());
        }
        slow.push(found.to_string());
    }
    Err(format!("too long: {slow:?}").into())
}
