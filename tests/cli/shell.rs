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
    let help = place.run(&["--help"]).stdout;
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // The longer descriptions go on in lines that are indented further.
    let subcommands = listed.lines().filter(|line| !line.starts_with("   "));
    let mut pages: Vec<String> = subcommands
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|name| *name != "help")
        .map(|name| format!("aofkit-{name}.1"))
        .collect();
    assert!(pages.len() > 5, "{help}");
    pages.push("aofkit.1".to_owned());
    pages.sort();
    assert_eq!(place.names(), pages);
    assert!(place.run(&["man"]).stdout.contains(".TH aofkit 1"));
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let run = Place::new().run(&["man", "--to", "nowhere"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.starts_with("error: nowhere: cannot write manual pages"), "{run:?}");
}
