//! A second reading of sentences and conditions, on its own code: over the summary as JSON and the rows of trials.

use std::collections::BTreeMap;

use oncelab::experiment::Sentence;
use oncelab::results::TrialRow;
use oncelab::stats::{fisher_exact, median_interval_95, wilson_95};
use serde_json::Value;

use super::tables::Run;

/// A run's table, as a reader sees it.
pub struct Reading<'r> {
    cells: Vec<Value>,
    rows: &'r [TrialRow],
    run: &'r Run,
}

/// What a sentence of the brief is, and how many numbers of it were compared.
pub struct Seen {
    pub numbers: usize,
    pub kind: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
enum Val {
    Number(f64),
    Word(String),
    Bool(bool),
}

/// A call: `name("a", "b", key="value")`.
struct Call<'t> {
    name: &'t str,
    arguments: Vec<&'t str>,
    keys: BTreeMap<&'t str, &'t str>,
}

impl<'t> Call<'t> {
    /// Reads a call from the beginning of a text, and gives the rest.
    fn read(text: &'t str) -> (Call<'t>, &'t str) {
        let (name, rest) = text.split_once('(').unwrap_or_else(|| panic!("no call: {text}"));
        let (inside, rest) = rest.split_once(')').unwrap_or_else(|| panic!("no end: {text}"));
        let mut call = Call { name: name.trim(), arguments: Vec::new(), keys: BTreeMap::new() };
        // Values have commas and signs of their own: go from quote to quote.
        let mut parts = inside.split('"');
        while let (Some(before), Some(value)) = (parts.next(), parts.next()) {
            match before.trim_start_matches(',').trim().strip_suffix('=') {
                Some(key) => drop(call.keys.insert(key, value)),
                None => call.arguments.push(value),
            }
        }
        (call, rest)
    }
}

fn names(text: &str) -> Vec<&str> {
    text.split("[[").skip(1).map(|part| part.split_once("]]").unwrap().0).collect()
}

/// The numbers in a text, without signs and separators of thousands.
fn numbers(text: &str) -> Vec<f64> {
    let is_inside = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let words = text.split(|c: char| !is_inside(c)).map(|word| word.trim_matches(['.', ',']).replace(',', ""));
    words.filter(|word| !word.is_empty()).filter_map(|word| word.parse().ok()).collect()
}

/// Whether a printed number is this figure, to about three digits.
fn is_figure(printed: f64, figure: f64) -> bool {
    (printed - figure).abs() <= (figure.abs() * 0.006).max(0.005 + 1e-9)
}

impl<'r> Reading<'r> {
    pub fn of(run: &'r Run) -> Self {
        let summary = serde_json::to_value(&run.summary).unwrap();
        Reading { cells: summary["cells"].as_array().unwrap().clone(), rows: &run.rows, run }
    }

    fn chosen(&self, strategy: &str, keys: &BTreeMap<&str, &str>, at: &str) -> Vec<&Value> {
        let bound = |cell: &Value, bound: &str| {
            let sign = ["<=", ">=", "<", ">", "="].into_iter().find(|sign| bound.contains(sign)).unwrap();
            let (axis, value) = bound.split_once(sign).unwrap();
            let Some(here) = cell["point"][axis].as_str() else { return false };
            let (Ok(here), Ok(value)) = (here.parse::<f64>(), value.parse::<f64>()) else {
                // Words have no order.
                assert_eq!(sign, "=", "{bound}");
                return here == value;
            };
            match sign {
                "<=" => here <= value,
                ">=" => here >= value,
                "<" => here < value,
                ">" => here > value,
                _ => here == value,
            }
        };
        let is_meant = |cell: &&Value| {
            cell["strategy"] == *strategy
                && keys.get("faults").is_none_or(|faults| cell["faults"] == **faults)
                && keys.get(at).or(keys.get("at")).is_none_or(|at| at.split(',').all(|one| bound(cell, one)))
        };
        self.cells.iter().filter(is_meant).collect()
    }

    fn is_once(cell: &Value) -> bool {
        let inside = ["overlap", "stale"];
        let violations = cell["violations"].as_object().unwrap();
        let broken = violations.iter().any(|(kind, count)| count != 0 && !inside.contains(&kind.as_str()));
        cell["verdict"] == "valid" && cell["acknowledged"] != 0 && !broken
    }

