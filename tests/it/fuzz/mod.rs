//! Parsers against changed files: whatever stands in one, it is read or refused, soon, and what is read can be used.
//!
//! `cargo test` gives each parser some inputs. `ONCELAB_FUZZ_INPUTS` says how many a target gets, `ONCELAB_FUZZ_SEED` from which seed:
//! `.ci/fuzz` goes through ten million.

mod folders;
mod mutator;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mutator::Mutator;

/// No input may take longer.
const LONGEST: Duration = Duration::from_secs(10);

/// What a parser made of its inputs.
struct Tried {
    inputs: u64,
    accepted: u64,
    slowest: Duration,
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}: a number, and not '{text}'")))
}

/// How many inputs a target gets: so many, unless the environment says otherwise.
fn inputs(usual: u64) -> u64 {
    number("ONCELAB_FUZZ_INPUTS").unwrap_or(usual)
}

fn seed() -> u64 {
    number("ONCELAB_FUZZ_SEED").unwrap_or(1)
}

/// Gives a target its inputs, each drawn from the seed and its number. The target says whether it accepts what it was given.
fn try_all(
    name: &str,
    inputs: u64,
    draw: impl Fn(&mut Mutator) -> Vec<u8>,
    mut target: impl FnMut(&[u8]) -> bool,
) -> Tried {
    let began = Instant::now();
    let mut tried = Tried { inputs, accepted: 0, slowest: Duration::ZERO };
    for number in 0..inputs {
        let input = draw(&mut Mutator::new(seed(), number));
        let begins = Instant::now();
        let done = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let took = begins.elapsed();
        let shown = || String::from_utf8_lossy(&input[..input.len().min(4_000)]).escape_debug().to_string();
        let accepted = done.unwrap_or_else(|_| panic!("{name}: input {number} of seed {} panics: {}", seed(), shown()));
        assert!(took < LONGEST, "{name}: input {number} of seed {} takes {took:?}: {}", seed(), shown());
        tried.accepted += u64::from(accepted);
        tried.slowest = tried.slowest.max(took);
    }
    let Tried { accepted, slowest, .. } = tried;
    println!(
        "{name}: {inputs} inputs, {accepted} accepted, the slowest {slowest:.1?}, {:.0?} in all, peak {} MiB",
        began.elapsed(),
        peak_mib()
    );
    tried
}

/// The most memory that this process has had.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).map_or(0, |kib| kib / 1024)
}

/// That changes get past the first error, and not all of them through: else nothing is tried.
fn is_tried(tried: &Tried) {
    let share = tried.accepted as f64 / tried.inputs as f64;
    assert!((0.002..0.9).contains(&share), "{} of {} inputs are accepted", tried.accepted, tried.inputs);
}
