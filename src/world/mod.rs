//! What a strategy may ask for, and the port that carries it. The words for each service are in the service's folder.
//!
//! Each method of a service's client makes exactly one [`Op`], except those that say otherwise.
//! Invariant: a strategy's only inputs are its request and the responses to its own operations.

mod hand_over;
mod op;
mod port;

pub use crate::service::{Acts, AnyOp, Footprint, Item, OpKind, Outcome, Response, ServiceKind, Sql, Whose};
pub use hand_over::HandOver;
pub use op::Op;
pub use port::{Call, Calls, Port};

use std::marker::PhantomData;

use crate::service::contract::{AllCarried, Carries, CarriesAll, Service};
use crate::service::for_each_service;
use crate::terms::Role;

/// Everything outside a strategy: the services that it needs, and nothing else. No clock, no randomness, no tasks.
///
/// A strategy that holds a lock while it acts, and shows the lock's token to the store:
///
/// ```
/// # use oncelab::explore::{Bound, Exploration, Limits};
/// # use oncelab::strategy::{Claim, Need, Strategy, async_trait};
/// # use oncelab::terms::{Reply, Request, Retries, StoreKind, Violation};
/// # use oncelab::world::World;
/// # struct Fenced;
/// # #[async_trait]
/// # impl Strategy for Fenced {
/// #     fn name(&self) -> &'static str {
/// #         "fenced"
/// #     }
/// #     fn steps(&self) -> &'static str {
/// #         "[grant lease] [acquire] [X with token] [release] [revoke]"
/// #     }
/// #     fn claim(&self, _: StoreKind) -> Claim {
/// #         Claim { promise: "nothing", retries: Retries::UntilAcknowledged, rules_out: &[], tolerates: &[], breaks: &[] }
/// #     }
/// #     fn needs(&self) -> &'static [Need] {
/// #         &[Need::STORE, Need::LOCK]
/// #     }
/// async fn handle(&self, world: &mut World<'_>, request: &Request) -> Reply {
///     let lock = world.lock().enter(request.effect.account).await?;
///     let answer = world.store().apply_fenced(request, lock.token).await;
///     world.lock().leave(lock).await;
///     answer
/// }
/// # }
/// # // The lock keeps two deliveries apart. It does not make the second one see the first.
/// # let explored = Exploration::new(&Fenced, Bound::new(2, 0, 0), Limits::default(), &mut ())?;
/// # assert!(explored.shows(Violation::Duplicate) && !explored.shows(Violation::Overlap));
/// # Ok::<(), oncelab::explore::ExploreError>(())
/// ```
pub struct World<'p> {
    port: &'p mut dyn Port,
}

impl<'p> World<'p> {
    /// A world behind this port.
    pub fn new(port: &'p mut dyn Port) -> Self {
        World { port }
    }

    /// The service in a role, e.g. `world.at(&SECOND_STORE).apply(request)`.
    #[inline]
    pub fn at<S: Service>(&mut self, at: &At<S>) -> S::Client<'_, Self>
    where
        Self: CarriesAll<S>,
    {
        S::client(self, at.role)
    }
}

/// A role that is known to be played by a service: what a strategy with two stores declares.
#[derive(Debug)]
pub struct At<S> {
    role: Role,
    service: PhantomData<fn() -> S>,
}

impl<S: Service> At<S> {
    /// The service in this role.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        At { role, service: PhantomData }
    }
}

macro_rules! usual_roles {
    ($($(#[$at:meta])* $name:ident, $folder:ident::$service:ident, $client:ident() as $role:expr;)*) => {
        impl World<'_> {$(
            $(#[$at])*
            /// The service in its usual role.
            #[inline]
            pub fn $client(&mut self) -> <crate::service::$folder::$service as Service>::Client<'_, Self> {
                <crate::service::$folder::$service as Service>::client(self, $role)
            }
        )*}
    };
}
for_each_service!(usual_roles);

impl<'c, S: Service> Carries<'c, S> for World<'_>
where
    AnyOp: From<S::Op>,
{
    type Call = Call<'c>;

    #[inline(always)]
    fn carry(&'c mut self, role: Role, op: S::Op) -> Call<'c> {
        self.port.call(Op { role, of: op.into() })
    }

    fn carry_all(&'c mut self, role: Role, ops: Vec<S::Op>) -> AllCarried<'c> {
        self.port.call_all(ops.into_iter().map(|op| Op { role, of: op.into() }).collect())
    }
}
