//! Faults: their kinds, the level that an experiment asks for, the plan that decides each one, and the port that does it.

mod alarm;
mod dice;
mod disturbance;
mod disturber;
mod kind;
mod level;
mod outage;
mod plan;
mod port;
pub mod wire;

pub use alarm::Alarm;
pub use dice::{Dice, Question};
pub use disturbance::{BackendFault, Disturbance, Disturbed, Layer, Target};
pub use disturber::Disturber;
pub use kind::FaultKind;
pub use level::{ForOps, HandlerFaults, InvalidLevel, Level, MessageFaults, Millis, OpName, Probability};
pub use outage::Outage;
pub use plan::{Fate, Mishap, Plan, Verdict, When};
pub use port::{Downfall, FaultyPort, Limits, Surroundings};