    fn count(cells: &[&Value], violation: &str, cause: Option<&&str>) -> u64 {
        let of = |cell: &&Value| match cause {
            None => cell["violations"][violation].as_u64().unwrap(),
            Some(cause) => cell["causes"][violation][*cause].as_u64().unwrap_or(0),
        };
        cells.iter().map(of).sum()
    }

    fn requests(cells: &[&Value]) -> u64 {
        cells.iter().map(|cell| cell["requests"].as_u64().unwrap()).sum()
    }

    /// Whether the speed of a row tells of its strategy.
    fn has_speed(&self, cell: &Value) -> bool {
        let level = self.run.experiment.faults.iter().find(|level| cell["faults"] == level.name.as_str()).unwrap();
        let is_delayed =
            level.for_ops.iter().filter_map(|rule| rule.message.as_ref()).any(|message| message.delayed.get() == 1.0);
        let is_open = self.run.experiment.load.rate_per_s.is_some();
        !is_open && !is_delayed && cell["trials"].as_u64().unwrap() >= 3 && cell["acknowledged"] != 0
    }

    /// The goodputs of a cell's trials by repetition.
    fn speeds(&self, cell: &Value) -> BTreeMap<u16, f64> {
        let point = |row: &TrialRow| row.cell.point.0.iter().all(|(axis, value)| cell["point"][axis] == value.as_str());
        let rows = self.rows.iter().filter(|row| {
            cell["strategy"] == row.cell.strategy.as_str() && cell["faults"] == row.cell.level.as_str() && point(row)
        });
        rows.map(|row| (row.repeat, row.goodput_per_s)).collect()
    }

    /// The range of ratios, if it is clear of 1.
    fn ratio(&self, of: &Value, to: &Value) -> Option<(f64, f64)> {
        let base = self.speeds(to);
        let mut ratios: Vec<f64> = self
            .speeds(of)
            .iter()
            .filter_map(|(n, speed)| Some(speed / base.get(n).filter(|base| **base > 0.0)?))
            .collect();
        ratios.sort_by(f64::total_cmp);
        if ratios.len() < 3 || !self.has_speed(of) || !self.has_speed(to) {
            return None;
        }
        // Up to five the interval is the range: the least of them is the median of a sample drawn anew in 5.8 % of cases or more.
        let (low, high) = if ratios.len() <= 5 {
            (ratios[0], ratios[ratios.len() - 1])
        } else {
            let interval = median_interval_95(&ratios).unwrap();
            assert!(interval.low >= ratios[0] && interval.high <= ratios[ratios.len() - 1]);
            (interval.low, interval.high)
        };
        (low > 1.0 || high < 1.0).then_some((low, high))
    }

