//! The hop between clients and handlers, and what stands on the way.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What requests cross between clients and handlers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hop {
    /// Nothing but the lab's own process.
    #[default]
    Inside,
    /// HTTP/1.1 over the loopback interface.
    Http,
    /// HTTP/2 over the loopback interface.
    Http2,
}

impl Hop {
    /// Every hop with its name in experiments and files.
    pub const NAMES: [(Hop, &'static str); 3] = [(Hop::Inside, "inside"), (Hop::Http, "http"), (Hop::Http2, "http2")];

    /// The name in experiments and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(hop, _)| *hop == self);
        named.expect("every hop has a name").1
    }

    /// Whether it is none.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        *self == Hop::Inside
    }
}

/// A proxy that others have made, which the lab starts as a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpProxy {
    /// As it comes, before two upstreams.
    Nginx,
    /// It passes every request to the next upstream after an error: `proxy_next_upstream … non_idempotent`.
    NginxNonIdempotent,
    /// As it comes, before two servers.
    Haproxy,
    /// It sends every request again after an error: `retry-on all-retryable-errors`.
    HaproxyRetry,
}

impl HttpProxy {
    /// Every proxy with its name in experiments and files.
    pub const NAMES: [(HttpProxy, &'static str); 4] = [
        (HttpProxy::Nginx, "nginx"),
        (HttpProxy::NginxNonIdempotent, "nginx-non-idempotent"),
        (HttpProxy::Haproxy, "haproxy"),
        (HttpProxy::HaproxyRetry, "haproxy-retry"),
    ];

    /// The program, which is also the name of Debian's package.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            HttpProxy::Nginx | HttpProxy::NginxNonIdempotent => "nginx",
            HttpProxy::Haproxy | HttpProxy::HaproxyRetry => "haproxy",
        }
    }
}

/// A real proxy on the way from clients to handlers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Via {
    /// The lab starts it.
    Started(HttpProxy),
    /// It runs already; host and port.
    At(String),
}

/// A text that names no proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no proxy: name one of {known}, or the URL of your own, such as http://127.0.0.1:8080", known = known())]
pub struct UnknownProxy(String);

fn known() -> String {
    HttpProxy::NAMES.map(|(_, name)| name).join(", ")
}

impl TryFrom<String> for Via {
    type Error = UnknownProxy;

    fn try_from(text: String) -> Result<Self, UnknownProxy> {
        if let Some((proxy, _)) = HttpProxy::NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(Via::Started(*proxy));
        }
        let authority = text.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let is_authority = |host: &str, port: &str| {
            let is_host = |c: char| c.is_ascii_alphanumeric() || ".-[]:".contains(c);
            !host.is_empty() && host.chars().all(is_host) && port.parse::<u16>().is_ok_and(|port| port > 0)
        };
        match authority {
            Some(authority) if authority.rsplit_once(':').is_some_and(|(host, port)| is_authority(host, port)) => {
                Ok(Via::At(authority.to_owned()))
            }
            _ => Err(UnknownProxy(text)),
        }
    }
}

impl From<Via> for String {
    fn from(via: Via) -> String {
        via.to_string()
    }
}

impl fmt::Display for Via {
    /// Prints it as an experiment names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Via::Started(proxy) => {
                let named = HttpProxy::NAMES.iter().find(|(known, _)| known == proxy);
                f.write_str(named.expect("every proxy has a name").1)
            }
            Via::At(authority) => write!(f, "http://{authority}"),
        }
    }
}

/// The hop, the proxy on it, and where the lab's server listens for that proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HopSettings {
    pub hop: Hop,
    pub via: Option<Via>,
    /// Needed where the proxy is the user's own: it must know where to forward to.
    pub origin: Option<SocketAddr>,
}

impl HopSettings {
    /// What is wrong with them together, if anything is: the key to blame, and what to do.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        match self {
            HopSettings { hop: Hop::Inside, via: Some(_), .. } => {
                Some(("via", "`via` needs a hop that a proxy can stand on: set `hop` to \"http\" or \"http2\""))
            }
            HopSettings { via: Some(Via::At(_)), origin: None, .. } => Some((
                "via",
                "`via` names a proxy of your own: set `origin`, e.g. to \"127.0.0.1:9090\", and let the proxy forward to it",
            )),
            HopSettings { via: None | Some(Via::Started(_)), origin: Some(_), .. } => Some((
                "origin",
                "`origin` is for a proxy of your own: name its URL in `via`, or leave `origin` out and have a free port",
            )),
            HopSettings { hop: Hop::Inside | Hop::Http | Hop::Http2, .. } => None,
        }
    }
}

impl fmt::Display for HopSettings {
    /// Prints `http via nginx`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hop.name())?;
        self.via.as_ref().map_or(Ok(()), |via| write!(f, " via {via}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Hop, HopSettings, HttpProxy, Via};

    fn via(text: &str) -> Result<Via, String> {
        Via::try_from(text.to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_proxy_has_a_name_or_a_url() {
        for (proxy, name) in HttpProxy::NAMES {
            assert_eq!(via(name), Ok(Via::Started(proxy)));
            assert_eq!(Via::Started(proxy).to_string(), name);
        }
        for url in ["http://127.0.0.1:8080", "http://[::1]:80", "http://proxy.local:1"] {
            assert_eq!(via(url).unwrap().to_string(), url);
        }
        assert_eq!(via("http://a:80/").unwrap(), Via::At("a:80".to_owned()));
        for wrong in
            ["", "envoy", "https://a:80", "http://a", "http://a:0", "http://a:80/x", "http://u@a:80", "http://:80"]
        {
            let said = via(wrong).unwrap_err();
            assert!(said.contains("nginx-non-idempotent") && said.contains(wrong), "{said}");
        }
    }

    #[test]
    fn what_does_not_go_together_names_its_key() {
        let settings = |hop, via: Option<&str>, origin: Option<&str>| HopSettings {
            hop,
            via: via.map(|text| Via::try_from(text.to_owned()).unwrap()),
            origin: origin.map(|text| text.parse().unwrap()),
        };
        let fault = |settings: HopSettings| settings.fault().map(|(key, _)| key);
        let (url, origin) = (Some("http://127.0.0.1:8080"), Some("127.0.0.1:9090"));
        assert_eq!(fault(settings(Hop::Http, None, None)), None);
        assert_eq!(fault(settings(Hop::Http2, Some("haproxy"), None)), None);
        assert_eq!(fault(settings(Hop::Http, url, origin)), None);
        assert_eq!(fault(settings(Hop::Inside, Some("nginx"), None)), Some("via"));
        assert_eq!(fault(settings(Hop::Http, url, None)), Some("via"));
        assert_eq!(fault(settings(Hop::Http, Some("nginx"), origin)), Some("origin"));
        assert_eq!(fault(settings(Hop::Inside, None, origin)), Some("origin"));
        assert_eq!(settings(Hop::Http, Some("nginx"), None).to_string(), "http via nginx");
    }
}
