//! Every guarantee of a backend has a broken twin, and the lab must catch it.

use oncelab::experiment::LoadSettings;
use oncelab::service::StoreFlaw;
use oncelab::service::etcd::model::LockModelFlaw;
use oncelab::terms::Violation;

use crate::common::Trial;

/// One delivery in five comes twice.
const REPEATED: &str = "client = { duplicated = 0.2, delayed = 0.1 }";

/// One handler in ten stands still before or after its effect, for longer than its lease lives.
const PAUSED: &str = "for = [{ ops = [\"apply\"], handler = { pause = 0.1 } }]";

fn crowded() -> LoadSettings {
    LoadSettings {
        requests: 150.try_into().unwrap(),
        warmup: 0,
        accounts: 4.try_into().unwrap(),
        handlers: 16.try_into().unwrap(),
        clients: 16.try_into().unwrap(),
        ..LoadSettings::default()
    }
}

#[test]
fn a_dedup_table_without_its_unique_constraint_is_caught() {
    for strategy in ["dedup-table", "dedup-table-statement"] {
        // 300 requests, one in five repeated: some sixty second deliveries, each of which is applied if nothing stops it.
        let sound = Trial::new(strategy, REPEATED);
        assert_eq!(sound.run().1.count(Violation::Duplicate), 0, "{strategy}");
        let broken = Trial { store_flaw: Some(StoreFlaw::NoUniqueConstraint), ..Trial::new(strategy, REPEATED) };
        assert!(broken.run().1.count(Violation::Duplicate) > 10, "{strategy}");
    }
}

#[test]
fn a_fenced_store_that_does_not_compare_is_caught() {
    // A paused holder wakes after 1.5 lives of its lease, when another has had the account with a higher token.
    let trial = || Trial { load: crowded(), ..Trial::new("etcd-lock-fenced", PAUSED) };
    assert_eq!(trial().run().1.count(Violation::Stale), 0);
    let broken = Trial { store_flaw: Some(StoreFlaw::NoTokenComparison), ..trial() };
    assert!(broken.run().1.count(Violation::Stale) > 0);
}

#[test]
fn an_etcd_that_compares_nothing_is_caught() {
    let sound = Trial::new("etcd-transaction", REPEATED);
    assert_eq!(sound.run().1.count(Violation::Duplicate), 0);
    let broken = Trial { lock_flaw: Some(LockModelFlaw::ComparesNothing), ..Trial::new("etcd-transaction", REPEATED) };
    assert!(broken.run().1.count(Violation::Duplicate) > 10);
}

#[test]
fn a_lock_server_that_grants_twice_is_caught() {
    // No faults, and leases in real time: only the server can let two handlers in at once.
    let trial = || Trial { load: crowded(), clock_speed: 1.0, ..Trial::new("etcd-lock", "") };
    assert_eq!(trial().run().1.count(Violation::Overlap), 0);
    let broken = Trial { lock_flaw: Some(LockModelFlaw::GrantsTwice), ..trial() };
    assert!(broken.run().1.count(Violation::Overlap) > 0);
}
