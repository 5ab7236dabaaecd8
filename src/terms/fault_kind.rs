//! The kinds of faults, by the names that they have in experiments, claims and reports.

/// Makes the kinds of faults out of their list. A row says: the name in experiments and files; whether it is done to a server; whether
/// it may come of what is done to a server; and what it is, in one sentence.
macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $to_a_server:literal $of_a_server:literal $is:literal;)*) => {
        /// Something done to an operation, a delivery, a handler or a backend.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultKind { $($(#[$doc])* $kind),* }

        impl FaultKind {
            /// Every kind, in the order of the declaration.
            pub const ALL: [FaultKind; [$($name),*].len()] = [$(FaultKind::$kind),*];

            /// The name of this kind in experiments and files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(FaultKind::$kind => $name),* }
            }

            /// Whether it is done to a server, and not to a message or a handler.
            #[must_use]
            pub fn is_done_to_a_server(self) -> bool {
                match self { $(FaultKind::$kind => $to_a_server),* }
            }

            /// Whether a server that is killed, stands still or is cut off may do the same to a message or a handler, on any leg: who
            /// waits for the server lets others wait. No server repeats a message, and none ends a handler.
            #[must_use]
            pub fn may_come_of_a_server(self) -> bool {
                match self { $(FaultKind::$kind => $of_a_server),* }
            }

            /// What it is, in one sentence.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self { $(FaultKind::$kind => $is),* }
            }
        }
    };
}

fault_kinds! {
    /// The message never reaches the other side.
    RequestLost "request_lost" false true "the message never reaches the other side";
    /// The other side did it, and nobody heard.
    ReplyLost "reply_lost" false true "the other side did it, and nobody heard";
    /// Timed out while the request is still in flight; it lands later.
    LateLanding "late_landing" false true "timed out while the request is in flight; it lands later";
    /// Something on the way (a proxy, a mesh, a driver) repeats the message by itself.
    Duplicated "duplicated" false false "a proxy, mesh or driver on the way repeats the message by itself";
    /// A client uses the message id again, for a request with another body.
    OtherBody "other_body" false false "a client uses the id again, for a request with another body";
    /// The message takes longer, which also reorders it.
    Delayed "delayed" false true "the message takes longer, and is overtaken";
    /// The handler stands still for longer than its lease lives.
    Pause "pause" false true "the handler stands still for longer than its lease lives";
    /// The handler's future is dropped in the middle of an operation.
    Cancel "cancel" false false "the handler's future is dropped in the middle of an operation";
    /// The handler crashes between two operations, and its connections with it.
    Crash "crash" false false "the handler dies between two operations, its connections with it";
    /// A backend stands still.
    ServerPaused "server_paused" true true "a backend stands still, and goes on as if nothing had been";
    /// A backend is killed, and started again on the same data.
    ServerKilled "server_killed" true true "a backend is killed, and started again on the same data";
    /// Nothing gets through between a backend and its clients, or its peers.
    Partition "partition" true true "nothing gets through between a backend and its clients, or its peers";
}

impl FaultKind {
    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<FaultKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
