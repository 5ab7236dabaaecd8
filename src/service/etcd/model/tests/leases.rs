//! Grants, expiry, revocation, and what becomes of the keys.

use super::*;

#[test]
fn ids_are_given_out_once_and_a_taken_one_is_refused() {
    let mut service = LockService::default();
    assert_eq!(service.grant(Some(ONE), 10), Ok(Granted { id: ONE, ttl_s: 10 }));
    assert_eq!(service.grant(Some(ONE), 10), Err(Refusal::LeaseExists));
    assert_eq!(service.grant(None, 10).unwrap().id, TWO);
    service.revoke(TWO).unwrap();
    assert_eq!(service.grant(None, 10).unwrap().id, THREE);
    assert_eq!(service.grant(None, 9_000_000_001), Err(Refusal::LeaseTtlTooLarge));
}

#[test]
fn a_short_lease_is_granted_for_the_least_there_is() {
    assert_eq!(LockService::default().grant(None, 1).unwrap().ttl_s, 2);
    assert_eq!(LockService::new(1).grant(None, 1).unwrap().ttl_s, 1);
    assert_eq!(LockService::default().grant(None, -5).unwrap().ttl_s, 2);
}

#[test]
fn expiry_deletes_all_keys_of_a_lease_in_one_revision_and_not_a_millisecond_early() {
    let mut service = with_leases();
    service.put(Put::new("a", "").with_lease(ONE)).unwrap();
    service.put(Put::new("b", "").with_lease(ONE)).unwrap();
    assert_eq!(service.next_expiry(), Some(10_000));
    service.advance(9_999);
    assert_eq!((service.revision(), service.time_to_live(ONE).unwrap().remaining_s), (3, 0));
    service.advance(10_000);
    assert_eq!((service.revision(), service.time_to_live(ONE), get(&service, "b")), (4, None, None));
    assert_eq!(service.next_expiry(), Some(20_000));
    assert_eq!(service.put(Put::new("a", "").with_lease(ONE)), Err(Refusal::LeaseNotFound));
}

#[test]
fn revoking_is_the_same_transition_as_expiry() {
    let mut service = with_leases();
    service.put(Put::new("a", "").with_lease(ONE)).unwrap();
    let mut expired = service.clone();
    expired.advance(10_000);
    service.revoke(ONE).unwrap();
    service.advance(10_000);
    assert_eq!(service, expired);
    assert_eq!(service.revoke(ONE), Err(Refusal::LeaseNotFound));
}

#[test]
fn keeping_alive_prolongs_from_now_and_does_not_raise_the_dead() {
    let mut service = with_leases();
    service.advance(6_000);
    assert_eq!(service.keep_alive(ONE), Some(10));
    service.advance(15_999);
    assert_eq!(service.time_to_live(ONE).unwrap().granted_ttl_s, 10);
    service.advance(16_000);
    assert_eq!(service.keep_alive(ONE), None);
    assert_eq!(service.keep_alive(LeaseId(99)), None);
}

#[test]
fn leases_that_expire_together_end_one_after_the_other() {
    let mut service = with_leases();
    service.put(Put::new("late", "").with_lease(TWO)).unwrap();
    service.put(Put::new("early", "").with_lease(ONE)).unwrap();
    service.advance(60_000);
    assert_eq!((service.revision(), service.leases().count()), (5, 0));
}

#[test]
fn a_key_belongs_to_its_last_lease_only_and_a_deleted_one_to_none() {
    let mut service = with_leases();
    service.put(Put::new("moved", "").with_lease(ONE)).unwrap();
    service.put(Put::new("moved", "").with_lease(TWO)).unwrap();
    service.put(Put::new("freed", "").with_lease(ONE)).unwrap();
    service.put(Put::new("freed", "")).unwrap();
    service.put(Put::new("deleted", "").with_lease(ONE)).unwrap();
    service.delete_range(&KeyRange::key("deleted")).unwrap();
    service.put(Put::new("deleted", "")).unwrap();
    assert_eq!(service.time_to_live(TWO).unwrap().keys, [b"moved".to_vec()]);
    let revision = service.revision();
    service.revoke(ONE).unwrap();
    assert_eq!(service.revision(), revision);
    service.revoke(TWO).unwrap();
    assert_eq!((get(&service, "moved"), get(&service, "freed").is_some()), (None, true));
}
