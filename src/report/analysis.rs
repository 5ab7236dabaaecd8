//! Prose with places for figures, filled from a run, so that text and figures cannot disagree.
//!
//! A place is written `{{ count("etcd-lock", "duplicate") }}`, in the syntax of Jinja. There are `count(strategy, violation)`,
//! `share(strategy, violation)`, `acked(strategy)`, `per_s(strategy)`, `p99(strategy)`, `verdict(strategy)`, `available(strategy)`,
//! `recovery(strategy)`, `ratio(strategy, strategy)` of goodputs, and `row(strategy)`, which tells a row in short and points at it. Where
//! an experiment has several levels or points, `faults="…"` and `at="…"` say which row is meant; else it is the first.

use std::sync::Arc;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};

use super::figure::{percent, three_digits};
use super::tables::violations;
use crate::check::Violation;
use crate::results::{CellSummary, Summary};

/// What stands where the run has no such row.
const NOT_RUN: &str = "(not in this run)";

/// What is wrong with a text, if it cannot be filled whatever the run.
#[must_use]
pub fn syntax_error(text: &str) -> Option<String> {
    let error = Environment::new().template_from_str(text).err()?;
    let place = error.line().map_or(String::new(), |line| format!(" in its line {line}"));
    Some(format!("{}{place}", error.detail().unwrap_or("it cannot be read as a template")))
}

/// The text with its places filled. One that cannot be filled says so in its place.
#[must_use]
pub fn fill(text: &str, summary: &Summary) -> String {
    let filled = environment(summary).render_str(text, ());
    filled.unwrap_or_else(|error| format!("{text}\n(its figures could not be filled in: {error})"))
}

/// A function of a template that tells something of the row of a strategy.
fn teller(
    cells: &Arc<Vec<CellSummary>>,
    tell: impl Fn(&CellSummary) -> String + Send + Sync + 'static,
) -> impl Fn(&str, Kwargs) -> Result<String, Error> + Send + Sync + 'static {
    let cells = Arc::clone(cells);
    move |strategy: &str, which: Kwargs| Ok(find(&cells, strategy, &which)?.map_or_else(|| NOT_RUN.to_owned(), &tell))
}

fn environment(summary: &Summary) -> Environment<'static> {
    let cells = Arc::new(summary.cells.clone());
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_function("acked", teller(&cells, |cell| cell.acknowledged.to_string()));
    environment.add_function("per_s", teller(&cells, |cell| format!("{:.0}", cell.goodput_per_s)));
    environment.add_function("p99", teller(&cells, |cell| three_digits(Some(cell.latency_ms.p99))));
    environment.add_function("verdict", teller(&cells, |cell| cell.verdict.to_owned()));
    environment.add_function(
        "available",
        teller(&cells, |cell| cell.available.map_or_else(|| "none (there was no outage)".to_owned(), percent)),
    );
    environment.add_function(
        "recovery",
        teller(&cells, |cell| cell.recovery_ms.map_or_else(|| "no".to_owned(), |ms| three_digits(Some(ms)))),
    );
    environment.add_function(
        "row",
        teller(&cells, |cell| {
            let found = violations(cell).join(", ");
            format!("[[{}]] ({}: {found}; {:.0} per s)", cell.strategy, cell.verdict, cell.goodput_per_s)
        }),
    );
    for (name, is_share) in [("count", false), ("share", true)] {
        let cells = Arc::clone(&cells);
        let count = move |strategy: &str, violation: &str, which: Kwargs| {
            if Violation::from_name(violation).is_none() {
                return Err(unknown(format!("no violation is named '{violation}'")));
            }
            let Some(cell) = find(&cells, strategy, &which)? else { return Ok(NOT_RUN.to_owned()) };
            let rate = cell.rates.get(violation);
            Ok(if is_share {
                percent(rate.map_or(0.0, |rate| rate.rate))
            } else {
                rate.map_or(0, |rate| rate.count).to_string()
            })
        };
        environment.add_function(name, count);
    }
    environment.add_function("ratio", move |of: &str, to: &str, which: Kwargs| {
        Ok(match (find(&cells, of, &which)?, find(&cells, to, &which)?) {
            (Some(of), Some(to)) if to.goodput_per_s > 0.0 => three_digits(Some(of.goodput_per_s / to.goodput_per_s)),
            _ => NOT_RUN.to_owned(),
        })
    });
    environment
}

fn unknown(what: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, what)
}

/// The row that is meant, if the run has it.
fn find<'c>(cells: &'c [CellSummary], strategy: &str, which: &Kwargs) -> Result<Option<&'c CellSummary>, Error> {
    let (faults, at): (Option<&str>, Option<&str>) = (which.get("faults")?, which.get("at")?);
    which.assert_all_used()?;
    let is_meant = |cell: &&CellSummary| {
        cell.strategy == strategy
            && faults.is_none_or(|faults| cell.faults == faults)
            && at.is_none_or(|at| cell.point.to_string() == at)
    };
    Ok(cells.iter().find(is_meant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{builtin_names, load};
    use crate::strategy::Registry;

    fn empty() -> Summary {
        let registry = Registry::default();
        let experiment = load("quick", &[], &registry).unwrap();
        let meta = crate::results::Meta::of_this_machine();
        Summary::new("x".to_owned(), &meta, &experiment, &[], &registry).unwrap()
    }

    #[test]
    fn what_a_run_does_not_have_is_said_and_not_made_up() {
        assert_eq!(fill("{{ count(\"etcd-lock\", \"duplicate\") }} of", &empty()), "(not in this run) of");
        assert!(
            fill("{{ count(\"etcd-lock\", \"duplicat\") }}", &empty()).contains("no violation is named 'duplicat'")
        );
        assert!(fill("{{ per_s(\"a\", fault=\"b\") }}", &empty()).contains("could not be filled in"));
    }

    #[test]
    fn a_text_that_cannot_be_read_says_where() {
        assert!(syntax_error("a\n{{ count( }}").unwrap().contains("line 2"));
        assert_eq!(syntax_error("50 % of {{ acked(\"x\") }}"), None);
    }

    /// Every name in a place of an experiment's analysis is a strategy, a violation, a level or a point of it.
    #[test]
    fn the_experiments_speak_of_what_there_is() {
        let registry = Registry::default();
        for name in builtin_names() {
            let experiment = load(name, &[], &registry).unwrap();
            let filled = fill(&experiment.analysis, &empty());
            assert!(!filled.contains("could not be"), "{name}: {filled}");
            let points: Vec<String> = experiment.points().iter().map(ToString::to_string).collect();
            for place in experiment.analysis.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
                for word in place.split('"').skip(1).step_by(2) {
                    let is_known = registry.get(word).is_ok()
                        || Violation::from_name(word).is_some()
                        || experiment.faults.iter().any(|level| level.name == word)
                        || points.iter().any(|point| point == word);
                    assert!(is_known, "{name}: '{word}' is nothing that it has");
                }
            }
        }
    }
}
