//! The services that a strategy needs, and in which roles.

use crate::service::redis::Master;
use crate::service::store::StoreService;
use crate::terms::{ByRole, Role};
use crate::world::{At, ServiceKind};

/// The second store, for `world.at(..)`.
pub const SECOND_STORE: At<StoreService> = At::new(Role::SECOND);

/// A service that a strategy needs.
///
/// A strategy with two stores names a need for each:
///
/// ```
/// # use oncelab::explore::{Bound, Exploration, Limits};
/// # use oncelab::strategy::{Claim, Need, Strategy, async_trait};
/// # use oncelab::terms::{Reply, Request, Retries, StoreKind, Violation};
/// # use oncelab::world::World;
/// use oncelab::strategy::SECOND_STORE;
///
/// # struct MarkElsewhere;
/// # #[async_trait]
/// # impl Strategy for MarkElsewhere {
/// #     fn name(&self) -> &'static str {
/// #         "mark-elsewhere"
/// #     }
/// #     fn steps(&self) -> &'static str {
/// #         "[read K (second)] [X] [write K (second)]"
/// #     }
/// #     fn claim(&self, _: StoreKind) -> Claim {
/// #         Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
/// #     }
/// fn needs(&self) -> &'static [Need] {
///     &[Need::STORE, Need::SECOND_STORE]
/// }
///
/// async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
///     if let Some(answer) = world.at(&SECOND_STORE).read_mark(request.id).await? {
///         return Ok(answer);
///     }
///     let answer = world.store().apply(request).await?;
///     world.at(&SECOND_STORE).write_mark(request.id, answer).await?;
///     Ok(answer)
/// }
/// # }
/// # let explored = |bound| Exploration::new(&MarkElsewhere, bound, Limits::default(), &mut ());
/// # assert!(!explored(Bound::new(1, 1, 0))?.shows(Violation::Duplicate));
/// # assert!(explored(Bound::new(1, 1, 1))?.shows(Violation::Duplicate));
/// # Ok::<(), oncelab::explore::ExploreError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    pub role: Role,
    pub service: ServiceKind,
    /// How many servers play the role that know nothing of each other.
    pub servers: u8,
}

impl Need {
    /// A store that keeps the effects: what almost every strategy needs.
    pub const STORE: Need = Need { role: Role::STORE, service: ServiceKind::Store, servers: 1 };
    /// A second store. A strategy that keeps effects there says so in
    /// [`effects_in`](crate::strategy::Strategy::effects_in).
    pub const SECOND_STORE: Need = Need { role: Role::SECOND, service: ServiceKind::Store, servers: 1 };
    /// A peer over HTTP, which keeps a ledger of its own.
    pub const PEER: Need = Need { role: Role::PEER, service: ServiceKind::Peer, servers: 1 };
    /// A Redis.
    pub const CACHE: Need = Need { role: Role::CACHE, service: ServiceKind::Redis, servers: 1 };
    /// Three masters of Redis.
    pub const MASTERS: Need = Need { servers: Master::COUNT, ..Need::CACHE };
    /// A master of Redis and its replica. Which is behind those masters that know nothing of each other.
    pub const REPLICATED: Need = Need { servers: Master::REPLICA.0 + 1, ..Need::CACHE };
    /// A Kafka.
    pub const BROKER: Need = Need { role: Role::BROKER, service: ServiceKind::Kafka, servers: 1 };
    /// The hop between client and handler. Strategies do not ask for it: [`WithHop`](crate::strategy::WithHop) does.
    pub const HOP: Need = Need { role: Role::HOP, service: ServiceKind::Hop, servers: 1 };
    /// A lock service.
    pub const LOCK: Need = Need { role: Role::LOCK, service: ServiceKind::Etcd, servers: 1 };
}

/// How many servers these needs want to play a role, at the most; 0 if none does.
#[must_use]
pub fn servers_of<'n>(needs: impl IntoIterator<Item = &'n Need>, role: Role) -> u8 {
    needs.into_iter().filter(|need| need.role == role).map(|need| need.servers).max().unwrap_or(0)
}

/// What a strategy needs in each role.
#[must_use]
pub fn by_role(needs: &[Need]) -> ByRole<Option<ServiceKind>> {
    ByRole::new(|role| needs.iter().find(|need| need.role == role).map(|need| need.service))
}
