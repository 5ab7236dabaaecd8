//! The hop between client and handler as a service: in a schedule it is two steps of a lane, the request before the steps of its
//! handler, and the answer after them.

mod client;
mod model;
mod op;
mod service;

pub use client::HopClient;
pub use model::{HopModel, HopPast};
pub use op::{HopOp, HopResponse};
pub use service::HopService;

#[cfg(feature = "lab")]
mod reached {
    use std::sync::Arc;

    use super::HopService;
    use crate::service::reachable::{Reachable, ReplaySite};
    use crate::service::replayed::ReplayDriver;
    use crate::service::{Backend, BackendError, Backends};
    use crate::terms::Role;

    impl Reachable for HopService {
        fn driver(_: ReplaySite<'_>) -> Result<Box<dyn ReplayDriver>, BackendError> {
            Err(unreached("replay"))
        }

        fn backend(_: &Backends, _: Role, _: &str) -> Result<Arc<dyn Backend>, BackendError> {
            Err(unreached("load"))
        }
    }

    fn unreached(how: &str) -> BackendError {
        BackendError { backend: "hop", what: format!("not reached by {how}"), remedy: None }
    }
}
