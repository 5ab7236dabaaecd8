//! What the lock service answers, claim by claim.

mod keys;
mod leases;
mod locks;
mod transactions;

use super::*;
use crate::terms::LeaseId;

const ONE: LeaseId = LeaseId(1);
const TWO: LeaseId = LeaseId(2);
const THREE: LeaseId = LeaseId(3);

/// A service with leases 1 to 3, of 10, 20 and 30 seconds.
fn with_leases() -> LockService {
    let mut service = LockService::default();
    for ttl_s in [10, 20, 30] {
        service.grant(None, ttl_s).unwrap();
    }
    service
}

fn lock(service: &mut LockService, lease: LeaseId, ticket: u64) -> Option<Held> {
    match service.lock(b"l", Some(lease), Ticket(ticket)).unwrap() {
        Locking::Held(held) => Some(held),
        Locking::Waiting => None,
    }
}

/// The tickets that are settled, and whether they hold the lock.
fn settled(service: &mut LockService) -> Vec<(u64, bool)> {
    service.take_settled().into_iter().map(|(ticket, answer)| (ticket.0, answer.is_ok())).collect()
}

fn get(service: &LockService, key: &str) -> Option<KeyValue> {
    service.range(&Query::of(KeyRange::key(key))).unwrap().found.pop()
}
