//! Experiment files: reading them, changing single settings, and saying where they are wrong.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::overrides::apply;
use super::{Analysis, Experiment, Point, Sentence, sentence_fault};
use crate::quote::printable;
use crate::strategy::{Registry, name_fault};
use crate::suggest::{did_you_mean, nearest};

/// The experiments that come with the lab, by name.
const BUILTIN: [(&str, &str); 32] = [
    ("quick", include_str!("../../experiments/quick.toml")),
    ("all", include_str!("../../experiments/all.toml")),
    ("concurrent-retries", include_str!("../../experiments/concurrent-retries.toml")),
    ("lost-reply", include_str!("../../experiments/lost-reply.toml")),
    ("pause-beyond-lease", include_str!("../../experiments/pause-beyond-lease.toml")),
    ("crash-in-the-middle", include_str!("../../experiments/crash-in-the-middle.toml")),
    ("naturally-idempotent", include_str!("../../experiments/naturally-idempotent.toml")),
    ("out-of-order", include_str!("../../experiments/out-of-order.toml")),
    ("windows", include_str!("../../experiments/windows.toml")),
    ("isolation", include_str!("../../experiments/isolation.toml")),
    ("two-stores", include_str!("../../experiments/two-stores.toml")),
    ("peer", include_str!("../../experiments/peer.toml")),
    ("redis-locks", include_str!("../../experiments/redis-locks.toml")),
    ("lock-or-transaction", include_str!("../../experiments/lock-or-transaction.toml")),
    ("forgotten-ids", include_str!("../../experiments/forgotten-ids.toml")),
    ("other-bodies", include_str!("../../experiments/other-bodies.toml")),
    ("http", include_str!("../../experiments/http.toml")),
    ("wire-and-port", include_str!("../../experiments/wire-and-port.toml")),
    ("stale-unlock", include_str!("../../experiments/stale-unlock.toml")),
    ("dead-waiter", include_str!("../../experiments/dead-waiter.toml")),
    ("jepsen-lock-set", include_str!("../../experiments/jepsen-lock-set.toml")),
    ("leader-killed", include_str!("../../experiments/leader-killed.toml")),
    ("store-killed", include_str!("../../experiments/store-killed.toml")),
    ("redis-killed", include_str!("../../experiments/redis-killed.toml")),
    ("brokers", include_str!("../../experiments/brokers.toml")),
    ("broker-clients", include_str!("../../experiments/broker-clients.toml")),
    ("groups", include_str!("../../experiments/groups.toml")),
    ("lock-cut-off", include_str!("../../experiments/lock-cut-off.toml")),
    ("loss-rates", include_str!("../../experiments/loss-rates.toml")),
    ("pause-by-loss", include_str!("../../experiments/pause-by-loss.toml")),
    ("hot-row", include_str!("../../experiments/hot-row.toml")),
    ("throughput", include_str!("../../experiments/throughput.toml")),
];

/// The most bytes of an experiment's file: some 20 times what the longest of the lab's has.
const LARGEST_SOURCE: u64 = 128 << 10;

/// The most bytes of an experiment's file in the folder of a run, where every setting is written out.
pub const LARGEST_EXPERIMENT: u64 = 1 << 20;

/// More fault levels than this are a mistake: each is a trial of every strategy.
const MOST_LEVELS: usize = 100;

/// More trials than this are a mistake: they would take days, and each has a row and a file.
const MOST_TRIALS: u64 = 100_000;

/// Why there is no such experiment, or not as it stands.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    #[error("no experiment is named '{name}'{}; `oncelab list experiments` shows the names; write a file as a path with a slash or .toml", did_you_mean(.suggestion.as_deref()))]
    UnknownName { name: String, suggestion: Option<String> },
    #[error("{}: cannot be read: {source}", .path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: has more than {} KiB, and no experiment is so large: name the file of an experiment", .path.display(), LARGEST_SOURCE >> 10)]
    TooLarge { path: PathBuf },
    #[error("{file}:{line}:{column}: {}", printable(.what))]
    Wrong { file: String, line: usize, column: usize, what: String },
    #[error("--set {setting}: {what}")]
    WrongSetting { setting: String, what: String },
    #[error("at {point} of the sweep: {what}")]
    WrongPoint { point: Point, what: String },
}

