//! `backup --live` where there is no server.

use super::*;

#[test]
fn what_makes_no_sense_of_a_running_server_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    place.put("a.aof", sound());
    for (args, told) in [
        (&["--live", "a.aof"][..], "a running server is asked for, and a path as well"),
        (&["--restore-config", "--dry-run"], "--restore-config has no --dry-run"),
        (&["--live", "--user", "backup"], "a user needs a password"),
        (&["--live", "--dir", ".", "-p", "1", "-p", "2"], "several are named"),
        (&["a.aof", "-p", "1", "-p", "2"], "several ports are named"),
        (&["--live", "--pause", "soon"], "`soon` is no length of time"),
        (&["--live", "-s", "nowhere", "--cert", "a"], "--key"),
        (&[], "give the path of a log, or --live"),
    ] {
        let run = place.run(&[&["backup", "--to", "to"][..], args].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:#?}");
        assert!(run.stderr.contains(told), "{args:?}: {run:#?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_do() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    let run = place.run(&["backup", "--live", "--to", "to", "-s", "nowhere.sock"]);
    run.ends(
        2,
        "",
        "error: nowhere.sock: connecting: no connection: No such file or directory (os error 2)\n\
         help: is the server running there? -h, -p, -s, -u and --tls say how it is reached\n",
    );
    let run = place.run(&["backup", "--live", "--json", "--to", "to", "-p", "1"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    let told: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(told["servers"][0]["address"], "127.0.0.1:1");
    assert!(told["servers"][0]["report"].is_null());
    assert!(told["servers"][0]["error"]["message"].as_str().unwrap().contains("no connection"));
    assert!(place.run(&["backup", "--restore-config", "--to", "to", "-p", "1"]).code == Some(2));
}

#[test]
fn a_password_is_never_told() {
    let place = Place::new();
    fs::create_dir(place.path("to")).unwrap();
    for args in [
        &["-u", "redis://backup:geheim@127.0.0.1:1"][..],
        &["-u", "redis//backup:geheim@127.0.0.1:1"],
        &["-u", "redis://backup:geheim@127.0.0.1:99999"],
        &["-p", "1", "--pass", "geheim"],
        &["-p", "1", "--user", "backup", "-a", "geheim"],
    ] {
        let run = place.run(&[&["backup", "--live", "--json", "--to", "to"][..], args].concat());
        assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
        let told = format!("{}{}", run.stdout, run.stderr);
        // clap quotes the value that it was given; the URI is one that could hold a password.
        assert!(!told.contains("geheim"), "{args:?}: {run:#?}");
    }
}

#[test]
fn help_is_asked_for_in_full_as_h_is_the_host() {
    let place = Place::new();
    let run = place.run(&["backup", "--help"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    for told in
        ["-h, --host <HOST>", "+info +config|get +config|set +bgrewriteaof", "--restore-config"]
    {
        assert!(run.stdout.contains(told), "{told}: {}", run.stdout);
    }
    assert_eq!(place.run(&["backup", "-h"]).code, Some(2), "it wants a host");
}
