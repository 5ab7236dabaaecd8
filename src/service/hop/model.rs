//! What the hop does, without I/O: nothing is kept on the way but what is in flight, which the rules of a step know.

use super::op::{HopOp, HopResponse};
use super::service::HopService;
use crate::service::modelled::{Asker, Called, Model, ModelSettings, Modelled, Past};
use crate::service::touched::Touched;
use crate::terms::{Entry, OutcomeOf, Profile, Session};

/// The hop. It has no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct HopModel;

impl Model for HopModel {
    type Op = HopOp;
    type Response = HopResponse;

    #[inline]
    fn call(&mut self, _: Session, op: &HopOp, _: &Asker, _: &mut Vec<Entry>) -> Called<HopResponse> {
        Ok(OutcomeOf::Ok(op.reply().map_or(HopResponse::Arrived, HopResponse::Heard)))
    }

    fn begin_again(&mut self) {}

    fn has_names(&self) -> bool {
        false
    }
}

/// What a lane does on the hop touches nothing that another lane could.
#[derive(Debug, Clone, Copy, Default)]
pub struct HopPast;

impl Past for HopPast {
    type Op = HopOp;
    type Response = HopResponse;

    fn follow(self, _: HopOp, _: OutcomeOf<HopResponse>) -> Self {
        self
    }

    fn touch(self, _: HopOp, _: Profile) -> Touched {
        Touched::NOTHING
    }

    /// A handler begins, and has touched nothing yet.
    fn later() -> Touched {
        Touched::NOTHING
    }
}

impl Modelled for HopService {
    type Model = HopModel;
    type Past = HopPast;

    fn model(_: &ModelSettings) -> HopModel {
        HopModel
    }
}
