//! An etcd cluster that is about to be started, the same for processes and containers: everybody meets at sockets in a folder that
//! is the lab's alone, clients and members alike, so that nobody else can take part.
//!
//! Its clients give no password: with etcd's users its lock service leaves the key of a wait that was given up where it is, since it
//! deletes it in nobody's name ("auth: user name is empty"), and the next in the queue waits for the lease.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::folder::socket_url;
use super::{EtcdShape, Keeps, Relay, failed, temporary_folder};
use crate::service::BackendError;
use crate::service::etcd::driver as etcd;

/// A member that is about to be started.
pub(super) struct Member {
    pub name: String,
    /// Its command line, without the program. It must run in the meeting folder.
    pub flags: Vec<String>,
    pub seat: Seat,
}

/// A member's place in its cluster.
pub(super) struct Seat {
    /// Where clients reach it.
    pub url: String,
    /// Its place among the members.
    number: usize,
    /// The way to each member for the others, by its place; none where members cannot be cut off.
    relays: Option<Arc<[Relay]>>,
    /// Goes with the last member.
    meeting: Arc<tempfile::TempDir>,
}

/// What a member is called by, as etcd names sockets in the folder that it runs in: like a host and a port.
struct Sockets {
    client: String,
    peer: String,
    /// What stands before it for the other members, where they can be cut off from each other.
    relay: String,
}

impl Sockets {
    fn of(number: u8) -> Self {
        let at = |what: &str| format!("{what}:{number}");
        Sockets { client: at("client"), peer: at("peer"), relay: at("relay") }
    }

    /// Where the other members reach it.
    fn for_peers(&self, shape: &EtcdShape) -> &str {
        if shape.partitions { &self.relay } else { &self.peer }
    }
}

/// Plans a cluster. Each member keeps its data where it is told.
///
/// # Errors
/// [`BackendError`] if there is no place for the sockets.
pub(super) fn plan(shape: &EtcdShape, data: impl Fn(u8) -> String) -> Result<Vec<Member>, BackendError> {
    let meeting = Arc::new(temporary_folder("etcd", Keeps::OnDisk)?);
    let numbers = || (1..=shape.members).map(|number| (number, Sockets::of(number)));
    let at = |socket: &str| meeting.path().join(socket);
    let relays = if shape.partitions {
        let relay = |(_, sockets): (u8, Sockets)| Relay::between_sockets(&at(&sockets.relay), &at(&sockets.peer));
        let relays: std::io::Result<Vec<Relay>> = numbers().map(relay).collect();
        Some(Arc::from(relays.map_err(|error| failed("etcd", &error.to_string()))?))
    } else {
        None
    };
    let named = |(number, sockets): (u8, Sockets)| format!("etcd-{number}=unix://{}", sockets.for_peers(shape));
    let cluster = numbers().map(named).collect::<Vec<_>>().join(",");
    let member = |(number, sockets): (u8, Sockets)| {
        let name = format!("etcd-{number}");
        Ok(Member {
            flags: flags(&name, &data(number), &sockets, &cluster, shape),
            seat: Seat {
                url: socket_url(&at(&sockets.client))?,
                number: (number - 1).into(),
                relays: relays.clone(),
                meeting: Arc::clone(&meeting),
            },
            name,
        })
    };
    numbers().map(member).collect()
}

fn flags(name: &str, data: &str, sockets: &Sockets, cluster: &str, shape: &EtcdShape) -> Vec<String> {
    let flag = |name: &str, value: &str| format!("--{name}={value}");
    let socket = |name: &str, socket: &str| format!("--{name}=unix://{socket}");
    let ms = |duration: Duration| duration.as_millis().to_string();
    vec![
        flag("name", name),
        flag("data-dir", data),
        socket("listen-client-urls", &sockets.client),
        socket("advertise-client-urls", &sockets.client),
        socket("listen-peer-urls", &sockets.peer),
        socket("initial-advertise-peer-urls", sockets.for_peers(shape)),
        flag("initial-cluster", cluster),
        flag("heartbeat-interval", &ms(shape.election / 10)),
        flag("election-timeout", &ms(shape.election)),
        flag("logger", "zap"),
        flag("log-level", "warn"),
    ]
}

impl Seat {
    /// The folder that the member must run in.
    pub fn meeting(&self) -> &Path {
        self.meeting.path()
    }

    /// Makes room for a member that was killed and is started again: etcd takes a socket that nobody listens on for one that somebody
    /// does (seen on 3.4.23, and only of that for clients).
    pub fn clear(&self) -> Result<(), BackendError> {
        let socket = Path::new(self.url.trim_start_matches("unix://"));
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("etcd", &error.to_string())),
            _ => Ok(()),
        }
    }

    /// Nobody of the cluster reaches this member any more, and it reaches nobody.
    pub async fn leave(&self) -> Result<(), BackendError> {
        let id = etcd::member_id(&self.url.as_str().into()).await?;
        for (number, relay) in self.relays()?.iter().enumerate() {
            if number == self.number { relay.cut() } else { relay.cut_from(id) }
        }
        Ok(())
    }

    /// Everybody reaches everybody again.
    pub fn join(&self) -> Result<(), BackendError> {
        self.relays().map(|relays| relays.iter().for_each(Relay::heal))
    }

    fn relays(&self) -> Result<&[Relay], BackendError> {
        let what = "it was started without relays, so it cannot be cut off";
        self.relays.as_deref().ok_or_else(|| failed("etcd", what))
    }
}
