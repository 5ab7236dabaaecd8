//! Batches: several deliveries that are handled at once, and operations that are made for all of them together. What happens to such
//! an operation, the plan decides by the first delivery.

use std::sync::Arc;

use tokio::time::{sleep, timeout};

use super::{AtHand, FaultyPort, Link, limit_of, took_us};
use crate::fault::plan::{MessageFate, Mishap, When};
use crate::history::{Event, SHORT, What};
use crate::service::Connection;
use crate::service::IdKind;
use crate::terms::{Delivery, Failure, FaultKind, Layer, MessageId};
use crate::wire::WireFault;
use crate::world::{Op, OpKind, Outcome};

/// A delivery of a batch.
type BatchMember = (MessageId, Delivery);

impl FaultyPort {
    /// Turns to a batch of deliveries, each of another request.
    ///
    /// # Panics
    /// If there is none.
    pub fn begin_batch(&mut self, mut members: impl Iterator<Item = BatchMember>) {
        let (message, delivery) = members.next().expect("a batch has a delivery");
        self.at_hand = AtHand { message, delivery, made: [0; OpKind::PLACES] };
        self.others = members.collect();
        self.note_of_all(What::Arrived);
    }

    /// Writes down something that happens now to a delivery of the batch at hand.
    pub fn note_of(&mut self, message: MessageId, delivery: Delivery, what: What) {
        let at_ns = self.recorder.clock().now_ns();
        self.recorder.record(Event { at_ns, message, delivery, handler: self.handler, what });
    }

    /// Writes down something that happens now to every delivery at hand.
    pub(super) fn note_of_all(&mut self, what: What) {
        self.note(what);
        for n in 0..self.others.len() {
            let (message, delivery) = self.others[n];
            self.note_of(message, delivery, what);
        }
    }

    /// The delivery at hand that an operation is made for: the first, if it is about none of their messages.
    pub(super) fn member_of(&self, op: Op) -> BatchMember {
        let first = (self.at_hand.message, self.at_hand.delivery);
        if self.others.is_empty() {
            return first;
        }
        let about = crate::service::first_id(op.of, IdKind::Message);
        let is_its = |(message, _): &&BatchMember| about == Some(i64::from(message.0));
        self.others.iter().find(is_its).copied().unwrap_or(first)
    }

    pub(super) async fn carry_all(&mut self, ops: Vec<Op>) -> Vec<Outcome> {
        let Some(first) = ops.first().copied() else { return Vec::new() };
        let kind = first.kind();
        let nth = self.at_hand.made[kind.place()];
        self.at_hand.made[kind.place()] = nth.saturating_add(1);
        let (message, delivery) = self.member_of(first);
        let verdict = self.around.plan.operation(message, delivery, kind, nth);

        if let Some(Mishap::Crash { when: When::Before }) = verdict.mishap {
            self.crash().await;
        }
        if let Some(delay) = verdict.delay {
            sleep(delay).await;
        }
        if let Some(Mishap::Pause { when: When::Before, lasting }) = verdict.mishap {
            self.pause(lasting).await;
        }
        let at_ns = self.recorder.clock().now_ns();
        if let Some(Mishap::Cancel { after }) = verdict.mishap {
            let outcomes = timeout(after, self.execute_all(&ops)).await.ok();
            self.note_calls(
                at_ns,
                &ops,
                |n| outcomes.as_ref().map(|outcomes| outcomes[n]),
                None,
                verdict.delay.is_some(),
            );
            self.note_of_all(What::Cancelled);
            self.downfall.announce(FaultKind::Cancel);
            std::future::pending::<()>().await;
        }
        let is_once = verdict.fate == MessageFate::Duplicated && !self.is_repeatable(first);
        let fate = if is_once { MessageFate::Arrives } else { verdict.fate };
        let (outcomes, fault) = match self.around.layer {
            Layer::Port => (self.meet_all(fate, &ops).await, fate.fault()),
            Layer::Wire => self.meet_all_on_the_wire(fate, &ops).await,
        };
        self.note_calls(at_ns, &ops, |n| Some(outcomes[n]), fault, verdict.delay.is_some());
        match verdict.mishap {
            Some(Mishap::Pause { when: When::After, lasting }) => self.pause(lasting).await,
            Some(Mishap::Crash { when: When::After }) => self.crash().await,
            _ => {}
        }
        outcomes
    }

    /// Writes down what was made for each delivery. A fault happened once, to the statement, and stands with the first.
    fn note_calls(
        &mut self,
        at_ns: u64,
        ops: &[Op],
        outcome: impl Fn(usize) -> Option<Outcome>,
        fault: Option<FaultKind>,
        delayed: bool,
    ) {
        let took_us = took_us(self.recorder.clock().now_ns() - at_ns);
        for (n, op) in ops.iter().enumerate() {
            let (message, delivery) = self.member_of(*op);
            let is_first = n == 0;
            let what = What::Called {
                op: *op,
                outcome: outcome(n),
                fault: fault.filter(|_| is_first),
                delayed: delayed && is_first,
                took_us,
            };
            self.recorder.record(Event { at_ns, message, delivery, handler: self.handler, what });
        }
    }

