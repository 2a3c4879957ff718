//! Who may read what is written: nobody who may not read what it was made from.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// Sets the mode of a file, or of everything in a directory and of the directory.
fn chmod(place: &Place, name: &str, file: u32, directory: u32) {
    let path = place.path(name);
    if path.is_dir() {
        for entry in fs::read_dir(&path).unwrap() {
            fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(file)).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(directory)).unwrap();
    } else {
        fs::set_permissions(&path, fs::Permissions::from_mode(file)).unwrap();
    }
}

/// Every path below the place with its mode.
fn modes(directory: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), mode(&path)));
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

/// `s.aof`, the set `set`, and damaged and flushed copies of them, all of these modes.
fn sources(file: u32, directory: u32) -> Place {
    let place = Place::new();
    let flushed = [sound(), command(&["FLUSHALL"])].concat();
    for (name, log) in [("s.aof", sound()), ("flushed.aof", flushed.clone()), ("torn.aof", torn())]
    {
        place.put(name, log);
        chmod(&place, name, file, directory);
    }
    place.put("check.aof", torn());
    chmod(&place, "check.aof", file, directory);
    for (name, incr) in [("set", sound()), ("torn", torn()), ("flushed", flushed)] {
        place.put_set(
            name,
            &[("appendonly.aof.1.base.aof", &sound()), ("appendonly.aof.1.incr.aof", &incr)],
        );
        chmod(&place, name, file, directory);
    }
    fs::create_dir(place.path("to")).unwrap();
    fs::create_dir(place.path("there")).unwrap();
    place
}

const RUNS: [&[&str]; 20] = [
    &["compact", "s.aof", "-o", "compact.aof"],
    &["compact", "s.aof", "-o", "compact.dir", "--format", "multipart"],
    &["compact", "set", "-o", "compact.set"],
    &["compact", "set", "-o", "compact.rdb", "--format", "rdb"],
    &["compress", "s.aof", "-o", "s.zip"],
    &["compress", "set", "-o", "set.zip"],
    &["backup", "set", "--to", "to"],
    &["backup", "s.aof", "--to", "to", "--compact"],
    &["extract", "set.zip", "-o", "extracted"],
    &["extract", "set.zip", "-o", "there"],
    &["restore", "set.zip", "-o", "restored"],
    &["restore", "s.zip", "-o", "restored.set", "--for", "redis-7.0"],
    &["restore", "set.zip", "-o", "restored.one", "--for", "redis-6.2"],
    &["repair", "torn.aof", "-o", "repaired.aof"],
    &["repair", "torn", "-o", "repaired"],
    &["repair", "torn", "--in-place"],
    &["recover", "flushed.aof", "--strip", "-o", "stripped.aof"],
    &["recover", "flushed", "--undelete", "*", "-o", "undeleted"],
    &["recover", "flushed", "--strip", "--in-place"],
    &["recover", "flushed.aof", "--undelete", "*", "--in-place"],
];

