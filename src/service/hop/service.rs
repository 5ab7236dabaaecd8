//! The hop as a service: what crosses it, what comes of that, and the words for it.

use super::client::HopClient;
use super::op::{self, HopOp, HopResponse};
use crate::service::Kind;
use crate::service::contract::{CarriesAll, Service};
use crate::terms::Role;

/// The hop between a client and its handler.
#[derive(Debug)]
pub struct HopService;

impl Service for HopService {
    const NAME: &'static str = "hop";
    const KINDS: &'static [Kind] = op::KINDS;
    type Op = HopOp;
    type Response = HopResponse;
    type Client<'w, C: CarriesAll<Self> + 'w> = HopClient<'w, C>;

    #[inline]
    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> HopClient<'w, C> {
        HopClient { carrier, role }
    }
}