/// The names of the experiments that come with the lab.
#[must_use]
pub fn builtin_names() -> [&'static str; BUILTIN.len()] {
    BUILTIN.map(|(name, _)| name)
}

/// What finds a name in a sentence that is not one, and says what is wrong with it. Whoever reads an experiment to run it hands it in:
/// which names there are, reports know.
pub type NameFault = fn(&Sentence, &Registry) -> Option<String>;

/// Reads an experiment by name or path, and applies `key=value` settings to it in order.
///
/// # Errors
/// [`ExperimentError`], naming the file, line and column, or the setting, and what was meant.
pub fn load(
    name: &str,
    settings: &[String],
    registry: &Registry,
    unknown_name: NameFault,
) -> Result<Experiment, ExperimentError> {
    let (file, text) = source(name)?;
    let experiment = parse_to_run(&file, &text, registry, unknown_name)?;
    if settings.is_empty() {
        return Ok(experiment);
    }
    let changed = |settings: &[&String]| {
        let mut table: toml::Table = text.parse().map_err(|error| wrong(&file, &text, &error))?;
        for setting in settings {
            apply(&mut table, setting)?;
        }
        parse_to_run(&file, &table.to_string(), registry, unknown_name)
    };
    let all: Vec<&String> = settings.iter().collect();
    changed(&all).map_err(|error| match error {
        ExperimentError::Wrong { what, .. } => {
            // The setting to blame is one without which the others would do; if there is none, it takes them all.
            let others = |blamed: &String| all.iter().copied().filter(|other| *other != blamed).collect::<Vec<_>>();
            let blamed = settings.iter().find(|setting| changed(&others(setting)).is_ok());
            let setting = blamed.cloned().unwrap_or_else(|| settings.join(" --set "));
            ExperimentError::WrongSetting { setting, what }
        }
        other => other,
    })
}

fn source(name: &str) -> Result<(String, String), ExperimentError> {
    if name.contains(['/', '\\']) || Path::new(name).extension().is_some_and(|extension| extension == "toml") {
        let path = || PathBuf::from(name);
        let unreadable = |source| ExperimentError::Unreadable { path: path(), source };
        // It may be a pipe, e.g. of a shell's `<(…)`.
        let file = std::fs::File::open(name).map_err(unreadable)?;
        let mut text = String::new();
        file.take(LARGEST_SOURCE + 1).read_to_string(&mut text).map_err(unreadable)?;
        return if text.len() as u64 > LARGEST_SOURCE {
            Err(ExperimentError::TooLarge { path: path() })
        } else {
            Ok((name.to_owned(), text))
        };
    }
    let found = BUILTIN.iter().find(|(builtin, _)| *builtin == name);
    let (_, text) = found.ok_or_else(|| ExperimentError::UnknownName {
        name: name.to_owned(),
        suggestion: nearest(name, builtin_names()).map(str::to_owned),
    })?;
    Ok((format!("experiments/{name}.toml"), (*text).to_owned()))
}

/// Reads an experiment that is to be run: the names in its analysis must be known. A saved run is read without that, since it may have
/// been made with strategies that are not there any more.
fn parse_to_run(
    file: &str,
    text: &str,
    registry: &Registry,
    unknown_name: NameFault,
) -> Result<Experiment, ExperimentError> {
    let mut experiment = parse(file, text, registry)?;
    experiment.analysis = experiment.analysis.into_sentences();
    for (n, sentence) in experiment.analysis.sentences().iter().enumerate() {
        if let Some(what) = unknown_name(sentence, registry) {
            let offset = text.match_indices(SENTENCE).nth(n).map(|(offset, _)| offset);
            let (line, column) = position(text, offset.or_else(|| text.find("analysis")).unwrap_or(0));
            return Err(ExperimentError::Wrong {
                file: file.to_owned(),
                line,
                column,
                what: format!("`analysis`: {what}"),
            });
        }
    }
    Ok(experiment)
}

