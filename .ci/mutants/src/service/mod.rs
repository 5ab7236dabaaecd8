//! What `check` needs of the services.

#[path = "../../../../src/service/acts.rs"]
mod acts;
#[path = "../../../../src/service/any_op.rs"]
mod any_op;
#[path = "../../../../src/service/contract.rs"]
pub mod contract;
pub mod etcd;
#[path = "../../../../src/service/footprint.rs"]
mod footprint;
#[path = "../../../../src/service/ids.rs"]
mod ids;
#[path = "../../../../src/service/kind.rs"]
mod kind;
mod list;
#[path = "../../../../src/service/sql.rs"]
mod sql;
pub mod store;

pub use acts::Acts;
pub(crate) use any_op::own;
pub use any_op::{AnyOp, Outcome, Response, ServiceKind};
pub use footprint::{Footprint, Item, Whose};
pub(crate) use ids::first_id;
pub use ids::{HasIds, IdKind, Ids};
pub use kind::{KINDS, Kind, OpKind};
pub(crate) use list::for_each_service;
pub use sql::Sql;
pub(crate) use sql::lasting;
