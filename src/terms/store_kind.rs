//! Kinds of stores, how they isolate transactions, and what clients do without an answer.

/// A kind of store. Promises depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreKind {
    /// One writer at a time; every transaction is serializable.
    Sqlite,
    Postgres,
    /// MariaDB with its engine InnoDB.
    Mariadb,
    /// Does nothing and remembers only the ledger: for measuring the lab itself.
    Null,
}

impl StoreKind {
    /// Every kind with its name on the command line and in files.
    pub const NAMES: [(StoreKind, &'static str); 4] = [
        (StoreKind::Sqlite, "sqlite"),
        (StoreKind::Postgres, "postgres"),
        (StoreKind::Mariadb, "mariadb"),
        (StoreKind::Null, "null"),
    ];

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

    /// How the URLs of stores that are servers begin.
    const SCHEMES: [(&'static str, StoreKind); 4] = [
        ("postgres", StoreKind::Postgres),
        ("postgresql", StoreKind::Postgres),
        ("mysql", StoreKind::Mariadb),
        ("mariadb", StoreKind::Mariadb),
    ];

    /// The kind of store that URLs with this scheme name.
    #[must_use]
    pub fn of_scheme(scheme: &str) -> Option<StoreKind> {
        Self::SCHEMES.iter().find(|(known, _)| *known == scheme).map(|(_, kind)| *kind)
    }

    /// The model of this kind of store; none of a store in which there is nothing to break.
    #[must_use]
    pub fn model(self) -> Option<Profile> {
        match self {
            StoreKind::Sqlite => Some(Profile::Sqlite),
            StoreKind::Postgres => Some(Profile::Postgres),
            StoreKind::Mariadb => Some(Profile::Mariadb),
            StoreKind::Null => None,
        }
    }

    /// Whether it is a server, which has a URL, and which the lab can start and ill-treat.
    #[must_use]
    pub fn is_server(self) -> bool {
        match self {
            StoreKind::Postgres | StoreKind::Mariadb => true,
            StoreKind::Sqlite | StoreKind::Null => false,
        }
    }

    /// Whether the lab's proxies know the protocol of its connections, and can lose messages there.
    #[must_use]
    pub fn has_wire(self) -> bool {
        match self {
            StoreKind::Postgres => true,
            StoreKind::Mariadb | StoreKind::Sqlite | StoreKind::Null => false,
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
    /// MariaDB. The lab has no model of it: PostgreSQL's stands in for it, and whoever shows what that says must say so.
    Mariadb,
}

impl Profile {
    /// The store that it is the profile of.
    #[must_use]
    pub fn store(self) -> StoreKind {
        match self {
            Profile::Sqlite => StoreKind::Sqlite,
            Profile::Postgres => StoreKind::Postgres,
            Profile::Mariadb => StoreKind::Mariadb,
        }
    }

    /// The store whose model goes along: another one where there is none of its own.
    #[must_use]
    pub fn modelled_as(self) -> StoreKind {
        match self {
            Profile::Sqlite => StoreKind::Sqlite,
            Profile::Postgres | Profile::Mariadb => StoreKind::Postgres,
        }
    }

    /// Whether it has a model of its own, which the real thing can be held against.
    #[must_use]
    pub fn has_own_model(self) -> bool {
        self.store() == self.modelled_as()
    }
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
