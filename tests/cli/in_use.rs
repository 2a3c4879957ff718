//! A data directory that a server uses, and that it sees by another path, as another user, or not at all from here.
//!
//! A "server" is a copy of `sleep` with the name of one. What needs root or namespaces is skipped without them.

use std::os::unix::fs::PermissionsExt;

use super::*;

const INCR: &str = "appendonly.aof.1.incr.aof";

/// A place with an archive, and `data` with a log that ends in a torn command; every user may write there.
fn place() -> Place {
    let place = Place::new();
    place.put_set("whole", &[(INCR, &sound())]);
    assert_eq!(place.run(&["compress", "-q", "whole", "-o", "set.zip"]).code, Some(0));
    let torn = [sound(), command(&["FLUSHALL"]), b"*3\r\n$3".to_vec()].concat();
    place.put_set("data/appendonlydir", &[(INCR, &torn)]);
    let sleep = place.shell("cp \"$(command -v sleep)\" redis-server && chmod -R a+rwX .");
    assert_eq!(sleep.code, Some(0), "{sleep:#?}");
    place
}

/// Every command that replaces the log in `data`, or what it would be.
const LINES: [&str; 3] = [
    "restore set.zip -o data --force",
    "repair --in-place data",
    "recover data --strip --in-place",
];

/// Runs `server` in a shell, which writes a line once it has begun, until `then` is done.
fn beside(place: &Place, server: &str, then: impl FnOnce()) {
    let mut child = Command::new("sh")
        .args(["-c", server])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0; 6]);
    if begun.is_ok() {
        std::thread::sleep(std::time::Duration::from_millis(100));
        then();
    } else {
        eprintln!("skipped: {server}");
    }
    let _ = child.kill();
    let _ = child.wait();
}

fn is_root() -> bool {
    user_id() == "0"
}

/// The user that runs this, by `id`.
fn user_id() -> String {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(id.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_server_with_the_directory_mounted_elsewhere_is_found() {
    let place = place();
    fs::create_dir(place.path("mounted")).unwrap();
    let server = "exec unshare -m sh -c \
        'mount --bind data mounted && cd mounted && echo ready && exec ../redis-server 60' 2>/dev/null";
    beside(&place, server, || {
        for line in LINES {
            let run = place.run(&line.split(' ').collect::<Vec<_>>());
            assert!(run.code == Some(2) && run.stderr.contains("(redis-server) uses"), "{run:#?}");
            // Who knows better than /proc does not exist.
            let run = place.run(&format!("{line} --offline").split(' ').collect::<Vec<_>>());
            assert_eq!(run.code, Some(2), "{run:#?}");
        }
    });
}

#[test]
fn a_server_of_another_user_may_use_a_log_that_was_just_written() {
    let place = place();
    if !is_root() || place.shell("setpriv --version").code != Some(0) {
        return;
    }
    fs::set_permissions(place.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    let program = place.path("aofkit");
    fs::copy(env!("CARGO_BIN_EXE_aofkit"), &program).unwrap();
    let as_nobody = |line: &str| {
        place.shell(&format!(
            "exec setpriv --reuid=65534 --regid=65534 --clear-groups ./aofkit {line}"
        ))
    };
    // The directory of the server is another one, which nobody can know.
    beside(&place, "cd /; echo ready; exec \"$OLDPWD\"/redis-server 60", || {
        for line in LINES {
            let run = as_nobody(line);
            let refused = run.stderr.contains("belongs to another user")
                && run.stderr.contains("--offline says so");
            assert!(run.code == Some(2) && refused, "{line}: {run:#?}");
        }
        let run = as_nobody("repair --in-place data --offline");
        assert_eq!(run.code, Some(0), "{run:#?}");
        // Nothing was written for an hour.
        let idle = place.shell("touch -d '1 hour ago' data/appendonlydir/* data/appendonlydir");
        assert_eq!(idle.code, Some(0), "{idle:#?}");
        let run = as_nobody("restore set.zip -o data --force");
        assert_eq!(run.code, Some(0), "{run:#?}");
    });
}

#[test]
fn a_volume_may_be_used_outside_of_the_container() {
    let place = place();
    if !is_root() {
        return;
    }
    let container = |line: &str| {
        let inside = format!(
            "mount -t tmpfs none data && cp -r old data/appendonlydir && exec {} {line}",
            env!("CARGO_BIN_EXE_aofkit")
        );
        place.shell(&format!("exec unshare -m -p -f --mount-proc sh -c '{inside}'"))
    };
    fs::rename(place.path("data/appendonlydir"), place.path("old")).unwrap();
    if container("--version").code != Some(0) {
        return;
    }
    for line in LINES {
        let run = container(line);
        let refused = run.stderr.contains("processes outside of this container are not visible");
        assert!(run.code == Some(2) && refused, "{line}: {run:#?}");
    }
    let run = container("restore set.zip -o data --force --offline");
    assert_eq!(run.code, Some(0), "{run:#?}");
}
