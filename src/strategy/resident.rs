//! Residents: actors that work for the system, and begin with it.

use super::{Break, Claim, Strategy};
use crate::terms::{FaultKind, Leg, Request, Retries, Trouble, Violation};
use crate::world::World;

/// Something that works for the system, without a delivery and without a client. It begins when the system does.
///
/// In an exploration each of its turns is a lane of its own, behind the lanes of the deliveries: one turn for each request. Under load
/// it is a task with connections of its own, which takes a turn for each request some time after the request came first, and again
/// until the turn says that it is done.
#[async_trait::async_trait]
pub trait Resident: Send + Sync {
    /// The name in stories and diagrams, e.g. `reaper`.
    fn name(&self) -> &'static str;

    /// One turn, about a request that may have come.
    ///
    /// # Errors
    /// Why it could not do its work. Under load it tries again later.
    async fn turn(&self, world: &mut World<'_>, about: &Request) -> Result<Turn, Trouble>;
}

/// What a turn came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There is nothing left to do for this request.
    Done,
    /// There was nothing to do yet.
    Again,
}

/// What forgets the ids of a strategy where that is asked for, and what the strategy still promises then.
#[derive(Clone, Copy)]
pub struct Reaped {
    pub reaper: &'static dyn Resident,
    pub claim: Claim,
}

/// A strategy that does each request once while its id is kept, and keeps its ids in the first store: what is left of that when the ids
/// are forgotten.
pub const REAPED: Reaped = Reaped {
    reaper: &Reaper,
    claim: Claim {
        promise: "exactly once while K is kept, and K is forgotten after a while",
        retries: Retries::UntilAcknowledged,
        rules_out: &const {
            Violation::all_but::<{ Violation::ALL.len() - 2 }>(&[Violation::Duplicate, Violation::Deviating])
        },
        tolerates: &[],
        breaks: &[Break {
            faults: &[FaultKind::ReplyLost, FaultKind::LateLanding],
            legs: &[Leg::Client],
            shows: &[Violation::Duplicate],
            because: "the id has been forgotten when the request comes again",
        }],
    },
};

/// Forgets what was remembered of a request.
struct Reaper;

#[async_trait::async_trait]
impl Resident for Reaper {
    fn name(&self) -> &'static str {
        "reaper"
    }

    async fn turn(&self, world: &mut World<'_>, about: &Request) -> Result<Turn, Trouble> {
        world.store().forget(about.id).await?;
        Ok(Turn::Done)
    }
}

/// The residents of a strategy, the reaper last if it is asked for.
#[must_use]
pub fn residents_of(strategy: &dyn Strategy, reaps: bool) -> Vec<&'static dyn Resident> {
    let reaper = strategy.reaper().filter(|_| reaps).map(|reaped| reaped.reaper);
    strategy.residents().iter().copied().chain(reaper).collect()
}
