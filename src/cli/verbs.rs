//! The verbs of the command line, and how it ends.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use super::{
    check, compare, completions, conform, evidence, explore, fault, lift, limits, list, merge, output, repeats, replay,
    report, run, track_record,
};
use crate::exit;
use crate::explore::watch_for_standstill;
use crate::strategy::Registry;

/// A laboratory for exactly-once effects. It shows which ways of "do it only once" hold under retries, lost messages and
/// crashes, and what they cost.
#[derive(Debug, Parser)]
#[command(name = "oncelab", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

const EXIT_CODES: &str = "\
Without a verb: oncelab run quick.

Exit codes:
  0    every expectation was met
  1    a guarantee that should hold was broken, or a strategy that should break
       did not; or, in a run, a strategy panicked or never ended
  2    what was asked for cannot be done: the command line, an experiment, a
       folder, a path or a limit of the machine
  3    inconclusive: the run could not have shown a violation
  4    a required backend (a store or a lock service) is unavailable, or trials
       failed whose second store could not be used
  70   a bug of the lab
  130  interrupted; finished trials are saved";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run an experiment and judge it
    Run(Box<run::Run>),
    /// Try every order of steps and faults within a bound, and find the shortest way to break a strategy
    Explore(Box<explore::Explore>),
    /// Run a schedule (an order of steps and faults) on real backends, one step at a time
    Replay(Box<replay::Replay>),
    /// Compare real backends with the model of `explore`, by one schedule of each equivalence class
    Conform(Box<conform::Conform>),
    /// Show for each strategy what stands behind its claim: schedules, replays, conformance, and a run
    Evidence(Box<evidence::GatherEvidence>),
    /// Show the famous bugs on real backends, each with its command and hit rate
    TrackRecord(track_record::TrackRecord),
    /// Write the violations of a run as schedules, replay them on real backends, and shorten them
    Lift(Box<lift::Lift>),
    /// Make one run of shards, which may have been made on many machines
    Merge(merge::Merge),
    /// Judge the saved histories of a run again, and compare the files of its folder with each other
    Check(check::Check),
    /// Show a run, or all runs of a folder; or bring the tables of a file up to date
    Report(report::Report),
    /// Show how two runs of an experiment differ; ~ means that no difference is shown
    Compare(compare::Compare),
    /// Count how often each HTTP request comes, to see who repeats requests behind their sender's back
    Repeats(repeats::Repeats),
    /// List strategies, experiments, backends or faults
    List(list::List),
    /// Print the completions for a shell
    Completions(completions::Completions),
}

/// Whether the command line takes these words, of which the first is the program's name. Nothing is run.
///
/// # Errors
/// What the command line has against them.
#[doc(hidden)]
pub fn accepts(words: &[&str]) -> Result<(), clap::Error> {
    Arguments::try_parse_from(words).map(drop)
}

/// Runs the command line of this process with the strategies of the lab.
#[must_use]
pub fn main() -> ExitCode {
    main_with(&Registry::default())
}

/// Runs the command line of this process with other strategies, e.g. the lab's and one's own.
#[must_use]
pub fn main_with(registry: &Registry) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => {
            // Help and version go to stdout and are no error; clap knows which is which.
            let _ = message.print();
            return ExitCode::from(if message.use_stderr() { exit::USAGE } else { exit::MET });
        }
    };
    limits::raise();
    watch_for_standstill(|strategy| {
        output::tell(&format!(
            "error: strategy '{strategy}' has been at one step for ten seconds: it blocks or loops between two of its operations, so \
             its schedules cannot be tried; what was saved before stays"
        ));
        std::process::exit(exit::BROKEN.into());
    });
    let verb = arguments.verb.unwrap_or_else(|| Arguments::parse_from(["oncelab", "run"]).verb.expect("it is there"));
    // What panicked has been told on stderr, with its place.
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| execute(verb, registry))).unwrap_or_else(|_| {
        output::tell("error: this is a bug of the lab, or of a strategy of yours: please report it, with the command and the text above");
        Ok(ExitCode::from(exit::INTERNAL))
    });
    done.unwrap_or_else(|error| {
        // Each message tells its source itself.
        output::tell(&format!("error: {error}"));
        ExitCode::from(fault::code_of(&error))
    })
}

fn execute(verb: Verb, registry: &Registry) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Run(verb) => verb.execute(registry),
        Verb::Explore(mut verb) => verb.settle().map_err(Into::into).and_then(|()| verb.execute(registry)),
        Verb::Replay(mut verb) => verb.settle().map_err(Into::into).and_then(|()| verb.execute(registry)),
        Verb::Conform(mut verb) => verb.settle().map_err(Into::into).and_then(|()| verb.execute(registry)),
        Verb::Evidence(mut verb) => verb.settle().map_err(Into::into).and_then(|()| verb.execute(registry)),
        Verb::TrackRecord(verb) => verb.execute(),
        Verb::Lift(verb) => verb.execute(registry),
        Verb::Merge(verb) => verb.execute(registry),
        Verb::Check(verb) => verb.execute(registry),
        Verb::Report(verb) => verb.execute(registry),
        Verb::Compare(verb) => verb.execute(registry),
        Verb::Repeats(verb) => verb.execute(),
        Verb::List(verb) => verb.execute(registry),
        Verb::Completions(verb) => verb.execute(Arguments::command()),
    }
}
