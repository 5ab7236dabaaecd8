//! What a strategy still promises where more is asked of it than its claim speaks of: ids that are forgotten, and ids that come again
//! with another body.

use std::sync::{Mutex, PoisonError};

use super::{Break, Claim, Strategy};
use crate::terms::{FaultKind, Leg, StoreKind, Violation};

/// What happens to the ids of requests that a claim does not speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hazards {
    /// The ids that it keeps are forgotten.
    pub reaps: bool,
    /// Ids come again with another body.
    pub other_bodies: bool,
}

/// What another body does to a strategy that does not compare bodies.
const TAKEN_FOR_THE_FIRST: Break = Break {
    faults: &[FaultKind::OtherBody],
    legs: &[Leg::Client],
    shows: &[Violation::Mixed],
    because: "nothing compares the body with the one that the id came with first",
};

/// What a strategy promises on this kind of store. With a reaper, what is left of that; and where ids come again with another body, that
/// it mixes them, unless it compares them or lets in one alone.
#[must_use]
pub fn claim_of(strategy: &dyn Strategy, store: StoreKind, asked: Hazards) -> Claim {
    let reaped = strategy.reaper().filter(|_| asked.reaps).map(|reaped| reaped.claim);
    let claim = reaped.unwrap_or_else(|| strategy.claim(store));
    if asked.other_bodies && strategy.mixes_bodies() { mixing(claim) } else { claim }
}

/// The claim of a strategy that takes any body for the one that the id came with first. A claim is static data, so each that is worked
/// out is kept for good; there are no more of them than of claims.
fn mixing(claim: Claim) -> Claim {
    static KNOWN: Mutex<Vec<(Claim, Claim)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, mixing)) = known.iter().find(|(of, _)| *of == claim) {
        return *mixing;
    }
    let rules_out: Vec<Violation> = claim.rules_out.iter().copied().filter(|kind| *kind != Violation::Mixed).collect();
    let breaks: Vec<Break> = claim.breaks.iter().copied().chain([TAKEN_FOR_THE_FIRST]).collect();
    let mixing = Claim { rules_out: rules_out.leak(), breaks: breaks.leak(), ..claim };
    known.push((claim, mixing));
    mixing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Registry;

    const WITH_OTHERS: Hazards = Hazards { reaps: false, other_bodies: true };

    #[test]
    fn whoever_compares_no_bodies_mixes_them_and_says_so_only_where_they_come() {
        let registry = Registry::default();
        let (mut mixing, mut refusing) = (0, Vec::new());
        for strategy in registry.iter() {
            let claim = strategy.claim(StoreKind::Postgres);
            assert_eq!(claim_of(strategy.as_ref(), StoreKind::Postgres, Hazards::default()), claim);
            let with_others = claim_of(strategy.as_ref(), StoreKind::Postgres, WITH_OTHERS);
            if !strategy.mixes_bodies() {
                assert_eq!(with_others, claim);
                refusing.push(strategy.name());
                continue;
            }
            mixing += 1;
            assert!(!with_others.rules_out.contains(&Violation::Mixed) && with_others.is_whole());
            assert!(with_others.rules_out.iter().all(|kind| claim.rules_out.contains(kind)));
            let own: Vec<Violation> =
                claim.rules_out.iter().copied().filter(|kind| *kind != Violation::Mixed).collect();
            assert_eq!(with_others.rules_out, own);
            let only_others = |fault, leg| (fault, leg) == (FaultKind::OtherBody, Leg::Client);
            assert_eq!(with_others.breaks_under(only_others).count(), 1, "{}", strategy.name());
            // Worked out once: the same slice again.
            let again = claim_of(strategy.as_ref(), StoreKind::Postgres, WITH_OTHERS);
            assert!(std::ptr::eq(with_others.breaks, again.breaks));
        }
        assert_eq!(refusing, ["etcd-lock-lease-id", "conditional-put", "idempotency-key"]);
        assert_eq!(mixing + refusing.len(), registry.iter().count());
    }

    #[test]
    fn with_a_reaper_the_claim_that_is_left_mixes_too() {
        let registry = Registry::default();
        let strategy = registry.get("dedup-table").unwrap();
        let asked = Hazards { reaps: true, other_bodies: true };
        let claim = claim_of(strategy.as_ref(), StoreKind::Sqlite, asked);
        let shown: Vec<Violation> = claim.breaks.iter().flat_map(|b| b.shows).copied().collect();
        assert_eq!(shown, [Violation::Duplicate, Violation::Mixed]);
        assert!(!claim.rules_out.contains(&Violation::Duplicate));
    }
}
