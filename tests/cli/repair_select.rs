//! The databases of commands after bytes that a repair removes.

use super::*;

fn set(key: &str) -> Vec<u8> {
    command(&["SET", key, "1"])
}

fn select(db: &str) -> Vec<u8> {
    command(&["SELECT", db])
}

const NOISE: &[u8] = b"\0\0\0\0noise that was a command";

/// Salvages the log, and returns the report and the result.
fn salvaged(log: &[u8]) -> (serde_json::Value, Vec<u8>) {
    let place = Place::new();
    place.put("a.aof", log);
    let run = place.run(&["repair", "--salvage", "a.aof", "-o", "new.aof", "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let text = place.run(&["repair", "--salvage", "a.aof", "-n"]).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let is_doubted =
        report["dropped"].as_array().unwrap().iter().any(|it| it["database_uncertain"] != 0)
            || report["rdb"].as_array().unwrap().iter().any(|it| it["commands_uncertain"] != 0);
    assert_eq!(text.contains("if the damage destroyed a SELECT"), is_doubted, "{text}");
    (report, place.read("new.aof"))
}

#[test]
fn databases_in_use_are_named_wherever_they_are_in_the_log() {
    let rdb = super::joined::rdb(5, &[("k", "v")]);
    let cases = [
        // The only other database is selected after the damage.
        (
            [&select("0")[..], &set("a"), NOISE, &set("b"), &set("c"), &select("3"), &set("d")]
                .concat(),
            2,
            vec![0, 3],
        ),
        // It has keys in the RDB, and nothing selects it.
        ([&rdb[..], &select("0"), &set("a"), NOISE, &set("b")].concat(), 1, vec![0, 5]),
        // As before.
        (
            [&select("2")[..], &set("a"), &select("7"), &set("b"), NOISE, &set("c")].concat(),
            1,
            vec![2, 7],
        ),
        // Only one is in use, or the database is selected first.
        (
            [&select("2")[..], &set("a"), NOISE, &set("b"), &select("2"), &set("c")].concat(),
            0,
            vec![],
        ),
        ([&select("2")[..], &set("a"), NOISE, &select("1"), &set("c")].concat(), 0, vec![]),
    ];
    for (log, uncertain, databases) in cases {
        let (report, _) = salvaged(&log);
        let dropped = &report["dropped"][0];
        assert_eq!(dropped["database_uncertain"], uncertain, "{report:#}");
        assert_eq!(dropped["databases"], serde_json::json!(databases), "{report:#}");
    }
}

#[test]
fn select_of_a_torn_transaction_is_kept() {
    let exec = command(&["EXEC"]);
    let before = [select("0"), set("a")].concat();
    // The MULTI is lost, and the transaction with it, but for the database of what follows.
    for inside in [vec![select("2"), set("x")], vec![set("w"), select("1"), set("x"), select("2")]]
    {
        let log = [&before[..], NOISE, &inside.concat(), &exec, &set("y")].concat();
        let (report, result) = salvaged(&log);
        let expected = [&before[..], &select("2"), &set("y")].concat();
        assert_eq!(
            result.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{report:#}"
        );
    }
}

#[test]
fn commands_after_the_lost_end_of_an_rdb_are_counted() {
    let many: Vec<String> = (0..20).map(|n| format!("key{n:02}")).collect();
    let keys: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "value")).collect();
    let rdb = super::joined::rdb(4, &keys);
    // The end, the checksum and the first SELECT are lost.
    let damaged = [&rdb[..rdb.len() - 40], &[0xfd; 70][..]].concat();
    let commands = [set("a"), set("b"), select("0"), set("c")].concat();
    let (report, result) = salvaged(&[&damaged[..], &commands].concat());
    let rdb = &report["rdb"][0];
    assert_eq!(rdb["commands_uncertain"], 2, "{report:#}");
    assert_eq!(rdb["databases"], serde_json::json!([0, 4]), "{report:#}");
    assert!(result.ends_with(&commands));
    // The end is there, so that the commands after it are whole.
    let commands = [set("a"), select("7"), set("c")].concat();
    let (report, result) = salvaged(&[super::repair_rdb::with_noise(), commands.clone()].concat());
    assert!(result.ends_with(&commands));
    assert_eq!(report["rdb"][0]["commands_uncertain"], 0, "{report:#}");
}
