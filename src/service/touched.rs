//! What steps touch of a service: two steps of different lanes that touch nothing in common can change places.

/// What is read and written of a service, as sets of bits. Each service says what its bits are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    pub reads: u64,
    pub writes: u64,
}

impl Touched {
    /// Nothing.
    pub const NOTHING: Touched = Touched { reads: 0, writes: 0 };

    /// Whatever there is, written.
    pub const ANYTHING: Touched = Touched { reads: 0, writes: u64::MAX };

    /// These bits, written.
    #[must_use]
    pub const fn writes(bits: u64) -> Self {
        Touched { reads: 0, writes: bits }
    }

    /// These bits, read.
    #[must_use]
    pub const fn reads(bits: u64) -> Self {
        Touched { reads: bits, writes: 0 }
    }

    /// This and that.
    #[must_use]
    pub const fn and(self, other: Touched) -> Self {
        Touched { reads: self.reads | other.reads, writes: self.writes | other.writes }
    }

    /// Whether the order of two steps can matter that touch these.
    #[must_use]
    pub const fn conflicts_with(self, other: Touched) -> bool {
        self.writes & (other.reads | other.writes) != 0 || other.writes & self.reads != 0
    }
}
