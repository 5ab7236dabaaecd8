//! Sentences with places for figures and conditions on them: what does not hold for a run, or speaks of a row that the run does not have, is
//! not printed.
//!
//! A place is written `{{ count("etcd-lock", "duplicate") }}`, in the syntax of Jinja; a condition is an expression over the same
//! functions. `faults="…"` and `at="…"` say which of a strategy's rows are meant; without them it is all that the run has. `at` has
//! bounds on the axes of a sweep: `at="loss=0.0,pause<1"`. These take any number of rows:
//!
//! - `count(strategy, violation)`: messages that show it; with `cause="…"` only those that show it for this reason
//! - `requests(strategy)`, `acked(strategy)`: how many were sent, and acknowledged
//! - `share(strategy, violation)`: of the requests
//! - `once(strategy)`: whether every row did every effect exactly once
//! - `rises(strategy, violation, axis)`: whether there is more of it at each further value on an axis, and at the last by more than chance
//! - `alike(strategy, violation, level, level)`: whether two fault levels show it equally often, as far as chance lets us see
//! - `row(strategy)`: the row in short
//!
//! and these need one row: `per_s`, `p99`, `available`, `recovery`, `verdict`, and `ratio(strategy, strategy)` of goodputs, a range over the
//! repetitions, or `~` where that is not clear of 1, where there are fewer than three repetitions, or where the load sets the rate.
//! `faster(strategy, strategy)` tells whether the range is above 1; `ratio_low` and `ratio_high` are its ends. `beside="…"` is the `at` of
//! the second strategy. `store()` names the store.

use std::sync::Arc;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::brief::is_exactly_once;
use super::facts::{Fact, Facts, are_alike, count, requests, rises};
use super::figure::{percent, range, three_digits};
use super::select::{AxisBound, Which};
use super::tables::violations;
use crate::experiment::{Analysis, Sentence};
use crate::stats::Interval;
use crate::strategy::Registry;
use crate::terms::{Cause, Violation};

/// A name in a sentence that is not one: of a function, a strategy, a violation, a cause or a key.
#[must_use]
pub fn unknown_name(sentence: &Sentence, registry: &Registry) -> Option<String> {
    let ground = Ground::Names(Arc::new(registry.clone()));
    let of_place = environment(&ground, FigureForm::Text).render_str(&sentence.says, ()).err();
    let of_condition = || sentence.conditions.iter().find_map(|condition| holds(&ground, condition).err());
    let what = |error: Error| error.detail().map_or_else(|| error.to_string(), str::to_owned);
    let of_link = || names(&sentence.says).find_map(|name| Some(registry.get(name).err()?.to_string()));
    of_place.or_else(of_condition).map(what).or_else(of_link)
}

/// The sentences of an analysis that are true of a run, on one line each. A strategy is named as `[[name]]`, for a page to make links of.
#[must_use]
pub fn told(analysis: &Analysis, facts: &Arc<Facts>) -> Vec<String> {
    match analysis {
        Analysis::Sentences(sentences) => sentences.iter().filter_map(|sentence| tell(sentence, facts)).collect(),
        Analysis::Text(text) if text.trim().is_empty() => Vec::new(),
        Analysis::Text(_) => vec![OF_AN_OLDER_RUN.to_owned()],
    }
}

/// What is said in place of a text without conditions: nothing tells whether it is true of the figures.
const OF_AN_OLDER_RUN: &str =
    "The analysis that this run was saved with has no conditions on its figures, and is left out.";

/// The sentence with its figures, if all of its conditions hold and all of its rows are there.
pub(super) fn tell(sentence: &Sentence, facts: &Arc<Facts>) -> Option<String> {
    try_to_tell(sentence, facts).ok().flatten()
}

/// The same; an error where a row is missing.
fn try_to_tell(sentence: &Sentence, facts: &Arc<Facts>) -> Result<Option<String>, Error> {
    let ground = Ground::Run(Arc::clone(facts));
    for condition in &sentence.conditions {
        if !holds(&ground, condition)? {
            return Ok(None);
        }
    }
    let says = environment(&ground, FigureForm::Text).render_str(&sentence.says, ())?;
    if names(&says).any(|name| facts.select(name, &Which::default()).is_none()) {
        return Err(missing());
    }
    Ok(Some(says.split_whitespace().collect::<Vec<_>>().join(" ")))
}

fn holds(ground: &Ground, condition: &str) -> Result<bool, Error> {
    let environment = environment(ground, FigureForm::Number);
    Ok(environment.compile_expression(condition)?.eval(())?.is_true())
}

