//! What a run judged and what it did not: nothing that was not looked at is called as expected.

use std::collections::BTreeSet;

use super::facts::Facts;
use crate::results::Summary;

/// What was not judged, one sentence each; nothing if all was.
#[must_use]
pub fn unjudged(facts: &Facts) -> Vec<String> {
    let mut out = Vec::new();
    if facts.is_interrupted() {
        let (done, of) = (facts.trials, facts.trials_planned);
        let absent = match facts.absent.as_slice() {
            [] => String::new(),
            names => format!(" No trial is finished of {}.", names.join(", ")),
        };
        out.push(format!("Interrupted: {done} of {of} trials are finished, and the others are not judged.{absent}"));
    }
    out.extend(facts.failed.iter().map(|(trial, why)| {
        format!("Failed: {trial}: {why}. The trial is not judged; a run that is gone on with makes it again.")
    }));
    let not_judged: BTreeSet<&str> = facts.rows.iter().flat_map(|fact| fact.cell.not_judged.iter().copied()).collect();
    if !not_judged.is_empty() {
        let kinds: Vec<&str> = not_judged.into_iter().collect();
        out.push(format!(
            "Not looked for, since the run was saved before the lab knew of it: {}. No sentence here says anything of that.",
            kinds.join(", ")
        ));
    }
    let (expected, all) = expected(facts.rows.iter().map(|fact| fact.cell.expected.is_some()));
    if expected < all {
        out.push(format!(
            "The experiment expects nothing of {}: no expectation is judged there.",
            of_rows(expected, all)
        ));
    }
    out
}

/// What a run comes to: its last line.
#[must_use]
pub fn outcome(summary: &Summary) -> String {
    let (expected, all) = expected(summary.cells.iter().map(|cell| cell.expected.is_some()));
    let failed = summary.failed.len();
    let is_whole = summary.trials + failed >= summary.trials_planned;
    let so_far = if is_whole { "" } else { " so far" };
    let failures = match failed {
        0 => String::new(),
        1 => " A trial failed, see above.".to_owned(),
        many => format!(" {many} trials failed, see above."),
    };
    if all == 0 {
        return format!("No trial is finished: there is nothing to show.{failures}");
    }
    let mut out = if !summary.cells.iter().all(|cell| cell.met) {
        format!("NOT every expectation was met{so_far}: see the rows marked '!'.")
    } else if expected == 0 {
        format!("No expectation was judged, since the experiment has none; no strategy broke its claim{so_far}.")
    } else if expected < all {
        format!(
            "{expected} of {all} rows are as expected{so_far}. Nothing is expected of {}; no strategy broke its claim there.",
            of_rows(expected, all)
        )
    } else if is_whole && failed == 0 {
        "Every expectation was met.".to_owned()
    } else {
        "Every row is as expected so far.".to_owned()
    };
    if !is_whole {
        let (done, of) = (summary.trials, summary.trials_planned);
        out.push_str(&format!(" Not judged: {} of {of} trials, which are not finished.", of - done - failed));
    }
    out.push_str(&failures);
    if !summary.skipped.is_empty() {
        let names: Vec<&str> = summary.skipped.keys().map(String::as_str).collect();
        out.push_str(&format!(" Not judged: {}, skipped.", names.join(", ")));
    }
    out
}

/// How many rows have an expectation, and how many rows there are.
fn expected(rows: impl Iterator<Item = bool>) -> (usize, usize) {
    let rows: Vec<bool> = rows.collect();
    (rows.iter().filter(|is_expected| **is_expected).count(), rows.len())
}

/// The rows without an expectation, in words.
fn of_rows(expected: usize, all: usize) -> String {
    match (expected, all) {
        (0, 1) => "the row".to_owned(),
        (0, _) => "any row".to_owned(),
        (_, _) if all - expected == 1 => "one row".to_owned(),
        (_, _) => format!("{} rows", all - expected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::MadeUp;
    use crate::terms::Violation;

    const EXPECTS: &str = "strategies = [\"dedup-table\", \"at-most-once\"]\nexpect.f.dedup-table = \"valid\"";

    #[test]
    fn an_experiment_without_expectations_says_so() {
        let run = MadeUp::new("").with("dedup-table", "", 1.0, &[]);
        assert_eq!(
            outcome(&run.summary()),
            "No expectation was judged, since the experiment has none; no strategy broke its claim."
        );
        assert!(unjudged(&run.facts())[0].starts_with("The experiment expects nothing of the row"));
        let some = MadeUp::new(EXPECTS).with("dedup-table", "", 1.0, &[]).with("at-most-once", "", 1.0, &[]);
        assert_eq!(
            outcome(&some.summary()),
            "1 of 2 rows are as expected. Nothing is expected of one row; no strategy broke its claim there."
        );
    }

    #[test]
    fn a_whole_run_met_every_expectation_and_one_that_was_cut_short_did_not() {
        let mut run = MadeUp::new(EXPECTS).with("dedup-table", "", 1.0, &[]);
        assert_eq!(outcome(&run.summary()), "Every expectation was met.");
        run.meta.trials_planned = 6;
        assert_eq!(
            outcome(&run.summary()),
            "Every row is as expected so far. Not judged: 5 of 6 trials, which are not finished."
        );
        assert_eq!(
            unjudged(&run.facts()),
            [
                "Interrupted: 1 of 6 trials are finished, and the others are not judged. No trial is finished of at-most-once."
            ]
        );
    }

    #[test]
    fn what_an_older_run_did_not_look_for_is_named() {
        let run = MadeUp::new(EXPECTS).with("dedup-table", "", 1.0, &[]).without_looking_for(Violation::Wrong);
        assert!(
            unjudged(&run.facts())[0]
                .starts_with("Not looked for, since the run was saved before the lab knew of it: wrong.")
        );
    }

    #[test]
    fn what_was_skipped_is_not_judged() {
        let mut run = MadeUp::new(EXPECTS).with("dedup-table", "", 1.0, &[]);
        run.meta.skipped.insert("at-most-once".to_owned(), "there is no store".to_owned());
        assert_eq!(outcome(&run.summary()), "Every expectation was met. Not judged: at-most-once, skipped.");
    }
}
