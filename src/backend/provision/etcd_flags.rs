//! The command line of an etcd member, the same for processes and containers.

use std::time::Duration;

use super::EtcdShape;

/// Where a member listens and what it tells others.
pub(super) struct Member {
    pub name: String,
    pub data_dir: String,
    pub listen_client: String,
    pub advertise_client: String,
    pub listen_peer: String,
    pub advertise_peer: String,
}

/// The sockets of a member for the others, as etcd names them: like a host and a port, in the folder that it runs in.
pub(super) struct Peers {
    pub socket: String,
    /// What stands before it where members can be cut off from each other.
    pub relay: String,
}

impl Peers {
    pub(super) fn at(number: u8) -> Self {
        Peers { socket: format!("peer:{number}"), relay: format!("relay:{number}") }
    }
}

/// The flags of one member among all.
pub(super) fn flags(member: &Member, all: &[Member], shape: &EtcdShape) -> Vec<String> {
    let cluster: Vec<String> = all.iter().map(|m| format!("{}={}", m.name, m.advertise_peer)).collect();
    let heartbeat = shape.election / 10;
    let flag = |name: &str, value: &str| format!("--{name}={value}");
    let ms = |duration: Duration| duration.as_millis().to_string();
    vec![
        flag("name", &member.name),
        flag("data-dir", &member.data_dir),
        flag("listen-client-urls", &member.listen_client),
        flag("advertise-client-urls", &member.advertise_client),
        flag("listen-peer-urls", &member.listen_peer),
        flag("initial-advertise-peer-urls", &member.advertise_peer),
        flag("initial-cluster", &cluster.join(",")),
        flag("heartbeat-interval", &ms(heartbeat)),
        flag("election-timeout", &ms(shape.election)),
        flag("logger", "zap"),
        flag("log-level", "warn"),
    ]
}
