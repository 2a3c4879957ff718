//! Completions, manual pages and help.

use super::Place;

#[test]
fn bash_completes_subcommands() {
    let script = r#"
        "$0" completions bash > it && source it &&
        COMP_WORDS=(aofkit ver) COMP_CWORD=1 && _aofkit aofkit ver aofkit && echo "${COMPREPLY[@]}"
    "#;
    Place::new().shell(script).ends(0, "verify\n", "");
}

#[test]
fn every_subcommand_has_a_manual_page() {
    let place = Place::new();
    place.run(&["man", "--to", "."]).ends(0, "", "");
    let subcommands = subcommands(&place);
    let mut pages: Vec<String> =
        subcommands.iter().map(|name| format!("aofkit-{name}.1")).collect();
    assert!(pages.len() > 5, "{pages:?}");
    pages.push("aofkit.1".to_owned());
    pages.sort();
    assert_eq!(place.names(), pages);
    assert!(place.run(&["man"]).stdout.contains(".TH aofkit 1"));
}

/// The names of all subcommands, as the help lists them.
fn subcommands(place: &Place) -> Vec<String> {
    let help = place.run(&["--help"]).stdout;
    let listed = help.split("Usage: ").nth(1).unwrap().split("\nOptions:\n").next().unwrap();
    // The continuation lines of descriptions are indented further, and titles of groups are not.
    let is_subcommand = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let subcommands = listed.lines().filter(is_subcommand);
    let names = subcommands.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

#[test]
fn help_fits_the_screen() {
    let place = Place::new();
    for name in subcommands(&place) {
        let long = place.run(&[&name, "--help"]).stdout;
        let wide = long.lines().find(|line| line.chars().count() > 80);
        // A value that cannot be wrapped may be longer.
        assert!(wide.is_none_or(|line| !line.trim().contains(' ')), "{name}: {wide:?}");
        if let Some((_, examples)) = long.split_once("Examples:\n") {
            let examples = examples.split("\n\n").next().unwrap();
            // A wrapped line would continue at the left margin.
            assert!(examples.lines().all(|line| line.starts_with("  ")), "{examples}");
            assert!(examples.contains(&format!("aofkit {name}")), "{examples}");
        }
        let short = place.run(&[&name, "-h"]);
        assert_eq!((short.code, short.stderr.as_str()), (Some(0), ""), "{name}");
        // A screen; `recover` has a choice for each kind of loss.
        let screen = if name == "recover" { 45 } else { 40 };
        assert!(short.stdout.lines().count() <= screen, "{name}: {}", short.stdout);
    }
}

#[test]
fn last_argument_h_prints_help() {
    let place = Place::new();
    for line in [
        "verify -h",
        "recover -h",
        "recover a.aof --strip -h",
        "recover -p 6379 --hold -h",
        "--json recover -h",
        "backup -h",
        "backup a.aof --to there -h",
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let name = arguments.iter().find(|name| !name.starts_with('-')).unwrap();
        let run = place.run(&arguments);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{line}");
        assert!(run.stdout.contains(&format!("\nUsage: aofkit {name} ")), "{line}: {}", run.stdout);
    }
    assert!(place.names().is_empty());
}

#[test]
fn h_with_a_value_is_the_host() {
    let place = Place::new();
    for line in [
        "recover -h 127.0.0.1 --hold -p 1",
        "recover --hold -p 1 -h 127.0.0.1",
        "backup --live --to . -h 127.0.0.1 -p 1",
    ] {
        let run = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(run.code, Some(2), "{line}: {run:#?}");
        assert!(run.stderr.contains("127.0.0.1:1"), "{line}: {run:#?}");
    }
    // After `--`, it is a path.
    let run = place.run(&["recover", "--", "-h"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("-h"), "{run:#?}");
}

#[test]
fn missing_directory_is_named() {
    let run = Place::new().run(&["man", "--to", "nowhere"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("error: cannot write manual pages to nowhere: "), "{run:?}");
}

#[test]
fn bash_completes_values_of_options() {
    for (words, value) in [
        ("verify --for valkey-9.1", "valkey-9.1"),
        ("convert --format multipart-", "multipart-aof"),
        ("recover --merge n", "newer"),
        ("backup --strategy l", "link"),
    ] {
        let last = words.split(' ').count();
        let script = format!(
            r#"
            "$0" completions bash > it && source it &&
            COMP_WORDS=(aofkit {words}) COMP_CWORD={last} &&
            _aofkit aofkit "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}" && echo "${{COMPREPLY[@]}}"
        "#
        );
        Place::new().shell(&script).ends(0, &format!("{value}\n"), "");
    }
}

#[test]
fn line_that_is_not_listed_is_accepted_by_for() {
    let place = Place::new();
    place.put("a.aof", super::sound());
    for line in ["redis-3.2", "redis-9.9", "redis-7.0.15"] {
        let run = place.run(&["verify", "a.aof", "--for", line]);
        assert!(!run.stderr.contains("invalid value"), "{line}: {}", run.stderr);
    }
    let wrong = place.run(&["verify", "a.aof", "--for", "7.0"]);
    assert!(wrong.stderr.contains("names no server line; write it as redis-7.0"), "{wrong:?}");
}
