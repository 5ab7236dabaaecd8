//! What a peer does, without I/O, and what a step touches of it.

use super::PeerService;
use super::books::{Charged, PeerBooks};
use super::op::{ACCOUNTS, KEYS, PeerOp, PeerResponse};
use crate::service::contract::Operation;
use crate::service::modelled::{Asker, Called, Model, ModelSettings, Modelled, Past};
use crate::service::touched::Touched;
use crate::service::{Item, Whose};
use crate::terms::{Balances, Effect, Entry, OutcomeOf, Profile, Session};

/// The state of a peer.
pub type PeerModel = PeerBooks;

impl Model for PeerBooks {
    type Op = PeerOp;
    type Response = PeerResponse;

    fn call(&mut self, _: Session, op: &PeerOp, by: &Asker, ledger: &mut Vec<Entry>) -> Called<PeerResponse> {
        Ok(OutcomeOf::Ok(match self.charge(op.effect(), op.key()) {
            Charged::Done(answer) => {
                let Effect { account, amount } = op.effect();
                ledger.push(Entry {
                    role: by.role,
                    number: ledger.len() as u64 + 1,
                    message: op.message(),
                    account,
                    amount: amount.into(),
                    balance: answer.0,
                    token: None,
                    by: by.by,
                });
                PeerResponse::Charged(answer)
            }
            Charged::Before(answer) => PeerResponse::Charged(answer),
            Charged::OtherCharge => PeerResponse::Refused,
        }))
    }

    fn begin_again(&mut self) {
        if !self.are_new() {
            *self = PeerBooks::default();
        }
    }

    /// Nothing in it is named after a lane or its connections.
    fn has_names(&self) -> bool {
        false
    }

    fn balances(&self) -> Balances {
        self.accounts.iter().map(|(account, balance)| (*account, *balance)).collect()
    }
}

/// Nothing of what a lane has done before says what its next step touches.
#[derive(Debug, Clone, Copy, Default)]
pub struct PeerPast;

fn bits(items: &[Item]) -> u64 {
    let bit = |item: &Item| match item.which {
        Whose::Account(account) if item.place == ACCOUNTS => 1 << (account.0 % 8),
        Whose::Message(key) if item.place == KEYS => 1 << (8 + key.0.min(40)),
        Whose::Account(_) | Whose::Message(_) | Whose::Client(_) | Whose::Asked(_) | Whose::Any => u64::MAX,
    };
    items.iter().map(bit).fold(0, |a, b| a | b)
}

impl Past for PeerPast {
    type Op = PeerOp;
    type Response = PeerResponse;

    fn follow(self, _: PeerOp, _: OutcomeOf<PeerResponse>) -> Self {
        self
    }

    fn touch(self, op: PeerOp, _: Profile) -> Touched {
        let footprint = op.footprint();
        Touched { reads: bits(&footprint.reads), writes: bits(&footprint.writes) }
    }
}

impl Modelled for PeerService {
    type Model = PeerModel;
    type Past = PeerPast;

    fn model(_: &ModelSettings) -> PeerModel {
        PeerBooks::default()
    }
}
