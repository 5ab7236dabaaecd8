//! The services that strategies use: what can be asked of them, models of them, and the real things, each reached over connections
//! that can be cut.

mod acts;
#[cfg(feature = "lab")]
mod any_driver;
mod any_model;
mod any_op;
#[cfg(feature = "lab")]
mod backends;
pub mod contract;
#[cfg(test)]
pub mod counter;
#[cfg(feature = "lab")]
mod driver;
#[cfg(feature = "lab")]
mod endpoint;
pub mod etcd;
mod footprint;
pub mod hop;
#[cfg(feature = "lab")]
pub(crate) mod http;
mod ids;
pub mod kafka;
mod kind;
mod list;
pub mod modelled;
#[cfg(feature = "lab")]
mod more_stores;
#[cfg(feature = "lab")]
mod password;
pub mod peer;
#[cfg(feature = "lab")]
pub mod provision;
#[cfg(feature = "lab")]
pub(crate) mod proxied;
#[cfg(feature = "lab")]
pub(crate) mod reachable;
pub mod redis;
#[cfg(feature = "lab")]
pub(crate) mod replayed;
#[cfg(feature = "lab")]
mod servers;
#[cfg(feature = "lab")]
mod settings;
#[cfg(feature = "lab")]
mod spread;
mod sql;
pub mod store;
pub mod touched;
#[cfg(feature = "lab")]
mod wired;
mod written;

pub use acts::Acts;
pub use any_model::{AnyModel, AnyPast};
pub(crate) use any_op::own;
pub use any_op::{AnyOp, Outcome, Response, ServiceKind};
pub use footprint::{Footprint, Item, Whose};
pub(crate) use ids::first_id;
pub use ids::{HasIds, IdKind, Ids};
pub use kind::{KINDS, Kind, OpKind};
pub(crate) use list::for_each_service;
pub use sql::Sql;
pub(crate) use sql::lasting;

#[cfg(feature = "lab")]
pub use {
    backends::{Backends, LockKind, Wanted},
    driver::{Backend, BackendError, Connection, Pending, Store, Usage, Way},
    endpoint::Endpoint,
    etcd::driver::{EtcdBackend, EtcdOptions},
    etcd::embedded::{EmbeddedLockServer, EmbeddedOptions},
    kafka::held::WantedKafka,
    more_stores::WantedStore,
    reachable::{LedgerOf, TrialSite},
    redis::held::WantedRedis,
    servers::Servers,
    settings::{BackendSettings, BrokerClient, ClockSpeed, Timeouts},
    store::mariadb::MariadbStore,
    store::null::NullStore,
    store::postgres::PostgresStore,
    store::sqlite::{SqliteStore, StoreFlaw},
    wired::Wired,
};
#[cfg(feature = "lab")]
pub(crate) use {password::draw as draw_password, replayed::Kept, store::ledger::Scope};
