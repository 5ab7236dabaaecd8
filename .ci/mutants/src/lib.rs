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

pub mod fault {
    pub use crate::level::{ForOps, HandlerFaults, InvalidLevel, Level, MessageFaults, Millis, OpName, Probability};
}

pub mod service;

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
