//! What things are called in a schedule, and what the servers call them.

use super::{AskedThing, CONTRADICTION, Gate};
use crate::explore::ACCOUNTS;
use crate::service::{HasIds, IdKind};
use crate::world::{Op, Outcome};

impl Gate {
    /// What was asked for under this name.
    pub(super) fn asked(&self, name: i64) -> Option<AskedThing> {
        self.asked.iter().find(|asked| asked.name == name).copied()
    }

    /// An operation as the servers know it.
    pub(super) fn translated(&self, op: Op) -> Op {
        // Whatever a strategy asks for is translated: what there is not in the model, there is not on the server.
        op.map_ids(&mut |kind, id| match kind {
            IdKind::Message => (i64::from(self.base()) + id) & i64::from(u32::MAX),
            IdKind::Account if id < i64::from(ACCOUNTS) => i64::from(self.first_account()) + id,
            IdKind::Account => u32::MAX.into(),
            // A client has a message at the least, so that there are no more clients than messages; and a number has 16 bits.
            IdKind::Client => (i64::from(self.base()) + id) & i64::from(u16::MAX),
            // One that was never granted is known to nobody.
            IdKind::Asked => self.asked(id).map_or(i64::MAX - id, |asked| asked.real),
            IdKind::Ranked => {
                let known = self.tokens.iter().rev().find(|(number, _)| *number == id);
                known.map_or(id, |(_, real)| *real)
            }
        })
    }

    /// The number of a token: the model's, if the token has the place among the others that it has in the model.
    ///
    /// A token is the revision of the whole lock service, which others raise too: two that are the same in the model may
    /// differ.
    fn number_of(&mut self, real: i64) -> i64 {
        let known = self.tokens.iter().find(|(_, its)| *its == real).map(|(number, _)| *number);
        let next = || self.tokens.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
        let number = self.expected_token.or(known).unwrap_or_else(next);
        let in_order = |(other, its): &(i64, i64)| match other.cmp(&number) {
            std::cmp::Ordering::Less => *its < real,
            std::cmp::Ordering::Equal => true,
            std::cmp::Ordering::Greater => *its > real,
        };
        let number = if self.tokens.iter().all(in_order) { number } else { CONTRADICTION };
        self.tokens.push((number, real));
        number
    }

    /// An outcome as the model would name it.
    pub(super) fn as_named(&mut self, outcome: Outcome) -> Outcome {
        let Outcome::Ok(response) = outcome else { return outcome };
        Outcome::Ok(response.map_ids(&mut |kind, id| match kind {
            IdKind::Ranked => {
                self.remarks.push(format!("revision {id}"));
                self.number_of(id)
            }
            IdKind::Asked | IdKind::Message | IdKind::Account | IdKind::Client => id,
        }))
    }
}
