//! `oncelab explore`: every interleaving and every loss within a bound, and the shortest way to break a strategy.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::hop::HopOption;
use super::progress::Spinner;
use super::requests::Requests;
use super::servers::Real;
use super::{UsageError, explore_bound, explore_json, explore_output, legend, output};
use crate::exit;
use crate::explore::{
    Bound, Exploration, ExploreError, Flaws, Kinds, Limits, MAX_LANES, MAX_RETRIES, Reason, Schedule, Story, Walk,
    count_classes, shorten, tell, walk,
};
use crate::lab::explore_both;
use crate::report::{self, NoIsolationTest};
use crate::strategy::{Registry, Strategy, residents_of};
use crate::terms::{FaultKind, Profile, StoreKind};

#[derive(Debug, Args)]
#[command(after_help = legend::of_schedules())]
pub(super) struct Explore {
    /// The strategy: a name from `oncelab list strategies`
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(super) strategy: Option<String>,
    /// Explore every strategy, and compare what breaks with its claim
    #[arg(long, conflicts_with_all = ["schedule", "diagram", "walk"])]
    all: bool,
    /// How many lanes; a lane is one copy of the request on its way, with its retries. With `any` the answer is for any number of lanes,
    /// retries and faults: proved, broken, or neither
    #[arg(long, value_name = "LANES", default_value = "2", value_parser = explore_bound::lanes)]
    pub(super) lanes: u8,
    /// With --lanes any: write the proof into this file, or with --all each into this folder; `oncelab check` checks it again
    #[arg(long, value_name = "FILE")]
    pub(super) certificate: Option<PathBuf>,
    /// How often the client of a lane may try again
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=i64::from(MAX_RETRIES)))]
    pub(super) retries: u8,
    /// The most faults that one schedule may have
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=8))]
    faults: u8,
    #[command(flatten)]
    pub(super) requests: Requests,
    /// Let what the strategy keeps be forgotten at any time: its ids by a reaper, or the keys of a Redis that crashes or fails over. Each is a lane of its
    /// own for each request, behind the others
    #[arg(long)]
    pub(super) reaper: bool,
    /// Whether a request that timed out may still reach the backend later
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(super) late: bool,
    /// Use only these faults: request_lost, reply_lost, late_landing, crash, pause, duplicated [default: all of them]
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    pub(super) fault_kinds: Vec<String>,
    /// The database that the model follows
    #[arg(long, value_enum, default_value = "postgres")]
    store_model: StoreModel,
    #[command(flatten)]
    pub(super) hop: HopOption,
    /// Tell the story of this schedule, e.g. "a b! a? b"
    #[arg(long, value_name = "TOKENS", conflicts_with = "walk")]
    pub(super) schedule: Option<String>,
    /// Draw the shortest schedule, or that of --schedule, as a space-time diagram: SVG, or text if the name ends in .txt
    #[arg(long, value_name = "FILE")]
    pub(super) diagram: Option<PathBuf>,
    /// Print the story of --schedule in another form, and nothing else
    #[arg(long, value_enum, value_name = "FORM", requires = "schedule", conflicts_with = "json")]
    export: Option<Export>,
    /// Try schedules at random instead of all of them, for bounds that are too large
    #[arg(long, value_enum)]
    pub(super) walk: Option<WalkKind>,
    /// How many schedules to try at random
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000, requires = "walk")]
    walks: u64,
    /// The seed of the random choice [default: drawn at random]
    #[arg(long, value_name = "NUMBER", requires = "walk")]
    pub(super) seed: Option<u64>,
    /// Search on real backends instead of the model. A strategy with SQL of its own is always searched so
    #[arg(long, conflicts_with_all = ["all", "schedule", "export"])]
    pub(super) on_real: bool,
    /// In a search on real backends: the most runs of steps
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000)]
    pub(super) runs: u64,
    #[command(flatten)]
    pub(super) real: Real,
    /// Whether --store was given.
    #[arg(skip)]
    names_store: bool,
    /// The most memory for states, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    memory: usize,
    /// Print one JSON document, and nothing else, on stdout
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StoreModel {
    Sqlite,
    Postgres,
    /// None of its own: PostgreSQL's stands in for it
    Mariadb,
}

