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
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // The continuation lines of descriptions are indented further.
    let subcommands = listed.lines().filter(|line| !line.starts_with("   "));
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
        assert!(short.stdout.lines().count() <= 50, "{name}: {}", short.stdout);
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
