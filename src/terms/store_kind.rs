//! Kinds of stores, how they isolate transactions, and what clients do without an answer.

/// A kind of store. Promises depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreKind {
    /// One writer at a time; every transaction is serializable.
    Sqlite,
    Postgres,
    /// Does nothing and remembers only the ledger: for measuring the lab itself.
    Null,
}

impl StoreKind {
    /// Every kind with its name on the command line and in files.
    pub const NAMES: [(StoreKind, &'static str); 3] =
        [(StoreKind::Sqlite, "sqlite"), (StoreKind::Postgres, "postgres"), (StoreKind::Null, "null")];

    /// The name on the command line and in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::NAMES.iter().find(|(kind, _)| *kind == self);
        named.expect("every store kind has a name").1
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<StoreKind> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// The model of this kind of store; none of a store in which there is nothing to break.
    #[must_use]
    pub fn model(self) -> Option<Profile> {
        match self {
            StoreKind::Sqlite => Some(Profile::Sqlite),
            StoreKind::Postgres => Some(Profile::Postgres),
            StoreKind::Null => None,
        }
    }
}

/// Which database is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// One transaction that writes at a time, begun with BEGIN IMMEDIATE, whatever isolation level is asked for.
    Sqlite,
    /// Row locks, and the three isolation levels.
    Postgres,
}

/// How much a transaction is shielded from the others, as the SQL standard names it and PostgreSQL implements it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isolation {
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl std::fmt::Display for Isolation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        })
    }
}

/// What a client of the strategy does when it gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retries {
    /// Sends once and never again. Something on the way may repeat the message all the same.
    Never,
    /// Retries until it is acknowledged.
    UntilAcknowledged,
}
