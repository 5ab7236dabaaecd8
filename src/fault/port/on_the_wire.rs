//! Operations whose messages meet their faults on the wire.

use tokio::time::{sleep, timeout};

use super::{FaultyPort, Link, limit_of};
use crate::fault::plan::MessageFate;
use crate::terms::{Failure, FaultKind};
use crate::wire::WireFault;
use crate::world::{Op, Outcome};

impl FaultyPort {
    /// Lets an operation meet its fate on the wire, and says what happened to it: nothing, if no request of it was made.
    pub(super) async fn meet_on_the_wire(&mut self, fate: MessageFate, op: Op) -> (Outcome, Option<FaultKind>) {
        let (fault, after) = match fate {
            MessageFate::Arrives | MessageFate::OtherBody => return (self.execute(op).await, None),
            // What repeats a message under TCP is not the wire, but something that speaks the protocol.
            MessageFate::Duplicated => return (self.meet(fate, op).await, fate.fault()),
            MessageFate::RequestLost => (WireFault::LoseRequest, None),
            MessageFate::ReplyLost => (WireFault::LoseReply, None),
            MessageFate::Late(after) => (WireFault::Hold, Some(after)),
        };
        let role = op.role;
        let in_transaction = self.links[role].in_transaction;
        let mut session = match self.session(role).await {
            Ok(session) => session,
            Err(error) => return (self.raise(role, error), None),
        };
        // A connection that could not be made has no wire.
        let Some(wire) = session.wire(op.of) else {
            self.links[role] = Link { session: Some(session), in_transaction };
            return (self.execute(op).await, None);
        };
        let before = wire.requests();
        wire.arm(fault);
        let limit = limit_of(&self.around.limits, &op, self.at_hand.delivery);
        let outcome = timeout(limit, session.execute(op.of, self.member_of(op).1)).await;
        if wire.disarm() {
            // The driver refused without a request: that is an outcome like any other.
            return match outcome {
                Ok(Ok(outcome)) if !matches!(outcome, Outcome::Unknown | Outcome::Failed(Failure::Unavailable)) => {
                    self.links[role] = Link { session: Some(session), in_transaction };
                    (outcome, None)
                }
                Ok(Ok(outcome)) => (outcome, None),
                Ok(Err(error)) => (self.raise(role, error), None),
                Err(_elapsed) => (Outcome::Unknown, None),
            };
        }
        let requests = wire.requests() - before;
        if let Some(after) = after {
            // What the server answers is for nobody to read: only that it has finished is known.
            self.land(op, self.around.limits.loss_noticed + after, move |limit| async move {
                let _ = timeout(limit, wire.release()).await;
                None
            });
        }
        if let Ok(Ok(mended @ Outcome::Ok(_))) = outcome
            && session.mends()
        {
            self.note_requests(op, requests);
            // What is held belongs to this connection, and the next operation is to have one on which nothing is.
            if after.is_none() {
                self.links[role] = Link { session: Some(session), in_transaction };
            }
            return (mended, fate.fault());
        }
        sleep(self.around.limits.loss_noticed).await;
        (Outcome::Unknown, fate.fault())
    }
}
