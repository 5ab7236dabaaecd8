//! The kinds of faults, by the names that they have in experiments, claims and reports.

/// Something done to an operation, a delivery, a handler or a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// The message never reaches the other side.
    RequestLost,
    /// The other side did it, and nobody heard.
    ReplyLost,
    /// Timed out while the request is still in flight; it lands later.
    LateLanding,
    /// Something on the way (a proxy, a mesh, a driver) repeats the message by itself.
    Duplicated,
    /// The message takes longer, which also reorders it.
    Delayed,
    /// The handler stands still for longer than its lease lives.
    Pause,
    /// The handler's future is dropped in the middle of an operation.
    Cancel,
    /// The handler crashes between two operations, and its connections with it.
    Crash,
    /// A backend stands still.
    ServerPaused,
    /// A backend is killed, and started again on the same data.
    ServerKilled,
    /// Nothing gets through between a backend and its clients, or its peers.
    Partition,
}

impl FaultKind {
    /// Every kind, in the order of the declaration.
    pub const ALL: [FaultKind; 11] = [
        FaultKind::RequestLost,
        FaultKind::ReplyLost,
        FaultKind::LateLanding,
        FaultKind::Duplicated,
        FaultKind::Delayed,
        FaultKind::Pause,
        FaultKind::Cancel,
        FaultKind::Crash,
        FaultKind::ServerPaused,
        FaultKind::ServerKilled,
        FaultKind::Partition,
    ];

    /// The name of this kind in experiments and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::RequestLost => "request_lost",
            FaultKind::ReplyLost => "reply_lost",
            FaultKind::LateLanding => "late_landing",
            FaultKind::Duplicated => "duplicated",
            FaultKind::Delayed => "delayed",
            FaultKind::Pause => "pause",
            FaultKind::Cancel => "cancel",
            FaultKind::Crash => "crash",
            FaultKind::ServerPaused => "server_paused",
            FaultKind::ServerKilled => "server_killed",
            FaultKind::Partition => "partition",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<FaultKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a server that is killed, stands still or is cut off may do the same to a message or a handler, on any leg: who waits
    /// for the server lets others wait. No server repeats a message, and none ends a handler.
    #[must_use]
    pub fn may_come_of_a_server(self) -> bool {
        match self {
            FaultKind::RequestLost
            | FaultKind::ReplyLost
            | FaultKind::LateLanding
            | FaultKind::Delayed
            | FaultKind::Pause
            | FaultKind::ServerPaused
            | FaultKind::ServerKilled
            | FaultKind::Partition => true,
            FaultKind::Duplicated | FaultKind::Cancel | FaultKind::Crash => false,
        }
    }

    /// What it is, in one sentence.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            FaultKind::RequestLost => "the message never reaches the other side",
            FaultKind::ReplyLost => "the other side did it, and nobody heard",
            FaultKind::LateLanding => "timed out while the request is in flight; it lands later",
            FaultKind::Duplicated => "a proxy, mesh or driver on the way repeats the message by itself",
            FaultKind::Delayed => "the message takes longer, and is overtaken",
            FaultKind::Pause => "the handler stands still for longer than its lease lives",
            FaultKind::Cancel => "the handler's future is dropped in the middle of an operation",
            FaultKind::Crash => "the handler dies between two operations, its connections with it",
            FaultKind::ServerPaused => "a backend stands still, and goes on as if nothing had been",
            FaultKind::ServerKilled => "a backend is killed, and started again on the same data",
            FaultKind::Partition => "nothing gets through between a backend and its clients, or its peers",
        }
    }
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
