//! The example files in docs/examples: their syntax by other parsers, and that they do what they say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::encrypted::{RECIPIENT, identity};
use super::proxy::{Fault, Proxy};
use super::store::{Store, Test};
use crate::support::{Run, aofkit};

pub(crate) const TESTS: &[Test] = &[
    ("the_bucket_policies_allow_what_is_asked_and_no_more", policies),
    ("examples_for_kubernetes_run", kubernetes),
    ("examples_for_systemd_are_valid", systemd),
];

const URL: &str = "s3://backups/redis/db1";

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The permission that a request needs, by the documentation of the store's API, the bucket or the key, and the prefix of a
/// list: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html.
fn permission(line: &str) -> (&'static str, String, Option<String>) {
    let (method, rest) = line.split_once(' ').unwrap();
    let target = rest.split(' ').next().unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix="));
    let prefix = prefix.map(|prefix| prefix.replace("%2F", "/"));
    let is_bucket = path.trim_matches('/').split('/').count() == 1;
    let action = match (method, is_bucket) {
        ("GET", true) if has("list-type") => "s3:ListBucket",
        ("GET", true) if has("uploads") => "s3:ListBucketMultipartUploads",
        ("GET" | "HEAD", false) if query.is_empty() => "s3:GetObject",
        ("PUT", false) if query.is_empty() || has("partNumber") => "s3:PutObject",
        ("POST", false) if has("uploads") || has("uploadId") => "s3:PutObject",
        ("DELETE", false) if has("uploadId") => "s3:AbortMultipartUpload",
        ("DELETE", false) if query.is_empty() => "s3:DeleteObject",
        _ => panic!("a request of no known permission: {line}"),
    };
    (action, format!("arn:aws:s3:::{}", path.trim_start_matches('/')), prefix)
}

/// The actions of a policy that a request line needs and that it allows; `None` if it is denied.
fn allowed<'p>(policy: &'p Value, line: &str) -> Option<&'p str> {
    let (action, resource, prefix) = permission(line);
    let fits = |pattern: &str, text: &str| match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    };
    let statements = policy["Statement"].as_array().unwrap();
    statements.iter().find_map(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        let actions = match &statement["Action"] {
            Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
            one => vec![one.as_str().unwrap()],
        };
        let condition = statement["Condition"]["StringLike"]["s3:prefix"].as_str();
        let holds = condition
            .is_none_or(|pattern| prefix.as_ref().is_some_and(|prefix| fits(pattern, prefix)));
        let is_resource = fits(statement["Resource"].as_str().unwrap(), &resource);
        (holds && is_resource).then(|| actions.into_iter().find(|&one| one == action)).flatten()
    })
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| match &statement["Action"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    });
    actions.map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// A store that denies what the policy of the file does not allow.
fn under(store: &Store, policy: &Value) -> Proxy {
    let policy = policy.clone();
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    Proxy::start(&store.address, move |_, line| match allowed(&policy, line) {
        Some(_) => Fault::None,
        None => Fault::Answer(403, denied.to_owned()),
    })
}

