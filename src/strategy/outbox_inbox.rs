//! outbox-inbox: X and a message in one transaction of the first store; a relay hands the message on, and X' in the second store is done
//! in one transaction with the message's id.
//!
//! Relay and inbox are one resident. No broker lies between them, so that handing over is a call: what can be lost of it is an operation
//! at the second store, and a second resident could meet nothing that the first does not.

use super::{Break, Claim, Need, REAPED, Reaped, Resident, SECOND_STORE, Strategy, Turn, finished};
use crate::terms::{Answer, FaultKind, Isolation, Leg, Reply, Request, Retries, Role, StoreKind, Trouble, Violation};
use crate::world::World;

/// What stands beside a message in the outbox that was handed on.
const SENT: u32 = 1;

/// What breaks it where the inbox is purged.
const PURGED: Break = Break {
    faults: &[FaultKind::RequestLost, FaultKind::ReplyLost, FaultKind::LateLanding],
    legs: &[Leg::STORE],
    shows: &[Violation::Duplicate],
    because: "nobody hears that the message was handed on, and the inbox has forgotten its id when it comes again",
};

pub(super) struct OutboxInbox;

#[async_trait::async_trait]
impl Strategy for OutboxInbox {
    fn name(&self) -> &'static str {
        "outbox-inbox"
    }

    fn steps(&self) -> &'static str {
        "T{INSERT outbox K; if fresh: X, store R; else read R}; relay: [read outbox] T{INSERT K; if fresh: X} (second) [mark sent]"
    }

    fn claim(&self, _: StoreKind) -> Claim {
        Claim {
            promise: "exactly once in each store, in the second some time later, while each keeps K",
            retries: Retries::UntilAcknowledged,
            rules_out: &Violation::ALL,
            tolerates: &[],
            breaks: &[],
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::STORE, Need::SECOND_STORE]
    }

    fn effects_in(&self) -> &'static [Role] {
        &[Role::STORE, Role::SECOND]
    }

    fn residents(&self) -> &'static [&'static dyn Resident] {
        &[&OutboxRelay]
    }

    fn reaper(&self) -> Option<Reaped> {
        let claim = Claim { breaks: &const { [REAPED.claim.breaks[0], PURGED] }, ..REAPED.claim };
        Some(Reaped { reaper: &OutboxPurge, claim })
    }

    fn belongs_to_a_scenario(&self) -> bool {
        true
    }

    async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
        world.store().begin(Isolation::ReadCommitted).await?;
        if !world.store().put_in_outbox(request.id).await? {
            let answer = world.store().read_answer(request.id).await?;
            world.store().rollback().await?;
            return finished(answer);
        }
        let answer = world.store().apply(request).await?;
        world.store().store_answer(request.id, answer).await?;
        world.store().commit().await?;
        Ok(answer)
    }
}

/// Hands on what is in the outbox, and remembers afterwards that it did.
struct OutboxRelay;

#[async_trait::async_trait]
impl Resident for OutboxRelay {
    fn name(&self) -> &'static str {
        "relay"
    }

    async fn turn(&self, world: &mut World<'_>, about: &Request) -> Result<Turn, Trouble> {
        match world.store().read_outbox(about.id).await? {
            None => return Ok(Turn::Again),
            Some(sent) if sent == Answer(SENT.into()) => return Ok(Turn::Done),
            Some(_) => {}
        }
        receive(world, about).await?;
        world.store().mark_sent(about.id, SENT).await?;
        Ok(Turn::Done)
    }
}

/// The inbox: whoever receives a message remembers its id with what it does about it.
async fn receive(world: &mut World<'_>, message: &Request) -> Result<(), Trouble> {
    world.at(&SECOND_STORE).begin(Isolation::ReadCommitted).await?;
    if world.at(&SECOND_STORE).claim(message.id).await? {
        world.at(&SECOND_STORE).apply(message).await?;
    }
    world.at(&SECOND_STORE).commit().await
}

/// Purges the inbox after a while, and the outbox of what was handed on.
struct OutboxPurge;

#[async_trait::async_trait]
impl Resident for OutboxPurge {
    fn name(&self) -> &'static str {
        "reaper"
    }

    async fn turn(&self, world: &mut World<'_>, about: &Request) -> Result<Turn, Trouble> {
        world.at(&SECOND_STORE).forget(about.id).await?;
        if world.store().read_outbox(about.id).await? != Some(Answer(SENT.into())) {
            return Ok(Turn::Again);
        }
        world.store().forget(about.id).await?;
        Ok(Turn::Done)
    }
}
