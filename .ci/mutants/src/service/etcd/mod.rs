//! What `check` needs of the lock service.

#[path = "../../../../../src/service/etcd/client.rs"]
mod client;
#[path = "../../../../../src/service/etcd/op.rs"]
mod op;
#[path = "../../../../../src/service/etcd/service.rs"]
mod service;

pub use client::{Lock, LockClient};
pub use op::{LockOp, LockOutcome, LockResponse};
pub use service::EtcdService;
