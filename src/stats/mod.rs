//! Statistics, each with its source.

mod bootstrap;
mod compare;
mod fisher;
mod rate;
mod spells;
mod spread;

pub use bootstrap::{Interval, median_interval_95, ratio_interval_95};
pub use compare::{differs_by_more, holm, mann_whitney, smallest_p};
pub use fisher::fisher_exact;
pub use rate::{upper_bound_95, wilson_95};
pub use spells::without_spells;
pub use spread::{mad, median};
