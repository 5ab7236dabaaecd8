//! An operation of one of the services, and what comes back: closed enums, so that there is nothing to allocate and nothing to look up.

use std::fmt;

use super::contract::{OneOf, Operation, Returned, Service};
use super::list::for_each_service;
use super::{Acts, Footprint, HasIds, IdKind, Ids, Kind, OpKind, Sql, first_id};
use crate::terms::{Isolation, Reply, Request, Role};

macro_rules! any_op {
    ($($(#[$at:meta])* $name:ident, $folder:ident::$service:ident, $client:ident() as $role:expr;)*) => {
        /// The service that can play a role, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ServiceKind { $($(#[$at])* $name),* }

        /// An operation of one of the services.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AnyOp { $($(#[$at])* $name(<super::$folder::$service as Service>::Op)),* }

        /// What came back from an operation that was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Response { $($(#[$at])* $name(<super::$folder::$service as Service>::Response)),* }

        /// The usual role of each service, and its kinds of operations.
        pub(super) const SERVICES: &[(Role, &[Kind])] = &[$($(#[$at])* ($role, <super::$folder::$service as Service>::KINDS)),*];

        impl ServiceKind {
            /// Every service.
            pub const ALL: &'static [ServiceKind] = &[$($(#[$at])* ServiceKind::$name),*];

            /// Its name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(#[$at])* ServiceKind::$name => <super::$folder::$service as Service>::NAME),* }
            }

            /// The role that it usually has.
            #[must_use]
            pub fn usual_role(self) -> Role {
                match self { $($(#[$at])* ServiceKind::$name => $role),* }
            }
        }

        $(
            $(#[$at])*
            impl From<<super::$folder::$service as Service>::Op> for AnyOp {
                #[inline]
                fn from(op: <super::$folder::$service as Service>::Op) -> Self { AnyOp::$name(op) }
            }

            $(#[$at])*
            impl From<<super::$folder::$service as Service>::Response> for Response {
                #[inline]
                fn from(response: <super::$folder::$service as Service>::Response) -> Self { Response::$name(response) }
            }

            $(#[$at])*
            impl TryFrom<AnyOp> for <super::$folder::$service as Service>::Op {
                type Error = AnyOp;
                #[inline]
                fn try_from(op: AnyOp) -> Result<Self, AnyOp> {
                    if let AnyOp::$name(op) = op { Ok(op) } else { Err(op) }
                }
            }

            $(#[$at])*
            impl OneOf for <super::$folder::$service as Service>::Response {
                #[inline(always)]
                fn one_of(response: &Response) -> &Self {
                    match response {
                        Response::$name(response) => response,
                        #[allow(unreachable_patterns)]
                        other => super::contract::another(other),
                    }
                }
            }

            $(#[$at])*
            impl TryFrom<Response> for <super::$folder::$service as Service>::Response {
                type Error = Response;
                #[inline]
                fn try_from(response: Response) -> Result<Self, Response> {
                    if let Response::$name(response) = response { Ok(response) } else { Err(response) }
                }
            }
        )*

        impl AnyOp {
            /// The service whose operation it is.
            #[must_use]
            pub fn service(self) -> ServiceKind {
                match self { $($(#[$at])* AnyOp::$name(_) => ServiceKind::$name),* }
            }

            /// An operation from its line. No two services have kinds of the same name.
            #[must_use]
            pub fn parse(text: &str, delivered: &Request) -> Option<Self> {
                let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
                $(
                    $(#[$at])*
                    if let Some(op) = <super::$folder::$service as Service>::Op::parse(kind, rest, delivered) {
                        return Some(AnyOp::$name(op));
                    }
                )*
                None
            }

            /// Its kind, asked of the service in this role.
            #[must_use]
            #[inline]
            pub fn kind_in(self, role: Role) -> OpKind {
                OpKind::new(role, match self { $($(#[$at])* AnyOp::$name(op) => op.kind()),* })
            }

            /// What it is.
            #[must_use]
            #[inline]
            pub fn acts(self) -> Acts { match self { $($(#[$at])* AnyOp::$name(op) => op.acts()),* } }

            /// What it reads and writes.
            #[must_use]
            pub fn footprint(self) -> Footprint { match self { $($(#[$at])* AnyOp::$name(op) => op.footprint()),* } }

            /// It in the notation of the strategies' steps. `several` says whether there are several requests to be told apart.
            #[must_use]
            pub fn in_words(self, several: bool) -> String {
                match self { $($(#[$at])* AnyOp::$name(op) => op.in_words(several)),* }
            }

            /// The isolation level of the transaction that it begins.
            #[must_use]
            pub fn isolation(self) -> Option<Isolation> { match self { $($(#[$at])* AnyOp::$name(op) => op.isolation()),* } }

            /// The balance that it sets an account to, whatever the balance is by now.
            #[must_use]
            pub fn overwrites_with(self) -> Option<i64> { match self { $($(#[$at])* AnyOp::$name(op) => op.overwrites_with()),* } }

            /// The statement of a strategy's own that it is.
            #[must_use]
            pub fn own_sql(self) -> Option<Sql> { match self { $($(#[$at])* AnyOp::$name(op) => op.own_sql()),* } }

            /// What a handler has said, if it is the answer that crosses to a client.
            #[must_use]
            pub fn said(self) -> Option<Reply> { match self { $($(#[$at])* AnyOp::$name(op) => op.said()),* } }

            /// The operation that does what this one and another one do, in one step; none where there is no such operation.
            #[must_use]
            pub fn joined_with(self, other: AnyOp) -> Option<AnyOp> {
                match (self, other) {
                    $($(#[$at])* (AnyOp::$name(one), AnyOp::$name(other)) => one.joined_with(other).map(AnyOp::$name),)*
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }

            /// The two operations whose work it does in one step, if it is one that does.
            #[must_use]
            pub fn parts(self) -> Option<[AnyOp; 2]> {
                match self { $($(#[$at])* AnyOp::$name(op) => op.parts().map(|parts| parts.map(AnyOp::$name))),* }
            }
        }

        impl Response {
            /// A response from what its `Display` prints, to an operation of this kind.
            #[must_use]
            pub fn parse(text: &str, kind: OpKind) -> Option<Self> {
                $(
                    $(#[$at])*
                    if <super::$folder::$service as Service>::KINDS.iter().any(|its| its.number == kind.number()) {
                        let response = <super::$folder::$service as Service>::Response::parse(text, kind.in_usual_role().name());
                        return response.map(Response::$name);
                    }
                )*
                None
            }

            /// It as the answer to an operation, in the notation of the strategies' steps.
            #[must_use]
            pub fn in_words(self, to: AnyOp) -> String {
                match (self, to) {
                    $($(#[$at])* (Response::$name(response), AnyOp::$name(op)) => response.in_words(op),)*
                    #[allow(unreachable_patterns)]
                    (response, _) => response.to_string(),
                }
            }

            /// The id of what was made, e.g. a lease.
            #[must_use]
            pub fn asked(self) -> Option<i64> {
                first_id(self, IdKind::Asked)
            }

            /// The ranked id that was given, e.g. a token.
            #[must_use]
            pub fn ranked(self) -> Option<i64> {
                first_id(self, IdKind::Ranked)
            }

            /// Whether it says that its operation has changed nothing.
            #[must_use]
            pub fn changes_nothing(self) -> bool {
                match self { $($(#[$at])* Response::$name(response) => response.changes_nothing()),* }
            }

            /// Whether another response is of the same form: values may differ.
            #[must_use]
            pub fn is_like(self, other: Response) -> bool {
                match (self, other) {
                    $($(#[$at])* (Response::$name(one), Response::$name(other)) => one.is_like(other),)*
                    #[allow(unreachable_patterns)]
                    _ => false,
                }
            }
        }

        impl Response {
            /// What each of two operations comes to that were made in one step.
            #[must_use]
            pub fn parts(self) -> [Response; 2] {
                match self { $($(#[$at])* Response::$name(response) => response.parts().map(Response::$name)),* }
            }
        }

        impl HasIds for AnyOp {
            #[inline]
            fn map_ids(self, ids: &mut impl Ids) -> Self {
                match self { $($(#[$at])* AnyOp::$name(op) => AnyOp::$name(op.map_ids(ids))),* }
            }
        }

        impl HasIds for Response {
            #[inline]
            fn has_ids(&self) -> bool {
                match self { $($(#[$at])* Response::$name(response) => response.has_ids()),* }
            }

            #[inline]
            fn map_ids(self, ids: &mut impl Ids) -> Self {
                match self { $($(#[$at])* Response::$name(response) => Response::$name(response.map_ids(ids))),* }
            }
        }

        impl fmt::Display for AnyOp {
            /// Prints the operation on one short line, e.g. `apply m7 +10 to 3 token 42`.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $($(#[$at])* AnyOp::$name(op) => op.fmt(f)),* }
            }
        }

        impl fmt::Display for Response {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $($(#[$at])* Response::$name(response) => response.fmt(f)),* }
            }
        }
    };
}
for_each_service!(any_op);

/// An operation as one of this service's.
///
/// # Panics
/// If it is another service's: the lab sent it to the wrong one.
#[inline]
pub(crate) fn own<O: TryFrom<AnyOp, Error = AnyOp>>(op: AnyOp) -> O {
    O::try_from(op).unwrap_or_else(|op| panic!("`{op}` was sent to another service"))
}

/// What a strategy can know of an operation that it made.
pub type Outcome = crate::terms::OutcomeOf<Response>;
