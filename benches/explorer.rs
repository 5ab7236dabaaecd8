//! How fast the explorer goes through schedules: the reference engine and the automaton, beside shuttle's depth-first scheduler
//! on the same check-then-act, in the same run and in turn; and the census of a bound with more than 10^12 schedules.
//!
//! Everything runs on one core: shuttle and both engines have one thread that does anything at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oncelab::explore::{Bound, Flaws, Kinds, Limits, census, execute_all, one_by_one};
use oncelab::stats::median;
use oncelab::strategy::Registry;

/// How often each is measured, in turn.
const ROUNDS: usize = 5;
/// How many schedules of its own shuttle goes through in one pass, at the most.
const SHUTTLE_SCHEDULES: usize = 50_000;
/// How long a measurement is repeated for.
const AT_LEAST: Duration = Duration::from_millis(400);

/// Schedules a second, and how many of each pass showed a duplicate.
struct Rate {
    per_second: f64,
    schedules: u64,
    duplicates: u64,
}

/// Repeats a pass over every schedule until enough time has passed.
fn rate(mut pass: impl FnMut() -> (u64, u64)) -> Rate {
    let began = Instant::now();
    let (mut total, mut last) = (0, (0, 0));
    while began.elapsed() < AT_LEAST {
        last = pass();
        total += last.0;
    }
    Rate { per_second: total as f64 / began.elapsed().as_secs_f64(), schedules: last.0, duplicates: last.1 }
}

/// The store of the shuttle scenario: what check-then-act needs of it.
#[derive(Default)]
struct Store {
    mark: Option<i64>,
    balance: i64,
    ledger: Vec<i64>,
}

impl Store {
    fn apply(&mut self, amount: i64) -> i64 {
        self.balance += amount;
        self.ledger.push(self.balance);
        self.balance
    }
}

/// Two threads that check, act and mark, each of it atomic on a store that they share, under every schedule that shuttle has.
fn shuttle_pass() -> (u64, u64) {
    static SCHEDULES: AtomicU64 = AtomicU64::new(0);
    static DUPLICATES: AtomicU64 = AtomicU64::new(0);
    SCHEDULES.store(0, Ordering::Relaxed);
    DUPLICATES.store(0, Ordering::Relaxed);
    shuttle::check_dfs(
        || {
            use shuttle::sync::{Arc, Mutex};
            let store = Arc::new(Mutex::new(Store::default()));
            let handler = |store: Arc<Mutex<Store>>| {
                let lock = || store.lock().expect("nobody panics");
                let seen = lock().mark;
                seen.unwrap_or_else(|| {
                    let answer = lock().apply(10);
                    lock().mark = Some(answer);
                    answer
                })
            };
            let handlers = [0, 1].map(|_| {
                let store = Arc::clone(&store);
                shuttle::thread::spawn(move || handler(store))
            });
            for handler in handlers {
                handler.join().expect("nobody panics");
            }
            SCHEDULES.fetch_add(1, Ordering::Relaxed);
            if store.lock().expect("nobody panics").ledger.len() > 1 {
                DUPLICATES.fetch_add(1, Ordering::Relaxed);
            }
        },
        // It has millions: the first of them tell how fast it is.
        Some(SHUTTLE_SCHEDULES),
    );
    (SCHEDULES.load(Ordering::Relaxed), DUPLICATES.load(Ordering::Relaxed))
}

fn main() {
    let registry = Registry::default();
    let check_then_act = registry.get("check-then-act").expect("it is there");
    let two = Bound::new(2, 0, 0);
    let reference = || {
        let mut duplicates = 0;
        let visit = |ledger: &[oncelab::backend::Entry]| duplicates += u64::from(ledger.len() > 1);
        let schedules = execute_all(check_then_act.as_ref(), two, Flaws::default(), visit).expect("explorable");
        (schedules, duplicates)
    };
    let automaton = || {
        // With more lanes, so that learning the automaton is not what is measured.
        let four = Bound::new(4, 0, 0);
        let (schedules, found) = one_by_one(check_then_act.as_ref(), four, Flaws::default()).expect("explorable");
        let duplicates = found.get(&oncelab::check::Violation::Duplicate).copied().unwrap_or(0);
        (schedules, u64::try_from(duplicates).unwrap_or(u64::MAX))
    };
    let mut measured: [Vec<f64>; 3] = Default::default();
    let mut last = Vec::new();
    for _ in 0..ROUNDS {
        last = vec![rate(shuttle_pass), rate(reference), rate(automaton)];
        for (all, one) in measured.iter_mut().zip(&last) {
            all.push(one.per_second);
        }
    }
    let medians = measured.map(median);
    println!("check-then-act, every schedule one by one, medians of {ROUNDS} rounds in turn, one core");
    println!("{:<44} {:>12} {:>10} {:>10} {:>8}", "", "schedules/s", "schedules", "duplicate", "ratio");
    let names = ["shuttle, depth first: 2 threads", "reference engine: 2 lanes", "automaton, nothing merged: 4 lanes"];
    for ((name, rate), pass) in names.iter().zip(medians).zip(&last) {
        let ratio = rate / medians[0];
        println!("{name:<44} {rate:>12.0} {:>10} {:>10} {ratio:>8.1}", pass.schedules, pass.duplicates);
    }

    let strategy = registry.get("etcd-lock-fenced-marker").expect("it is there");
    let bound = Bound { kinds: Kinds::all(), ..Bound::new(3, 1, 2) };
    let began = Instant::now();
    let counted = census(strategy.as_ref(), bound, Flaws::default(), Limits::default(), &mut ()).expect("explorable");
    println!(
        "\ncensus of etcd-lock-fenced-marker, {bound}: {} schedules, exactly, by {} states in {:.0} ms",
        counted.schedules,
        counted.states,
        began.elapsed().as_secs_f64() * 1e3
    );
}
