//! What a strategy promises, as data: the lab holds it to this.

use crate::terms::{FaultKind, Leg, Retries, Violation};

/// The faults that last so long that clients give up, and go on to their next requests.
pub const GIVING_UP: &[FaultKind] = &[FaultKind::ServerPaused, FaultKind::ServerKilled, FaultKind::Partition];

/// A way to break a strategy: any of these faults, on any of these legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    pub faults: &'static [FaultKind],
    /// The legs on which the faults do it. A handler's own faults (pause, cancel, crash) happen on none.
    pub legs: &'static [Leg],
    /// The violations that it shows.
    pub shows: &'static [Violation],
    /// Why, in one sentence.
    pub because: &'static str,
}

/// The faults after which a request is delivered again although its effect may have been applied.
pub const REDELIVERY: &[FaultKind] = &[
    FaultKind::ReplyLost,
    FaultKind::LateLanding,
    FaultKind::Duplicated,
    FaultKind::Delayed,
    FaultKind::Pause,
    FaultKind::Cancel,
    FaultKind::Crash,
];

/// The faults that can come between an effect and the mark that remembers it, when these are two operations.
pub const BETWEEN_EFFECT_AND_MARK: &[FaultKind] = &[
    FaultKind::RequestLost,
    FaultKind::ReplyLost,
    FaultKind::LateLanding,
    FaultKind::Pause,
    FaultKind::Cancel,
    FaultKind::Crash,
];

/// What a strategy promises on one kind of store.
///
/// A strategy that never retries may lose a request, and must not repeat its effect:
///
/// ```
/// use oncelab::strategy::{Break, Claim};
/// use oncelab::terms::{FaultKind, Leg, Retries, Violation};
///
/// let claim = Claim {
///     promise: "at most once",
///     retries: Retries::Never,
///     rules_out: &[Violation::Wrong, Violation::Lost],
///     tolerates: &[Violation::Abandoned],
///     breaks: &[Break {
///         faults: &[FaultKind::Duplicated],
///         legs: &[Leg::Client],
///         shows: &[Violation::Duplicate],
///         because: "the copy is taken for another request",
///     }],
/// };
/// assert!(claim.counts(Violation::Duplicate) && !claim.counts(Violation::Abandoned));
/// // A lost reply alone does not break it.
/// assert_eq!(claim.breaks_under(|fault, _| fault == FaultKind::ReplyLost).count(), 0);
/// assert_eq!(claim.breaks_under(|fault, leg| fault == FaultKind::Duplicated && leg == Leg::Client).count(), 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The promise in words.
    pub promise: &'static str,
    pub retries: Retries,
    /// The violations that it rules out, whatever faults there are.
    pub rules_out: &'static [Violation],
    /// The violations that are part of what it promises, such as giving up where it promises at most one effect. They are
    /// counted and shown, and do not decide its verdict.
    pub tolerates: &'static [Violation],
    /// The faults that break it. Empty for a strategy whose effects are exactly once.
    pub breaks: &'static [Break],
}

impl Claim {
    /// Whether this violation counts against a strategy with this claim.
    #[must_use]
    pub fn counts(&self, violation: Violation) -> bool {
        !self.tolerates.contains(&violation)
    }

    /// Whether the claim tells when a strategy breaks: it names what breaks the strategy, or says that nothing does.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let is_spoken_of = |violation: &Violation| self.rules_out.contains(violation) || !self.counts(*violation);
        !self.breaks.is_empty() || Violation::ALL.iter().all(is_spoken_of)
    }

    /// The breaks that a set of faults can bring about. `active` tells whether a fault can happen on a leg.
    pub fn breaks_under(&self, active: impl Fn(FaultKind, Leg) -> bool) -> impl Iterator<Item = &'static Break> {
        let possible = move |b: &Break| b.faults.iter().any(|fault| b.legs.iter().any(|leg| active(*fault, *leg)));
        self.breaks.iter().filter(move |b| possible(b))
    }
}

#[cfg(test)]
mod tests {
    use super::Claim;
    use crate::strategy::Registry;
    use crate::terms::{StoreKind, Violation};

    fn every_claim() -> Vec<(&'static str, StoreKind, Claim)> {
        let registry = Registry::default();
        let on_each_store = |s: &std::sync::Arc<dyn crate::strategy::Strategy>| {
            [StoreKind::Sqlite, StoreKind::Postgres, StoreKind::Mariadb].map(|store| (s.name(), store, s.claim(store)))
        };
        registry.iter().flat_map(on_each_store).collect()
    }

    #[test]
    fn no_claim_rules_out_what_it_says_breaks_it() {
        for (name, store, claim) in every_claim() {
            for broken in claim.breaks.iter().flat_map(|b| b.shows) {
                assert!(
                    !claim.rules_out.contains(broken),
                    "{name} on {store:?} rules out {broken} and is broken to it"
                );
            }
        }
    }

    #[test]
    fn every_claim_names_what_breaks_it_or_says_that_nothing_does() {
        let claims = every_claim();
        assert_eq!(claims.len(), 3 * Registry::default().iter().count());
        for (name, store, claim) in claims {
            assert!(claim.is_whole(), "{name} {store:?}");
        }
    }

    #[test]
    fn a_claim_that_leaves_a_violation_open_and_names_no_break_is_not_whole() {
        let retries = crate::terms::Retries::UntilAcknowledged;
        let whole = Claim { promise: "all", retries, rules_out: &Violation::ALL, tolerates: &[], breaks: &[] };
        assert!(whole.is_whole() && !Claim { rules_out: &[Violation::Lost], ..whole }.is_whole());
    }
}
