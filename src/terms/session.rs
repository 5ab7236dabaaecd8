//! Connections, by number.

/// A connection to the store. Fewer than 64 of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(pub u8);

/// A set of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sessions(u64);

impl Sessions {
    /// No connection.
    pub const NONE: Sessions = Sessions(0);

    /// Only this one.
    #[must_use]
    pub fn only(session: Session) -> Self {
        Sessions(1 << session.0)
    }

    /// Whether it is among them.
    #[must_use]
    pub fn contains(self, session: Session) -> bool {
        self.0 & (1 << session.0) != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Sessions) -> Self {
        Sessions(self.0 | other.0)
    }

    /// These without one.
    #[must_use]
    pub fn without(self, session: Session) -> Self {
        Sessions(self.0 & !(1 << session.0))
    }

    /// These without those.
    #[must_use]
    pub fn minus(self, others: Sessions) -> Self {
        Sessions(self.0 & !others.0)
    }

    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = Session> {
        (0..64).map(Session).filter(move |session| self.contains(*session))
    }

    /// Each under the name that the function says.
    pub(crate) fn rename(self, to: &impl Fn(Session) -> Session) -> Self {
        self.iter().map(to).map(Sessions::only).fold(Sessions::NONE, Sessions::and)
    }
}

impl FromIterator<Session> for Sessions {
    fn from_iter<I: IntoIterator<Item = Session>>(sessions: I) -> Self {
        sessions.into_iter().map(Sessions::only).fold(Sessions::NONE, Sessions::and)
    }
}
