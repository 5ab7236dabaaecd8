//! `check` and `stats`, with as little of the rest as they need, out of the same files. [`run`](../run) mutates a copy of them.

#![allow(dead_code, unused_imports)]

#[path = "../../../src/check/mod.rs"]
pub mod check;
#[path = "../../../src/history/mod.rs"]
pub mod history;
#[path = "../../../src/stats/mod.rs"]
pub mod stats;
#[path = "../../../src/suggest.rs"]
pub mod suggest;
#[path = "../../../src/terms/mod.rs"]
pub mod terms;
#[path = "../../../src/world/mod.rs"]
pub mod world;

// Of the folders below only these files are needed. They lie here, where their `super` leads, and are known by their folders.
#[path = "../../../src/strategy/claim.rs"]
mod claim;
#[path = "../../../src/fault/level.rs"]
mod level;
#[path = "../../../src/service/facts.rs"]
mod facts;
#[path = "../../../src/service/ids.rs"]
mod ids;
#[path = "../../../src/service/op.rs"]
mod op;
#[path = "../../../src/service/sql.rs"]
mod sql;

#[path = "../../../src/service/store/program.rs"]
mod program;
mod store {
    pub(crate) use crate::program;
}

use ids::{HasIds, IdKind};
use op::{Op, Response};
use sql::Sql;

pub mod fault {
    pub use crate::level::{ForOps, HandlerFaults, InvalidLevel, Level, MessageFaults, Millis, OpName, Probability};
}

pub mod service {
    pub use crate::ids::{HasIds, IdKind, Ids};
    pub use crate::op::{Acts, Footprint, Item, Op, OpKind, Outcome, Response};
    pub use crate::sql::Sql;
    pub(crate) use crate::store;
}

pub mod strategy {
    use crate::terms::StoreKind;

    pub use crate::claim::{BETWEEN_EFFECT_AND_MARK, Break, Claim, REDELIVERY};

    /// A stand-in: the tests of claims go through it, and they are not run here.
    #[derive(Default)]
    pub struct Registry([std::sync::Arc<dyn Strategy>; 0]);

    /// A stand-in.
    pub trait Strategy {
        fn name(&self) -> &'static str;
        fn claim(&self, store: StoreKind) -> Claim;
    }

    impl Registry {
        pub fn iter(&self) -> std::slice::Iter<'_, std::sync::Arc<dyn Strategy>> {
            self.0.iter()
        }
    }
}
