//! Faults: their kinds, the level that an experiment asks for, the plan that decides each one, and the port that does it.

mod alarm;
mod beside;
mod dice;
mod disturber;
mod level;
mod outage;
mod plan;
mod port;

pub use alarm::Alarm;
pub use dice::{Dice, Question};
pub use disturber::Disturber;
pub use level::{ForOps, HandlerFaults, InvalidLevel, Level, MessageFaults, Millis, OpName, Probability};
pub use outage::Outage;
pub use plan::{Decision, MessageFate, Mishap, Plan, When};
pub use port::{Downfall, FaultyPort, Surroundings};
