//! The parsers, in this process.

use std::path::Path;
use std::sync::LazyLock;

use oncelab::check::{Case, Tally, findings};
use oncelab::cli;
use oncelab::experiment::{self, Experiment, ExperimentError, Point};
use oncelab::explore::{Bound, Schedule, tell};
use oncelab::load;
use oncelab::report::{unknown_name, with_tables};
use oncelab::results::{FileError, SavedTrial, read_history};
use oncelab::strategy::Registry;
use oncelab::terms::{Retries, Role, Shape};

use super::mutator::Mutator;
use super::{inputs, is_tried, try_all};
use crate::common::text;

pub static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);

/// The experiments of the lab.
static EXPERIMENTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
});

/// A text of a corpus, changed.
fn changed(corpus: &[String], mutator: &mut Mutator) -> Vec<u8> {
    let texts: Vec<&str> = corpus.iter().map(String::as_str).collect();
    let one = mutator.one(&texts);
    mutator.text(one, &texts)
}

/// A line of a file beside this one.
fn lines(text: &str) -> Vec<String> {
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// An error names its place, and moves no terminal.
fn says_where(error: &str, place: &str) {
    assert!(error.contains(place), "{place}: {error}");
    assert!(!error.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{}", error.escape_debug());
}

/// What was accepted is used as a run uses it.
fn used(experiment: &Experiment) {
    let saved = toml::to_string(experiment).expect("an experiment can be saved");
    let again = experiment::parse("saved.toml", &saved, &REGISTRY).expect("what was saved can be read");
    assert_eq!(toml::to_string(&again).unwrap(), saved, "what was saved reads as it was");
    let strategies = experiment::strategies(experiment, &REGISTRY);
    let trials =
        experiment::matrix(&Experiment { repeats: std::num::NonZeroU16::MIN, ..experiment.clone() }, &strategies, 1);
    for trial in &trials {
        assert!(trial.id().len() <= 240, "{}", trial.id());
    }
    let _ = load::require_memory(experiment, &REGISTRY);
}

#[test]
fn an_experiment_is_read_or_refused() {
    let target = |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        match experiment::parse("x.toml", text, &REGISTRY) {
            Ok(experiment) => {
                used(&experiment);
                true
            }
            Err(error) => {
                let place = if matches!(error, ExperimentError::Wrong { .. }) { "x.toml:" } else { "" };
                says_where(&error.to_string(), place);
                false
            }
        }
    };
    is_tried(&try_all("experiment", inputs(400), |mutator| changed(&EXPERIMENTS, mutator), target));
}

#[test]
fn a_setting_is_made_or_refused() {
    let settings = lines(include_str!("settings.txt"));
    let target = |input: &[u8]| {
        let Ok(setting) = std::str::from_utf8(input) else { return false };
        match experiment::load("quick", &[setting.to_owned()], &REGISTRY, unknown_name) {
            Ok(experiment) => {
                used(&experiment);
                true
            }
            Err(error) => {
                says_where(&oncelab::quote::printable(&error.to_string()), "--set");
                false
            }
        }
    };
    is_tried(&try_all("set", inputs(400), |mutator| changed(&settings, mutator), target));
}

#[test]
fn a_schedule_is_told_or_refused() {
    let schedules = lines(include_str!("schedules.txt"));
    let names: Vec<&str> = REGISTRY.names().collect();
    let draw = |mutator: &mut Mutator| {
        // The first byte says which strategy.
        let name = u8::try_from(mutator.below(names.len())).unwrap();
        [vec![name], changed(&schedules, mutator)].concat()
    };
    let target = |input: &[u8]| {
        let (name, input) = input.split_first().unwrap();
        let Ok(text) = std::str::from_utf8(input) else { return false };
        match text.parse::<Schedule>() {
            Ok(schedule) => {
                assert_eq!(schedule.to_string().parse::<Schedule>().unwrap(), schedule);
                let strategy = REGISTRY.get(names[usize::from(*name)]).unwrap();
                tell(strategy.as_ref(), Bound::new(2, 1, 2), &schedule).is_ok()
            }
            Err(error) => {
                says_where(&oncelab::quote::printable(&error.to_string()), "step ");
                false
            }
        }
    };
    is_tried(&try_all("schedule", inputs(4_000), draw, target));
}

#[test]
fn a_point_is_read_or_refused() {
    let points = ["loss=0.01", "loss=0.01,pause=1.5", "a=b,c=d,e=f", "accounts=1"].map(str::to_owned);
    let target = |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let point = text.parse::<Point>();
        point.is_ok_and(|point| point.to_string().parse::<Point>().unwrap() == point)
    };
    is_tried(&try_all("point", inputs(4_000), |mutator| changed(&points, mutator), target));
}

/// Judges what was read.
pub fn judged(saved: &SavedTrial) {
    for retries in [Retries::Never, Retries::UntilAcknowledged] {
        let case = Case::new(saved.evidence(retries, Shape::Account, &[Role::STORE]));
        let tally = Tally::new(&case, &findings(&case));
        assert_eq!(tally.events, saved.events.len() as u64);
    }
}

/// A folder that is in memory, where the system has one.
pub fn fast_folder() -> tempfile::TempDir {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared).unwrap() } else { tempfile::tempdir().unwrap() }
}

#[test]
fn a_history_is_read_and_judged_or_refused() {
    let histories: Vec<String> =
        super::folders::RUN.histories().map(|packed| text(&zstd::decode_all(packed).unwrap())).collect();
    let folder = fast_folder();
    let path = folder.path().join("x.jsonl.zst");
    let draw = |mutator: &mut Mutator| {
        // Now and then not the lines are changed, but their compression.
        if mutator.below(10) == 0 {
            let packed = zstd::encode_all(histories[mutator.below(histories.len())].as_bytes(), 1).unwrap();
            return mutator.bytes(packed);
        }
        zstd::encode_all(&*changed(&histories, mutator), 1).unwrap()
    };
    let target = |input: &[u8]| {
        std::fs::write(&path, input).unwrap();
        match read_history(&path) {
            Ok(saved) => {
                judged(&saved);
                true
            }
            Err(error) => {
                assert!(!matches!(error, FileError::Unwritable { .. } | FileError::Busy { .. }), "{error}");
                says_where(&error.to_string(), "x.jsonl.zst");
                false
            }
        }
    };
    is_tried(&try_all("history", inputs(400), draw, target));
}

#[test]
fn a_splice_is_made_or_refused() {
    let texts =
        [include_str!("../../../README.md"), include_str!("../../../results/README.md"), include_str!("splice.md")];
    let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    let target = |input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return false };
        let table = "| new |\n";
        let mut made = 0;
        let spliced = with_tables(text, |arguments| {
            made += 1;
            let words: Vec<&str> = ["oncelab", "report"].into_iter().chain(arguments.split_whitespace()).collect();
            cli::accepts(&words).map(|()| Some(table.to_owned()))
        });
        let Ok(spliced) = spliced else { return false };
        // What stands there already stays.
        let again = with_tables(&spliced, |_| Ok::<_, ()>(Some(table.to_owned()))).unwrap();
        assert_eq!(again, spliced);
        made > 0
    };
    is_tried(&try_all("splice", inputs(400), |mutator| changed(&texts, mutator), target));
}
