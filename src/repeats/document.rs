//! What came, as a document for programs (`schemas/repeats.schema.json`).

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Version;
use serde_json::{Value, json};

use super::arrivals::{Arrivals, CountedRequest};

/// The document, with at most so many requests: those that came most often. The counts are those of all.
pub(crate) fn document(arrivals: &Arrivals, elapsed: Duration, most_listed: usize) -> Value {
    let mut requests: Vec<&CountedRequest> = arrivals.requests().collect();
    // The sort keeps the order of the first arrivals.
    requests.sort_by_key(|counted| std::cmp::Reverse(counted.arrivals));
    requests.truncate(most_listed);
    json!({
        "seconds": elapsed.as_secs_f64(),
        "requests": requests.into_iter().map(request).collect::<Vec<_>>(),
        "kinds": kinds(arrivals).iter().map(RequestKind::as_json).collect::<Vec<_>>(),
        "repeated_not_idempotent": arrivals.repeated_not_idempotent().count(),
        "malformed": arrivals.malformed,
        "too_large": arrivals.too_large,
        "too_slow": arrivals.too_slow,
        "unfinished": arrivals.unfinished,
        "unknown_paths": arrivals.unknown_paths,
        "uncounted": arrivals.uncounted,
    })
}

fn request(counted: &CountedRequest) -> Value {
    json!({
        "method": counted.method.as_str(),
        "path": counted.target,
        "idempotent": counted.is_idempotent(),
        "idempotency_key": counted.keyed,
        "body_bytes": counted.body_bytes,
        "http": version(counted.version),
        "arrivals": counted.arrivals,
        "on_reused_connections": counted.on_reused,
        "faults": counted.faults,
        "unlike_the_first": counted.unlike,
    })
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 | Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        // hyper reads no other.
        _ => "1.1",
    }
}

/// The requests of one method, with or without a key, with or without a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RequestKind {
    pub method: String,
    pub keyed: bool,
    pub has_body: bool,
    /// How many different requests there are.
    pub requests: u64,
    /// How many of them came more than once.
    pub repeated: u64,
    /// The most arrivals of one of them.
    pub most: u64,
}

impl RequestKind {
    fn as_json(&self) -> Value {
        json!({
            "method": self.method,
            "idempotency_key": self.keyed,
            "body": self.has_body,
            "requests": self.requests,
            "repeated": self.repeated,
            "most_arrivals": self.most,
        })
    }
}

/// The requests by kind, in alphabetical order.
pub(crate) fn kinds(arrivals: &Arrivals) -> Vec<RequestKind> {
    let mut kinds: BTreeMap<(&str, bool, bool), (u64, u64, u64)> = BTreeMap::new();
    for counted in arrivals.requests() {
        let of = (counted.method.as_str(), counted.keyed, counted.body_bytes > 0);
        let (requests, repeated, most) = kinds.entry(of).or_default();
        *requests += 1;
        *repeated += u64::from(counted.is_repeated());
        *most = counted.arrivals.max(*most);
    }
    let kind = |((method, keyed, has_body), (requests, repeated, most)): ((&str, _, _), _)| RequestKind {
        method: method.to_owned(),
        keyed,
        has_body,
        requests,
        repeated,
        most,
    };
    kinds.into_iter().map(kind).collect()
}