    /// The value of a call; none where a row is missing.
    fn value(&self, call: &Call<'_>) -> Option<Val> {
        let Call { name, arguments, keys } = call;
        if *name == "store" {
            return Some(Val::Word(self.cells.first()?["store"].as_str()?.to_owned()));
        }
        let cells = self.chosen(arguments[0], keys, "at");
        if cells.is_empty() {
            return None;
        }
        let one = || if let [one] = cells.as_slice() { Some(*one) } else { None };
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let number = |count: u64| Some(Val::Number(count as f64));
        let cause = keys.get("cause");
        let pair = || {
            let others = self.chosen(arguments[1], keys, "beside");
            let [other] = others.as_slice() else { return None };
            Some((one()?, *other))
        };
        match *name {
            "count" => number(Self::count(&cells, arguments[1], cause)),
            "requests" => number(Self::requests(&cells)),
            "acked" => number(cells.iter().map(|cell| cell["acknowledged"].as_u64().unwrap()).sum()),
            "once" => Some(Val::Bool(cells.iter().all(|cell| Self::is_once(cell)))),
            "p99" => Some(Val::Number(one().filter(|cell| cell["acknowledged"] != 0)?["latency_ms"]["p99"].as_f64()?)),
            "available" => Some(Val::Number(one()?["available"].as_f64()?)),
            "recovery" => Some(Val::Number(one()?["recovery_ms"].as_f64()?)),
            "faster" => {
                let (of, to) = pair()?;
                Some(Val::Bool(self.ratio(of, to).is_some_and(|(low, _)| low > 1.0)))
            }
            "ratio" => {
                let (of, to) = pair()?;
                let range = self.ratio(of, to);
                Some(
                    range
                        .map_or_else(|| Val::Word("~".to_owned()), |(low, high)| Val::Word(format!("{low} to {high}"))),
                )
            }
            "ratio_low" => pair().and_then(|(of, to)| self.ratio(of, to)).map(|(low, _)| Val::Number(low)),
            "ratio_high" => pair().and_then(|(of, to)| self.ratio(of, to)).map(|(_, high)| Val::Number(high)),
            "rises" => self.rises(&cells, arguments[1], arguments[2], cause),
            "alike" => {
                let under = |level: &str| {
                    let cells: Vec<&Value> = cells.iter().copied().filter(|cell| cell["faults"] == level).collect();
                    (!cells.is_empty()).then(|| (Self::count(&cells, arguments[1], None), Self::requests(&cells)))
                };
                let ((a, of), (b, others)) = (under(arguments[2])?, under(arguments[3])?);
                Some(Val::Bool(fisher_exact(a, of, b, others) >= 0.05))
            }
            "row" => Some(Val::Word(String::new())),
            other => panic!("{other} is not read a second time: add it here"),
        }
    }

    fn rises(&self, cells: &[&Value], violation: &str, axis: &str, cause: Option<&&str>) -> Option<Val> {
        let mut values: Vec<&str> = cells.iter().filter_map(|cell| cell["point"][axis].as_str()).collect();
        values.sort_by(|a, b| a.parse::<f64>().unwrap().total_cmp(&b.parse::<f64>().unwrap()));
        values.dedup();
        let counts: Vec<(u64, u64)> = values
            .iter()
            .map(|value| {
                let here: Vec<&Value> = cells.iter().copied().filter(|cell| cell["point"][axis] == **value).collect();
                (Self::count(&here, violation, cause), Self::requests(&here))
            })
            .collect();
        if counts.len() < 3 {
            return None;
        }
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let shares: Vec<f64> = counts.iter().map(|(count, of)| *count as f64 / *of as f64).collect();
        let grows = (1..shares.len()).all(|n| shares[n - 1] < shares[n]);
        let (first, last) = (counts[0], counts[counts.len() - 1]);
        Some(Val::Bool(grows && wilson_95(first.0, first.1).1 < wilson_95(last.0, last.1).0))
    }

    /// Whether a sentence should be printed.
    pub fn holds(&self, sentence: &Sentence) -> bool {
        let all = sentence.conditions.iter().all(|condition| self.condition(condition) == Some(true));
        let places = sentence.says.split("{{").skip(1).map(|part| part.split_once("}}").unwrap().0);
        let has_rows = |name: &str| self.cells.iter().any(|cell| cell["strategy"] == *name);
        all && places.into_iter().all(|place| self.value(&Call::read(place).0).is_some())
            && names(&sentence.says).into_iter().all(has_rows)
    }

    /// Several of the below, with `and` between them.
    fn condition(&self, text: &str) -> Option<bool> {
        text.split(" and ").map(|part| self.comparison(part)).try_fold(true, |all, part| Some(all && part?))
    }

    /// `[not] [n *] call [sign (number | "word" | call)]`.
    fn comparison(&self, text: &str) -> Option<bool> {
        let (text, is_not) = text.strip_prefix("not ").map_or((text, false), |rest| (rest, true));
        let (factor, text) = text.split_once(" * ").map_or((1.0, text), |(n, rest)| (n.parse().unwrap(), rest));
        let (call, rest) = Call::read(text);
        let left = self.value(&call)?;
        let Some((sign, right)) = rest.trim().split_once(' ') else {
            return if let Val::Bool(is_so) = left { Some(is_so != is_not) } else { panic!("{text}") };
        };
        let right = match right.trim() {
            word if word.starts_with('"') => Val::Word(word.trim_matches('"').to_owned()),
            number if number.parse::<f64>().is_ok() => Val::Number(number.parse().unwrap()),
            call => self.value(&Call::read(call).0)?,
        };
        Some(match (sign, left, right) {
            ("==", left, right) => left == right,
            (">", Val::Number(a), Val::Number(b)) => factor * a > b,
            ("<", Val::Number(a), Val::Number(b)) => factor * a < b,
            (sign, a, b) => panic!("{a:?} {sign} {b:?}: {text}"),
        })
    }

