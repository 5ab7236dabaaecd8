//! Liars and twins under load.

use std::num::{NonZeroU8, NonZeroU16, NonZeroU32};
use std::sync::Arc;

use oncelab::check::{Tally, Verdict};
use oncelab::experiment::LoadSettings;
use oncelab::fault::Millis;
use oncelab::strategy::Strategy;
use oncelab::terms::{StoreKind, Violation};

use super::table::{Liar, Loaded};
use super::tried::{Tried, against, guarded};
use crate::common::Trial;

/// Runs a strategy under the load of a liar.
pub(super) fn ran(strategy: Arc<dyn Strategy>, loaded: &Loaded) -> (Verdict, Tally) {
    let load = LoadSettings {
        requests: NonZeroU32::new(240).unwrap(),
        warmup: 0,
        clients: NonZeroU16::new(loaded.clients).unwrap(),
        accounts: NonZeroU32::new(loaded.accounts).unwrap(),
        // A slow machine must not look like a fault.
        timeout_ms: NonZeroU32::new(2_000).unwrap(),
        backoff_ms: Millis(1, 2),
        attempts: NonZeroU8::new(6).unwrap(),
        ..LoadSettings::default()
    };
    let trial = Trial { load, ..Trial::new("a liar", loaded.faults) };
    let claim = strategy.claim(StoreKind::Sqlite);
    let (_, tally) = trial.run_with(strategy).unwrap();
    (Verdict::of(&tally, &claim, &trial.level), tally)
}

/// What a trial shows, by name, without what its strategy's claim tolerates.
fn shown(strategy: &dyn Strategy, tally: &Tally) -> Vec<&'static str> {
    let claim = strategy.claim(StoreKind::Sqlite);
    let counts = |violation: &Violation| claim.counts(*violation) && tally.count(*violation) > 0;
    Violation::ALL.into_iter().filter(counts).map(Violation::name).collect()
}

/// Runs each liar and each twin under load.
pub(super) fn run(liars: &[Liar]) -> (usize, usize) {
    let mut tried = Tried::default();
    for liar in liars {
        let under_load = |strategy: &Arc<dyn Strategy>| guarded(|| Ok(ran(Arc::clone(strategy), &liar.loaded)));
        let (lies, honest) = (liar.lies.as_ref(), liar.honest.as_ref());
        tried.liars += 1;
        let called = |(verdict, tally): (Verdict, Tally)| objection(liar, verdict, &tally);
        tried.object(lies, liar, against(under_load(&liar.lies), called));

        tried.twins += 1;
        let called = |(verdict, tally): (Verdict, Tally)| {
            let found = shown(honest, &tally);
            let is_fine = verdict == Verdict::Valid && found.is_empty() && tally.acknowledged >= 100;
            let told = || format!("it is called {verdict}, with {found:?} and {} acknowledged", tally.acknowledged);
            (!is_fine).then(told)
        };
        tried.object(honest, liar, against(under_load(&liar.honest), called));
    }
    tried.counted()
}

/// What is to be said against what a liar was called.
fn objection(liar: &Liar, verdict: Verdict, tally: &Tally) -> Option<String> {
    if let Some(objection) = liar.loaded.shown.objection(&shown(liar.lies.as_ref(), tally)) {
        return Some(objection);
    }
    if verdict != Verdict::Invalid {
        return Some(format!("it is called {verdict}"));
    }
    let is_there = |violation: &str, cause: &str| {
        let violation = Violation::from_name(violation);
        violation.is_some_and(|violation| tally.causes(violation).any(|(its, _)| its.name() == cause))
    };
    let missing = liar.loaded.causes.iter().find(|(violation, cause)| !is_there(violation, cause));
    missing.map(|(violation, cause)| format!("no {violation} because of {cause}: {:?}", tally.violations))
}
