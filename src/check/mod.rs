//! Checks: one kind of violation per file, each a pure function over history and ledger; and the verdict.
//!
//! Invariant: no I/O, no clock, no randomness. The same code judges a run, a saved history and an explored schedule.
//!
//! An effect that stands in the ledger twice is one finding:
//!
//! ```
//! use std::time::Duration;
//!
//! use oncelab::check::{Case, Evidence, findings};
//! use oncelab::terms::{AccountId, ClientId, Delivery, Effect, Entry, MessageId, Request, Retries, Role, Shape, Violation};
//!
//! let effect = Effect { account: AccountId(0), amount: 10 };
//! let request = Request { id: MessageId(0), client: ClientId(0), sequence: 0, effect };
//! let entry = |number, balance, attempt| {
//!     let by = Delivery { attempt, copy: 0 };
//!     Entry { role: Role::STORE, number, message: request.id, account: effect.account, amount: 10, balance, token: None, by }
//! };
//! let requests = [request];
//! let ledger = [entry(1, 10, 0), entry(2, 20, 1)];
//! let case = Case::new(Evidence {
//!     requests: &requests,
//!     events: &[],
//!     ledger: &ledger,
//!     balances: None,
//!     effects: &[Role::STORE],
//!     disturbed: &[],
//!     retries: Retries::UntilAcknowledged,
//!     shape: Shape::Account,
//!     lease: Duration::from_secs(2),
//! });
//! let found = findings(&case);
//! assert_eq!(found.iter().map(|finding| finding.violation).collect::<Vec<_>>(), [Violation::Duplicate]);
//! ```

mod abandoned;
mod case;
mod cause;
mod denied;
mod deviating;
mod duplicate;
mod fired;
mod forgotten;
mod late;
mod lost;
mod mixed;
mod overlap;
mod refused;
mod reverted;
mod stale;
mod stuck;
mod tally;
#[cfg(test)]
pub(crate) mod testing;
mod told;
#[cfg(test)]
mod two_stores_tests;
mod verdict;
mod work;
mod wrong;

pub use crate::history::{Event, What};
pub use case::{Case, Evidence};
pub use fired::{Faults, Fired, Made};
pub use tally::Tally;
pub use told::Told;
pub use verdict::{Inconclusive, Verdict, is_met};
pub use work::Work;

use crate::terms::{Cause, MessageId, Role, Violation};

/// One broken guarantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub violation: Violation,
    pub message: MessageId,
    pub cause: Cause,
    /// The store at which it is, where the strategy keeps effects elsewhere than in the first store alone; none of what is about the
    /// message as a whole.
    pub at: Option<Role>,
    /// What was found, in words.
    pub detail: String,
}

/// Finds every violation: at most one of each kind per message at each store.
///
/// Of denied, refused, lost, stuck and late a message shows the first that fits: one fact is one finding. That a message is stuck is
/// said once, whatever the number of stores.
#[must_use]
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = duplicate::find(case);
    findings.extend(wrong::find(case));
    let survivors = lost::Survivors::of(case);
    let first = case.stores().next();
    for role in case.stores() {
        let fates = case.messages().filter_map(|message| {
            denied::of(case, role, message)
                .or_else(|| refused::of(case, role, message))
                .or_else(|| lost::of(case, &survivors, role, message))
                .or_else(|| stuck::of(case, message).filter(|_| Some(role) == first))
                .or_else(|| late::of(case, role, message))
        });
        findings.extend(fates);
    }
    for find in [abandoned::find, deviating::find, mixed::find, overlap::find, stale::find, reverted::find] {
        findings.extend(find(case));
    }
    name_stores(case, &mut findings);
    findings
}

/// Says at which store each finding is, where there is more than the first to be meant.
fn name_stores(case: &Case<'_>, findings: &mut [Finding]) {
    let is_first_alone = case.stores().all(|role| role == Role::STORE);
    for finding in findings {
        finding.at = finding.at.filter(|_| !is_first_alone);
        if let Some(role) = finding.at {
            finding.detail = format!("at the {}: {}", role.title(), finding.detail);
        }
    }
}