/// The names in double brackets.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("[[").skip(1).filter_map(|part| Some(part.split_once("]]")?.0))
}

/// What functions are evaluated over.
#[derive(Clone)]
enum Ground {
    Run(Arc<Facts>),
    /// Nothing but the names that there are: to see whether all of a sentence's are among them.
    Names(Arc<Registry>),
}

/// As what a figure is wanted.
#[derive(Clone, Copy, PartialEq)]
enum FigureForm {
    /// In a sentence.
    Text,
    /// In a condition.
    Number,
}

impl FigureForm {
    fn of(self, figure: f64, as_text: fn(f64) -> String) -> Value {
        match self {
            FigureForm::Text => Value::from(as_text(figure)),
            FigureForm::Number => Value::from(figure),
        }
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::UndefinedError, "the run has no such row, or several")
}

fn unknown(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, what.into())
}

fn known_violation(name: &str) -> Result<(), Error> {
    Violation::from_name(name).map(|_| ()).ok_or_else(|| unknown(format!("no violation is named '{name}'")))
}

/// The keys of a call.
struct Keys {
    which: Which,
    /// That of the second strategy.
    beside: Which,
    cause: Option<String>,
}

impl Keys {
    fn of(keys: &Kwargs) -> Result<Keys, Error> {
        let bounds = |key: &str| match keys.get::<Option<String>>(key)? {
            None => Ok(None),
            Some(text) => AxisBound::all(&text).map(Some).map_err(|error| unknown(error.to_string())),
        };
        let faults: Option<String> = keys.get("faults")?;
        let cause: Option<String> = keys.get("cause")?;
        let at = bounds("at")?.unwrap_or_default();
        let beside = bounds("beside")?.unwrap_or_else(|| at.clone());
        keys.assert_all_used()?;
        if let Some(cause) = cause.as_ref().filter(|cause| Cause::from_name(cause).is_none()) {
            return Err(unknown(format!("no cause is named '{cause}'")));
        }
        let which = |at| Which { faults: faults.clone(), at };
        Ok(Keys { which: which(at), beside: which(beside), cause })
    }
}

impl Ground {
    /// What a function makes of a strategy's rows; a figure that stands for any, where only the names are looked at.
    fn rows(
        &self,
        strategy: &str,
        which: &Which,
        make: impl Fn(&[&Fact]) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        match self {
            Ground::Run(facts) => make(&facts.select(strategy, which).ok_or_else(missing)?),
            Ground::Names(registry) => {
                registry.get(strategy).map_err(|error| unknown(error.to_string()))?;
                Ok(Value::from(1))
            }
        }
    }

    /// What a function makes of the one row that is meant.
    fn row(&self, strategy: &str, which: &Which, make: impl Fn(&Fact) -> Option<Value>) -> Result<Value, Error> {
        self.rows(strategy, which, |rows| match rows {
            [one] => make(one).ok_or_else(missing),
            _ => Err(missing()),
        })
    }

    /// What a function makes of the ratio of two rows.
    fn ratio(
        &self,
        (of, to): (&str, &str),
        keys: &Keys,
        make: impl Fn(Option<Interval>) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        if let Ground::Run(facts) = self {
            let pair = facts.one(of, &keys.which).zip(facts.one(to, &keys.beside));
            let (of, to) = pair.ok_or_else(missing)?;
            return make(of.ratio_to(to));
        }
        self.rows(to, &keys.beside, |_| Ok(Value::from(1)))?;
        self.rows(of, &keys.which, |_| Ok(Value::from(1)))
    }
}

fn environment(ground: &Ground, form: FigureForm) -> Environment<'static> {
    // Without what the language brings along: sentences are about figures.
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    add_counts(&mut environment, ground, form);
    add_comparisons(&mut environment, ground);
    add_speeds(&mut environment, ground, form);
    environment
}