    /// Compares what stands in the places of a printed sentence with the table, and counts the numbers.
    pub fn figures(&self, says: &str, printed: &str) -> usize {
        let mut compared = 0;
        let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut rest = printed;
        let parts: Vec<&str> = says.split("{{").collect();
        rest = rest.strip_prefix(parts[0]).unwrap_or_else(|| panic!("{printed}\n{says}"));
        for (n, part) in parts.iter().enumerate().skip(1) {
            let (place, literal) = part.split_once("}}").unwrap();
            // The last stands at the end: a full stop is in numbers too.
            let is_last = n == parts.len() - 1;
            let end = if is_last { rest.strip_suffix(literal).map(str::len) } else { rest.find(literal) };
            let end = end.unwrap_or_else(|| panic!("{printed}\n{says}"));
            compared += self.place(&Call::read(place).0, &rest[..end]);
            rest = &rest[end + literal.len()..];
        }
        assert_eq!(rest, "", "{printed}");
        compared
    }

    fn place(&self, call: &Call<'_>, printed: &str) -> usize {
        let found = numbers(printed);
        match self.value(call).unwrap() {
            Val::Number(share) if call.name == "available" => assert!(is_figure(found[0], share * 100.0), "{printed}"),
            Val::Number(count) if ["count", "requests", "acked"].contains(&call.name) => assert_eq!(found, [count]),
            Val::Number(figure) => assert!(is_figure(found[0], figure), "{printed}: {figure}"),
            Val::Word(range) if call.name == "ratio" => {
                let expected = numbers(&range);
                assert!(found.len() == 2 || found.len() == 1, "{printed}");
                assert!(
                    is_figure(found[0], expected[0]) && is_figure(found[found.len() - 1], expected[1]),
                    "{printed}"
                );
            }
            Val::Word(_) => self.row_in_short(printed),
            Val::Bool(_) => panic!("{printed}"),
        }
        found.len()
    }

    /// `[[name]] (valid: 3 duplicate, (1 late))`, or `[[name]] (valid in 3 of 4 rows)`.
    fn row_in_short(&self, printed: &str) {
        let name = names(printed)[0];
        let cells: Vec<&Value> = self.cells.iter().filter(|cell| cell["strategy"] == name).collect();
        let inside = printed.split_once(" (").unwrap().1.strip_suffix(')').unwrap();
        if let Some(counts) = inside.strip_prefix("valid in ") {
            let valid = cells.iter().filter(|cell| cell["verdict"] == "valid").count();
            assert_eq!(counts, format!("{valid} of {} rows", cells.len()), "{printed}");
            return;
        }
        let [cell] = cells.as_slice() else { panic!("{printed}") };
        let (verdict, found) = inside.split_once(": ").unwrap();
        assert_eq!(cell["verdict"], verdict, "{printed}");
        for part in found.split(", ").filter(|part| *part != "none to count") {
            let part = part.trim_start_matches('(');
            if let Some(of) = part.strip_prefix("0 of ") {
                self.bound(cell, of, printed);
                continue;
            }
            let (count, kind) = part.trim_end_matches(')').split_once(' ').unwrap();
            assert_eq!(cell["violations"][kind].to_string(), count, "{printed}");
        }
    }

    /// `2000 (<0.15%)`: never less than three over what was acknowledged.
    fn bound(&self, cell: &Value, of: &str, printed: &str) {
        let found = numbers(of);
        assert_eq!(cell["acknowledged"].as_f64(), Some(found[0]), "{printed}");
        let bound = (3.0 / found[0]).min(1.0) * 100.0;
        assert!(found[1] >= bound - 1e-9 && found[1] <= bound * 1.12 + 0.001, "{printed}: {bound}");
    }

