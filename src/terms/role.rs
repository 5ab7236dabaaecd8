//! The parts that services play for a strategy.

/// The part that a service plays for a strategy, e.g. the store of its effects. A strategy with two stores has two roles for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(u8);

/// Every role by number: its name, and what its service is called in sentences and diagrams.
const NAMES: [(&str, &str); 7] = [
    ("store", "store"),
    ("lock", "lock service"),
    ("second", "second store"),
    ("peer", "peer"),
    ("cache", "cache"),
    ("broker", "broker"),
    ("hop", "hop between client and handler"),
];

// Sets of roles are sets of 8 bits; each role stands at its number.
const _: () = {
    assert!(NAMES.len() <= 8);
    let mut n = 0;
    while n < NAMES.len() {
        assert!(Role::ALL[n].number() == n);
        n += 1;
    }
};

impl Role {
    /// The store that a strategy keeps its effects in.
    pub const STORE: Role = Role(0);
    /// The lock service.
    pub const LOCK: Role = Role(1);
    /// A second store, or whatever else a strategy needs beside the first.
    pub const SECOND: Role = Role(2);
    /// A remote service over HTTP.
    pub const PEER: Role = Role(3);
    /// A cache: keys with a time to live.
    pub const CACHE: Role = Role(4);
    /// A broker: topics that records are appended to.
    pub const BROKER: Role = Role(5);
    /// The hop between client and handler, where it is a real one. No server plays it: whoever lists servers leaves it out.
    pub const HOP: Role = Role(6);

    /// Every role, in the order of their numbers.
    pub const ALL: [Role; NAMES.len()] =
        [Role::STORE, Role::LOCK, Role::SECOND, Role::PEER, Role::CACHE, Role::BROKER, Role::HOP];

    /// The roles that servers play: every one but the hop, which is the last.
    pub const SERVERS: [Role; NAMES.len() - 1] =
        [Role::STORE, Role::LOCK, Role::SECOND, Role::PEER, Role::CACHE, Role::BROKER];

    /// Its number: below the number of roles.
    #[must_use]
    #[inline]
    pub const fn number(self) -> usize {
        self.0 as usize
    }

    /// The role as a set of one, as bits.
    #[must_use]
    #[inline]
    pub const fn bit(self) -> u8 {
        1 << self.0
    }

    /// Its name in experiments and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        NAMES[self.number()].0
    }

    /// What its service is called in sentences and diagrams.
    #[must_use]
    pub const fn title(self) -> &'static str {
        NAMES[self.number()].1
    }

    /// The role with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Role> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The roles in a set of bits.
    pub fn in_bits(bits: u8) -> impl Iterator<Item = Role> {
        Self::ALL.into_iter().filter(move |role| bits & role.bit() != 0)
    }
}

/// Something for each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ByRole<T>(pub [T; NAMES.len()]);

impl<T> ByRole<T> {
    /// Makes it for each role.
    pub fn new(make: impl FnMut(Role) -> T) -> Self {
        ByRole(Role::ALL.map(make))
    }

    /// The roles with what each has.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &T)> {
        Role::ALL.into_iter().zip(&self.0)
    }

    /// What each role has.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Role, &mut T)> {
        Role::ALL.into_iter().zip(&mut self.0)
    }
}

impl<T> std::ops::Index<Role> for ByRole<T> {
    type Output = T;

    #[inline]
    fn index(&self, role: Role) -> &T {
        &self.0[role.number()]
    }
}

impl<T> std::ops::IndexMut<Role> for ByRole<T> {
    #[inline]
    fn index_mut(&mut self, role: Role) -> &mut T {
        &mut self.0[role.number()]
    }
}