    async fn meet_all(&mut self, fate: MessageFate, ops: &[Op]) -> Vec<Outcome> {
        let role = ops[0].role;
        match fate {
            MessageFate::Arrives | MessageFate::OtherBody => return self.execute_all(ops).await,
            MessageFate::Duplicated => {
                self.execute_all(ops).await;
                return self.execute_all(ops).await;
            }
            MessageFate::RequestLost => self.links[role].cut(),
            MessageFate::ReplyLost => {
                self.execute_all(ops).await;
                self.links[role].cut();
            }
            MessageFate::Late(after) => match self.session(role).await {
                Ok(mut session) => {
                    let members = self.members_of(ops);
                    let alarm = self.around.alarm.clone();
                    let made: Vec<_> = ops.iter().zip(&members).map(|(op, (_, by))| (op.of, *by)).collect();
                    self.land_all(ops, self.around.limits.loss_noticed + after, move |limit| async move {
                        match timeout(limit, session.execute_all(made)).await {
                            Ok(Ok(outcomes)) => Some(outcomes),
                            Ok(Err(error)) => {
                                alarm.raise(role, error);
                                None
                            }
                            Err(_elapsed) => None,
                        }
                    });
                }
                Err(error) => {
                    self.raise(role, error);
                }
            },
        }
        sleep(self.around.limits.loss_noticed).await;
        vec![Outcome::Unknown; ops.len()]
    }

    async fn meet_all_on_the_wire(&mut self, fate: MessageFate, ops: &[Op]) -> (Vec<Outcome>, Option<FaultKind>) {
        let (role, unknown) = (ops[0].role, || vec![Outcome::Unknown; ops.len()]);
        let (fault, after) = match fate {
            MessageFate::Arrives | MessageFate::OtherBody => return (self.execute_all(ops).await, None),
            MessageFate::Duplicated => return (self.meet_all(fate, ops).await, fate.fault()),
            MessageFate::RequestLost => (WireFault::LoseRequest, None),
            MessageFate::ReplyLost => (WireFault::LoseReply, None),
            MessageFate::Late(after) => (WireFault::Hold, Some(after)),
        };
        let in_transaction = self.links[role].in_transaction;
        let mut session = match self.session(role).await {
            Ok(session) => session,
            Err(error) => {
                self.raise(role, error);
                return (unknown(), None);
            }
        };
        let Some(wire) = session.wire(ops[0].of) else {
            self.links[role] = Link { session: Some(session), in_transaction };
            return (self.execute_all(ops).await, None);
        };
        wire.arm(fault);
        let outcomes = self.on_session(&mut session, ops).await;
        if wire.disarm() {
            // No request was made of it.
            return (outcomes.unwrap_or_else(unknown), None);
        }
        if let Some(after) = after {
            self.land_all(ops, self.around.limits.loss_noticed + after, move |limit| async move {
                let _ = timeout(limit, wire.release()).await;
                None
            });
        }
        sleep(self.around.limits.loss_noticed).await;
        (unknown(), fate.fault())
    }

    /// Sends operations to their backend. If this is dropped in the middle, so is the connection.
    async fn execute_all(&mut self, ops: &[Op]) -> Vec<Outcome> {
        let role = ops[0].role;
        let in_transaction = self.links[role].in_transaction;
        let unknown = || vec![Outcome::Unknown; ops.len()];
        let mut session = match self.session(role).await {
            Ok(session) => session,
            Err(error) => {
                self.raise(role, error);
                return unknown();
            }
        };
        let Some(outcomes) = self.on_session(&mut session, ops).await else { return unknown() };
        match outcomes.first() {
            Some(Outcome::Unknown) => {}
            Some(unavailable @ Outcome::Failed(Failure::Unavailable)) => {
                let outcome = self.miss(role, *unavailable);
                return vec![outcome; ops.len()];
            }
            Some(Outcome::Ok(_) | Outcome::Failed(_)) | None => {
                self.around.outages[role].is_over();
                self.links[role] = Link { session: Some(session), in_transaction };
            }
        }
        outcomes
    }

    /// What the operations come to on a connection; nothing if nobody can tell.
    async fn on_session(&mut self, session: &mut Box<dyn Connection>, ops: &[Op]) -> Option<Vec<Outcome>> {
        let made = ops.iter().zip(self.members_of(ops)).map(|(op, (_, by))| (op.of, by)).collect();
        let limit = limit_of(&self.around.limits, &ops[0], self.at_hand.delivery);
        match timeout(limit, session.execute_all(made)).await {
            Ok(Ok(outcomes)) => Some(outcomes),
            Ok(Err(error)) => {
                self.raise(ops[0].role, error);
                None
            }
            Err(_elapsed) => None,
        }
    }

    fn members_of(&self, ops: &[Op]) -> Vec<BatchMember> {
        ops.iter().map(|op| self.member_of(*op)).collect()
    }

    /// Lets operations land after a while, and writes down when they did.
    fn land_all<F: Future<Output = Option<Vec<Outcome>>> + Send>(
        &self,
        ops: &[Op],
        wait: std::time::Duration,
        landing: impl FnOnce(std::time::Duration) -> F + Send + 'static,
    ) {
        let (around, handler) = (Arc::clone(&self.around), self.handler);
        let (ops, members) = (ops.to_vec(), self.members_of(ops));
        self.around.landings.spawn(async move {
            sleep(wait).await;
            let mut recorder = around.recorders.recorder(SHORT);
            let at_ns = recorder.clock().now_ns();
            let outcomes = landing(limit_of(&around.limits, &ops[0], members[0].1)).await;
            for (n, (op, (message, delivery))) in ops.into_iter().zip(members).enumerate() {
                let outcome = outcomes.as_ref().map(|outcomes| outcomes[n]);
                recorder.record(Event { at_ns, message, delivery, handler, what: What::Landed { op, outcome } });
            }
        });
    }
}
