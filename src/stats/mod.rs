//! Statistics, each with its source.

mod bootstrap;
mod compare;
mod fisher;
mod rate;
mod spells;
mod spread;

pub(crate) use bootstrap::{Interval, ratio_interval_95};
pub(crate) use compare::{differs_by_more, holm, smallest_p};
pub(crate) use rate::upper_bound_95;
pub(crate) use spells::without_spells;
pub(crate) use spread::mad;

// Open to the tests and the benches, which are crates of their own.
pub use bootstrap::median_interval_95;
pub use fisher::fisher_exact;
pub use rate::wilson_95;
pub use spread::median;
