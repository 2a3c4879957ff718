//! Retention compared with restic's documentation, with manual calculation, and with the output of restic.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use jiff::civil::DateTime;
use serde_json::Value;

use super::*;

fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse::<DateTime>().unwrap().to_zoned(zone()).unwrap().timestamp()
}

const NOW: &str = "2026-01-01 00:00:00";

/// Returns the indices of the `times` that are retained, in order.
fn kept(times: &[Timestamp], policy: &KeepPolicy) -> Vec<usize> {
    let decisions = decide(times, policy, at(NOW), &zone());
    (0..times.len()).filter(|&index| decisions[index].keep).collect()
}

fn all_of(times: &[&str]) -> Vec<Timestamp> {
    times.iter().map(|time| at(time)).collect()
}

#[test]
fn twelve_sundays_as_in_the_documentation_of_restic() {
    // "forget --keep-daily 4 will keep the last four snapshots, for the last four Sundays."
    let first = at("2019-09-01 11:00:00").to_zoned(zone());
    let sundays: Vec<Timestamp> = (0..12)
        .map(|week| first.checked_add(jiff::Span::new().weeks(week)).unwrap().timestamp())
        .collect();
    let daily = KeepPolicy { daily: Keep::Latest(4), ..KeepPolicy::default() };
    assert_eq!(kept(&sundays, &daily), [8, 9, 10, 11]);
}

#[test]
fn a_backup_a_day_for_a_hundred_years_as_in_the_documentation_of_restic() {
    let first = at("1925-01-01 12:00:00").to_zoned(zone());
    // Until Wednesday, December 31, 2025.
    let days: Vec<Timestamp> = (0..36_890)
        .map(|day| first.checked_add(jiff::Span::new().days(day)).unwrap().timestamp())
        .collect();
    assert_eq!(*days.last().unwrap(), at("2025-12-31 12:00:00"));
    let policy = KeepPolicy {
        daily: Keep::Latest(7),
        weekly: Keep::Latest(5),
        monthly: Keep::Latest(12),
        yearly: Keep::Latest(75),
        ..KeepPolicy::default()
    };
    // Seven days from December 31 back to 25. Weeks: that of December 31, and the Sundays 28, 21, 14, 7, of which
    // the first two are among the days. Months: December 31 is, eleven more. Years: 2025 is, 74 more.
    assert_eq!(kept(&days, &policy).len(), 7 + 3 + 11 + 74);
}

