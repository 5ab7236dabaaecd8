//! Mistakes that must be found: in strategies, in models, in what is seen of them, and in certificates.

use super::{PROVED, answer, any, proof, without_faults};
use crate::explore::any_number::check_proof;
use crate::explore::{Flaws, ForAny, ProofLines, Unproved};
use crate::service::etcd::model::LockModelFlaw;
use crate::service::store::model::StoreModelFlaw;
use crate::strategy::{Claim, Need, Registry, Strategy, async_trait};
use crate::terms::{AccountId, Isolation, Reply, Request, Retries, StoreKind, Violation};
use crate::world::World;

const CLAIM: Claim = Claim {
    promise: "nothing",
    retries: Retries::UntilAcknowledged,
    rules_out: &[],
    tolerates: &[Violation::Overlap],
    breaks: &[],
};

/// etcd-lock-fenced-transaction with two lines exchanged.
struct ChecksAfterTheLook;

#[async_trait]
impl Strategy for ChecksAfterTheLook {
    fn name(&self) -> &'static str {
        "checks-after-the-look"
    }
    fn steps(&self) -> &'static str {
        "made for a test"
    }
    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::LOCK]
    }
    fn claim(&self, _: StoreKind) -> Claim {
        CLAIM
    }
    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        let lock = world.lock().enter(request.effect.account).await?;
        world.store().begin(Isolation::ReadCommitted).await?;
        if let Some(answer) = world.store().read_mark(request.id).await? {
            world.store().rollback().await?;
            return Ok(answer);
        }
        world.store().check_token(request.effect.account, lock.token).await?;
        let answer = world.store().apply(request).await?;
        world.store().write_mark(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}

/// It takes the first of so many locks that is free, and does its work once under any of them. Where all are taken it does it as well.
struct MoreThan(u32);

#[async_trait]
impl Strategy for MoreThan {
    fn name(&self) -> &'static str {
        "more-than"
    }
    fn steps(&self) -> &'static str {
        "made for a test"
    }
    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::CACHE]
    }
    fn claim(&self, _: StoreKind) -> Claim {
        CLAIM
    }
    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        for account in (1..=self.0).map(AccountId) {
            if let Some(own) = world.cache().set_lock(account).await? {
                let done = world.store().claim_and_apply(request).await?;
                let answer = match done {
                    Some(answer) => Some(answer),
                    None => world.store().read_answer(request.id).await?,
                };
                world.cache().delete_own_lock(account, own).await?;
                return answer.ok_or(crate::terms::Trouble::InProgress);
            }
        }
        world.store().apply(request).await
    }
}

#[test]
fn a_token_that_is_checked_after_the_look_breaks() {
    let any = answer(&ChecksAfterTheLook, any(1), Flaws::default()).expect("explorable");
    let ForAny::Broken(minimal) = any.answer else { panic!("{any:?}") };
    assert!(minimal.iter().any(|minimal| minimal.violation == Violation::Duplicate), "{minimal:?}");
}

#[test]
fn what_only_three_or_four_lanes_break_is_broken() {
    for locks in [2, 3] {
        let any = answer(&MoreThan(locks), without_faults(any(1)), Flaws::default()).expect("explorable");
        let ForAny::Broken(minimal) = &any.answer else { panic!("{locks} {any:?}") };
        let lanes = minimal[0].schedule.0.iter().map(|step| step.lane).max();
        assert_eq!(lanes.map(u32::from), Some(locks), "{minimal:?}");
    }
}

#[test]
fn a_lock_with_a_marker_holds_without_faults_and_breaks_with_them() {
    let registry = Registry::default();
    let strategy = registry.get("etcd-lock-marker").expect("it is there");
    let calm = answer(&*strategy, without_faults(any(1)), Flaws::default()).expect("explorable");
    assert!(matches!(calm.answer, ForAny::Proved { .. }), "{calm:?}");
    let faulty = answer(&*strategy, any(1), Flaws::default()).expect("explorable");
    assert!(matches!(faulty.answer, ForAny::Broken(_)), "{faulty:?}");
}

fn check(name: &str, requests: u8, flaws: Flaws, lines: &ProofLines) -> Result<(), Unproved> {
    let strategy = Registry::default().get(name).expect("it is there");
    check_proof(&*strategy, any(requests), flaws, lines).map(drop)
}

#[test]
fn a_certificate_without_one_of_its_views_proves_nothing() {
    for (name, requests) in [("dedup-table", 1), ("etcd-transaction", 1), ("row-lock", 1), ("idempotency-key-peer", 1)]
    {
        let lines = proof(name, any(requests), Flaws::default()).expect("it is proved");
        assert_eq!(check(name, requests, Flaws::default(), &lines), Ok(()));
        for left_out in 0..lines.views.len() {
            // It and all that comes of it, so that nothing is wrong with the others but that a step leads out of them.
            let fewer = ProofLines { views: without(&lines.views, left_out), ..lines.clone() };
            match check(name, requests, Flaws::default(), &fewer) {
                Err(Unproved::OtherView { view: 0 }) if left_out == 0 => {}
                Err(Unproved::LeadsOut { .. }) if left_out > 0 => {}
                other => panic!("{name} without view {left_out}: {other:?}"),
            }
        }
    }
}

