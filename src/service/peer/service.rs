//! A peer as a service: its operations, its answers, and the words for it.

use super::client::PeerClient;
use super::op::{self, PeerOp, PeerResponse};
use crate::service::Kind;
use crate::service::contract::{CarriesAll, Service};
use crate::terms::Role;

/// A peer over HTTP.
#[derive(Debug)]
pub struct PeerService;

impl Service for PeerService {
    const NAME: &'static str = "peer";
    const KINDS: &'static [Kind] = op::KINDS;
    type Op = PeerOp;
    type Response = PeerResponse;
    type Client<'w, C: CarriesAll<Self> + 'w> = PeerClient<'w, C>;

    #[inline]
    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> PeerClient<'w, C> {
        PeerClient { carrier, role }
    }
}