/// Reads an experiment from text. `file` is what errors call it.
///
/// # Errors
/// [`ExperimentError::Wrong`], with line and column.
pub fn parse(file: &str, text: &str, registry: &Registry) -> Result<Experiment, ExperimentError> {
    let experiment: Experiment = toml::from_str(text).map_err(|error| wrong(file, text, &error))?;
    check(&experiment, registry).map_err(|(needle, what)| {
        let (line, column) = match needle {
            WrongPlace::At(offset) => position(text, offset),
            WrongPlace::Key(key) => position(text, text.find(&key).unwrap_or(0)),
            WrongPlace::Line(start) => {
                position(text, text.find(&format!("\n{start}")).map_or(0, |newline| newline + 1))
            }
            WrongPlace::Sentence(n) => {
                position(text, text.match_indices(SENTENCE).nth(n).map_or(0, |(offset, _)| offset))
            }
        };
        ExperimentError::Wrong { file: file.to_owned(), line, column, what }
    })?;
    Ok(experiment)
}

/// Where in the text something is wrong.
enum WrongPlace {
    At(usize),
    /// Where this text first stands.
    Key(String),
    /// The first line that starts with this text.
    Line(String),
    /// Where this sentence of the analysis begins.
    Sentence(usize),
}

/// How a sentence of the analysis begins in a file.
const SENTENCE: &str = "[[analysis]]";

/// What the types alone cannot tell to be wrong.
fn check(experiment: &Experiment, registry: &Registry) -> Result<(), (WrongPlace, String)> {
    let strategies = experiment.strategies.iter().enumerate();
    for (n, name) in strategies {
        let at = WrongPlace::At(name.span().start);
        registry.get(name.get_ref()).map_err(|error| (WrongPlace::At(name.span().start), error.to_string()))?;
        if experiment.strategies[..n].iter().any(|before| before.get_ref() == name.get_ref()) {
            return Err((at, format!("`strategies` names '{}' twice: name each strategy once", name.get_ref())));
        }
    }
    if experiment.faults.is_empty() {
        let what = "`faults` is empty: an experiment needs at least one level; for a level without faults write `[[faults]]` with a name only";
        return Err((WrongPlace::Key("faults".to_owned()), what.to_owned()));
    }
    if experiment.faults.len() > MOST_LEVELS {
        let what = format!("`faults` has {} levels, but at most {MOST_LEVELS} are possible", experiment.faults.len());
        return Err((WrongPlace::Key("faults".to_owned()), what));
    }
    let levels: Vec<&str> = experiment.faults.iter().map(|level| level.name.as_str()).collect();
    for (n, level) in experiment.faults.iter().enumerate() {
        check_name("fault level", &level.name)?;
        if levels[..n].contains(&level.name.as_str()) {
            return Err((
                WrongPlace::Key(format!("\"{}\"", level.name)),
                format!("two fault levels are named '{}'", level.name),
            ));
        }
        level.check().map_err(|error| (WrongPlace::Key(format!("\"{}\"", level.name)), error.to_string()))?;
    }
    check_name("experiment", &experiment.name)?;
    if experiment.load.warmup >= experiment.load.requests.get() {
        let what = format!(
            "`load.warmup` is {} of {} requests: nothing would be left to measure",
            experiment.load.warmup, experiment.load.requests
        );
        return Err((WrongPlace::Key("warmup".to_owned()), what));
    }
    if let Some((key, what)) = experiment.hop().fault() {
        return Err((WrongPlace::Line(key.to_owned()), what.to_owned()));
    }
    if let Some(baseline) = &experiment.baseline {
        registry.get(baseline.get_ref()).map_err(|error| (WrongPlace::At(baseline.span().start), error.to_string()))?;
    }
    if let Analysis::Text(text) = &experiment.analysis
        && let Some(what) = sentence_fault(text, &[])
    {
        return Err((
            WrongPlace::Line("analysis".to_owned()),
            format!("`analysis` cannot be filled with figures: {what}"),
        ));
    }
    for (n, sentence) in experiment.analysis.sentences().iter().enumerate() {
        if let Some(what) = sentence_fault(&sentence.says, &sentence.conditions) {
            return Err((WrongPlace::Sentence(n), format!("`analysis`: {what}")));
        }
    }
    if let Some(what) = experiment.sweep_fault(registry) {
        return Err((WrongPlace::Line("[[sweep]]".to_owned()), what));
    }
    check_count(experiment, registry)?;
    check_answers("expect", &experiment.expect, &levels, registry)?;
    check_answers("expect_by_claim", &experiment.expect_by_claim, &levels, registry)
}

