//! Faults: their kinds, the level that an experiment asks for, the plan that decides each one, and the port that does it.

#[cfg(feature = "lab")]
mod alarm;
#[cfg(feature = "lab")]
mod dice;
#[cfg(feature = "lab")]
mod disturber;
mod level;
#[cfg(feature = "lab")]
mod outage;
#[cfg(feature = "lab")]
mod plan;
#[cfg(feature = "lab")]
mod port;

#[cfg(feature = "lab")]
pub use alarm::Alarm;
#[cfg(feature = "lab")]
pub use dice::{Dice, Question};
#[cfg(feature = "lab")]
pub use disturber::Disturber;
pub use level::{ForOps, HandlerFaults, InvalidLevel, Level, MessageFaults, Millis, OpName, Probability};
#[cfg(feature = "lab")]
pub use outage::Outage;
#[cfg(feature = "lab")]
pub use plan::{Decision, MessageFate, Mishap, Plan, When};
#[cfg(feature = "lab")]
pub use port::{Downfall, FaultyPort, Surroundings};
