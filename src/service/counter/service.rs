//! A counter as a service: its operations, its answers, and the words for it.

use super::client::CounterClient;
use super::op::{self, CounterOp, CounterResponse};
use crate::service::Kind;
use crate::service::contract::{CarriesAll, Service};
use crate::terms::Role;

/// A counter for each account.
#[derive(Debug)]
pub struct CounterService;

impl Service for CounterService {
    const NAME: &'static str = "counter";
    const KINDS: &'static [Kind] = op::KINDS;
    type Op = CounterOp;
    type Response = CounterResponse;
    type Client<'w, C: CarriesAll<Self> + 'w> = CounterClient<'w, C>;

    fn client<'w, C: CarriesAll<Self>>(carrier: &'w mut C, role: Role) -> CounterClient<'w, C> {
        CounterClient { carrier, role }
    }
}
