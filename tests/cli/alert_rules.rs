//! The example of alert rules is about metrics that are written.

use std::collections::BTreeSet;

use super::archive::tool;
use super::backup::with_log;
use super::*;

fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/packaging/aofkit.rules.yml")
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("aofkit_")).map(str::to_owned).collect()
}

#[test]
fn every_metric_of_the_rules_and_of_the_page_is_written() {
    let place = with_log();
    for line in ["backup a.aof --to to --compact", "prune to --keep-last 1", "drill to"] {
        let run = place.run(&line.split(' ').chain(["--metrics", "x.prom"]).collect::<Vec<_>>());
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    let text = String::from_utf8(place.read("x.prom")).unwrap();
    let written = names(&text);
    assert_eq!(written.len(), 9 + 8 + 8, "{written:#?}");
    let rules = fs::read_to_string(rules()).unwrap();
    let used = names(&rules);
    assert!(used.len() >= 6 && used.is_subset(&written), "{:#?}", used.difference(&written));
    // The labels that the texts of the alerts have.
    for label in rules.split("$labels.").skip(1).map(|rest| rest.split(' ').next().unwrap()) {
        assert!(text.contains(&format!("{{{label}=\"")), "{label}");
    }
}

#[test]
fn the_rules_are_as_prometheus_reads_them() {
    let place = Place::new();
    let script = format!(
        "import yaml\n\
         rules = [rule for group in yaml.safe_load(open({:?}))['groups'] for rule in group['rules']]\n\
         known = {{'alert', 'expr', 'for', 'labels', 'annotations'}}\n\
         for rule in rules:\n    \
             assert set(rule) <= known and {{'alert', 'expr'}} <= set(rule), rule\n    \
             assert isinstance(rule['expr'], str) and rule['annotations']['summary'], rule\n    \
             assert rule['labels']['severity'] in ('critical', 'warning'), rule\n\
         assert len({{rule['alert'] for rule in rules}}) == len(rules) > 5",
        rules()
    );
    let has_yaml = tool(&place, &["python3", "-c", "import yaml"]);
    if has_yaml.is_some_and(|output| output.status.success()) {
        let run = tool(&place, &["python3", "-c", &script]).unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
    // Of the Debian package `prometheus`.
    let rules = rules();
    let promtool = Command::new("promtool").args(["check", "rules"]).arg(rules).output();
    if let Ok(output) = promtool {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
