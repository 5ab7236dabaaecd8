//! What an exploration may use, and how it is watched and stopped.

/// Somebody who watches an exploration.
pub trait Watch {
    /// So many states have been gone through and so many schedules have been counted. False stops the exploration: it ends
    /// with what it has.
    fn goes_on(&mut self, states: u64, schedules: u128) -> bool;
}

/// Watches nothing, and stops nothing.
impl Watch for () {
    fn goes_on(&mut self, _: u64, _: u128) -> bool {
        true
    }
}

/// What an exploration may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes, roughly, for the states that it has to keep.
    pub memory_bytes: usize,
    /// How many states a search for causes looks at: those that differ by what led to them are many.
    pub caused_states: u64,
}

impl Default for Limits {
    /// Two gibibytes, and as many states as are gone through in a fraction of a second.
    fn default() -> Self {
        Limits { memory_bytes: 2 << 30, caused_states: 60_000 }
    }
}

/// How many states are gone through between two looks at the clock and the memory.
pub(super) const EVERY: u64 = 4096;