    /// A reference's line: `x under 'y': 3 of 100 acknowledged lost (3.0 %); …`.
    pub fn reference(&self, printed: &str) -> usize {
        let (here, _) = printed.split_once(" %);").unwrap();
        let (row, figures) = here.split_once(": ").unwrap();
        let (strategy, level) = row.split_once(" under '").unwrap();
        let found = numbers(figures);
        let cell = self
            .cells
            .iter()
            .find(|cell| cell["strategy"] == *strategy && cell["faults"] == level.trim_end_matches('\''));
        let cell = cell.unwrap();
        let lost = cell["violations"]["lost"].as_f64().unwrap();
        let acknowledged = cell["acknowledged"].as_f64().unwrap();
        assert_eq!(found[..2], [lost, acknowledged], "{printed}");
        assert!((found[2] - lost / acknowledged * 100.0).abs() <= 0.051, "{printed}");
        3
    }

    /// Compares a sentence of the brief with the table.
    pub fn brief(&self, printed: &str) -> Seen {
        let (group, sentence) = self.group(printed);
        let cell = |name: &str| {
            let found: Vec<&&Value> = group.iter().filter(|cell| cell["strategy"] == *name).collect();
            assert_eq!(found.len(), 1, "{printed}");
            *found[0]
        };
        let all = |kind: &'static str, numbers: usize| Seen { numbers, kind };
        if sentence.starts_with("Safest") {
            return all("safest", self.safest(sentence, &cell));
        }
        if let Some(rest) = sentence.strip_prefix("The fastest of the safest: ") {
            let fastest = cell(names(rest)[0]);
            let found = numbers(rest.split_once("]]").unwrap().1);
            assert_eq!(found[0], fastest["goodput_per_s"].as_f64().unwrap().round(), "{printed}");
            assert!(is_figure(found[2], fastest["latency_ms"]["p99"].as_f64().unwrap()), "{printed}");
            assert!(Self::is_once(fastest) && self.has_speed(fastest), "{printed}");
            return all("fastest", 2);
        }
        if sentence.starts_with("What the lock cost") {
            return all("lock", self.lock(sentence, &cell));
        }
        if let Some((what, list)) = sentence.split_once(" row").filter(|_| sentence.contains("in how many")) {
            let list = list.split_once(": ").unwrap().1;
            return all("across", self.across(what, list));
        }
        if sentence.starts_with("No strategy was seen") {
            assert!(group.iter().all(|cell| !Self::is_once(cell)), "{printed}");
            return all("none", 0);
        }
        if sentence.starts_with("Proved for any number of deliveries") {
            assert!(names(sentence).iter().all(|name| cell(name)["explored"]["proved"] == true), "{printed}");
            return all("proved", 0);
        }
        if sentence.starts_with("Nothing was seen of ") {
            assert!(names(sentence).iter().all(|name| Self::is_once(cell(name))), "{printed}");
            if sentence.contains("schedules show") {
                let breaks = |name: &&str| cell(name)["explored"]["breaks"].as_array().is_some_and(|it| !it.is_empty());
                assert!(names(sentence).iter().all(breaks), "{printed}");
            }
            return all("nothing seen", 0);
        }
        assert!(
            sentence.starts_with("No trial is finished") && self.cells.is_empty(),
            "not read a second time: {printed}"
        );
        all("nothing", 0)
    }

