//! The hops that a request crosses.

use super::Role;

/// One hop of a request: where a message can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// Between client and handler.
    Client,
    /// Between handler and the service in a role.
    Service(Role),
}

impl Leg {
    /// Between handler and store.
    pub const STORE: Leg = Leg::Service(Role::STORE);
    /// Between handler and lock service.
    pub const LOCK: Leg = Leg::Service(Role::LOCK);

    /// Every leg, in the order in which a request crosses them.
    pub const ALL: [Leg; 1 + Role::SERVERS.len()] = {
        let mut all = [Leg::Client; 1 + Role::SERVERS.len()];
        let mut n = 0;
        while n < Role::SERVERS.len() {
            all[1 + n] = Leg::Service(Role::SERVERS[n]);
            n += 1;
        }
        all
    };

    /// The leg that is crossed by whatever is asked of the service in a role. The hop is the leg between client and handler itself.
    #[must_use]
    #[inline]
    pub const fn to(role: Role) -> Leg {
        if role.number() == Role::HOP.number() { Leg::Client } else { Leg::Service(role) }
    }

    /// Its place among them.
    #[must_use]
    #[inline]
    pub const fn number(self) -> usize {
        match self {
            Leg::Client => 0,
            Leg::Service(role) => 1 + role.number(),
        }
    }

    /// The name of this leg in experiments and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Leg::Client => "client",
            Leg::Service(role) => role.name(),
        }
    }

    /// The leg with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Leg> {
        Self::ALL.into_iter().find(|leg| leg.name() == name)
    }
}
