//! The experiments that come with the lab: complete, consistent with the claims, and with teeth.

use std::collections::BTreeMap;
use std::path::Path;

use oncelab::experiment::{self, Experiment, Written};
use oncelab::report::unknown_name;
use oncelab::results::{RunFolder, Summary, runs_below};
use oncelab::strategy::{GIVING_UP, Registry, claim_of};
use oncelab::terms::{Expected, StoreKind};

use crate::common::{oncelab, text};

/// The stores for which claims are made.
const STORES: [StoreKind; 3] = [StoreKind::Sqlite, StoreKind::Postgres, StoreKind::Mariadb];

/// An experiment of the lab's as a run on this store has it.
fn derived(name: &str, store: StoreKind, registry: &Registry) -> Experiment {
    let mut experiment = experiment::load(name, &[], registry, unknown_name).unwrap();
    experiment.derive_expectations(registry, store).unwrap();
    experiment
}

/// How many strategies an experiment has that names none.
fn everywhere(registry: &Registry) -> usize {
    let count = registry.iter().filter(|strategy| !strategy.belongs_to_a_scenario()).count();
    assert!(count >= 13, "{count}");
    count
}

#[test]
fn every_experiment_expects_something_of_every_strategy_on_sqlite() {
    let registry = Registry::default();
    let mut cells = 0;
    for name in experiment::builtin_names() {
        let experiment = derived(name, StoreKind::Sqlite, &registry);
        assert!(!experiment.analysis.is_empty(), "{name} has no analysis");
        // Scenarios are about one strategy, and what is done to servers leaves the unsafe ones to chance.
        if !experiment.strategies.is_empty() {
            continue;
        }
        if experiment.survey {
            assert!(experiment.expect.is_empty() && experiment.expect_by_claim.is_empty(), "{name} expects something");
            continue;
        }
        for level in experiment.faults.iter().filter(|level| level.backend.is_empty()) {
            for strategy in &experiment::strategies(&experiment, &registry) {
                let expected = experiment.expected(&level.name, strategy, StoreKind::Sqlite);
                assert!(expected.is_some(), "{name} expects nothing of {strategy} under {}", level.name);
                cells += 1;
            }
        }
    }
    // Nine levels of eight experiments, and 13 strategies at least.
    assert_eq!(cells, 9 * everywhere(&registry));
}

/// An experiment writes only what differs from the claims: what is written twice can contradict itself.
#[test]
fn no_experiment_writes_what_follows_from_a_claim() {
    let registry = Registry::default();
    let mut written = 0;
    for name in experiment::builtin_names() {
        for store in STORES {
            let experiment = experiment::load(name, &[], &registry, unknown_name).unwrap();
            let mut by_claim = Experiment { expect: BTreeMap::new(), ..experiment.clone() };
            by_claim.derive_expectations(&registry, store).unwrap();
            for (level, answers) in &experiment.expect {
                for (strategy, expectation) in answers {
                    let Some(answer) = expectation.on(store) else { continue };
                    let derived = by_claim.expected(level, strategy, store).map(|(expected, _)| expected);
                    let is_same = match answer {
                        Written::Verdict(expected) => derived == Some(expected),
                        Written::Any => derived.is_none(),
                    };
                    assert!(
                        !is_same,
                        "experiments/{name}.toml: delete the line `{strategy} = …` below [expect.{level}], or its part for {}: \
                         '{answer}' follows from the claim",
                        store.name()
                    );
                    written += 1;
                }
            }
        }
    }
    // 33 lines for each store, and 2 for those with transactions side by side, PostgreSQL and MariaDB.
    assert_eq!(written, 3 * 33 + 2 * 2);
}

#[test]
fn expectations_agree_with_claims() {
    let registry = Registry::default();
    let mut cells = 0;
    for (name, store) in experiment::builtin_names().iter().flat_map(|name| STORES.map(|store| (name, store))) {
        let experiment = derived(name, store, &registry);
        for level in &experiment.faults {
            for strategy in &experiment::strategies(&experiment, &registry) {
                let Some((expected, _)) = experiment.expected(&level.name, strategy, store) else { continue };
                let of = registry.get(strategy).unwrap();
                let claim = claim_of(of.as_ref(), store, level.hazards());
                let place = format!("{name}, {strategy} under {} on {store:?}", level.name);
                match expected {
                    // What a strategy is expected to show, its claim must not rule out.
                    Expected::Shows(kinds) => {
                        assert!(kinds.iter().all(|kind| !claim.rules_out.contains(kind)), "{place}");
                        // Of a sweep, at one of its points at least.
                        let points = experiment.points();
                        let levels = points.iter().flat_map(|at| experiment.at(at, &registry).unwrap().faults);
                        let levels: Vec<_> = levels.filter(|at| at.name == level.name).collect();
                        // Who tries twice at the most gives up now and then, also where no server is disturbed.
                        let gives_up = |fault| GIVING_UP.contains(&fault) && experiment.load.attempts.get() <= 2;
                        let can =
                            |fault, leg| gives_up(fault) || levels.iter().any(|level| level.can_happen(fault, leg));
                        let broken = claim.breaks_under(can).any(|b| kinds.iter().any(|kind| b.shows.contains(kind)));
                        assert!(broken, "{place}: no fault of the level is said to break it");
                    }
                    // What is safe under everything is expected to be valid everywhere.
                    Expected::Valid => {}
                }
                if claim.breaks.is_empty() {
                    assert_eq!(*expected, Expected::Valid, "{place}");
                }
                cells += 1;
            }
        }
    }
    assert!(cells > 250, "{cells} expectations");
}

