//! The queue, and the faults of etcd's that are kept.

use super::*;

#[test]
fn a_free_lock_is_held_by_a_key_named_after_lock_and_lease() {
    let mut service = LockService::default();
    let lease = service.grant(Some(LeaseId(0x2a)), 10).unwrap().id;
    let held = lock(&mut service, lease, 1).unwrap();
    assert_eq!(held, Held { key: b"l/2a".to_vec(), create_revision: 2, revision: 2 });
    assert_eq!(get(&service, "l/2a").unwrap().lease, Some(lease));
    assert_eq!(lock_key(b"l", LeaseId(-42)), b"l/-2a");
}

#[test]
fn waiters_get_the_lock_in_the_order_of_their_keys() {
    let mut service = with_leases();
    let first = lock(&mut service, TWO, 1).unwrap();
    assert_eq!(lock(&mut service, THREE, 7), None);
    assert_eq!(lock(&mut service, ONE, 2), None);
    assert_eq!(settled(&mut service), []);
    service.unlock(&first.key).unwrap();
    // The key of lease 3 was made at revision 3, and the unlock at 5 made way for it.
    let third = Held { key: b"l/3".to_vec(), create_revision: 3, revision: 5 };
    assert_eq!(service.take_settled(), [(Ticket(7), Ok(third))]);
    assert_eq!(settled(&mut service), []);
    service.unlock(b"l/3").unwrap();
    assert_eq!(settled(&mut service), [(2, true)]);
}

#[test]
fn the_same_lease_locks_again_without_waiting_for_itself() {
    let mut service = with_leases();
    let held = lock(&mut service, ONE, 1).unwrap();
    assert_eq!(lock(&mut service, TWO, 2), None);
    let again = lock(&mut service, ONE, 3).unwrap();
    assert_eq!((again.create_revision, again.revision), (held.create_revision, 3));
    assert_eq!(lock(&mut service, TWO, 4), None);
    service.unlock(&held.key).unwrap();
    assert_eq!(settled(&mut service), [(2, true), (4, true)]);
}

#[test]
fn without_its_lease_a_lock_is_refused_and_without_any_it_gets_one() {
    let mut service = LockService::default();
    assert_eq!(service.lock(b"l", Some(LeaseId(9)), Ticket(1)), Err(Refusal::LeaseNotFound));
    assert_eq!(service.revision(), 1);
    assert!(matches!(service.lock(b"l", None, Ticket(1)), Ok(Locking::Held(_))));
    assert_eq!(service.time_to_live(ONE).unwrap().granted_ttl_s, SESSION_TTL_S);
}

#[test]
fn the_holders_lease_expires_and_the_next_one_holds_the_lock() {
    let mut service = with_leases();
    lock(&mut service, ONE, 1).unwrap();
    assert_eq!(lock(&mut service, TWO, 2), None);
    service.advance(10_000);
    assert_eq!(settled(&mut service), [(2, true)]);
}

#[test]
fn a_waiter_whose_lease_ended_is_never_granted_the_lock_and_learns_it_at_its_turn() {
    let mut service = with_leases();
    let holder = lock(&mut service, TWO, 1).unwrap();
    assert_eq!(lock(&mut service, ONE, 2), None);
    assert_eq!(lock(&mut service, THREE, 3), None);
    service.advance(10_000);
    assert_eq!(settled(&mut service), [], "etcd#19597: it waits on, though its key is gone");
    service.unlock(&holder.key).unwrap();
    let answers = service.take_settled();
    assert_eq!(answers[0], (Ticket(2), Err(Refusal::SessionExpired)));
    assert!(answers[1].0 == Ticket(3) && answers[1].1.is_ok());
}

#[test]
fn a_retried_unlock_deletes_the_newer_lock_of_the_same_lease() {
    // etcd#22082, in five calls: lock, unlock, lock again, the unlock again, and another's lock succeeds.
    let mut service = with_leases();
    let first = lock(&mut service, ONE, 1).unwrap();
    service.unlock(&first.key).unwrap();
    let second = lock(&mut service, ONE, 2).unwrap();
    assert_eq!(second.key, first.key);
    service.unlock(&first.key).unwrap();
    assert!(lock(&mut service, TWO, 3).is_some(), "though the second lock was never given back");
}

#[test]
fn a_waiter_whose_key_was_replaced_is_granted_beside_the_holder() {
    // At its turn etcd looks for a key of the waiter's name. Here it finds one that is younger than the holder's.
    let mut service = with_leases();
    let holder = lock(&mut service, THREE, 1).unwrap();
    assert_eq!(lock(&mut service, ONE, 2), None);
    assert_eq!(lock(&mut service, TWO, 3), None);
    service.unlock(b"l/1").unwrap();
    assert_eq!(lock(&mut service, ONE, 4), None);
    service.unlock(&holder.key).unwrap();
    assert_eq!(settled(&mut service), [(2, true), (3, true)]);
}

#[test]
fn unlocking_what_is_not_locked_is_fine() {
    let mut service = LockService::default();
    assert_eq!(service.unlock(b"l/1").unwrap().deleted, []);
    assert_eq!(service.unlock(b""), Err(Refusal::EmptyKey));
}

#[test]
fn a_cancelled_waiter_leaves_the_queue_and_makes_way() {
    let mut service = with_leases();
    let holder = lock(&mut service, ONE, 1).unwrap();
    assert_eq!(lock(&mut service, TWO, 2), None);
    assert_eq!(lock(&mut service, THREE, 3), None);
    assert!(service.cancel(Ticket(2)));
    assert!(!service.cancel(Ticket(2)));
    assert_eq!(get(&service, "l/2"), None);
    service.unlock(&holder.key).unwrap();
    assert_eq!(settled(&mut service), [(3, true)]);
    assert!(!service.cancel(Ticket(3)), "its turn has come: the lock is its own");
    assert!(get(&service, "l/3").is_some());
}

#[test]
fn locks_of_other_names_do_not_wait_but_a_longer_name_stands_in_the_way_of_a_shorter() {
    let mut service = with_leases();
    assert!(lock(&mut service, ONE, 1).is_some());
    assert!(matches!(service.lock(b"l2", Some(TWO), Ticket(2)), Ok(Locking::Held(_))));
    // As in etcd, the queue of `m` is everything that begins with `m/`, and so the lock `m/x` is in it.
    assert!(matches!(service.lock(b"m/x", Some(TWO), Ticket(3)), Ok(Locking::Held(_))));
    assert_eq!(service.lock(b"m", Some(ONE), Ticket(4)), Ok(Locking::Waiting));
}

#[test]
fn the_flawed_twin_grants_a_held_lock() {
    let mut service = with_leases().with_flaw(LockModelFlaw::GrantsTwice);
    assert!(lock(&mut service, ONE, 1).is_some());
    assert!(lock(&mut service, TWO, 2).is_some());
}

#[test]
fn the_twin_of_an_older_etcd_grants_to_a_dead_waiter() {
    let mut service = with_leases().with_flaw(LockModelFlaw::GrantsDeadWaiters);
    let holder = lock(&mut service, ONE, 1).unwrap();
    assert_eq!(lock(&mut service, TWO, 2), None);
    service.revoke(TWO).unwrap();
    service.unlock(&holder.key).unwrap();
    assert_eq!(settled(&mut service), [(2, true)]);
}