    /// The rows that a sentence of the brief is about, and the sentence without naming them.
    fn group<'t>(&self, printed: &'t str) -> (Vec<&Value>, &'t str) {
        let Some(rest) = printed.strip_prefix("Under '") else { return (self.cells.iter().collect(), printed) };
        let (head, sentence) = rest.split_once(": ").unwrap();
        let (level, point) = head.split_once('\'').unwrap();
        let is_meant = |cell: &&Value| {
            let at = point.trim().split(',').filter(|part| !part.is_empty());
            cell["faults"] == level
                && at
                    .into_iter()
                    .all(|part| cell["point"][part.split_once('=').unwrap().0] == part.split_once('=').unwrap().1)
        };
        (self.cells.iter().filter(is_meant).collect(), sentence)
    }

    fn safest<'c>(&self, sentence: &str, cell: &dyn Fn(&str) -> &'c Value) -> usize {
        let cells: Vec<&Value> = names(sentence).into_iter().map(cell).collect();
        assert!(!cells.is_empty() && cells.iter().all(|cell| Self::is_once(cell)), "{sentence}");
        let is_cut = self.run.summary.trials < self.run.summary.trials_planned;
        assert_eq!(sentence.starts_with("Safest so far"), is_cut, "{sentence}");
        let (_, figures) = sentence.split_once("exactly once in at least ").unwrap();
        let found = numbers(figures);
        let least = cells.iter().map(|cell| cell["acknowledged"].as_u64().unwrap()).min().unwrap();
        #[allow(clippy::cast_precision_loss, reason = "small counts")]
        let least = least as f64;
        assert_eq!(found[0], least, "{sentence}");
        let bound = (3.0 / least).min(1.0) * 100.0;
        assert!(found[1] >= bound - 1e-9 && found[1] <= bound * 1.12 + 0.001, "{sentence}: {bound}");
        // What holds on SQLite alone says so beside its name.
        let says_so = sentence.contains("[[check-then-act-transaction]] (on SQLite, which has one writer; it breaks on PostgreSQL at READ COMMITTED)");
        let is_one = |cell: &&Value| cell["strategy"] == "check-then-act-transaction" && cell["store"] == "sqlite";
        assert_eq!(cells.iter().any(is_one), says_so, "{sentence}");
        if let Some((_, schedules)) = sentence.split_once("up to ") {
            let most =
                cells.iter().filter_map(|cell| cell["explored"]["schedules"].as_str()?.parse::<u64>().ok()).max();
            let digits: String = schedules.chars().take_while(|c| *c != ' ').filter(char::is_ascii_digit).collect();
            assert_eq!(digits.parse::<u64>().ok(), most, "{sentence}");
            return 4;
        }
        3
    }

    /// `What the lock cost: beside [[a]], [[b]] makes 2 to 3 times as many effects a second without a lock service, [[c]] 4 to 5 times.`
    fn lock<'c>(&self, sentence: &str, cell: &dyn Fn(&str) -> &'c Value) -> usize {
        let mut compared = 0;
        let locked = cell(names(sentence)[0]);
        assert!(locked["lock"].is_string() && Self::is_once(locked), "{sentence}");
        for other in sentence.split("[[").skip(2) {
            let (name, figures) = other.split_once("]]").unwrap();
            let one = cell(name);
            assert!(one["lock"].is_null() && Self::is_once(one), "{sentence}");
            let (low, high) = self.ratio(one, locked).unwrap();
            let found = numbers(figures);
            assert!(low > 1.0 && is_figure(found[0], low) && is_figure(found[found.len() - 1], high), "{sentence}");
            compared += found.len();
        }
        assert!(compared > 0, "{sentence}");
        compared
    }

    /// `[[a]] (3 of 4), [[b]] (4)`: of how many rows this is so.
    fn across(&self, what: &str, list: &str) -> usize {
        let is_broken = |cell: &&&Value| {
            let violations = cell["violations"].as_object().unwrap();
            violations.iter().any(|(kind, count)| count != 0 && kind != "overlap" && kind != "stale")
        };
        let mut compared = 0;
        for entry in list.split("[[").skip(1) {
            let (name, figures) = entry.split_once("]]").unwrap();
            let cells: Vec<&Value> = self.cells.iter().filter(|cell| cell["strategy"] == name).collect();
            let (good, bad) =
                (cells.iter().filter(|cell| Self::is_once(cell)).count(), cells.iter().filter(is_broken).count());
            let found = numbers(figures);
            let expected = match what {
                what if what.starts_with("Exactly once") => {
                    assert_eq!(good, cells.len(), "{list}");
                    vec![good]
                }
                what if what.starts_with("Not exactly once") => vec![bad, cells.len()],
                _ => vec![cells.len() - good - bad, cells.len()],
            };
            let expected: Vec<f64> =
                expected.into_iter().map(|count| f64::from(u32::try_from(count).unwrap())).collect();
            assert_eq!(found, expected, "{what}: {entry}");
            compared += found.len();
        }
        compared
    }
}
