//! Where a Kafka is, and who asks.

use super::driver::broken;
use crate::service::{BackendError, Endpoint};
use crate::wire::Address;

/// The port that brokers listen on if nobody says another.
const PORT: u16 = 9092;

/// What a URL must be.
pub(super) const IS_KAFKA: &str =
    "check that a Kafka runs there, and that the URL is right: kafka://[USER:PASSWORD@]HOST[:PORT]";

/// A broker: where it listens, and the name and the password to show it (SASL PLAIN), if it wants one.
#[derive(Clone)]
pub(super) struct Broker {
    pub address: Address,
    pub user: Option<(String, String)>,
}

impl Broker {
    /// Reads `kafka://user:password@host:9092`. What it says of a URL that is none does not repeat it: it may hold a password.
    pub fn parse(url: &str) -> Result<Self, BackendError> {
        let none = || broken("the URL is not one of a Kafka", IS_KAFKA);
        let endpoint = Endpoint::from(url);
        let at = endpoint.url().strip_prefix("kafka://").ok_or_else(none)?.trim_end_matches('/');
        let (host, port) = match at.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| none())?),
            _ => (at, PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '?', '#', ' ']) {
            return Err(none());
        }
        Ok(Broker { address: Address::Port(host.to_owned(), port), user: endpoint.user().cloned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_a_broker_is_and_who_asks() {
        let parsed = |url: &str| Broker::parse(url).map(|it| (it.address.to_string(), it.user)).ok();
        let me = || Some(("me".to_owned(), "p@ss".to_owned()));
        assert_eq!(parsed("kafka://me:p%40ss@host:9093"), Some(("host:9093".to_owned(), me())));
        assert_eq!(parsed("kafka://host"), Some(("host:9092".to_owned(), None)));
        for none in ["http://host:1", "kafka://", "kafka://host:port", "host:9092", "kafka://host/topic"] {
            assert_eq!(parsed(none), None, "{none}");
        }
        let said = Broker::parse("kafk://me:hunter2@host").map(drop).unwrap_err().to_string();
        assert!(!said.contains("hunter2"), "{said}");
    }
}
