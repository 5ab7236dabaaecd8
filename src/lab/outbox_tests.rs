//! Careless relays, on real stores: each does there what it does on the model.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::explore::tests::outbox::{LooksOnce, MarksFirst, NoInbox};
use crate::explore::{Bound, Flaws, Schedule, bound_of};
use crate::replay::{ReplayWork, Testbed, replay_all};
use crate::service::provision::{Keeps, Provision, Source};
use crate::service::{Wanted, WantedStore};
use crate::strategy::Strategy;
use crate::terms::{Cause, Profile, Role, StoreKind, Violation};

const TIMES: usize = 100;

#[test]
fn careless_relays_do_on_real_stores_what_they_do_on_the_model() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let source = Source { provision: Provision::Embedded, keeps: Keeps::InMemory, ..Source::default() };
    let second = WantedStore { role: Role::SECOND, kind: StoreKind::Sqlite, url: None };
    let wanted = Wanted { source, more_stores: vec![second], ..Wanted::default() };
    let testbed = runtime.block_on(Testbed::start(&wanted, false)).unwrap();
    let (duplicate, lost) = (Violation::Duplicate, Violation::Lost);
    let all: [(&dyn Strategy, &str, _); 4] = [
        (&NoInbox, "a a a a a b b b!", (duplicate, Cause::RetryAfterLostReply)),
        (&NoInbox, "a a a a a b b bx", (duplicate, Cause::CrashBetweenStores)),
        (&MarksFirst, "a a a a a b b bx", (lost, Cause::CrashBetweenStores)),
        (&LooksOnce, "b a a a a a", (lost, Cause::Unexplained)),
    ];
    for (strategy, line, why) in all {
        let schedule: Schedule = line.parse().unwrap();
        let bound = Bound { store: Profile::Sqlite, ..Bound::new(1, 1, 0) };
        let work = ReplayWork {
            strategy,
            bound: bound_of(strategy, bound, &schedule).unwrap(),
            flaws: Flaws::default(),
            schedules: std::slice::from_ref(&schedule),
            times: TIMES,
            workers: 2,
            has_model: true,
        };
        let (name, hits) = (strategy.name(), AtomicUsize::new(0));
        replay_all(&testbed, work, &|_, replayed| {
            assert_eq!(replayed.divergence, None, "{name} {line}");
            assert!(replayed.findings.iter().all(|finding| finding.at == Some(Role::SECOND)), "{name} {line}");
            hits.fetch_add(usize::from(replayed.shows_because(why)), Ordering::Relaxed);
            true
        })
        .unwrap();
        assert_eq!(hits.into_inner(), TIMES, "{name} {line}");
    }
}
