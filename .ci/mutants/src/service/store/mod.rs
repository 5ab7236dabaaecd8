//! What `check` needs of the store.

#[path = "../../../../../src/service/store/argument.rs"]
mod argument;
#[path = "../../../../../src/service/store/client.rs"]
mod client;
#[path = "../../../../../src/service/store/op.rs"]
mod op;
#[path = "../../../../../src/service/store/operations.rs"]
mod operations;
#[path = "../../../../../src/service/store/program.rs"]
mod program;
#[path = "../../../../../src/service/store/response.rs"]
mod response;
#[path = "../../../../../src/service/store/service.rs"]
mod service;

pub use client::StoreClient;
pub use op::{Does, StoreOp};
pub use response::{StoreOutcome, StoreResponse};
pub use service::StoreService;