impl StoreModel {
    fn profile(self) -> Profile {
        match self {
            StoreModel::Sqlite => Profile::Sqlite,
            StoreModel::Postgres => Profile::Postgres,
            StoreModel::Mariadb => Profile::Mariadb,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Export {
    /// A sequence diagram of Mermaid
    Mermaid,
    /// A specification for PostgreSQL's isolation tester; for strategies that talk to the store only
    Isolationtester,
}

impl Export {
    /// A story in this form.
    ///
    /// # Errors
    /// [`NoIsolationTest`] if the story has what the isolation tester has no words for.
    pub fn of(self, story: &Story) -> Result<String, NoIsolationTest> {
        match self {
            Export::Mermaid => Ok(report::to_mermaid(story)),
            Export::Isolationtester => report::to_isolationtester(story),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WalkKind {
    /// Every step as likely as every other
    Random,
    /// Priorities with a few changes (probabilistic concurrency testing)
    Pct,
    /// Every interleaving as likely as every other
    Uniform,
}

/// States that an exploration goes through while its classes are counted, before it says that there are too many.
const CLASS_STATES: u64 = 500_000;

impl Explore {
    /// Fills in which backends are meant.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn settle(&mut self) -> Result<(), UsageError> {
        self.names_store = self.real.names_store();
        self.real.settle()?;
        // Of MariaDB there is no model to be told apart from the real thing by its name: what stands in for it says so.
        if self.names_mariadb() && !self.on_real {
            self.store_model = StoreModel::Mariadb;
        }
        Ok(())
    }

    /// Explores, and prints what was found.
    pub fn execute(&self, registry: &Registry) -> anyhow::Result<ExitCode> {
        let bound = self.bound()?;
        let registry = &self.hop.put_before(registry);
        if self.lanes == explore_bound::ANY {
            self.require_any(&bound)?;
            self.refuse_store()?;
            return self.for_any_number(registry, bound);
        }
        if self.certificate.is_some() {
            return Err(UsageError("--certificate is of a proof: add --lanes any".to_owned()).into());
        }
        if self.all {
            self.refuse_store()?;
            return self.explore_all(registry, bound);
        }
        let strategy = registry.get(self.strategy.as_deref().unwrap_or_default())?;
        require_reaper(strategy.as_ref(), self.reaper)?;
        self.requests.require_batches(strategy.as_ref())?;
        if self.on_real {
            return self.search_really(strategy.as_ref(), bound);
        }
        let has_model = !Exploration::new(strategy.as_ref(), Bound::new(1, 0, 0), self.limits(), &mut ())
            .is_err_and(|error| has_own_sql(&error.into()));
        if has_model {
            self.refuse_store()?;
        }
        let explored = match (&self.schedule, self.walk) {
            (Some(schedule), _) => return self.tell_one(strategy.as_ref(), bound, schedule),
            (None, Some(kind)) => self.walk_at_random(strategy.as_ref(), bound, kind),
            (None, None) => self.explore_one(strategy.as_ref(), bound),
        };
        match explored {
            Err(error) if has_own_sql(&error) => {
                let store = &self.real.store;
                output::tell(&format!(
                    "{} issues SQL of its own, which no model knows: searching on the real {store}",
                    strategy.name()
                ));
                self.search_really(strategy.as_ref(), bound)
            }
            explored => explored,
        }
    }

    fn names_mariadb(&self) -> bool {
        self.names_store && self.real.store_kind() == StoreKind::Mariadb
    }

    /// A model is explored: there is no store.
    fn refuse_store(&self) -> Result<(), UsageError> {
        if !self.names_store || self.names_mariadb() {
            return Ok(());
        }
        let store = &self.real.store;
        Err(UsageError(format!(
            "--store {store} names a real backend, but a model is explored: add --on-real, or use --store-model {store} instead"
        )))
    }

    fn bound(&self) -> anyhow::Result<Bound> {
        let lanes = if self.lanes == explore_bound::ANY { MAX_LANES } else { self.lanes };
        self.requests.require_lanes(lanes)?;
        let mut kinds = if self.late { Kinds::all() } else { Kinds::usual() };
        if !self.fault_kinds.is_empty() {
            kinds = Kinds::NONE;
            for name in &self.fault_kinds {
                let of = FaultKind::from_name(name).map_or(Kinds::NONE, Kinds::of);
                if of == Kinds::NONE {
                    let known = "request_lost, reply_lost, late_landing, crash, pause, duplicated";
                    let text = format!("--fault-kinds: no schedule can show '{name}'; there are: {known}");
                    return Err(UsageError(text).into());
                }
                kinds = kinds.and(of);
            }
        }
        let store = self.store_model.profile();
        let reaps = self.reaper;
        let bound = Bound { kinds, store, reaps, ..Bound::new(lanes, self.retries, self.faults) };
        Ok(self.requests.put_into(bound))
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { memory_bytes: self.memory.saturating_mul(1 << 20), ..Limits::default() }
    }

    fn explore_one(&self, strategy: &dyn Strategy, bound: Bound) -> anyhow::Result<ExitCode> {
        let mut watch = Spinner::new(strategy.name());
        let mut exploration = Exploration::new(strategy, bound, self.limits(), &mut watch)?;
        if !exploration.minimal.is_empty() {
            exploration = exploration.with_causes(strategy, self.limits(), &mut watch)?;
        }
        let classes = if exploration.census.complete {
            count_classes(strategy, bound, Flaws::default(), self.limits(), &mut watch.with_limit(CLASS_STATES))?
        } else {
            None
        };
        watch.finish();
        let stories = explore_output::to_tell(&exploration)
            .into_iter()
            .map(|told| tell(strategy, Bound { lanes: told.lanes, ..bound }, &told.schedule).map(|story| (told, story)))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(file) = &self.diagram {
            match stories.first() {
                Some((_, story)) => draw(file, story)?,
                None => output::tell(&format!("nothing to draw: no schedule breaks {}", strategy.name())),
            }
        }
        let command = |schedule: &Schedule, lanes: u8| self.command_of(strategy.name(), schedule, lanes);
        output::print(&if self.json {
            let mut document = explore_json::as_json(&exploration, &bound.claim_of(strategy), classes);
            let commands = exploration.minimal.iter().map(|it| command(&it.schedule, self.lanes));
            document["minimal_commands"] = commands.collect();
            self.document(document)?
        } else {
            explore_output::as_text(&exploration, strategy, classes, &stories, &command)
        })?;
        Ok(ExitCode::from(self.code(&[verdict_of(&exploration, strategy)], watch.is_stopped())))
    }

    fn explore_all(&self, registry: &Registry, bound: Bound) -> anyhow::Result<ExitCode> {
        let mut rows = Vec::new();
        let mut verdicts = Vec::new();
        let mut stopped = false;
        for strategy in registry.iter() {
            let mut watch = Spinner::new(strategy.name());
            let row = explore_both(strategy, bound, self.limits(), &mut watch);
            watch.finish();
            let row = match row {
                Err(error) if matches!(error.reason(), Reason::OwnSql { .. } | Reason::NotOnStore { .. }) => {
                    output::tell(&format!("skipped: {error}"));
                    continue;
                }
                row => row?,
            };
            stopped |= watch.is_stopped();
            verdicts.push(row.verdict(strategy.as_ref()));
            rows.push((Arc::clone(strategy), row));
            if stopped {
                break;
            }
        }
        output::print(&if self.json {
            self.document(explore_json::all_as_json(&rows, bound))?
        } else {
            explore_output::all_as_text(&rows, bound)
        })?;
        Ok(ExitCode::from(self.code(&verdicts, stopped)))
    }

    fn tell_one(&self, strategy: &dyn Strategy, bound: Bound, schedule: &str) -> anyhow::Result<ExitCode> {
        let schedule: Schedule = schedule.parse()?;
        let story = tell(strategy, bound, &schedule)?;
        if let Some(file) = &self.diagram {
            draw(file, &story)?;
        }
        output::print(&match self.export {
            Some(form) => form.of(&story)?,
            None if self.json => self.document(explore_json::story_as_json(&story))?,
            None => {
                let again = output::here(&self.command(strategy.name(), &schedule));
                let really = output::here(&self.really(strategy, &schedule, self.lanes));
                let (diagram, told) = (report::to_diagram(&story), story.as_text());
                let model = explore_bound::stands_in(bound.store)
                    .map_or(String::new(), |it| output::wrap(&format!("The model is {it}")) + "\n\n");
                format!(
                    "\n{diagram}\n{model}{told}{}\nagain:  {again}\nreally: {really}\n",
                    explore_output::because(&story.findings)
                )
            }
        })?;
        let claim = bound.claim_of(strategy);
        let broken = story.findings.iter().any(|finding| claim.rules_out.contains(&finding.violation));
        Ok(ExitCode::from(if broken { exit::BROKEN } else { exit::MET }))
    }

    fn walk_at_random(&self, strategy: &dyn Strategy, bound: Bound, kind: WalkKind) -> anyhow::Result<ExitCode> {
        let seed = self.seed.unwrap_or_else(rand::random);
        let kind = match kind {
            WalkKind::Random => Walk::Random,
            WalkKind::Pct => Walk::Pct { depth: 3 },
            WalkKind::Uniform => Walk::Uniform,
        };
        let mut watch = Spinner::new(strategy.name());
        let walked = walk(strategy, bound, kind, self.walks, seed, &mut watch)?;
        let mut found = Vec::new();
        for (violation, schedule) in &walked.first {
            let minimal = shorten(strategy, bound, *violation, schedule, self.limits(), &mut watch)?;
            found.push((*violation, schedule.clone(), minimal));
        }
        watch.finish();
        let command = |schedule: &Schedule| self.command(strategy.name(), schedule);
        output::print(&if self.json {
            self.document(explore_json::walked_as_json(strategy.name(), bound, seed, &walked, &found))?
        } else {
            explore_output::walked_as_text(strategy.name(), bound, seed, &walked, &found, &command)
        })?;
        let claim = bound.claim_of(strategy);
        let broken = walked.violations.keys().any(|violation| claim.rules_out.contains(violation));
        let verdict = if broken { exit::BROKEN } else { exit::MET };
        Ok(ExitCode::from(self.code(&[verdict], watch.is_stopped())))
    }

    /// A document as it is printed.
    pub(super) fn document(&self, mut document: Value) -> serde_json::Result<String> {
        self.hop.say_in(&mut document);
        Ok(serde_json::to_string_pretty(&document)? + "\n")
    }

    /// The command that shows a schedule on the real database that the model stands for.
    fn really(&self, strategy: &dyn Strategy, schedule: &Schedule, lanes: u8) -> String {
        let kind = self.store_model.profile().store();
        let store = if kind.is_server() { &format!(" --store {}", kind.name()) } else { "" };
        let lock = if kind.is_server() && strategy.needs_lock_service() { " --lock etcd" } else { "" };
        let mut options = if self.retries == 1 { String::new() } else { format!(" --retries {}", self.retries) };
        options.push_str(&self.requests.options());
        options.push_str(&residents_option(strategy, self.reaper, lanes));
        options.push_str(self.hop.option());
        options.push_str(strategy.broker_option());
        format!("oncelab replay {}{store}{lock}{options} \"{schedule}\"", strategy.name())
    }

    /// The command that tells the story of a schedule.
    fn command(&self, strategy: &str, schedule: &Schedule) -> String {
        self.command_of(strategy, schedule, self.lanes)
    }

    /// The same with so many lanes.
    fn command_of(&self, strategy: &str, schedule: &Schedule, lanes: u8) -> String {
        let mut options = String::new();
        for (name, value, default) in [("lanes", lanes, 2), ("retries", self.retries, 1)] {
            if value != default {
                options.push_str(&format!(" --{name} {value}"));
            }
        }
        options.push_str(&self.requests.options());
        options.push_str(if self.reaper { " --reaper" } else { "" });
        options.push_str(self.hop.option());
        options.push_str(explore_bound::model_option(self.store_model.profile()));
        format!("oncelab explore {strategy}{options} --schedule \"{schedule}\"")
    }

    pub(super) fn code(&self, verdicts: &[u8], stopped: bool) -> u8 {
        if stopped {
            return exit::INTERRUPTED;
        }
        let worst = [exit::BROKEN, exit::INCONCLUSIVE].into_iter().find(|code| verdicts.contains(code));
        worst.unwrap_or(exit::MET)
    }
}

/// What a replay must be told of lanes that are no deliveries: where there are any, their letters come behind those of the deliveries.
fn residents_option(strategy: &dyn Strategy, reaper: bool, lanes: u8) -> String {
    let lanes = if residents_of(strategy, reaper).is_empty() { String::new() } else { format!(" --lanes {lanes}") };
    lanes + if reaper { " --reaper" } else { "" }
}

/// Refuses a reaper where there is nothing that it could forget.
pub(super) fn require_reaper(strategy: &dyn Strategy, reaper: bool) -> Result<(), UsageError> {
    if !reaper || strategy.reaper().is_some() {
        return Ok(());
    }
    let name = strategy.name();
    Err(UsageError(format!("--reaper: {name} keeps nothing that can be forgotten: leave the flag out")))
}

/// Whether an exploration has ended because the strategy issues SQL of its own.
fn has_own_sql(error: &anyhow::Error) -> bool {
    let explored = error.downcast_ref::<ExploreError>();
    explored.is_some_and(|error| matches!(error.reason(), Reason::OwnSql { .. }))
}

fn verdict_of(exploration: &Exploration, strategy: &dyn Strategy) -> u8 {
    let claim = exploration.bound.claim_of(strategy);
    if !exploration.broken_promises(&claim).is_empty() {
        exit::BROKEN
    } else if exploration.census.is_whole() && exploration.bound.speaks_for(strategy) {
        exit::MET
    } else {
        exit::INCONCLUSIVE
    }
}

/// Writes a diagram into a file, in the form that its name asks for.
pub(super) fn draw(file: &Path, story: &Story) -> anyhow::Result<()> {
    let text = if file.extension().is_some_and(|extension| extension == "txt") {
        report::to_diagram(story)
    } else {
        report::to_svg(story)
    };
    std::fs::write(file, text)
        .map_err(|error| UsageError(format!("--diagram: {} cannot be written: {error}", file.display())))?;
    output::tell(&format!("drawn: {}", file.display()));
    Ok(())
}

/// A count for JSON: beyond 2^53 as a string, since a reader may take it for a floating-point number.
pub(super) fn count(n: u128) -> Value {
    match u64::try_from(n) {
        Ok(n) if n <= 1 << 53 => json!(n),
        _ => json!(n.to_string()),
    }
}
