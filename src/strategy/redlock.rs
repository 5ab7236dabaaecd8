//! redlock: a lock that a majority of three masters of Redis agree on, each with a key of its own.

use super::{Break, Claim, Need, REDELIVERY, Reaped, Restart, Strategy};
use crate::service::redis::Master;
use crate::terms::{FaultKind, Leg, Reply, Request, Retries, StoreKind, Trouble, Violation};
use crate::world::World;

pub(super) struct Redlock;

pub(super) const CLAIM: Claim = Claim {
    promise: "efficiency only: work is seldom done twice at once",
    retries: Retries::UntilAcknowledged,
    rules_out: &[
        Violation::Wrong,
        Violation::Denied,
        Violation::Refused,
        Violation::Lost,
        Violation::Abandoned,
        Violation::Stuck,
    ],
    tolerates: &[],
    breaks: &[
        Break {
            faults: REDELIVERY,
            legs: &[Leg::Client, Leg::STORE],
            shows: &[Violation::Duplicate, Violation::Deviating],
            because: "the retry is alone in the critical section, and does it again",
        },
        Break {
            faults: &[FaultKind::Pause],
            legs: &[Leg::Client, Leg::STORE],
            shows: &[Violation::Overlap],
            because: "the keys have run out at all masters, and another holds the lock",
        },
    ],
};

#[async_trait::async_trait]
impl Strategy for Redlock {
    fn name(&self) -> &'static str {
        "redlock"
    }

    fn steps(&self) -> &'static str {
        "[SET lock NX PX] at each of three masters; if two say yes: [X]; [DEL lock if it is mine] at each"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        CLAIM
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::MASTERS]
    }

    fn has_timers(&self) -> bool {
        true
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    /// The second master.
    fn reaper(&self) -> Option<Reaped> {
        const { Some(Reaped { reaper: &Restart(Master(1)), claim: CLAIM }) }
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        act_with_a_majority(world, request).await
    }
}

/// Does what is asked for if a majority of the masters says yes, and lets go at each of them.
pub(super) async fn act_with_a_majority(world: &mut World<'_>, request: &Request) -> Reply {
    let mut votes = 0;
    for master in Master::all() {
        // One that does not answer is one that has not said yes.
        votes += u8::from(matches!(world.cache().set_vote(request, master, votes).await, Ok(true)));
    }
    let answer = match votes >= Master::MAJORITY {
        true => world.store().apply(request).await,
        false => Err(Trouble::InProgress),
    };
    for master in Master::all() {
        let _ = world.cache().delete_vote(request, master).await;
    }
    answer
}
