//! Where a member of a lock service is, and who asks.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use etcd_client::{Channel, Client, ConnectOptions};
use percent_encoding::percent_decode_str;

use super::BackendError;
use crate::wire::{Address, SOCKET};

/// A member of a lock service, as `http://user:password@host:2379`; user and password may be left out. Shown, it has neither. Or one that
/// listens on a socket in the file system, as `unix:///path`.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Without user and password.
    url: String,
    user: Option<(String, String)>,
}

impl Endpoint {
    /// The URL without user and password.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name and the password of the user.
    #[must_use]
    pub fn user(&self) -> Option<&(String, String)> {
        self.user.as_ref()
    }

    /// The same member, asked by another user.
    #[must_use]
    pub fn asked_by(self, name: &str, password: &str) -> Self {
        Endpoint { user: Some((name.to_owned(), password.to_owned())), ..self }
    }

    /// A connection, which asks for a token first if there is a user; without one, the first call opens it.
    ///
    /// # Errors
    /// What the driver says if the member does not answer, or refuses the user.
    pub async fn client(&self, timeout: Duration) -> Result<Client, etcd_client::Error> {
        let options = ConnectOptions::new().with_connect_timeout(timeout);
        let options = match &self.user {
            Some((name, password)) => options.with_user(name, password),
            None => options,
        };
        match self.url.starts_with(SOCKET) {
            true => {
                let socket = tonic::transport::Endpoint::from_shared(self.url.clone())?.connect_timeout(timeout);
                Client::from_channel(Channel::Tonic(socket.connect_lazy()), Some(options)).await
            }
            false => Client::connect([self.url.as_str()], Some(options)).await,
        }
    }

    /// The same member and user, by another way.
    #[must_use]
    pub fn through(&self, address: &Address) -> Self {
        let url = match address {
            Address::Port(..) => format!("http://{address}"),
            Address::Socket(_) => address.to_string(),
        };
        Endpoint { url, user: self.user.clone() }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// [`BackendError`] if it is no endpoint.
    pub fn address(&self) -> Result<Address, BackendError> {
        if let Some(path) = self.url.strip_prefix(SOCKET) {
            return Ok(Address::Socket(PathBuf::from(path)));
        }
        let uri: Option<tonic::transport::Uri> = self.url.parse().ok();
        let parts = uri.and_then(|uri| Some(Address::Port(uri.host()?.to_owned(), uri.port_u16().unwrap_or(2379))));
        parts.ok_or_else(|| {
            super::etcd::driver::trouble(
                format!("'{self}' is no endpoint"),
                "endpoints look like http://127.0.0.1:2379",
            )
        })
    }
}

impl From<&str> for Endpoint {
    fn from(text: &str) -> Self {
        if text.starts_with(SOCKET) {
            return Endpoint { url: text.to_owned(), user: None };
        }
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
        // What follows the host can hold an '@' of its own.
        let host_from = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]).rfind('@');
        let Some(at) = host_from else { return Endpoint { url: text.to_owned(), user: None } };
        let (user, host) = (&rest[..at], &rest[at + 1..]);
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let url = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
        Endpoint { url, user: Some((decoded(name), decoded(password))) }
    }
}

impl From<String> for Endpoint {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.url, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, Endpoint};

    #[test]
    fn user_and_password_are_taken_out_of_the_url() {
        let endpoint = Endpoint::from("http://me:p%40ss:word@host:2379");
        assert_eq!(endpoint.user(), Some(&("me".to_owned(), "p@ss:word".to_owned())));
        assert_eq!(endpoint.url(), "http://host:2379");
        assert_eq!(format!("{endpoint} {endpoint:?}"), "http://host:2379 \"http://host:2379\"");
        assert_eq!(endpoint.address().unwrap(), Address::Port("host".to_owned(), 2379));
        let endpoint = Endpoint::from("me@host");
        assert_eq!((endpoint.url(), endpoint.user().unwrap().1.as_str()), ("host", ""));
    }

    #[test]
    fn an_endpoint_without_a_user_stays_as_it_is() {
        for text in ["http://127.0.0.1:2379", "127.0.0.1:2379", "http://host:1/a@b"] {
            assert_eq!((Endpoint::from(text).url(), Endpoint::from(text).user()), (text, None));
        }
        let socket = Endpoint::from("unix:///tmp/a@b/client:1");
        assert_eq!(socket.address().unwrap(), Address::Socket("/tmp/a@b/client:1".into()));
        assert_eq!(socket.through(&socket.address().unwrap()), socket);
        assert!(Endpoint::from("what is this").address().is_err());
    }
}
