//! Exit codes. When several apply, the first of 70, 1, 4, 3, 0 that does; an interruption comes before them all.

/// Every expectation was met.
pub const MET: u8 = 0;
/// An expectation was not met: a guarantee that should hold was broken, or an experiment has lost its teeth.
pub const BROKEN: u8 = 1;
/// The command line or an experiment is wrong, or the folder of a run: it is damaged, or lacks the histories that are needed.
pub const USAGE: u8 = 2;
/// Nothing was broken, and nothing was shown either.
pub const INCONCLUSIVE: u8 = 3;
/// A backend that is required is not there.
pub const UNAVAILABLE: u8 = 4;
/// A bug of the lab's or of a strategy's, or trouble with files.
pub const INTERNAL: u8 = 70;
/// Interrupted; what was finished is saved.
pub const INTERRUPTED: u8 = 130;
