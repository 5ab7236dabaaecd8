//! The services that a strategy needs, and in which roles.

use crate::terms::{ByRole, Role};
use crate::world::ServiceKind;

/// A service that a strategy needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    pub role: Role,
    pub service: ServiceKind,
}

impl Need {
    /// A store that keeps the effects: what almost every strategy needs.
    pub const STORE: Need = Need { role: Role::STORE, service: ServiceKind::Store };
    /// A lock service.
    pub const LOCK: Need = Need { role: Role::LOCK, service: ServiceKind::Etcd };
}

/// What a strategy needs in each role.
#[must_use]
pub fn by_role(needs: &[Need]) -> ByRole<Option<ServiceKind>> {
    ByRole::new(|role| needs.iter().find(|need| need.role == role).map(|need| need.service))
}
