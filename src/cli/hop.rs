//! `--hop`: whether requests and answers cross a hop between client and handler.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::strategy::{Registry, WithHop};

/// What lies between client and handler.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct HopOption {
    /// Let each request and each answer cross a hop between client and handler, as steps of their own: they can be lost, and a request
    /// can be late. In replays they cross real sockets, over HTTP/1.1
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    hop: Option<HopProtocol>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum HopProtocol {
    /// HTTP/1.1
    Http,
}

impl HopOption {
    /// The strategies, behind the hop if there is one.
    pub fn put_before(self, registry: &Registry) -> Registry {
        match self.hop {
            None => registry.clone(),
            Some(HopProtocol::Http) => WithHop::all(registry),
        }
    }

    /// The option again, for a command to repeat.
    pub fn option(self) -> &'static str {
        match self.hop {
            None => "",
            Some(HopProtocol::Http) => " --hop http",
        }
    }

    /// Says in a document that there is a hop, if there is one.
    pub fn say_in(self, document: &mut Value) {
        if let Some(HopProtocol::Http) = self.hop {
            document["hop"] = json!("http");
        }
    }
}