/// The functions over any number of rows.
fn add_counts(environment: &mut Environment<'static>, ground: &Ground, form: FigureForm) {
    let at = ground.clone();
    environment.add_function("count", move |strategy: &str, violation: &str, keys: Kwargs| {
        known_violation(violation)?;
        let keys = Keys::of(&keys)?;
        at.rows(strategy, &keys.which, |rows| Ok(Value::from(count(rows, violation, keys.cause.as_deref()))))
    });
    let at = ground.clone();
    environment.add_function("share", move |strategy: &str, violation: &str, keys: Kwargs| {
        known_violation(violation)?;
        let keys = Keys::of(&keys)?;
        at.rows(strategy, &keys.which, |rows| {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let share = count(rows, violation, keys.cause.as_deref()) as f64 / requests(rows).max(1) as f64;
            Ok(form.of(share, percent))
        })
    });
    let at = ground.clone();
    environment.add_function("requests", move |strategy: &str, keys: Kwargs| {
        at.rows(strategy, &Keys::of(&keys)?.which, |rows| Ok(Value::from(requests(rows))))
    });
    let at = ground.clone();
    environment.add_function("acked", move |strategy: &str, keys: Kwargs| {
        let sum = |rows: &[&Fact]| rows.iter().map(|fact| fact.cell.acknowledged).sum::<u64>();
        at.rows(strategy, &Keys::of(&keys)?.which, |rows| Ok(Value::from(sum(rows))))
    });
    let at = ground.clone();
    environment.add_function("once", move |strategy: &str, keys: Kwargs| {
        let all = |rows: &[&Fact]| rows.iter().all(|fact| is_exactly_once(&fact.cell));
        at.rows(strategy, &Keys::of(&keys)?.which, |rows| Ok(Value::from(all(rows))))
    });
    let at = ground.clone();
    environment.add_function("row", move |strategy: &str, keys: Kwargs| {
        at.rows(strategy, &Keys::of(&keys)?.which, |rows| Ok(Value::from(in_short(rows))))
    });
    let at = ground.clone();
    environment.add_function("store", move || match &at {
        Ground::Run(facts) => facts.rows.first().map(|fact| fact.cell.store.clone()).ok_or_else(missing),
        Ground::Names(_) => Ok(String::new()),
    });
}

/// A strategy's rows in short.
fn in_short(rows: &[&Fact]) -> String {
    match rows {
        [one] => format!("[[{}]] ({}: {})", one.cell.strategy, one.cell.verdict, violations(&one.cell).join(", ")),
        _ => {
            let strategy = rows.first().map_or("", |fact| &fact.cell.strategy);
            let valid = rows.iter().filter(|fact| fact.cell.verdict == "valid").count();
            format!("[[{strategy}]] (valid in {valid} of {} rows)", rows.len())
        }
    }
}

/// The functions that compare counts.
fn add_comparisons(environment: &mut Environment<'static>, ground: &Ground) {
    let at = ground.clone();
    environment.add_function("rises", move |strategy: &str, violation: &str, axis: &str, keys: Kwargs| {
        known_violation(violation)?;
        let keys = Keys::of(&keys)?;
        at.rows(strategy, &keys.which, |rows| {
            rises(rows, violation, keys.cause.as_deref(), axis).map(Value::from).ok_or_else(missing)
        })
    });
    let at = ground.clone();
    environment.add_function("alike", move |strategy: &str, violation: &str, one: &str, other: &str| {
        known_violation(violation)?;
        let under = |level: &str| Which { faults: Some(level.to_owned()), ..Which::default() };
        let Ground::Run(facts) = &at else {
            return at.rows(strategy, &under(one), |_| Ok(Value::from(true)));
        };
        let counted = |level: &str| {
            let rows = facts.select(strategy, &under(level)).ok_or_else(missing)?;
            Ok::<_, Error>((count(&rows, violation, None), requests(&rows)))
        };
        Ok(Value::from(are_alike(counted(one)?, counted(other)?)))
    });
}