fn run_all(place: &Place, umask: &str) {
    for args in RUNS {
        let run =
            place.shell(&format!("umask {umask}; \"$0\" {}", args.join(" ").replace('*', "'*'")));
        assert_eq!(run.code, Some(0), "{args:?}: {run:#?}");
    }
    let run = place.shell(&format!("umask {umask}; echo y | \"$0\" check-aof --fix check.aof"));
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[test]
fn nothing_is_more_readable_than_its_source() {
    for umask in ["022", "077"] {
        let place = sources(0o600, 0o700);
        run_all(&place, umask);
        let mut found = Vec::new();
        modes(place.0.path(), &mut found);
        // The two directories that were made without this care.
        let own = [place.path("to"), place.path("there")];
        found.retain(|(path, mode)| mode & 0o077 != 0 && !own.contains(path));
        assert!(found.is_empty(), "umask {umask}: {found:#?}");
    }
}

#[test]
fn what_is_written_is_as_readable_as_its_source() {
    let place = sources(0o640, 0o750);
    run_all(&place, "022");
    let expected = [
        ("compact.aof", 0o640),
        ("compact.dir", 0o750),
        ("compact.dir/appendonly.aof.1.base.rdb", 0o640),
        ("compact.set", 0o750),
        ("compact.set/appendonly.aof.manifest", 0o640),
        ("compact.rdb", 0o640),
        ("repaired.aof", 0o640),
        ("repaired", 0o750),
        ("repaired/appendonly.aof.1.incr.aof", 0o640),
        ("torn", 0o750),
        ("torn/appendonly.aof.1.incr.aof", 0o640),
        ("undeleted", 0o750),
        // Archives are their owner's alone, and so is what comes out of them.
        ("set.zip", 0o600),
        ("extracted", 0o700),
        ("extracted/appendonlydir/appendonly.aof.1.incr.aof", 0o600),
        ("restored/appendonlydir", 0o700),
    ];
    for (name, expected) in expected {
        assert_eq!(format!("{:o}", mode(&place.path(name))), format!("{expected:o}"), "{name}");
    }
    // The umask counts where the source is open to all; an archive that was opened is open when it is extracted.
    chmod(&place, "s.aof", 0o666, 0);
    chmod(&place, "set.zip", 0o644, 0);
    for (args, name, expected) in [
        ("compact s.aof -o wide.aof", "wide.aof", 0o640),
        ("extract set.zip -o wide", "wide", 0o750),
        ("extract set.zip -o wider", "wider/appendonlydir/appendonly.aof.manifest", 0o640),
    ] {
        assert_eq!(place.shell(&format!("umask 027; \"$0\" {args}")).code, Some(0), "{args}");
        assert_eq!(format!("{:o}", mode(&place.path(name))), format!("{expected:o}"), "{name}");
    }
    assert_eq!(place.shell("umask 022; \"$0\" generate -o new.aof --size 10kb").code, Some(0));
    assert_eq!(mode(&place.path("new.aof")), 0o644);
}

#[test]
fn files_of_a_closed_set_stay_closed_outside_of_it() {
    let place = sources(0o644, 0o700);
    let run = place.shell("umask 022; \"$0\" compact set -o c.rdb --format rdb");
    assert_eq!((run.code, mode(&place.path("c.rdb"))), (Some(0), 0o600), "{run:#?}");
    // And of a set whose files differ, the one with the fewest readers decides.
    chmod(&place, "flushed", 0o644, 0o755);
    chmod(&place, "flushed/appendonly.aof.1.base.aof", 0o600, 0);
    let run = place.shell("umask 022; \"$0\" recover flushed --merge newer -o merged");
    assert_eq!(run.code, Some(0), "{run:#?}");
    let mut found = Vec::new();
    modes(&place.path("merged"), &mut found);
    assert!(found.iter().all(|(_, mode)| *mode == 0o600), "{found:?}");
}

#[test]
fn what_is_being_written_is_closed_too() {
    let place = Place::new();
    let run = place.run(&["generate", "-o", "s.aof", "--size", "3mb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    chmod(&place, "s.aof", 0o600, 0);
    // Whatever is in the directory at any moment of these runs.
    let watched = place.shell(
        "umask 022; chmod 755 .\n\
         (\"$0\" compact -q s.aof -o c.aof; \"$0\" compact -q s.aof -o c --format multipart; \
          \"$0\" compress -q s.aof -o s.zip; \"$0\" extract -q s.zip -o x) & p=$!\n\
         while kill -0 $p 2>/dev/null; do find . -mindepth 1 -perm /077 2>/dev/null; done; wait $p",
    );
    assert_eq!((watched.code, watched.stdout.as_str()), (Some(0), ""), "{watched:#?}");
}

#[test]
fn root_leaves_the_files_to_the_owner_of_the_log() {
    let place = sources(0o640, 0o750);
    if fs::metadata(place.path("s.aof")).unwrap().uid() != 0 {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let give = place.shell("chown -R 4242:77 set torn flushed s.aof");
    assert_eq!(give.code, Some(0), "{give:#?}");
    for args in [
        "compact set -o compacted --format multipart",
        "repair torn -o repaired",
        "recover flushed --strip -o stripped",
        "compact s.aof -o single.aof",
        "compress set -o set.zip",
    ] {
        let run = place.shell(&format!("umask 022; \"$0\" {args}"));
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    let owner = |name: &str| {
        let metadata = fs::metadata(place.path(name)).unwrap();
        (metadata.uid(), metadata.gid(), mode(&place.path(name)))
    };
    for name in ["compacted", "repaired", "stripped"] {
        assert_eq!(owner(name), (4242, 77, 0o750), "{name}");
        let manifest = format!("{name}/appendonly.aof.manifest");
        assert_eq!(owner(&manifest), (4242, 77, 0o640), "{name}");
    }
    assert_eq!(owner("single.aof"), (4242, 77, 0o640));
    assert_eq!(owner("set.zip"), (0, 0, 0o600));
}

#[test]
fn mode_of_an_archive_is_that_which_was_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.put("a.aof", sound());
    fs::create_dir(place.path("to")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for (line, expected) in [
        ("compress a.aof -o a.zip", 0o600),
        ("compress a.aof -o a.zip --force --mode 0640", 0o640),
        ("compress a.aof -o a.zip --force --mode 644", 0o644),
    ] {
        let run = place.shell(&format!("umask 077; \"$0\" {line}"));
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(mode(&place.path("a.zip")), expected, "{line}");
    }
    assert_eq!(place.run(&["backup", "a.aof", "--to", "to", "--mode", "0640"]).code, Some(0));
    for entry in fs::read_dir(place.path("to")).unwrap() {
        let path = entry.unwrap().path();
        let is_archive = path.extension() == Some(OsStr::new("zip"));
        assert_eq!(mode(&path), if is_archive { 0o640 } else { 0o600 }, "{}", path.display());
    }
    for mode in ["755", "0", "u+r", "4644", "040"] {
        let run = place.run(&["compress", "a.aof", "-o", "b.zip", "--mode", mode]);
        assert_eq!(run.code, Some(2), "{mode}: {run:#?}");
    }
}
