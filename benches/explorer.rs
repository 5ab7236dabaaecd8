//! How fast the explorer goes through schedules: the reference engine and the automaton, beside shuttle's depth-first scheduler,
//! in the same run and in turn; and the census of a bound with more than 10^12 schedules.
//!
//! The scenario is the same for all: the lab's check-then-act, over the lab's model of the store. Shuttle runs it in threads
//! whose operations take the model's lock. It has more schedules than the engines, since a thread can also be held up where
//! nothing can be told apart, and all that is compared is how many it goes through in a second. Everything runs on one core: shuttle and both engines have one thread that does anything at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oncelab::explore::{Bound, Flaws, Kinds, Limits, census, execute_all, one_by_one};
use oncelab::service::modelled::{Asker, Model as _};
use oncelab::service::store::StoreOp;
use oncelab::service::store::model::Tables;
use oncelab::stats::median;
use oncelab::strategy::{Registry, Strategy};
use oncelab::terms::{AccountId, ClientId, Delivery, Effect, Entry, MessageId, Profile, Request, Role, Session};
use oncelab::world::{Call, Op, Port, World};

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
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let per_second = total as f64 / began.elapsed().as_secs_f64();
    Rate { per_second, schedules: last.0, duplicates: last.1 }
}

/// The model of the store and its ledger, which shuttle's threads share.
type Shared = shuttle::sync::Arc<shuttle::sync::Mutex<(Tables, Vec<Entry>)>>;

/// Carries an operation to the shared model. Taking its lock is where shuttle lets another thread go first.
struct ShuttlePort {
    lane: u8,
    shared: Shared,
}

impl Port for ShuttlePort {
    fn call(&mut self, op: Op) -> Call<'_> {
        Call::Carried(Box::pin(async move {
            let mut shared = self.shared.lock().expect("nobody panics");
            let (store, ledger) = &mut *shared;
            let asker = Asker { by: Delivery { attempt: 0, copy: self.lane }, role: Role::STORE, id: 0 };
            let op = StoreOp::try_from(op.of).expect("check-then-act asks a store alone");
            let outcome = store.call(Session(self.lane), &op, &asker, ledger).expect("check-then-act never waits");
            outcome.map(Into::into)
        }))
    }
}

/// Two threads that run the strategy on the shared model, under the first so many schedules that shuttle has for them. Says how
/// many, and in how many of them the effect is there twice.
fn shuttle_pass(strategy: &Arc<dyn Strategy>) -> (u64, u64) {
    let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let (strategy, counted) = (Arc::clone(strategy), Arc::clone(&counts));
    shuttle::check_dfs(
        move || {
            let shared: Shared =
                shuttle::sync::Arc::new(shuttle::sync::Mutex::new((Tables::new(Profile::Postgres, 1), Vec::new())));
            let handlers = [0, 1].map(|lane| {
                let (strategy, mut port) = (Arc::clone(&strategy), ShuttlePort { lane, shared: shared.clone() });
                shuttle::thread::spawn(move || {
                    let effect = Effect { account: AccountId(0), amount: 10 };
                    let request = Request { id: MessageId(0), client: ClientId(0), sequence: 0, effect };
                    shuttle::future::block_on(strategy.handle(&mut World::new(&mut port), &request))
                })
            });
            for handler in handlers {
                handler.join().expect("nobody panics").expect("nothing is lost");
            }
            counted[0].fetch_add(1, Ordering::Relaxed);
            let duplicate = shared.lock().expect("nobody panics").1.len() > 1;
            counted[1].fetch_add(duplicate.into(), Ordering::Relaxed);
        },
        Some(SHUTTLE_SCHEDULES),
    );
    (counts[0].load(Ordering::Relaxed), counts[1].load(Ordering::Relaxed))
}

fn main() {
    let registry = Registry::default();
    let check_then_act = registry.get("check-then-act").expect("it is there");
    let two = Bound::new(2, 0, 0);
    let reference = || {
        let mut duplicates = 0;
        let visit = |ledger: &[Entry]| duplicates += u64::from(ledger.len() > 1);
        let schedules = execute_all(check_then_act.as_ref(), two, Flaws::default(), visit).expect("explorable");
        (schedules, duplicates)
    };
    let automaton = || {
        // With more lanes, so that learning the automaton is not what is measured.
        let four = Bound::new(4, 0, 0);
        let (schedules, found) = one_by_one(check_then_act.as_ref(), four, Flaws::default()).expect("explorable");
        let duplicates = found.get(&oncelab::terms::Violation::Duplicate).copied().unwrap_or(0);
        (schedules, u64::try_from(duplicates).unwrap_or(u64::MAX))
    };
    let mut measured: [Vec<f64>; 3] = Default::default();
    let mut last = Vec::new();
    for _ in 0..ROUNDS {
        last = vec![rate(|| shuttle_pass(&check_then_act)), rate(reference), rate(automaton)];
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
