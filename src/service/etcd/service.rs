//! etcd as a service: its operations, its answers, and the words for it.

use super::client::LockClient;
use super::op::{self, LockOp, LockResponse};
use crate::service::Kind;
use crate::service::contract::{CarriesAll, Service};
use crate::terms::Role;

/// etcd as a lock service.
#[derive(Debug)]
pub struct EtcdService;

impl Service for EtcdService {
    const NAME: &'static str = "etcd";
    const KINDS: &'static [Kind] = op::KINDS;
    type Op = LockOp;
    type Response = LockResponse;
    type Client<'w, C: CarriesAll<Self> + 'w> = LockClient<'w, C>;

    #[inline]
    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> LockClient<'w, C> {
        LockClient { carrier, role }
    }
}