#[test]
fn each_rule_retains_the_newest_of_its_periods() {
    let times = all_of(&[
        "2025-12-31 23:59:59", // 0: Wednesday
        "2025-12-31 23:00:00", // 1: the same hour
        "2025-12-31 22:59:59", // 2: the hour before
        "2025-12-30 00:00:00", // 3: Tuesday
        "2025-12-29 00:00:00", // 4: Monday, of the same week
        "2025-12-28 23:59:59", // 5: Sunday, the week before
        "2025-11-30 12:00:00", // 6
        "2025-11-01 12:00:00", // 7
        "2024-12-31 12:00:00", // 8: Tuesday of the first week of 2025
        "2024-12-30 12:00:00", // 9: Monday of it
        "2024-12-29 12:00:00", // 10: Sunday of the last week of 2024
        "2023-01-01 12:00:00", // 11: Sunday, which is of the last week of 2022
    ]);
    let none = KeepPolicy::default();
    let cases: [(KeepPolicy, &[usize]); 14] = [
        (none, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (KeepPolicy { last: Keep::Latest(2), ..none }, &[0, 1]),
        (KeepPolicy { last: Keep::Unlimited, ..none }, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (KeepPolicy { hourly: Keep::Latest(3), ..none }, &[0, 2, 3]),
        (KeepPolicy { daily: Keep::Latest(3), ..none }, &[0, 3, 4]),
        (KeepPolicy { weekly: Keep::Latest(2), ..none }, &[0, 5]),
        (KeepPolicy { weekly: Keep::Latest(6), ..none }, &[0, 5, 6, 7, 8, 10]),
        (KeepPolicy { monthly: Keep::Latest(3), ..none }, &[0, 6, 8]),
        (KeepPolicy { yearly: Keep::Latest(2), ..none }, &[0, 8]),
        // Three years have one, and 2023 has only one: the oldest.
        (KeepPolicy { yearly: Keep::Latest(9), ..none }, &[0, 8, 11]),
        // An archive is retained if any rule retains it; each rule counts separately.
        (
            KeepPolicy {
                last: Keep::Latest(1),
                hourly: Keep::Latest(2),
                daily: Keep::Latest(2),
                ..none
            },
            &[0, 2, 3],
        ),
        // From 23:59:59 on the previous day, which itself is not within the period.
        (KeepPolicy { within: Some("1d".parse().unwrap()), ..none }, &[0, 1, 2]),
        (KeepPolicy { within: Some("48h".parse().unwrap()), ..none }, &[0, 1, 2, 3]),
        (
            KeepPolicy { within: Some("1y1d".parse().unwrap()), ..none },
            &[0, 1, 2, 3, 4, 5, 6, 7, 8],
        ),
    ];
    for (policy, expected) in cases {
        assert_eq!(kept(&times, &policy), expected, "{policy}");
        let mut turned = times.clone();
        turned.reverse();
        let mut found: Vec<usize> = kept(&turned, &policy).iter().map(|index| 11 - index).collect();
        found.reverse();
        assert_eq!(found, expected, "{policy}: the order of the times is of no consequence");
    }
}

#[test]
fn oldest_is_retained_while_a_count_is_left() {
    let times = all_of(&["2025-06-03 12:00:00", "2025-06-02 12:00:00", "2025-06-01 12:00:00"]);
    let monthly = |count| KeepPolicy { monthly: Keep::Latest(count), ..KeepPolicy::default() };
    assert_eq!(kept(&times, &monthly(1)), [0]);
    assert_eq!(kept(&times, &monthly(2)), [0, 2]);
    let decisions = decide(&times, &monthly(2), at(NOW), &zone());
    assert_eq!(decisions[2].reasons, [Reason::Oldest]);
}

#[test]
fn a_time_in_the_future_is_not_counted_back_from() {
    let times = all_of(&["2031-01-01 00:00:00", "2025-12-31 00:00:00", "2025-12-01 00:00:00"]);
    let week = KeepPolicy { within: Some("7d".parse().unwrap()), ..KeepPolicy::default() };
    assert_eq!(kept(&times, &week), [0, 1]);
    assert_eq!(kept(&times[..1], &week), [0]);
    assert!(kept(&[], &week).is_empty());
}

#[test]
fn a_time_in_the_future_takes_no_place_of_another() {
    let times = all_of(&["2031-01-01 00:00:00", "2025-12-31 00:00:00", "2025-12-01 00:00:00"]);
    let none = KeepPolicy::default();
    for policy in [
        KeepPolicy { last: Keep::Latest(1), ..none },
        KeepPolicy { hourly: Keep::Latest(1), ..none },
        KeepPolicy { yearly: Keep::Latest(1), ..none },
    ] {
        let decisions = decide(&times, &policy, at(NOW), &zone());
        assert_eq!(decisions[0].reasons, [Reason::Future], "{policy}");
        assert_eq!(kept(&times, &policy), [0, 1], "{policy}");
    }
}

#[test]
fn unreachable_period_retains_everything() {
    let times = all_of(&["2025-12-31 00:00:00", "1999-12-31 00:00:00"]);
    let within = "4294967295y4294967295m4294967295d4294967295h".parse().unwrap();
    assert_eq!(kept(&times, &KeepPolicy { within: Some(within), ..KeepPolicy::default() }), [0, 1]);
}

#[test]
fn policies_are_read_and_written() {
    let within = |text: &str| text.parse::<Within>();
    assert_eq!(within("2y5m7d3h"), Ok(Within { years: 2, months: 5, days: 7, hours: 3 }));
    assert_eq!(within("3h7d"), Ok(Within { days: 7, hours: 3, ..Within::default() }));
    assert_eq!(within("30d").unwrap().to_string(), "30d");
    for wrong in
        ["", "7", "d", "1w", "-1d", "1d2", "0d", "5 d", "99999999999d", "4294967295d1d", "1µ"]
    {
        assert!(within(wrong).is_err(), "{wrong}");
    }
    assert_eq!("7".parse(), Ok(Keep::Latest(7)));
    assert_eq!("unlimited".parse(), Ok(Keep::Unlimited));
    for wrong in ["", "-1", "all", "4294967296"] {
        assert!(wrong.parse::<Keep>().is_err(), "{wrong}");
    }
    let policy = KeepPolicy {
        last: Keep::Latest(3),
        yearly: Keep::Unlimited,
        within: Some(within("1y2d").unwrap()),
        ..KeepPolicy::default()
    };
    assert_eq!(policy.to_string(), "--keep-last 3 --keep-yearly unlimited --keep-within 1y2d");
}

/// What restic 0.14.0 retained, and why, for snapshots with these times: `forget --dry-run --json`. It had no rule for
/// the oldest yet.
#[test]
fn restic_retains_the_same_for_the_same_reasons() {
    let seen: Value = serde_json::from_str(include_str!("restic-0.14.0.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let zone = TimeZone::get(&text(&seen["zone"])).unwrap();
    let now = text(&seen["now"]).parse().unwrap();
    let cases = seen["cases"].as_array().unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let keep = |name: &str| case["keep"].get(name);
        let count =
            |name: &str| keep(name).map_or(Keep::Latest(0), |n| n.to_string().parse().unwrap());
        let policy = KeepPolicy {
            last: count("last"),
            hourly: count("hourly"),
            daily: count("daily"),
            weekly: count("weekly"),
            monthly: count("monthly"),
            yearly: count("yearly"),
            within: keep("within").map(|within| text(within).parse().unwrap()),
        };
        for (host, times) in seen["times"].as_object().unwrap() {
            let times: Vec<Timestamp> =
                times.as_array().unwrap().iter().map(|time| text(time).parse().unwrap()).collect();
            // Restic counts an archive from the future, except for `within`.
            let newest = times.iter().copied().max().unwrap_or(now);
            if policy.within.is_some() && newest > now {
                continue;
            }
            let decisions = decide(&times, &policy, now.max(newest), &zone);
            for (index, decision) in decisions.iter().enumerate() {
                let theirs = case["kept"][host].get(index.to_string());
                let theirs =
                    theirs.map_or(Vec::new(), |reasons| reasons.as_array().unwrap().clone());
                let ours = decision.reasons.iter().filter(|reason| **reason != Reason::Oldest);
                let ours: Vec<Value> =
                    ours.map(|reason| serde_json::to_value(reason).unwrap()).collect();
                assert_eq!(ours, theirs, "{policy}: {} of {host}", times[index]);
            }
        }
    }
}
