//! Does `oncelab compare` tell chance from a difference? Ten times over: two runs of one build, and a run of a build in which one
//! strategy makes its handler take a quarter longer from one delivery to the next, which makes it 20 % slower. Of the first pair it should say `~` for every
//! strategy, of the second `slower` for that one and `~` for the others.
//!
//! `cargo bench --bench compare` runs the real binary for the one build and itself for the other, and takes twenty minutes.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oncelab::strategy::{Claim, Need, Registry, Strategy, async_trait};
use oncelab::terms::{Reply, Request, StoreKind};
use oncelab::world::World;
use serde_json::Value;

/// The strategy that the other build makes slower.
const SLOWED: &str = "dedup-table-statement";
const PAIRS: u32 = 10;

/// The strategies that need no lock service, each 20 times for a tenth to a third of a second. One handler, so that goodput is one over the
/// time that a delivery takes.
const EXPERIMENT: &str = r#"
name = "two-builds"
question = "Is one build slower than the other?"
strategies = ["at-most-once", "at-least-once", "check-then-act", "check-then-act-transaction", "claim-then-act", "act-then-mark", "dedup-table", "dedup-table-statement"]
repeats = 20
[load]
requests = 1000
warmup = 100
clients = 4
handlers = 1
accounts = 256
timeout_ms = 5000
[[faults]]
name = "none"
"#;

/// A strategy whose handler takes a quarter longer from one delivery to the next. There is one handler.
struct Slower(Arc<dyn Strategy>, Mutex<Option<Instant>>);

impl Slower {
    /// Longer breaks are those between trials.
    const LONGEST: Duration = Duration::from_millis(20);
}

#[async_trait]
impl Strategy for Slower {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn steps(&self) -> &'static str {
        self.0.steps()
    }

    fn claim(&self, store: StoreKind) -> Claim {
        self.0.claim(store)
    }

    fn needs(&self) -> &[Need] {
        self.0.needs()
    }

    fn belongs_to_a_scenario(&self) -> bool {
        self.0.belongs_to_a_scenario()
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let reply = self.0.handle(world, request).await;
        let mut last = self.1.lock().expect("nothing panics while it is locked");
        let since = last.map_or(Duration::ZERO, |last| last.elapsed()).min(Self::LONGEST);
        let until = Instant::now() + since.mul_f64(0.25);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        *last = Some(Instant::now());
        reply
    }
}

/// As it is.
struct Same(Arc<dyn Strategy>);

#[async_trait]
impl Strategy for Same {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn steps(&self) -> &'static str {
        self.0.steps()
    }

    fn claim(&self, store: StoreKind) -> Claim {
        self.0.claim(store)
    }

    fn needs(&self) -> &[Need] {
        self.0.needs()
    }

    fn belongs_to_a_scenario(&self) -> bool {
        self.0.belongs_to_a_scenario()
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        self.0.handle(world, request).await
    }
}

fn main() -> ExitCode {
    // The other build: this program, when it is asked to run an experiment.
    if std::env::args().nth(1).is_some_and(|verb| verb == "run") {
        let mut registry = Registry::empty();
        for strategy in Registry::default().iter().cloned() {
            if strategy.name() == SLOWED {
                registry.register(Slower(strategy, Mutex::new(None)))
            } else {
                registry.register(Same(strategy))
            }
        }
        return oncelab::cli::main_with(&registry);
    }
    // `cargo test --benches` builds it, and asks for nothing more.
    if std::env::args().any(|argument| argument == "--test") {
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let experiment = folder.path().join("two-builds.toml");
    std::fs::write(&experiment, EXPERIMENT).expect("the experiment is written");
    let one = Path::new(env!("CARGO_BIN_EXE_oncelab"));
    let other = std::env::current_exe().expect("this program has a path");
    let (mut same, mut seen, mut clean) = (0, 0, 0);
    for pair in 0..PAIRS {
        let run = |build: &Path, which: u32| run(build, &experiment, folder.path(), 3 * pair + which);
        let (a, b, slow) = (run(one, 0), run(one, 1), run(&other, 2));
        let (alike, unlike) = (shown(one, &a, &b), shown(one, &a, &slow));
        let is_seen = unlike.iter().any(|(strategy, speed, _)| strategy == SLOWED && speed == "slower");
        same += u32::from(alike.is_empty());
        seen += u32::from(is_seen);
        clean += u32::from(unlike.iter().all(|(strategy, ..)| strategy == SLOWED));
        println!("pair {}: same build {alike:?}; slower build {unlike:?}", pair + 1);
    }
    println!("\nthe same build: '~' for every strategy in {same} of {PAIRS} pairs");
    println!("20 % slower {SLOWED}: said so in {seen} of {PAIRS} pairs, and '~' for every other in {clean}");
    ExitCode::SUCCESS
}

/// Runs the experiment with a build, and gives the folder of the run.
fn run(build: &Path, experiment: &Path, out: &Path, seed: u32) -> PathBuf {
    let mut command = Command::new(build);
    command.arg("run").arg(experiment).args(["--seed", &seed.to_string(), "--json", "--out"]).arg(out);
    // In memory, where there is such a folder: a disk that others use has spells of its own.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        command.env("TMPDIR", memory);
    }
    let done = command.stderr(Stdio::null()).output().expect("the build runs");
    let document: Value = serde_json::from_slice(&done.stdout).expect("one JSON document");
    PathBuf::from(document["dir"].as_str().expect("the folder of the run"))
}

/// The strategies of which the comparison says that they are faster or slower, and by what factor.
fn shown(build: &Path, before: &Path, after: &Path) -> Vec<(String, String, f64)> {
    let done =
        Command::new(build).arg("compare").arg(before).arg(after).arg("--json").output().expect("the build runs");
    let document: Value = serde_json::from_slice(&done.stdout).expect("one JSON document");
    let rows = document["rows"].as_array().expect("the comparison has rows");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let row =
        |row: &Value| (text(&row["strategy"]), text(&row["speed"]), row["goodput_ratio"].as_f64().unwrap_or(f64::NAN));
    rows.iter().map(row).filter(|(_, speed, _)| speed != "~").collect()
}
