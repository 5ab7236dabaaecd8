//! The matrix: strategy × backend × violation, from the reference runs of the experiment `all`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use oncelab::results::{RunFolder, runs_below};
use oncelab::strategy::Registry;
use oncelab::terms::Violation;
use serde_json::Value;

use crate::common::{oncelab, text};

/// The reference runs of `all`.
fn runs() -> Vec<PathBuf> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let mut runs = runs_below(&results);
    runs.retain(|run| run.parent().is_some_and(|parent| parent.ends_with("all")));
    assert!(runs.len() >= 2, "one on each kind of backend");
    runs
}

/// What `report` prints of them.
fn report(more: &[&str]) -> String {
    let runs = runs();
    let dirs: Vec<&str> = runs.iter().map(|run| run.to_str().unwrap()).collect();
    let output = oncelab(Path::new("."), &[&["report"], dirs.as_slice(), more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn overview() -> Value {
    serde_json::from_str(&report(&["--json"])).unwrap()
}

/// How many strategies the matrix has: those that there were when the runs were made.
fn strategies(overview: &Value) -> usize {
    let names = overview["standings"].as_array().unwrap().iter().map(|standing| standing["strategy"].as_str().unwrap());
    names.collect::<BTreeSet<_>>().len()
}

#[test]
fn the_first_page_says_how_many_rows_the_matrix_has() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let says = format!("[the matrix](results/all/index.html), which has {}", strategies(&overview()));
    assert!(readme.contains(&says), "expected {says:?}");
}

/// Each mark, worked out again from the rows alone.
#[test]
fn each_mark_is_what_the_rows_say() {
    let registry = Registry::default();
    let overview = overview();
    let standings = overview["standings"].as_array().unwrap();
    for (run, backend) in runs().iter().zip(overview["backends"].as_array().unwrap()) {
        let folder = RunFolder::open(run, &registry).unwrap();
        let in_rows: BTreeSet<&str> = folder.rows().iter().map(|row| row.cell.strategy.as_str()).collect();
        let of_backend = || standings.iter().filter(|standing| standing["backend"] == backend["name"]);
        let there: BTreeSet<&str> = of_backend().map(|standing| standing["strategy"].as_str().unwrap()).collect();
        assert!(in_rows.is_subset(&there) && there.len() == strategies(&overview), "{:?}", in_rows.difference(&there));
        for standing in of_backend() {
            let strategy = standing["strategy"].as_str().unwrap();
            let rows: Vec<_> = folder.rows().iter().filter(|row| row.cell.strategy == strategy).collect();
            assert_eq!(standing["mark"] == "absent", rows.is_empty(), "{strategy}");
            let mut counted = false;
            for kind in Violation::ALL {
                let count: u64 = rows.iter().map(|row| row.tally.count(kind)).sum();
                let finding =
                    standing["findings"].as_array().unwrap().iter().find(|one| one["violation"] == kind.name());
                assert_eq!(finding.map_or(0, |one| one["count"].as_u64().unwrap()), count, "{strategy}: {kind}");
                let mark = standing["marks"][kind.name()].as_str().unwrap_or("absent");
                assert_eq!(["breaks", "tolerated"].contains(&mark), count > 0, "{strategy}: {kind} is {mark}");
                counted |= mark == "breaks";
            }
            assert_eq!(standing["mark"] == "breaks", counted, "{strategy}");
            assert!(!counted || standing["upper_bound_95"].is_null() && standing["proved"] == false, "{strategy}");
        }
    }
}

/// On PostgreSQL exactly those are proved of which there is a certificate, and which the run does not break.
#[test]
fn what_is_proved_has_a_certificate() {
    let overview = overview();
    let of_postgres =
        overview["standings"].as_array().unwrap().iter().filter(|standing| standing["backend"] == "PostgreSQL");
    let of_postgres: Vec<&Value> = of_postgres.collect();
    assert!(!of_postgres.is_empty());
    let proofs = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/proofs");
    for standing in of_postgres.iter().filter(|standing| standing["mark"] != "absent") {
        let name = standing["strategy"].as_str().unwrap();
        let is_certified = proofs.join(format!("{name}.proof.json")).is_file();
        if standing["proved"] == true {
            assert!(is_certified, "{name} is said to be proved");
        } else if is_certified {
            // With two requests schedules may break it.
            assert!(["breaks", "not-exercised"].contains(&standing["mark"].as_str().unwrap()), "{name}");
        }
    }
    assert!(of_postgres.iter().filter(|standing| standing["proved"] == true).count() >= 8);
}

/// Each cell leads to what stands behind it, and each command can be typed.
#[test]
fn each_cell_leads_somewhere_and_each_command_is_one() {
    let page = report(&["--format", "html"]).replace("&#x2f;", "/");
    let ids: BTreeSet<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(links.len() > 300, "{} links", links.len());
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/all");
    let mut pages: Vec<(String, String)> = Vec::new();
    for link in links {
        let (file, id) = link.split_once('#').unwrap_or((link, ""));
        if file.is_empty() {
            assert!(ids.contains(id), "nothing is at {link}");
            continue;
        }
        if !pages.iter().any(|(known, _)| known == file) {
            pages.push((file.to_owned(), std::fs::read_to_string(results.join(file)).unwrap()));
        }
        let page = &pages.iter().find(|(known, _)| known == file).unwrap().1;
        assert!(id.is_empty() || page.contains(&format!("id=\"{id}\"")), "nothing is at {link}");
    }
    let mut commands = BTreeSet::new();
    for standing in overview()["standings"].as_array().unwrap() {
        for finding in standing["findings"].as_array().unwrap() {
            let of = |key: &str| finding[key].as_array().unwrap().clone();
            commands.extend(
                of("levels").into_iter().chain(of("schedules")).map(|one| one["command"].as_str().unwrap().to_owned()),
            );
        }
    }
    assert!(commands.len() > 100);
    for command in commands {
        // A schedule is one word.
        let parts = command.split('"').enumerate();
        let words: Vec<&str> = parts
            .flat_map(|(n, part)| if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
            .collect();
        let words: Vec<&str> = words.into_iter().map(|word| word.trim_matches('\'')).collect();
        assert!(oncelab::cli::accepts(&words).is_ok(), "{command}");
    }
}

#[test]
fn one_run_has_the_matrix_too() {
    let run = &runs()[0];
    let report = |format: &str| {
        let words = ["report", run.to_str().unwrap(), "--table", "backends", "--format", format];
        let output = oncelab(Path::new("."), &words);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let strategies = strategies(&overview());
    assert_eq!(report("html").matches("<th scope=\"rowgroup\"").count(), strategies);
    let table = report("tex");
    assert_eq!(table.matches("\\texttt{").count(), strategies);
    assert!(table.contains("\\label{tab:all-") && table.contains("\\footnotesize"), "{table}");
}

#[test]
fn several_runs_that_do_not_belong_on_one_page_are_refused() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    let other = runs_below(&results).into_iter().find(|run| run.parent().unwrap().ends_with("quick")).unwrap();
    let run = &runs()[0];
    let both = [run.to_str().unwrap(), other.to_str().unwrap()];
    let refused = |more: &[&str], says: &str, dirs: &[&str]| {
        let output = oncelab(Path::new("."), &[&["report"], dirs, more].concat());
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(says), "{said}");
    };
    refused(&[], "name runs of one experiment", &both);
    refused(&["--table", "backend"], "did you mean 'backends'", &[both[0], both[0]]);
    refused(&["--save"], "--save", &[both[0], both[0]]);
    refused(&["--table", "price", "--strategies", "dedup-tabel"], "did you mean 'dedup-table'", &[both[0], both[0]]);
}
