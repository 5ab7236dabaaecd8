//! Faults: their kinds, the level that an experiment asks for, the plan that decides each one, and the port that does it.

#[cfg(feature = "lab")]
mod alarm;
#[cfg(feature = "lab")]
mod beside;
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
pub(crate) use {
    dice::{Dice, Question},
    plan::MessageFate,
};

// Open to the tests and the benches, which are crates of their own.
pub use level::{ForOps, HandlerFaults, InvalidLevel, Level, MessageFaults, Millis, OpName, Probability};
#[cfg(feature = "lab")]
pub use {
    alarm::Alarm,
    disturber::Disturber,
    outage::Outage,
    plan::Plan,
    port::{Downfall, FaultyPort, Surroundings},
};