/// The views that another one, by number, comes from.
fn comes_from(line: &str) -> Vec<usize> {
    let from = line.split_once(' ').and_then(|(_, origin)| origin.split_once(": ")).map_or("", |(from, _)| from);
    from.split(' ').filter_map(|word| word.split('.').next()?.parse().ok()).collect()
}

/// Lines without one of them and all that comes of it, with the numbers that the others have then.
fn without(lines: &[String], left_out: usize) -> Vec<String> {
    let mut kept: Vec<usize> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        if number != left_out && comes_from(line).iter().all(|from| kept.contains(from)) {
            kept.push(number);
        }
    }
    let number = |word: &str| {
        let new = word.parse().ok().and_then(|old: usize| kept.iter().position(|kept| *kept == old));
        new.map_or(word.to_owned(), |new| new.to_string())
    };
    let renumbered = |line: &String| {
        let Some((from, then)) = line.split_once(": ") else { return line.clone() };
        let (digest, from) = from.split_once(' ').expect("a digest and an origin");
        let from = from.split(' ').map(|word| match word.split_once('.') {
            Some((view, lane)) => format!("{}.{lane}", number(view)),
            None => number(word),
        });
        format!("{digest} {}: {then}", from.collect::<Vec<_>>().join(" "))
    };
    kept.iter().map(|number| renumbered(&lines[*number])).collect()
}

#[test]
fn an_altered_certificate_and_that_of_another_strategy_prove_nothing() {
    let lines = proof("dedup-table", any(1), Flaws::default()).expect("it is proved");
    let mut altered = lines.clone();
    altered.views[3] = altered.views[3].replacen(|c: char| c.is_ascii_digit(), "f", 1);
    assert_eq!(check("dedup-table", 1, Flaws::default(), &altered), Err(Unproved::OtherView { view: 3 }));
    let mut garbled = lines.clone();
    garbled.views[2] = "nonsense".to_owned();
    assert!(matches!(check("dedup-table", 1, Flaws::default(), &garbled), Err(Unproved::Unreadable { view: 2, .. })));
    assert!(check("row-lock", 1, Flaws::default(), &lines).is_err());
    assert!(check("dedup-table", 2, Flaws::default(), &lines).is_err());
    let other = ProofLines { strategy: "0".to_owned(), ..lines };
    assert_eq!(check("dedup-table", 1, Flaws::default(), &other), Err(Unproved::OtherStrategy));
}

#[test]
fn a_model_that_forgets_what_is_held_proves_nothing() {
    let flaws = |store, lock| Flaws { store, lock, ..Flaws::default() };
    let calm = without_faults(any(1));
    for (name, bound, flaws) in [
        ("dedup-table", any(1), flaws(Some(StoreModelFlaw::ForgetsWhatIsHeld), None)),
        ("row-lock", any(1), flaws(Some(StoreModelFlaw::ForgetsWhatIsHeld), None)),
        ("etcd-lock-marker", calm, flaws(None, Some(LockModelFlaw::ForgetsHolders))),
    ] {
        let lines = proof(name, bound, Flaws::default()).expect("it is proved");
        assert_eq!(lines.size, 1);
        let strategy = Registry::default().get(name).expect("it is there");
        assert!(check_proof(&*strategy, bound, flaws, &lines).is_err(), "{name} {flaws:?}");
    }
    // More can happen where what is held is free, and all the same it may be too little to break anything. Not so with these.
    for flaw in [StoreModelFlaw::NoUniqueConstraint, StoreModelFlaw::ForgetsRows] {
        let lines = proof("dedup-table", any(1), Flaws::default()).expect("it is proved");
        assert!(check("dedup-table", 1, flaws(Some(flaw), None), &lines).is_err(), "{flaw:?}");
        assert_eq!(proof("dedup-table", any(1), flaws(Some(flaw), None)), None, "{flaw:?}");
    }
}

#[test]
fn every_strategy_that_holds_is_proved_and_no_other() {
    let not_yet = [
        // Its proof takes seconds: it is made and checked where certificates are.
        "etcd-lock-fenced-transaction",
        // What others have read decides who fails, which no view of a few lanes shows.
        "check-then-act-serializable",
        // A statement that waits goes on in the step of another.
        "dedup-table-repeatable-read",
        // Epochs and sequence numbers are counted without end.
        "kafka-transactions",
    ];
    for strategy in Registry::default().iter().filter(|strategy| !not_yet.contains(&strategy.name())) {
        let name = strategy.name();
        let any = answer(strategy.as_ref(), any(1), Flaws::default()).expect("explorable");
        let proved = PROVED.iter().any(|(proved, _)| *proved == name);
        match any.answer {
            ForAny::Proved { .. } => assert!(
                // What breaks with two requests alone holds for one.
                proved
                    || answer(strategy.as_ref(), super::any(2), Flaws::default())
                        .is_ok_and(|any| matches!(any.answer, ForAny::Broken(_))),
                "{name}"
            ),
            ForAny::Broken(_) => assert!(!proved, "{name}"),
            ForAny::NotProved { why, .. } => panic!("{name}: {why}"),
        }
    }
    for (name, requests) in PROVED.into_iter().filter(|(_, requests)| *requests > 1) {
        assert!(proof(name, any(requests), Flaws::default()).is_some(), "{name}");
    }
}