/// The functions over one row, or over one beside another.
fn add_speeds(environment: &mut Environment<'static>, ground: &Ground, form: FigureForm) {
    let mut of_one = |name: &'static str, figure: fn(&Fact) -> Option<f64>, as_text: fn(f64) -> String| {
        let at = ground.clone();
        environment.add_function(name, move |strategy: &str, keys: Kwargs| {
            at.row(strategy, &Keys::of(&keys)?.which, |fact| Some(form.of(figure(fact)?, as_text)))
        });
    };
    of_one(
        "per_s",
        |fact| (fact.cell.acknowledged > 0).then_some(fact.cell.goodput_per_s),
        |speed| format!("{speed:.0}"),
    );
    of_one("p99", |fact| (fact.cell.acknowledged > 0).then_some(fact.cell.latency_ms.p99), |ms| three_digits(Some(ms)));
    of_one("available", |fact| fact.cell.available, percent);
    of_one("recovery", |fact| fact.cell.recovery_ms, |ms| three_digits(Some(ms)));
    let at = ground.clone();
    environment.add_function("verdict", move |strategy: &str, keys: Kwargs| {
        at.row(strategy, &Keys::of(&keys)?.which, |fact| Some(Value::from(fact.cell.verdict)))
    });
    let mut of_ratio = |name: &'static str, make: fn(Option<Interval>) -> Result<Value, Error>| {
        let at = ground.clone();
        environment
            .add_function(name, move |of: &str, to: &str, keys: Kwargs| at.ratio((of, to), &Keys::of(&keys)?, make));
    };
    of_ratio("ratio", |ratio| {
        Ok(Value::from(ratio.map_or_else(|| "~".to_owned(), |ratio| range(ratio.low, ratio.high))))
    });
    of_ratio("faster", |ratio| Ok(Value::from(ratio.is_some_and(|ratio| ratio.low > 1.0))));
    of_ratio("ratio_low", |ratio| ratio.map(|ratio| Value::from(ratio.low)).ok_or_else(missing));
    of_ratio("ratio_high", |ratio| ratio.map(|ratio| Value::from(ratio.high)).ok_or_else(missing));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{builtin_names, load};
    use crate::report::testing::MadeUp;

    fn sentence(says: &str, conditions: &[&str]) -> Sentence {
        Sentence { says: says.to_owned(), conditions: conditions.iter().map(|one| (*one).to_owned()).collect() }
    }

    /// 30 of 1,000 requests of etcd-lock twice, 20 of them after a lost reply; three repetitions.
    fn run() -> MadeUp {
        let mut run = MadeUp::new("");
        for (locked, free) in [(100.0, 129.0), (200.0, 400.0), (100.0, 355.0)] {
            let found =
                [(Violation::Duplicate, Cause::RetryAfterLostReply, 20), (Violation::Duplicate, Cause::Redelivery, 10)];
            run = run.with("etcd-lock", "", locked, &found).with("dedup-table", "", free, &[]);
        }
        run
    }

    fn tells(says: &str, conditions: &[&str]) -> Option<String> {
        tell(&sentence(says, conditions), &run().facts())
    }

    #[test]
    fn figures_are_filled_in_and_causes_told_apart() {
        let says = "{{ count('etcd-lock', 'duplicate', cause='retry after a lost reply') }} of\n {{ count('etcd-lock', 'duplicate') }} in {{ requests('etcd-lock') }}, {{ share('etcd-lock', 'duplicate') }}";
        assert_eq!(tells(says, &[]).unwrap(), "60 of 90 in 3000, 3.00 %");
        assert_eq!(tells("{{ row('dedup-table') }}", &[]).unwrap(), "[[dedup-table]] (valid: 0 of 3000 (<0.10%))");
    }

    #[test]
    fn a_sentence_whose_condition_fails_is_left_out() {
        assert_eq!(tells("a", &["count('etcd-lock', 'duplicate') > 89"]).as_deref(), Some("a"));
        assert_eq!(tells("a", &["count('etcd-lock', 'duplicate') > 90"]), None);
        assert_eq!(tells("a", &["once('dedup-table')", "once('etcd-lock')"]), None);
    }

    #[test]
    fn a_sentence_about_a_row_that_is_missing_is_left_out() {
        assert_eq!(tells("{{ count('at-least-once', 'duplicate') }} times", &[]), None);
        assert_eq!(tells("[[at-least-once]] is so", &[]), None);
        // Not even where the condition says no of a row that is there.
        assert_eq!(tells("a", &["not once('at-least-once')"]), None);
        assert_eq!(tells("{{ per_s('etcd-lock', faults='g') }}", &[]), None);
    }

    #[test]
    fn a_ratio_is_a_range_over_the_repetitions() {
        // 129/100, 400/200, 355/100: from 1.29 to 3.55.
        let says = "{{ ratio('dedup-table', 'etcd-lock') }} times";
        assert_eq!(tells(says, &["faster('dedup-table', 'etcd-lock')"]).unwrap(), "1.29 to 3.55 times");
        assert_eq!(tells("a", &["faster('etcd-lock', 'dedup-table')"]), None);
        // One of three is the other way about, or there are two, or the load sets the rate.
        let mixed = run().with("etcd-lock", "", 100.0, &[]).with("dedup-table", "", 90.0, &[]);
        let two = MadeUp::new("").with("etcd-lock", "", 1.0, &[]).with("dedup-table", "", 2.0, &[]);
        let two = two.with("etcd-lock", "", 1.0, &[]).with("dedup-table", "", 2.0, &[]);
        let mut open = MadeUp::new("load = { rate_per_s = 100.0 }");
        for _ in 0..3 {
            open = open.with("etcd-lock", "", 50.0, &[]).with("dedup-table", "", 100.0, &[]);
        }
        for run in [mixed, two, open] {
            assert_eq!(tell(&sentence(says, &[]), &run.facts()).unwrap(), "~ times");
        }
    }

    #[test]
    fn more_at_every_step_is_looked_at() {
        let swept = |counts: [u64; 3]| {
            let sweep = "[[sweep]]\nname = \"clients\"\nkeys = [\"load.clients\"]\nvalues = [1, 2, 16]";
            let mut run = MadeUp::new(sweep);
            for (point, count) in ["clients=1", "clients=2", "clients=16"].into_iter().zip(counts) {
                let found = [(Violation::Duplicate, Cause::RetryAfterLostReply, count)];
                run = run.with("etcd-lock", point, 1.0, if count > 0 { &found } else { &[] });
            }
            run.facts()
        };
        let rises =
            |counts| tell(&sentence("a", &["rises('etcd-lock', 'duplicate', 'clients')"]), &swept(counts)).is_some();
        assert!(rises([0, 5, 90]));
        // Down and up; level; up by no more than chance.
        assert!(!rises([40, 25, 90]) && !rises([5, 5, 90]) && !rises([0, 1, 2]));
        let below = sentence(
            "{{ count('etcd-lock', 'duplicate', at='clients<16') }} of {{ requests('etcd-lock', at='clients<16') }}",
            &[],
        );
        assert_eq!(tell(&below, &swept([2, 5, 90])).unwrap(), "7 of 2000");
        let one = sentence("a", &["rises('etcd-lock', 'duplicate', 'clients', at='clients>1')"]);
        assert_eq!(tell(&one, &swept([0, 5, 90])), None, "two points are no trend");
    }

    #[test]
    fn a_name_that_is_none_is_found() {
        let registry = Registry::default();
        let wrong = |says: &str, condition: &str| unknown_name(&sentence(says, &[condition]), &registry);
        let cases = [
            ("{{ count('etcd-lock', 'duplicat') }}", "true", "no violation is named 'duplicat'"),
            ("a", "count('etcd-lok', 'duplicate') > 0", "no strategy is named 'etcd-lok'"),
            ("a", "count('etcd-lock', 'duplicate', cause='chance') > 0", "no cause is named 'chance'"),
            ("a", "once('etcd-lock', at='loss')", "'loss' does not choose a point"),
            ("a", "ratio_low('etcd-lock', 'nobody') > 1", "no strategy is named 'nobody'"),
            ("{{ per_s('etcd-lock', fault='b') }}", "true", "fault"),
            ("{{ speed('etcd-lock') }}", "true", "speed"),
            ("[[etcd-lok]]", "true", "no strategy is named 'etcd-lok'"),
        ];
        for (says, condition, what) in cases {
            let found = wrong(says, condition);
            assert!(found.as_ref().is_some_and(|found| found.contains(what)), "{says} if {condition}: {found:?}");
        }
        assert_eq!(wrong("{{ count('etcd-lock', 'duplicate') }}", "alike('etcd-lock', 'lost', 'a', 'b')"), None);
    }

    /// Each has a condition, and speaks of levels and points that its experiment has.
    #[test]
    fn the_experiments_speak_of_what_there_is() {
        let registry = Registry::default();
        let mut sentences = 0;
        for name in builtin_names() {
            let experiment = load(name, &[], &registry, unknown_name).unwrap();
            let levels: Vec<&str> = experiment.faults.iter().map(|level| level.name.as_str()).collect();
            let points = experiment.points();
            for sentence in experiment.analysis.sentences() {
                sentences += 1;
                assert!(!sentence.conditions.is_empty(), "{name}: {}", sentence.says);
                let texts = std::iter::once(&sentence.says).chain(&sentence.conditions);
                for text in texts {
                    let of = |key: &str| {
                        let parts: Vec<&str> = text.split(&format!("{key}=\"")).skip(1).collect();
                        parts.into_iter().map(|part| part.split('"').next().unwrap()).collect::<Vec<_>>()
                    };
                    assert!(of("faults").iter().all(|level| levels.contains(level)), "{name}: {text}");
                    for at in of("at").into_iter().chain(of("beside")) {
                        let which = Which { at: AxisBound::all(at).unwrap(), ..Which::default() };
                        assert!(points.iter().any(|point| which.has(point)), "{name}: {at}");
                    }
                }
            }
        }
        assert!(sentences > 40, "{sentences}");
    }
}
