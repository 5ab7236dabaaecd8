//! A store as a service: its operations, its answers, and the words for it.

use super::client::StoreClient;
use super::op::{self, StoreOp};
use super::response::StoreResponse;
use crate::service::Kind;
use crate::service::contract::{CarriesAll, Service};
use crate::terms::Role;

/// A store.
#[derive(Debug)]
pub struct StoreService;

impl Service for StoreService {
    const NAME: &'static str = "store";
    const KINDS: &'static [Kind] = op::KINDS;
    type Op = StoreOp;
    type Response = StoreResponse;
    type Client<'w, C: CarriesAll<Self> + 'w> = StoreClient<'w, C>;

    #[inline]
    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> StoreClient<'w, C> {
        StoreClient { carrier, role }
    }
}
