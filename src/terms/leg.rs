//! The hops that a message crosses.

/// One of the hops that a message crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// Between client and handler.
    Client,
    /// Between handler and store.
    Store,
    /// Between handler and lock service.
    Lock,
}

impl Leg {
    /// Every leg, in the order in which a request crosses them.
    pub const ALL: [Leg; 3] = [Leg::Client, Leg::Store, Leg::Lock];

    /// The name of this leg in experiments and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Leg::Client => "client",
            Leg::Store => "store",
            Leg::Lock => "lock",
        }
    }
}