/// Answers are for fault levels and strategies that there are.
fn check_answers<A>(
    table: &str,
    answers: &BTreeMap<String, BTreeMap<String, A>>,
    levels: &[&str],
    registry: &Registry,
) -> Result<(), (WrongPlace, String)> {
    for (level, by_strategy) in answers {
        if !levels.contains(&level.as_str()) {
            let hint = did_you_mean(nearest(level, levels.iter().copied()));
            let what = format!("`{table}.{level}`: no fault level is named '{level}'{hint}");
            return Err((WrongPlace::Key(format!("{table}.{level}")), what));
        }
        for strategy in by_strategy.keys() {
            registry.get(strategy).map_err(|error| (WrongPlace::Line(strategy.clone()), error.to_string()))?;
        }
    }
    Ok(())
}

/// Names become folders and files.
fn check_name(of: &str, name: &str) -> Result<(), (WrongPlace, String)> {
    name_fault(name)
        .map_or(Ok(()), |what| Err((WrongPlace::Key(format!("\"{name}\"")), format!("the {of}'s name: {what}"))))
}

/// Too many trials.
fn check_count(experiment: &Experiment, registry: &Registry) -> Result<(), (WrongPlace, String)> {
    let strategies = super::strategies(experiment, registry).len();
    let (levels, points) = (experiment.faults.len(), experiment.points().len());
    let repeats = experiment.repeats.get();
    // Each factor is bounded: the product is far below 2^64.
    let trials = [strategies, levels, points, usize::from(repeats)].map(|count| count as u64).iter().product::<u64>();
    if trials <= MOST_TRIALS {
        return Ok(());
    }
    let what = format!(
        "{strategies} strategies, {levels} fault levels, {points} points and {repeats} repeats are {trials} trials, and an experiment may \
         have {MOST_TRIALS}: lower `repeats`, or name fewer"
    );
    Err((WrongPlace::Key("repeats".to_owned()), what))
}

fn wrong(file: &str, text: &str, error: &toml::de::Error) -> ExperimentError {
    let (line, column) = position(text, error.span().map_or(0, |span| span.start));
    let what = with_suggestion(error.message());
    ExperimentError::Wrong { file: file.to_owned(), line, column, what }
}

/// Adds "did you mean" to serde's "unknown field `x`, expected one of `y`, `z`".
fn with_suggestion(message: &str) -> String {
    let message = message.lines().next().unwrap_or(message);
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((given, known)) if message.starts_with("unknown field") => {
            format!(
                "unknown key `{given}`{}; there are: {}",
                did_you_mean(nearest(given, known.iter().copied())),
                known.join(", ")
            )
        }
        _ => message.to_owned(),
    }
}

/// Line and column of a place in a text, both from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
