//! Kinds of operations: what faults and reports select by.

use std::sync::LazyLock;

use super::{Acts, any_op};
use crate::terms::{Leg, Role};

/// What is known of a kind of operation. Several operations may be of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Below [`KINDS`]; never used for another kind again: a kind's number decides what a seed does to it.
    pub number: u8,
    /// The name of this kind in experiments, files and tables.
    pub name: &'static str,
    pub acts: Acts,
}

/// Numbers of kinds are below this.
pub const KINDS: usize = 96;

/// A kind of operation in a role, without the operation's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpKind {
    role: Role,
    number: u8,
}

/// Whether a number that a kind has may be another's: several operations may be of one kind.
const fn is_free_for(taken: &str, name: &str) -> bool {
    let (taken, name) = (taken.as_bytes(), name.as_bytes());
    let mut n = 0;
    while n < taken.len() {
        if taken.len() != name.len() || taken[n] != name[n] {
            return false;
        }
        n += 1;
    }
    true
}

/// The kinds, by number; without a name where there is none.
static BY_NUMBER: [Known; KINDS] = {
    let mut all = [Known { kind: Kind { number: 0, name: "", acts: Acts::NONE }, usual: Role::STORE }; KINDS];
    let services = any_op::SERVICES;
    let mut s = 0;
    while s < services.len() {
        let (usual, kinds) = services[s];
        let mut n = 0;
        while n < kinds.len() {
            let place = kinds[n].number as usize;
            assert!(is_free_for(all[place].kind.name, kinds[n].name), "two kinds have the same number");
            all[place] = Known { kind: kinds[n], usual };
            n += 1;
        }
        s += 1;
    }
    all
};

/// A kind, and the role that its service usually has.
#[derive(Clone, Copy)]
struct Known {
    kind: Kind,
    usual: Role,
}

/// The names of kinds in roles that are not the usual ones, e.g. `second.apply`.
static ELSEWHERE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let name = |role: Role| BY_NUMBER.iter().map(move |known| format!("{}.{}", role.name(), known.kind.name));
    Role::ALL.into_iter().flat_map(name).collect()
});

impl OpKind {
    /// How many kinds in roles can be told apart.
    pub const PLACES: usize = KINDS * Role::ALL.len();

    /// A kind in a role.
    #[must_use]
    #[inline]
    pub(super) const fn new(role: Role, kind: &Kind) -> OpKind {
        OpKind { role, number: kind.number }
    }

    /// Every kind in the usual role of its service, by number.
    pub fn all() -> impl Iterator<Item = OpKind> {
        let known = BY_NUMBER.iter().filter(|known| !known.kind.name.is_empty());
        known.map(|known| OpKind::new(known.usual, &known.kind))
    }

    /// Every kind in every role that its service can have.
    pub fn everywhere() -> impl Iterator<Item = OpKind> {
        let elsewhere =
            |role: Role| OpKind::all().filter(move |kind| kind.role != role).map(move |kind| kind.in_role(role));
        OpKind::all().chain(Role::ALL.into_iter().flat_map(elsewhere))
    }

    /// The same kind in another role.
    #[must_use]
    pub const fn in_role(self, role: Role) -> OpKind {
        OpKind { role, ..self }
    }

    /// The name in experiments, files and tables; with the role before it if that is not the usual one of its service.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.is_usual() { self.known().kind.name } else { &ELSEWHERE[self.place()] }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<OpKind> {
        let (role, name) = match name.split_once('.') {
            Some((role, name)) => (Some(Role::from_name(role)?), name),
            None => (None, name),
        };
        let kind = OpKind::all().find(|kind| kind.name() == name)?;
        Some(role.map_or(kind, |role| kind.in_role(role)))
    }

    /// The kind with this name, where a program knows that there is one.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn named(name: &str) -> OpKind {
        OpKind::from_name(name).unwrap_or_else(|| panic!("no operation is named '{name}'"))
    }

    /// Its number: below [`KINDS`], whatever the role.
    #[must_use]
    #[inline]
    pub const fn number(self) -> u8 {
        self.number
    }

    /// Its place among kinds in roles: below [`PLACES`](OpKind::PLACES).
    #[must_use]
    #[inline]
    pub const fn place(self) -> usize {
        self.role.number() * KINDS + self.number as usize
    }

    /// The role of the service that is asked.
    #[must_use]
    #[inline]
    pub const fn role(self) -> Role {
        self.role
    }

    /// The same kind in the usual role of its service.
    #[must_use]
    pub fn in_usual_role(self) -> OpKind {
        self.in_role(self.known().usual)
    }

    /// Whether that is the role that the service usually has.
    #[must_use]
    #[inline]
    pub fn is_usual(self) -> bool {
        self.known().usual == self.role
    }

    /// The leg that operations of this kind cross.
    #[must_use]
    #[inline]
    pub const fn leg(self) -> Leg {
        Leg::to(self.role)
    }

    /// What operations of this kind are.
    #[must_use]
    #[inline]
    pub fn acts(self) -> Acts {
        self.known().kind.acts
    }

    fn known(self) -> &'static Known {
        &BY_NUMBER[usize::from(self.number)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_share_a_number_or_a_name() {
        let mut known: Vec<(u8, &str)> = Vec::new();
        for kind in any_op::SERVICES.iter().flat_map(|(_, kinds)| *kinds) {
            // Operations of one kind repeat its row.
            let same = |(number, name): &(u8, &str)| (*number == kind.number) != (*name == kind.name);
            assert!(!known.iter().any(same), "{} and {known:?}", kind.name);
            assert!(!kind.name.contains(['.', ' ']) && usize::from(kind.number) < KINDS, "{}", kind.name);
            known.push((kind.number, kind.name));
        }
    }

    #[test]
    fn kinds_are_found_by_name_in_any_role() {
        for kind in OpKind::everywhere() {
            assert_eq!(OpKind::from_name(kind.name()), Some(kind), "{}", kind.name());
        }
        assert_eq!(OpKind::named("second.apply").leg(), Leg::Service(Role::SECOND));
        assert_eq!(OpKind::named("apply").leg(), Leg::STORE);
        assert_eq!(OpKind::from_name("nowhere.apply"), None);
    }
}
