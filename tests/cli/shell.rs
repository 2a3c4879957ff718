//! Completions and manual pages.

use super::Place;

#[test]
fn bash_takes_the_completions_and_offers_subcommands() {
    let script = r#"
        "$0" completions bash > it && source it &&
        COMP_WORDS=(aofkit ver) COMP_CWORD=1 && _aofkit aofkit ver aofkit && echo "${COMPREPLY[@]}"
    "#;
    Place::new().shell(script).ends(0, "verify\n", "");
}

#[test]
fn there_is_a_page_for_every_subcommand() {
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
    // The longer descriptions go on in lines that are indented further.
    let subcommands = listed.lines().filter(|line| !line.starts_with("   "));
    let names = subcommands.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

#[test]
fn help_fits_a_screen_and_an_example_its_line() {
    let place = Place::new();
    for name in subcommands(&place) {
        let long = place.run(&[&name, "--help"]).stdout;
        let wide = long.lines().find(|line| line.chars().count() > 80);
        // A value that cannot be broken may reach further.
        assert!(wide.is_none_or(|line| !line.trim().contains(' ')), "{name}: {wide:?}");
        if let Some((_, examples)) = long.split_once("Examples:\n") {
            let examples = examples.split("\n\n").next().unwrap();
            // What was broken goes on at the left.
            assert!(examples.lines().all(|line| line.starts_with("  ")), "{examples}");
            assert!(examples.contains(&format!("aofkit {name}")), "{examples}");
        }
        // With `backup` and `recover`, -h is the host, as with redis-cli.
        let short = place.run(&[&name, "-h"]);
        if short.code == Some(0) {
            assert!(short.stdout.lines().count() <= 50, "{name}: {}", short.stdout);
        } else {
            assert!(short.stderr.contains("try '--help'"), "{name}: {short:?}");
        }
    }
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let run = Place::new().run(&["man", "--to", "nowhere"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("error: nowhere: cannot write manual pages"), "{run:?}");
}