/// A run that was saved without expectations by claim is judged without them.
#[test]
fn the_committed_runs_are_judged_as_they_were_saved() {
    let registry = Registry::default();
    let mut cells = 0;
    for path in runs_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("results")) {
        let folder = RunFolder::open(&path, &registry).unwrap();
        let dir = path.display().to_string();
        let summary = Summary::new(dir, &folder.meta, &folder.experiment, folder.rows(), &registry).unwrap();
        let now = serde_json::to_value(&summary).unwrap();
        let saved: serde_json::Value = folder.read_json("summary.json").unwrap();
        let judged = |summary: &serde_json::Value| {
            let of = |cell: &serde_json::Value| {
                ["strategy", "expected", "expected_by_claim", "met"].map(|key| cell[key].clone())
            };
            summary["cells"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(judged(&now), judged(&saved), "{}", path.display());
        cells += summary.cells.len();
    }
    assert!(cells > 400, "{cells} rows");
}

/// A run's folder says which expectations are written and which follow from claims, and is judged by them.
#[test]
fn a_run_saves_what_follows_from_the_claims_and_is_judged_by_that() {
    let folder = tempfile::tempdir().unwrap();
    let mine = r#"
name = "mine"
question = "?"
strategies = ["at-least-once", "check-then-act", "dedup-table"]
load = { requests = 200, warmup = 0, timeout_ms = 10000 }
faults = [{ name = "twice", client = { duplicated = 0.3 } }]
expect.twice.check-then-act = "any"
"#;
    std::fs::write(folder.path().join("mine.toml"), mine).unwrap();
    let output = oncelab(folder.path(), &["run", "mine.toml", "--seed", "3", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = summary["cells"].as_array().unwrap();
    let expected: Vec<_> = cells.iter().map(|cell| (&cell["expected"], cell.get("expected_by_claim"))).collect();
    let (duplicate, valid, by_claim) = (serde_json::json!(["duplicate"]), serde_json::json!("valid"), true.into());
    assert_eq!(expected, [(&duplicate, Some(&by_claim)), (&serde_json::Value::Null, None), (&valid, Some(&by_claim))]);
    let run = folder.path().join(summary["dir"].as_str().unwrap());
    let saved = std::fs::read_to_string(run.join("experiment.toml")).unwrap();
    let tables = "[expect.twice]\ncheck-then-act = \"any\"\n\n[expect_by_claim.twice]\nat-least-once = [\"duplicate\"]\ndedup-table = \"valid\"\n";
    assert!(saved.ends_with(tables), "{saved}");
    let checked = oncelab(folder.path(), &["check", run.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stdout));
    // What is saved is what counts, whatever the claim says today: without its digest the run's file can be changed.
    std::fs::write(run.join("experiment.toml"), saved.replace("[\"duplicate\"]", "\"valid\"")).unwrap();
    let meta = std::fs::read_to_string(run.join("meta.json")).unwrap();
    let lines = meta.lines().filter(|line| !line.contains("experiment_sha256"));
    std::fs::write(run.join("meta.json"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    let report = text(&oncelab(folder.path(), &["report", run.to_str().unwrap()]).stdout);
    assert!(report.contains("! at-least-once under 'twice': expected valid (by its claim), found invalid"), "{report}");
}

/// `quick` as a user runs it, but for the number of its requests, which a debug build takes too long for.
#[test]
fn quick_meets_every_expectation() {
    let folder = tempfile::tempdir().unwrap();
    let output = oncelab(folder.path(), &["run", "quick", "--seed", "11", "--json"]);
    let stderr = text(&output.stderr);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{stderr}"));
    let cells = summary["cells"].as_array().unwrap();
    assert_eq!(cells.len(), everywhere(&Registry::default()));
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
load = { requests = 200, warmup = 0, timeout_ms = 10000 }
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
