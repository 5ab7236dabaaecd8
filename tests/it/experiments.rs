//! The experiments that come with the lab: complete, consistent with the claims, and with teeth.

use oncelab::experiment;
use oncelab::report::unknown_name;
use oncelab::strategy::Registry;
use oncelab::terms::{Expected, StoreKind};

use crate::common::{oncelab, text};

#[test]
fn every_experiment_expects_something_of_every_strategy_on_sqlite() {
    let registry = Registry::default();
    for name in experiment::builtin_names() {
        let experiment = experiment::load(name, &[], &registry, unknown_name).unwrap();
        assert!(!experiment.analysis.is_empty(), "{name} has no analysis");
        // Scenarios are about one strategy, and what is done to servers leaves the unsafe ones to chance.
        if !experiment.strategies.is_empty() {
            continue;
        }
        for level in experiment.faults.iter().filter(|level| level.backend.is_empty()) {
            for strategy in &experiment::strategies(&experiment, &registry) {
                let expectation = experiment.expect.get(&level.name).and_then(|by_strategy| by_strategy.get(strategy));
                let expected = expectation.and_then(|expectation| expectation.on(StoreKind::Sqlite));
                assert!(expected.is_some(), "{name} expects nothing of {strategy} under {}", level.name);
            }
        }
    }
}

#[test]
fn expectations_agree_with_claims() {
    let registry = Registry::default();
    for name in experiment::builtin_names() {
        let experiment = experiment::load(name, &[], &registry, unknown_name).unwrap();
        for level in &experiment.faults {
            for (strategy, expectation) in experiment.expect.get(&level.name).into_iter().flatten() {
                for store in [StoreKind::Sqlite, StoreKind::Postgres] {
                    let Some(expected) = expectation.on(store) else { continue };
                    let claim = registry.get(strategy).unwrap().claim(store);
                    let place = format!("{name}, {strategy} under {} on {store:?}", level.name);
                    match expected {
                        // What a strategy is expected to show, its claim must not rule out.
                        Expected::Shows(kinds) => {
                            assert!(kinds.iter().all(|kind| !claim.rules_out.contains(kind)), "{place}");
                            // Of a sweep, at one of its points at least.
                            let points = experiment.points();
                            let levels = points.iter().flat_map(|at| experiment.at(at, &registry).unwrap().faults);
                            let levels: Vec<_> = levels.filter(|at| at.name == level.name).collect();
                            let can = |fault, leg| levels.iter().any(|level| level.can_happen(fault, leg));
                            let broken =
                                claim.breaks_under(can).any(|b| kinds.iter().any(|kind| b.shows.contains(kind)));
                            assert!(broken, "{place}: no fault of the level is said to break it");
                        }
                        // What is safe under everything is expected to be valid everywhere.
                        Expected::Valid => {}
                    }
                    if claim.breaks.is_empty() {
                        assert_eq!(*expected, Expected::Valid, "{place}");
                    }
                }
            }
        }
    }
}

/// `quick` as a user runs it, but for the number of its requests, which a debug build takes too long for.
#[test]
fn quick_meets_every_expectation() {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &["run", "quick", "--seed", "11", "--json"]);
    let stderr = text(&output.stderr);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{stderr}"));
    let cells = summary["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 13);
    for cell in cells {
        assert_eq!(cell["met"], true, "{cell:#}");
        if cell["verdict"] == "valid" {
            // Three trials of 700, and only at-most-once leaves some without an answer: the bound that is printed is 3/n.
            let enough = if cell["strategy"] == "at-most-once" { 1_500 } else { 2_000 };
            assert!(cell["acknowledged"].as_u64().unwrap() >= enough, "{cell:#}");
            let bound = 3.0 / cell["acknowledged"].as_f64().unwrap();
            assert!((cell["upper_bound_95"].as_f64().unwrap() - bound).abs() < 1e-12);
        }
    }
    assert_eq!(output.status.code(), Some(0), "{stderr}");
}

#[test]
fn an_experiment_that_has_lost_its_teeth_is_not_met() {
    // Without any fault at-least-once is harmless, and `quick` expects duplicates of it: no fault fired, inconclusive.
    let folder = tempfile::tempdir().unwrap();
    let quiet = r#"
name = "quiet"
question = "?"
strategies = ["at-least-once"]
load = { requests = 200, warmup = 0 }
faults = [{ name = "hardly", store = { reply_lost = 1e-12 } }]
expect.hardly.at-least-once = ["duplicate"]
"#;
    std::fs::write(folder.path().join("quiet.toml"), quiet).unwrap();
    let output = oncelab(folder.path(), &["run", "quiet.toml"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    assert!(stdout.contains("never fired: store.reply_lost") && stdout.contains("inconclusive"), "{stdout}");
}

#[test]
fn tables_fit_80_columns() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["run", "quick", "--set", "load.requests=120", "--set", "repeats=1", "--seed", "1"];
    let stdout = text(&oncelab(folder.path(), &arguments).stdout);
    // A command is never broken, so that it can be copied.
    let is_whole =
        |line: &&str| ["oncelab run", "oncelab replay", "oncelab report", "saved:"].iter().any(|it| line.contains(it));
    let lines = stdout.lines().filter(|line| !is_whole(line));
    let long: Vec<&str> = lines.filter(|line| line.chars().count() > 80).collect();
    assert!(long.is_empty() && stdout.contains("dedup-table-statement"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "no colours but on a terminal");
}
