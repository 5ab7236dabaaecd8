//! How often each request came.

use hyper::header::HeaderMap;
use hyper::{Method, Version};
use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::service::http::{Arrived, Refused};

/// The header that tells a server that a request is the same as an earlier one (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What makes two arrivals one request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Identity {
    method: Method,
    target: String,
    /// Where no label tells requests apart, their keys do.
    key: Option<Vec<u8>>,
}

/// A request, and how often it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CountedRequest {
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Whether its first arrival had an `Idempotency-Key`.
    pub keyed: bool,
    /// How long the body of its first arrival was, in bytes.
    pub body_bytes: u64,
    /// The version of HTTP of its first arrival.
    pub version: Version,
    /// How often it came.
    pub arrivals: u64,
    /// How many arrivals met the fault of the path.
    pub faults: u64,
    /// How many arrivals came over a connection that was used before.
    pub on_reused: u64,
    /// How many arrivals were unlike the first one: with another key, or a body of another length.
    pub unlike: u64,
    key: Option<Vec<u8>>,
}

impl CountedRequest {
    /// Whether it came more than once.
    pub fn is_repeated(&self) -> bool {
        self.arrivals > 1
    }

    /// Whether HTTP allows everybody to repeat it (RFC 9110, section 9.2.2).
    pub fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }
}

/// All requests that came, in the order of their first arrivals.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arrivals {
    requests: IndexMap<Identity, CountedRequest>,
    /// Messages that HTTP does not allow.
    pub malformed: u64,
    /// Requests with too large a head or body.
    pub too_large: u64,
    /// Requests whose body did not come in time.
    pub too_slow: u64,
    /// Requests whose sender left before their end.
    pub unfinished: u64,
    /// Requests whose path asks for nothing that there is.
    pub unknown_paths: u64,
    /// Arrivals that were not counted, because there were too many different requests before.
    pub uncounted: u64,
}

/// That there is no place for one more request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Arrivals {
    /// Counts an arrival.
    ///
    /// # Errors
    /// If the request is new, and `most` others are there already. Then the arrival is not counted for any.
    pub fn count(&mut self, arrived: &Arrived, has_label: bool, most: usize) -> Result<&mut CountedRequest, Full> {
        let Arrived { head, body_bytes, body: _, earlier } = arrived;
        let target = head.uri().path_and_query().map_or("", |target| target.as_str()).to_owned();
        let key = key_of(head.headers());
        let told_apart_by = key.clone().filter(|_| !has_label);
        let identity = Identity { method: head.method().clone(), target, key: told_apart_by };
        let is_full = self.requests.len() >= most;
        let counted = match self.requests.entry(identity) {
            Entry::Occupied(place) => place.into_mut(),
            Entry::Vacant(_) if is_full => {
                self.uncounted += 1;
                return Err(Full);
            }
            Entry::Vacant(place) => {
                let Identity { method, target, .. } = place.key().clone();
                place.insert(CountedRequest {
                    method,
                    target,
                    keyed: key.is_some(),
                    body_bytes: *body_bytes,
                    version: head.version(),
                    arrivals: 0,
                    faults: 0,
                    on_reused: 0,
                    unlike: 0,
                    key: key.clone(),
                })
            }
        };
        counted.arrivals += 1;
        counted.on_reused += u64::from(*earlier > 0);
        counted.unlike += u64::from(counted.key != key || counted.body_bytes != *body_bytes);
        Ok(counted)
    }

    /// Counts a request that was refused.
    pub fn refuse(&mut self, why: Refused) {
        match why {
            Refused::Malformed => self.malformed += 1,
            Refused::TooLarge => self.too_large += 1,
            Refused::TooSlow => self.too_slow += 1,
            Refused::Unfinished => self.unfinished += 1,
        }
    }

    /// The requests, in the order of their first arrivals.
    pub fn requests(&self) -> impl Iterator<Item = &CountedRequest> {
        self.requests.values()
    }

    /// The requests that came more than once though HTTP allows that to none but those who know more of them.
    pub fn repeated_not_idempotent(&self) -> impl Iterator<Item = &CountedRequest> {
        self.requests().filter(|counted| counted.is_repeated() && !counted.is_idempotent())
    }
}

/// The `Idempotency-Key`, if there is one.
pub(super) fn key_of(headers: &HeaderMap) -> Option<Vec<u8>> {
    headers.get(IDEMPOTENCY_KEY).map(|key| key.as_bytes().to_vec())
}