fn policies(store: &Store) {
    let policy: Value = serde_json::from_str(&example("bucket-policy.json")).unwrap();
    let log = store.log("a.aof", 1000, 10_000);
    let log = log.to_str().unwrap();
    let key = identity(store);
    let key = key.to_str().unwrap();
    let writer = under(store, &policy);
    let run = |proxy: &Proxy, arguments: &[&str]| {
        let run = Run::of(&mut store.aofkit_at(&proxy.address, arguments));
        assert_eq!(run.code, Some(0), "{arguments:?}: {run:#?}");
    };
    // A run that is killed leaves an upload, which the next one aborts.
    let stalling = Proxy::start(&store.address, |_, line| {
        let is_part = line.contains("partNumber");
        if is_part { Fault::Stall(std::time::Duration::from_secs(30)) } else { Fault::None }
    });
    let backup = ["backup", log, "--to", URL, "--quiet"];
    let mut child = store.aofkit_at(&stalling.address, &backup).spawn().unwrap();
    crate::support::wait_until("an upload", || store.uploads() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    run(&writer, &backup);
    run(&writer, &[&backup[..], &["--encrypt-to", RECIPIENT, "--keep-last", "1"]].concat());
    run(&writer, &[&backup[..], &["--read-back", "full"]].concat());
    run(&writer, &["list", URL, "--verify", "--identity", key]);
    run(&writer, &["prune", URL, "--keep-last", "1", "--identity", key]);
    let used: BTreeSet<String> =
        writer.lines().iter().map(|line| permission(line).0.to_owned()).collect();
    assert_eq!(used, actions(&policy), "what is used, and what the policy allows");
    assert_eq!(store.uploads(), 0);

    let policy: Value = serde_json::from_str(&example("bucket-policy-restore.json")).unwrap();
    let reader = under(store, &policy);
    let archive = store.listed(URL).remove(0);
    let out = store.directory.path().join("out");
    run(&reader, &["list", URL, "--identity", key]);
    run(&reader, &["verify", &archive, "--identity", key]);
    run(&reader, &["find", "000042", URL, "--identity", key]);
    run(&reader, &["drill", URL, "--identity", key]);
    run(&reader, &["restore", &archive, "--output", out.to_str().unwrap(), "--identity", key]);
    let used: BTreeSet<String> =
        reader.lines().iter().map(|line| permission(line).0.to_owned()).collect();
    assert_eq!(used, actions(&policy), "what is used, and what the policy for reading allows");
    // The page has the same policy.
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/object-storage.md");
    let page = fs::read_to_string(page).unwrap();
    let block = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(block.trim(), example("bucket-policy.json").trim());
}

/// Returns the documents of a file, by a parser of YAML that is not ours.
fn yaml(store: &Store, name: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps([d for d in yaml.safe_load_all(sys.stdin) if d]))";
    let mut command = Command::new(store.python());
    command.args(["-c", script]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name);
    let done = command.stdin(fs::File::open(path).unwrap()).output().unwrap();
    assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

/// Returns the pod of a workload.
fn pod(document: &Value) -> &Value {
    let spec = &document["spec"];
    let spec = if document["kind"] == "CronJob" { &spec["jobTemplate"]["spec"] } else { spec };
    &spec["template"]["spec"]
}

fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    all.iter().map(|one| one.as_str().expect("a string").to_owned()).collect()
}

fn kubernetes(store: &Store) {
    let mut ran = 0;
    for name in ["backup", "repair", "restore", "compact-shards"] {
        for document in yaml(store, &format!("kubernetes-{name}.yaml")) {
            assert!(document["apiVersion"].is_string() && document["metadata"]["name"].is_string());
            if document["kind"] == "ConfigMap" {
                continue;
            }
            let pod = pod(&document);
            let lists = [&pod["containers"], &pod["initContainers"]];
            let containers = lists.iter().flat_map(|list| list.as_array().into_iter().flatten());
            let volumes = [&pod["volumes"], &document["spec"]["volumeClaimTemplates"]];
            let volumes: Vec<&Value> =
                volumes.iter().flat_map(|list| list.as_array().into_iter().flatten()).collect();
            for container in containers {
                for mount in container["volumeMounts"].as_array().unwrap() {
                    let is_it = |it: &&&Value| {
                        [&it["name"], &it["metadata"]["name"]].contains(&&mount["name"])
                    };
                    assert!(volumes.iter().find(is_it).is_some(), "{name}: {mount}");
                }
                if container["image"] == "registry.example/aofkit:0.1" {
                    // Every option is one that the command has: the help, which is asked for last, is printed.
                    let mut command = aofkit();
                    let run = Run::of(command.args(strings(&container["args"])).arg("--help"));
                    assert_eq!(run.code, Some(0), "{name}: {run:#?}");
                    ran += 1;
                }
            }
        }
    }
    assert_eq!(ran, 3);
    shards(store);
    backup(store);
}

