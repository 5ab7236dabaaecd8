//! Exit codes. When several apply, the first of 70, 1, 4, 3, 0 that does; an interruption comes before them all.

/// Every expectation was met.
pub const MET: u8 = 0;
/// An expectation was not met: a guarantee that should hold was broken, an experiment has lost its teeth, or in a run a
/// strategy failed: it panicked, or did not come to an end.
pub const BROKEN: u8 = 1;
/// What was asked for cannot be done so: the command line or an experiment is wrong, a folder of a run is damaged, lacks the histories
/// that are needed or is being written by another process, a path cannot be read or written, or the machine has too little.
pub const USAGE: u8 = 2;
/// Nothing was broken, and nothing was shown either.
pub const INCONCLUSIVE: u8 = 3;
/// A backend that is required is not there.
pub const UNAVAILABLE: u8 = 4;
/// A bug of the lab's: nothing that is given to it comes to this.
pub const INTERNAL: u8 = 70;
/// Interrupted; what was finished is saved.
pub const INTERRUPTED: u8 = 130;
