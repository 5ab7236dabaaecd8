//! Two documents, value by value.

use serde_json::Value;

/// How much two readings of one number may differ: JSON's decimal digits are read to the last bit but one.
const NEAR: f64 = 1e-12;
/// The longest value that is printed whole.
const LONGEST: usize = 60;

/// A value in two documents: its path, and what each has there.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub path: String,
    pub found: Value,
    pub right: Value,
}

/// Where a document differs from what it should be, in the order of the latter. What only one of them has is `null` in the other.
#[must_use]
pub fn differences(found: &Value, right: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    walk(String::new(), found, right, &mut all);
    all
}

fn walk(path: String, found: &Value, right: &Value, all: &mut Vec<Difference>) {
    match (found, right) {
        (Value::Object(one), Value::Object(other)) => {
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            for (key, right) in other {
                walk(below(key), one.get(key).unwrap_or(&Value::Null), right, all);
            }
            for (key, found) in one.iter().filter(|(key, _)| !other.contains_key(*key)) {
                walk(below(key), found, &Value::Null, all);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (n, (found, right)) in one.iter().zip(other).enumerate() {
                walk(format!("{path}[{}]", name(right).unwrap_or_else(|| n.to_string())), found, right, all);
            }
        }
        _ if is_same(found, right) => {}
        _ => all.push(Difference { path, found: found.clone(), right: right.clone() }),
    }
}

/// What tells an element of a list from the others.
fn name(element: &Value) -> Option<String> {
    let text = |key: &str| element.get(key).and_then(Value::as_str).map(str::to_owned);
    let point = element.get("point").and_then(Value::as_object);
    let point =
        point.into_iter().flatten().map(|(axis, value)| format!("{axis}={}", value.as_str().unwrap_or_default()));
    let parts: Vec<String> = ["strategy", "faults", "violation"]
        .into_iter()
        .filter_map(text)
        .chain(point)
        .filter(|part| !part.is_empty())
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() || other.is_f64() => {
            let (one, other) = (one.as_f64().unwrap_or(f64::NAN), other.as_f64().unwrap_or(f64::NAN));
            (one - other).abs() <= NEAR * one.abs().max(other.abs())
        }
        _ => one == other,
    }
}

impl Difference {
    /// Both values in a sentence.
    #[must_use]
    pub fn what(&self, by: &str) -> String {
        let text = |value: &Value| match value {
            Value::Null => "not there".to_owned(),
            Value::String(text) => shown(text),
            other => shown(&other.to_string()),
        };
        both(&text(&self.found), &text(&self.right), by)
    }
}

/// Both values in a sentence.
pub(super) fn both(found: &str, right: &str, by: &str) -> String {
    format!("is {found}, and {by} {right}")
}

/// A value as it can be printed: without anything that a terminal would obey, and not too long.
#[must_use]
pub(super) fn shown(value: &str) -> String {
    let mut out: String = value.escape_debug().take(LONGEST).collect();
    if out.is_empty() {
        return "empty".to_owned();
    }
    if value.escape_debug().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_difference_has_its_path_and_both_values() {
        let found = json!({"a": 1, "cells": [{"strategy": "x", "faults": "y", "n": 2, "old": true}], "list": [1, 2], "same": 0.1});
        let right =
            json!({"a": 2, "cells": [{"strategy": "x", "faults": "y", "n": 3}], "list": [1], "same": 0.1, "new": 5});
        let all: Vec<String> = differences(&found, &right)
            .iter()
            .map(|one| format!("{} {}", one.path, one.what("it should be")))
            .collect();
        let expected = [
            "a is 1, and it should be 2",
            "cells[x y].n is 2, and it should be 3",
            "cells[x y].old is true, and it should be not there",
            "list is [1,2], and it should be [1]",
            "new is not there, and it should be 5",
        ];
        assert_eq!(all, expected);
        assert!(differences(&found, &found).is_empty());
    }

    #[test]
    fn the_last_bit_of_a_number_is_no_difference_and_the_last_digit_is() {
        assert!(differences(&json!(0.1 + 0.2), &json!(0.3)).is_empty());
        assert_eq!(differences(&json!(1.000_001), &json!(1.0)).len(), 1);
        assert_eq!(differences(&json!(9_007_199_254_740_993_u64), &json!(9_007_199_254_740_992_u64)).len(), 1);
    }

    #[test]
    fn nothing_that_is_printed_moves_a_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), LONGEST + 1);
        assert_eq!(shown(""), "empty");
    }
}