/// The shell of the Indexed Job and of the one that joins, as they are in the file.
fn shards(store: &Store) {
    let jobs = yaml(store, "kubernetes-compact-shards.yaml");
    let work = store.directory.path().join("work");
    fs::create_dir(&work).unwrap();
    let log = store.log("a.aof", 500, 10);
    let mut twice = fs::read(&log).unwrap();
    twice.extend_from_within(..);
    fs::write(work.join("appendonlydir"), twice).unwrap();
    let program = aofkit();
    let place = Path::new(program.get_program()).parent().unwrap();
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap());
    let sh = |job: &Value, index: Option<u64>| {
        let container = &pod(job)["containers"][0];
        let line = [strings(&container["command"]), strings(&container["args"])].concat();
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).env_clear().env("PATH", &path).env("WORK", &work);
        command.envs(index.map(|index| ("JOB_COMPLETION_INDEX", index.to_string())));
        let done = command.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let completions = jobs[0]["spec"]["completions"].as_u64().unwrap();
    assert_eq!(jobs[0]["spec"]["completionMode"], "Indexed");
    // Each index, and one a second time, as after a lost pod.
    (0..completions).chain([3]).for_each(|index| sh(&jobs[0], Some(index)));
    sh(&jobs[1], None);
    let digest = |path: &Path| store.run(&["digest", path.to_str().unwrap(), "--json"]).stdout;
    let of = |text: String| serde_json::from_str::<Value>(&text).unwrap()["digest"].clone();
    let joined = work.join("compacted.aof");
    assert_eq!(of(digest(&joined)), of(digest(&log)));
    assert!(fs::metadata(&joined).unwrap().len() <= fs::metadata(&log).unwrap().len() + 1000);
}

/// The arguments of the CronJob, with the paths and the server of this machine.
fn backup(store: &Store) {
    let documents = yaml(store, "kubernetes-backup.yaml");
    let recipients = store.directory.path().join("recipients.txt");
    let text = documents[0]["data"]["recipients.txt"].as_str().expect("the file");
    fs::write(&recipients, text).unwrap();
    let log = store.log("a.aof", 10, 10);
    let arguments = strings(&pod(&documents[1])["containers"][0]["args"]);
    let mut line: Vec<String> = Vec::new();
    let mut rest = arguments.into_iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            // Without a server, its log is backed up.
            "--live" => line.push(log.to_str().unwrap().to_owned()),
            "-h" | "--dir" => drop(rest.next()),
            "/etc/aofkit/recipients.txt" => line.push(recipients.to_str().unwrap().to_owned()),
            _ => line.push(argument),
        }
    }
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    store.run(&line);
    let archive = store.listed(URL).remove(0);
    assert!(archive.ends_with(".zip.age"), "{archive}");
    store.assert_listed_restore(URL, &log);
}

fn systemd(store: &Store) {
    let names = ["aofkit-backup-s3.service", "aofkit-backup-s3.timer", "aofkit-drill-s3.service"];
    let place = store.directory.path().join("units");
    fs::create_dir(&place).unwrap();
    let program = aofkit().get_program().to_str().unwrap().to_owned();
    for name in names {
        let text = example(name);
        if let Some(line) = text.lines().find_map(|line| line.strip_prefix("ExecStart=")) {
            let arguments = line.split(' ').skip(1);
            let run = Run::of(aofkit().args(arguments).arg("--help"));
            assert_eq!(run.code, Some(0), "{name}: {run:#?}");
        }
        // The program and the user of a machine that has none.
        let text = text.replace("/usr/bin/aofkit", &program).replace("User=redis", "User=root");
        fs::write(place.join(name), text).unwrap();
    }
    let Ok(done) = Command::new("systemd-analyze")
        .arg("verify")
        .args(names.map(|name| place.join(name)))
        .output()
    else {
        return;
    };
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    // Some machines without systemd as their first process cannot say anything of other units, which are not ours.
    let of_ours: Vec<&str> =
        said.lines().filter(|line| names.iter().any(|name| line.contains(name))).collect();
    let of_ours: Vec<&&str> = of_ours
        .iter()
        .filter(|line| !line.contains("man:") && !line.contains("man aofkit"))
        .collect();
    assert!(of_ours.is_empty(), "{said}");
}
