//! A digest of classes, in whatever order they come: those of the shards add up to that of the whole.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::explore::Schedule;

/// The sum, modulo 2¹²⁸, of the first 16 bytes of the SHA-256 of each schedule's text.
///
/// A sum does not depend on the order. It shows that no class is missing and none comes twice: a class that is missing or comes
/// twice changes the sum, except by a chance of one in 2¹²⁸.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassDigest(u128);

impl ClassDigest {
    /// Takes one more schedule in.
    pub fn add(&mut self, schedule: &Schedule) {
        let hash = Sha256::digest(schedule.to_string());
        let (first, _) = hash.split_first_chunk::<16>().expect("SHA-256 has 32 bytes");
        self.0 = self.0.wrapping_add(u128::from_be_bytes(*first));
    }
}

impl std::ops::AddAssign for ClassDigest {
    /// Takes all that another one has taken in.
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl fmt::Display for ClassDigest {
    /// Prints 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ClassDigest;

    fn digest(schedules: &[&str]) -> ClassDigest {
        let mut digest = ClassDigest::default();
        schedules.iter().for_each(|text| digest.add(&text.parse().unwrap()));
        digest
    }

    #[test]
    fn the_order_does_not_matter_and_each_schedule_does() {
        let whole = digest(&["a b", "b a", "a? a b"]);
        assert_eq!(whole, digest(&["a? a b", "a b", "b a"]));
        assert_ne!(whole, digest(&["a b", "b a"]));
        assert_ne!(whole, digest(&["a b", "b a", "a? a b", "a? a b"]));
        assert_ne!(whole, digest(&["a b", "a b", "a? a b"]));
        let mut parts = digest(&["b a"]);
        parts += digest(&["a? a b", "a b"]);
        assert_eq!(parts, whole);
    }

    /// `printf 'a b' | sha256sum`, for whoever adds the parts up with other tools.
    #[test]
    fn it_is_the_beginning_of_sha_256() {
        assert_eq!(digest(&["a b"]).to_string(), "c8687a08aa5d6ed2044328fa6a697ab8");
        assert_eq!(digest(&[]).to_string(), "0".repeat(32));
    }
}
