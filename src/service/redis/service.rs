//! Redis as a service: its operations, its answers, and the words for it.

use super::client::RedisClient;
use super::op::{self, RedisOp};
use super::response::RedisResponse;
use crate::service::Kind;
use crate::service::contract::{CarriesAll, Service};
use crate::terms::Role;

/// Redis: keys with a time to live, and scripts.
#[derive(Debug)]
pub struct RedisService;

impl Service for RedisService {
    const NAME: &'static str = "redis";
    const KINDS: &'static [Kind] = op::KINDS;
    type Op = RedisOp;
    type Response = RedisResponse;
    type Client<'w, C: CarriesAll<Self> + 'w> = RedisClient<'w, C>;

    #[inline]
    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> RedisClient<'w, C> {
        RedisClient { carrier, role }
    }
}
