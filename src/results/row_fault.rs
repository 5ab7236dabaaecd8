//! What is wrong with a row of `trials.csv` that cannot be read.

use std::collections::BTreeMap;

use super::row::{MOST, columns, may_be_absent, names_a_file, parse_causes, parse_fired, parse_made};
use crate::strategy::name_fault;
use crate::terms::{FaultKind, Violation};

/// The columns that hold words.
const WORDS: [&str; 7] = ["trial", "strategy", "faults", "point", "store", "lock", "history_sha256"];
/// The columns that may be empty.
const MAYBE: [&str; 4] = ["available", "recovery_ms", "kept_bytes", "logged_bytes"];
/// The columns that hold a number with a fraction.
const FIGURES: [&str; 8] = [
    "elapsed_s",
    "goodput_per_s",
    "latency_ms_p50",
    "latency_ms_p99",
    "latency_ms_p999",
    "latency_ms_max",
    "available",
    "recovery_ms",
];

/// The trial, the first column that is wrong, and why.
pub(super) fn fault(values: &BTreeMap<&str, &str>) -> String {
    let trial = values.get("trial").copied().unwrap_or("a row without a trial");
    let columns = columns();
    let faults =
        || FaultKind::ALL.into_iter().find_map(|fault| unfired(values, fault)).map(|what| format!("{trial}: {what}"));
    let unreadable = columns.iter().find_map(|column| {
        let value = values.get(column.as_str())?;
        let what = expected(column, value)?;
        Some(format!("{trial}: {column} is '{}', which is not {what}", value.escape_debug()))
    });
    let uneven =
        || Violation::ALL.into_iter().find_map(|kind| uneven(values, kind)).map(|what| format!("{trial}: {what}"));
    let absent = || {
        let absent = columns.iter().find(|column| !values.contains_key(column.as_str()) && !may_be_absent(column))?;
        Some(format!("{trial}: there is no column {absent}"))
    };
    unreadable
        .or_else(uneven)
        .or_else(faults)
        .or_else(absent)
        .unwrap_or_else(|| format!("{trial}: not a row as the lab writes it"))
}

/// What the column should hold, if the value is not that.
fn expected(column: &str, value: &str) -> Option<&'static str> {
    match column {
        "trial" if !names_a_file(value) => return Some("the name of a trial"),
        "strategy" | "faults" | "store" if name_fault(value).is_some() => return Some("a name"),
        "lock" if !value.is_empty() && name_fault(value).is_some() => return Some("a name"),
        "history_sha256" if !value.bytes().all(|c| c.is_ascii_hexdigit()) => return Some("a digest"),
        _ => {}
    }
    let is_figure = |value: &str| value.parse::<f64>().is_ok_and(f64::is_finite);
    if WORDS.contains(&column) || (MAYBE.contains(&column) && value.is_empty()) {
        return None;
    }
    match column {
        "causes" => return parse_causes(value).is_none().then_some("a list of violations with their causes"),
        "fired" => return parse_fired(value).is_none().then_some("a list of faults"),
        "made" => return parse_made(value).is_none().then_some("a list of operations"),
        _ => {}
    }
    if FIGURES.contains(&column) {
        return (!is_figure(value)).then_some("a number");
    }
    let is_count = |value: &str| value.parse::<u64>().is_ok_and(|n| n <= MOST || column == "seed");
    (!is_count(value)).then_some("a count")
}

/// That the count of a violation is not the sum of its causes.
fn uneven(values: &BTreeMap<&str, &str>, kind: Violation) -> Option<String> {
    let count: u64 = values.get(kind.name())?.parse().ok()?;
    let causes = parse_causes(values.get("causes")?)?;
    let sum: u64 =
        causes.violations.iter().filter(|((violation, _), _)| *violation == kind).map(|(_, count)| count).sum();
    (count != sum).then(|| format!("{kind} is {count}, and its causes add up to {sum}"))
}

/// That the count of a fault is not the sum of where it fired.
fn unfired(values: &BTreeMap<&str, &str>, fault: FaultKind) -> Option<String> {
    let column = format!("fired_{fault}");
    let count: u64 = values.get(column.as_str())?.parse().ok()?;
    let sum = parse_fired(values.get("fired")?)?.of(fault);
    (count != sum).then(|| format!("{column} is {count}, and its legs in the column fired add up to {sum}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trial_the_column_and_both_values_are_named() {
        let row = |change: (&'static str, &'static str)| {
            let mut values: BTreeMap<&str, &str> = BTreeMap::new();
            let columns = columns();
            let columns: Vec<&'static str> = columns.into_iter().map(|name| &*name.leak()).collect();
            for column in columns {
                values.insert(
                    column,
                    if WORDS.contains(&column) || ["causes", "fired", "made"].contains(&column) { "" } else { "0" },
                );
            }
            for (column, value) in [("trial", "a.b.0"), ("strategy", "a"), ("faults", "b"), ("store", "sqlite")] {
                values.insert(column, value);
            }
            values.insert("causes", "duplicate: late landing = 3");
            values.insert("duplicate", "3");
            match change.1 {
                "-" => values.remove(change.0),
                value => values.insert(change.0, value),
            };
            fault(&values)
        };
        let cases = [
            (("duplicate", "4"), "a.b.0: duplicate is 4, and its causes add up to 3"),
            (("fired_crash", "2"), "a.b.0: fired_crash is 2, and its legs in the column fired add up to 0"),
            (("made", "luck"), "a.b.0: made is 'luck', which is not a list of operations"),
            (("lost", "1"), "a.b.0: lost is 1, and its causes add up to 0"),
            (("goodput_per_s", "inf"), "a.b.0: goodput_per_s is 'inf', which is not a number"),
            (("effects", "-1"), "a.b.0: effects is '-1', which is not a count"),
            (
                ("causes", "bad luck"),
                "a.b.0: causes is 'bad luck', which is not a list of violations with their causes",
            ),
            (("elapsed_s", "-"), "a.b.0: there is no column elapsed_s"),
            (("available", ""), "a.b.0: not a row as the lab writes it"),
        ];
        for (change, said) in cases {
            assert_eq!(row(change), said);
        }
    }
}
