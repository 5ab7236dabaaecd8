//! Sets of violations, and violations with their causes.

use crate::terms::{Cause, Violation};

/// A violation, and what led to it.
pub type Why = (Violation, Cause);

/// Kinds of violations, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Violations(u16);

impl Violations {
    /// None.
    pub const NONE: Violations = Violations(0);

    /// Whether it is among them.
    #[must_use]
    pub fn contains(self, violation: Violation) -> bool {
        self.0 & 1 << violation as u16 != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These and those.
    #[must_use]
    pub fn and(self, other: Violations) -> Self {
        Violations(self.0 | other.0)
    }

    /// These without those.
    #[must_use]
    pub fn without(self, other: Violations) -> Self {
        Violations(self.0 & !other.0)
    }

    /// Those that are in both.
    #[must_use]
    pub fn among(self, other: Violations) -> Self {
        Violations(self.0 & other.0)
    }

    /// One by one, in the order of reports.
    pub fn iter(self) -> impl Iterator<Item = Violation> {
        Violation::ALL.into_iter().filter(move |violation| self.contains(*violation))
    }
}

impl FromIterator<Violation> for Violations {
    fn from_iter<I: IntoIterator<Item = Violation>>(violations: I) -> Self {
        Violations(violations.into_iter().map(|violation| 1 << violation as u16).fold(0, |a, b| a | b))
    }
}
