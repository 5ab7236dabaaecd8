//! `--use ROLE=SERVICE[@URL]`: which service plays a role besides store and lock.

use std::collections::BTreeMap;

use super::UsageError;
use crate::results::Meta;
use crate::service::kafka::NO_KAFKA;
use crate::service::redis::Master;
use crate::service::{Endpoint, WantedKafka, WantedRedis, WantedStore};
use crate::strategy::{Need, Registry, Strategy, servers_of};
use crate::suggest::{did_you_mean, nearest};
use crate::terms::{Role, StoreKind};
use crate::world::ServiceKind;

/// What plays the roles that were named, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uses(Vec<Use>);

/// A service that can play a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Player {
    Store(StoreKind),
    /// A Redis in this process.
    EmbeddedRedis,
    Redis,
    Kafka,
}

impl Player {
    /// Those that can play a role.
    fn of(role: Role) -> Vec<Player> {
        if role == Role::CACHE {
            return vec![Player::EmbeddedRedis, Player::Redis];
        }
        if role == Role::BROKER {
            return vec![Player::Kafka];
        }
        StoreKind::NAMES.map(|(kind, _)| Player::Store(kind)).to_vec()
    }

    fn name(self) -> &'static str {
        match self {
            Player::Store(kind) => kind.name(),
            Player::EmbeddedRedis => "embedded",
            Player::Redis => "redis",
            Player::Kafka => "kafka",
        }
    }

    /// What plays a role if a URL is all that is known of it.
    fn at_a_url(role: Role) -> Player {
        match role {
            Role::CACHE => Player::Redis,
            Role::BROKER => Player::Kafka,
            _ => Player::Store(StoreKind::Postgres),
        }
    }

    /// That a URL is one of its servers. The URL itself may hold a password, and is not said again.
    fn require_url(self, url: &str) -> Result<(), &'static str> {
        let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
        let is_redis =
            |url: &String| scheme(url).is_some_and(|it| ["redis", "redis+unix", "unix"].contains(&it.as_str()));
        match self {
            Player::Store(kind) => require_url(kind, url),
            Player::Redis if addresses(url).iter().all(is_redis) => Ok(()),
            Player::Redis | Player::EmbeddedRedis => {
                Err("this is not the URL of a Redis; write redis://user:password@host:6379")
            }
            Player::Kafka if scheme(url).as_deref() == Some("kafka") => Ok(()),
            Player::Kafka => Err("this is not the URL of a Kafka; write kafka://user:password@host:9092"),
        }
    }
}

/// What plays a role.
#[derive(Debug, PartialEq, Eq)]
struct Use {
    role: Role,
    kind: Player,
    /// May hold a password: it is never printed.
    url: Option<String>,
    /// Whether the command names it, and not the environment of all commands.
    is_asked_for: bool,
}

/// The URLs in a list with commas between them. What begins with no scheme belongs to the one before it: a password may have a comma.
fn addresses(list: &str) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for part in list.split(',') {
        match urls.last_mut().filter(|_| !part.contains("://")) {
            Some(last) => last.extend([",", part]),
            None => urls.push(part.to_owned()),
        }
    }
    urls
}

/// The roles that `--use` can name. The peer is always the lab's own.
fn roles() -> impl Iterator<Item = Role> {
    Role::SERVERS.into_iter().filter(|role| ![Role::STORE, Role::LOCK, Role::PEER].contains(role))
}

/// The variable that names the server of a role.
fn variable(role: Role) -> String {
    format!("ONCELAB_{}_URL", role.name().to_uppercase())
}

fn wrong(what: &str) -> UsageError {
    UsageError(format!("--use: {what}"))
}

/// At most so much of something that was typed, as it can be printed. What comes after an `@` could be a password.
fn shown(text: &str) -> String {
    let name = text.split(['@', ':']).next().unwrap_or_default();
    name.chars().take(40).collect::<String>().escape_debug().to_string()
}

impl Use {
    /// Reads `ROLE=SERVICE` or `ROLE=SERVICE@URL`.
    fn parse(text: &str) -> Result<Self, UsageError> {
        let Some((role, rest)) = text.split_once('=') else {
            return Err(wrong(&format!(
                "'{}' names no service: write ROLE=SERVICE, e.g. --use second=sqlite",
                shown(text)
            )));
        };
        let role = parse_role(role)?;
        let (service, url) = match rest.split_once('@') {
            Some((service, url)) => (service, Some(url)),
            None => (rest, None),
        };
        let players = Player::of(role);
        let kind = players.iter().copied().find(|player| player.name() == service).ok_or_else(|| {
            if role == Role::BROKER && service == "rdkafka" {
                return wrong(
                    "rdkafka is a client and no service: write --use broker=kafka, and add --set backend.broker_client=rdkafka to `oncelab \
                     run`; explore, replay and conform make one request for each operation, and have no such client",
                );
            }
            let names: Vec<&str> = players.iter().map(|player| player.name()).collect();
            let hint = did_you_mean(nearest(service, names.iter().copied()));
            wrong(&format!(
                "no service in the role '{}' is named '{}'{hint}; there are: {}",
                role.name(),
                shown(service),
                names.join(", ")
            ))
        })?;
        match (kind, url) {
            (_, None) => {}
            (Player::Redis | Player::Kafka | Player::Store(StoreKind::Postgres | StoreKind::Mariadb), Some(url)) => {
                kind.require_url(url).map_err(|what| wrong(&format!("{}: {what}", role.name())))?;
            }
            (Player::EmbeddedRedis | Player::Store(StoreKind::Sqlite | StoreKind::Null), Some(_)) => {
                return Err(wrong(&format!(
                    "{}={} has a URL, and no server: leave out the @ and what follows",
                    role.name(),
                    kind.name()
                )));
            }
        }
        Ok(Use { role, kind, url: url.map(str::to_owned), is_asked_for: true })
    }
}

/// The role of this name, if `--use` can name it.
fn parse_role(name: &str) -> Result<Role, UsageError> {
    match Role::from_name(name) {
        Some(role @ (Role::STORE | Role::LOCK)) => {
            let role = role.name();
            Err(wrong(&format!("the role '{role}' has a flag of its own: write --{role} SERVICE, or --{role}-url URL")))
        }
        Some(Role::PEER) => Err(wrong("the lab plays the role 'peer' itself: leave it out")),
        Some(role) => Ok(role),
        None => {
            let names: Vec<&str> = roles().map(Role::name).collect();
            let hint = did_you_mean(nearest(name, names.iter().copied()));
            let names = names.join(", ");
            Err(wrong(&format!("no role is named '{}'{hint}; there are: {names}", shown(name))))
        }
    }
}

/// That a URL is one of a database of this kind. The URL itself may hold a password, and is not said again.
fn require_url(kind: StoreKind, url: &str) -> Result<(), &'static str> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    match (kind, scheme) {
        (StoreKind::Mariadb, Some("mysql" | "mariadb")) => Ok(()),
        (StoreKind::Mariadb, _) => {
            Err("this is not the URL of a MariaDB database; write mysql://user@host:3306/database")
        }
        (_, Some("postgres" | "postgresql")) => Ok(()),
        _ => Err("this is not the URL of a PostgreSQL database; write postgres://user@host:5432/database"),
    }
}

impl Uses {
    /// Reads what follows each `--use`, and the variables that name servers.
    ///
    /// # Errors
    /// [`UsageError`], which never holds a URL.
    pub fn parse(texts: &[String]) -> Result<Self, UsageError> {
        Self::with(texts, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn with(texts: &[String], variable_of: impl Fn(&str) -> Option<String>) -> Result<Self, UsageError> {
        let mut uses: Vec<Use> = Vec::new();
        for text in texts {
            let used = Use::parse(text)?;
            if uses.iter().any(|other| other.role == used.role) {
                return Err(wrong(&format!("the role '{}' is named twice: name it once", used.role.name())));
            }
            uses.push(used);
        }
        for role in roles() {
            let name = variable(role);
            let Some(url) = variable_of(&name) else { continue };
            let kind = Player::at_a_url(role);
            match uses.iter_mut().find(|used| used.role == role) {
                // Another kind, or another server, was asked for.
                Some(used) if used.kind != kind || used.url.is_some() => {}
                known => {
                    kind.require_url(&url).map_err(|what| UsageError(format!("{name}: {what}")))?;
                    match known {
                        Some(used) => used.url = Some(url),
                        None => {
                            uses.push(Use { role, kind, url: Some(url), is_asked_for: false });
                        }
                    }
                }
            }
        }
        Ok(Uses(uses))
    }

    /// Warns of passwords that the list of processes shows.
    pub fn warn(&self) {
        let has_password = |url: &str| Endpoint::from(url).user().is_some_and(|(_, password)| !password.is_empty());
        for used in self.0.iter().filter(|used| used.is_asked_for) {
            let variable = variable(used.role);
            // What the variable names, no list of processes shows.
            let is_typed = std::env::var(&variable).ok() != used.url;
            if is_typed && used.url.as_deref().is_some_and(has_password) {
                eprintln!(
                    "warning: everybody on this machine can see the password in --use {}=… (with ps): set {variable}, or use PGPASSFILE",
                    used.role.name()
                );
            }
        }
    }

    /// What plays each role that these strategies need a store in, besides the first: what was asked for, or another of the same kind.
    ///
    /// # Errors
    /// [`UsageError`] if a role was named that none of them needs.
    pub fn of_strategies(
        &self,
        strategies: &[String],
        registry: &Registry,
        store: &str,
    ) -> Result<BTreeMap<String, String>, UsageError> {
        let named: Vec<_> = strategies.iter().filter_map(|name| registry.get(name).ok()).collect();
        let needs = named.iter().flat_map(|strategy| strategy.needs());
        let is_named =
            |need: &&Need| [ServiceKind::Store, ServiceKind::Redis, ServiceKind::Kafka].contains(&need.service);
        let needed: Vec<Role> = needs.filter(is_named).map(|need| need.role).collect();
        if let Some(used) = self.0.iter().find(|used| used.is_asked_for && !needed.contains(&used.role)) {
            let role = used.role.name();
            return Err(wrong(&format!(
                "no strategy of this run needs a service in the role '{role}': leave it out, or add a strategy that does, e.g. --strategies {}",
                match used.role {
                    Role::CACHE => "redis-lock",
                    Role::BROKER => "kafka-idempotent",
                    _ => "act-then-mark-two-stores",
                }
            )));
        }
        let usual = |role: Role| match role {
            Role::CACHE => Player::EmbeddedRedis.name(),
            Role::BROKER => Player::Kafka.name(),
            _ => store,
        };
        let kind =
            |role: Role| self.0.iter().find(|used| used.role == role).map_or(usual(role), |used| used.kind.name());
        let is_had = |role: &Role| *role != Role::BROKER || self.kafka() != WantedKafka::Unused;
        let more = roles().filter(|role| needed.contains(role)).filter(is_had);
        Ok(more.map(|role| (role.name().to_owned(), kind(role).to_owned())).collect())
    }

    /// The stores that a run wants besides the first.
    pub fn wanted(&self, meta: &Meta) -> Vec<WantedStore> {
        let of = |(role, kind): (&String, &String)| {
            let (role, kind) = (Role::from_name(role)?, StoreKind::from_name(kind)?);
            let used = self.0.iter().find(|used| used.role == role && used.kind == Player::Store(kind));
            Some(WantedStore { role, kind, url: used.and_then(|used| used.url.clone()) })
        };
        meta.uses.iter().filter_map(of).collect()
    }

    /// The Redis that a run wants.
    pub fn wanted_redis(&self, meta: &Meta, servers: u8) -> WantedRedis {
        match meta.uses.get(Role::CACHE.name()) {
            None => WantedRedis::Unused,
            Some(service) if service == Player::Redis.name() => self.redis(servers),
            Some(_) => WantedRedis::Embedded,
        }
    }

    /// The Redis that was asked for; so many servers if they are to be started.
    pub fn redis(&self, servers: u8) -> WantedRedis {
        match self.0.iter().find(|used| used.role == Role::CACHE) {
            Some(Use { kind: Player::Redis, url: Some(urls), .. }) => WantedRedis::At(addresses(urls)),
            Some(Use { kind: Player::Redis, url: None, .. }) => WantedRedis::Started { servers },
            Some(_) | None => WantedRedis::Embedded,
        }
    }

    /// The Kafka that a run wants.
    pub fn wanted_kafka(&self, meta: &Meta) -> WantedKafka {
        meta.uses.get(Role::BROKER.name()).map_or(WantedKafka::Unused, |_| match self.kafka() {
            WantedKafka::Unused => WantedKafka::Started,
            named => named,
        })
    }

    /// The Kafka that was asked for.
    pub fn kafka(&self) -> WantedKafka {
        match self.0.iter().find(|used| used.role == Role::BROKER) {
            Some(Use { url: Some(url), .. }) => WantedKafka::At(url.clone()),
            Some(Use { url: None, .. }) => WantedKafka::Started,
            None => WantedKafka::Unused,
        }
    }

    /// What a strategy lacks, with what to do about it: a service that the lab does not start unless it is named.
    pub fn lacks(&self, strategy: &dyn Strategy) -> Option<String> {
        let (needs, name) = (strategy.needs(), strategy.name());
        let needs_kafka = needs.iter().any(|need| need.service == ServiceKind::Kafka);
        if needs_kafka && self.kafka() == WantedKafka::Unused {
            return Some(format!("'{name}' needs a Kafka: {NO_KAFKA}"));
        }
        let masters = servers_of(needs, Role::CACHE);
        match self.redis(masters) {
            WantedRedis::At(_) if masters > Master::COUNT => Some(format!(
                "'{name}' needs a Redis with a replica, which the lab makes of two that it has started: leave out the URL"
            )),
            WantedRedis::At(urls) if urls.len() < usize::from(masters) => Some(format!(
                "'{name}' needs {masters} Redis servers that know nothing of each other, and there is a URL of {}: name them all, with \
                 commas between them, or leave out the URL",
                urls.len()
            )),
            _ => None,
        }
    }

    /// That a strategy lacks nothing.
    ///
    /// # Errors
    /// [`UsageError`] says what it lacks, and what to do about it.
    pub fn require(&self, strategy: &dyn Strategy) -> Result<(), UsageError> {
        self.lacks(strategy).map_or(Ok(()), |what| Err(UsageError(what)))
    }

    /// That what was asked for is what a run was begun with.
    ///
    /// # Errors
    /// [`UsageError`] if it is not.
    pub fn require_those_of(&self, meta: &Meta) -> Result<(), UsageError> {
        let other = |used: &&Use| meta.uses.get(used.role.name()).is_none_or(|kind| *kind != used.kind.name());
        match self.0.iter().filter(|used| used.is_asked_for).find(other) {
            None => Ok(()),
            Some(used) => {
                let (role, kind) = (used.role.name(), used.kind.name());
                let then = meta.uses.get(role).map_or("nothing in that role", String::as_str);
                Err(wrong(&format!(
                    "{role}={kind}, and the run was begun with {then}: leave it out, or name what it was begun with"
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str], url: Option<&str>) -> Result<Uses, UsageError> {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        Uses::with(&texts, |name| url.filter(|_| name == "ONCELAB_SECOND_URL").map(str::to_owned))
    }

    #[test]
    fn a_role_has_a_service_and_a_server_if_the_service_has_one() {
        let one = |kind, url: Option<&str>| {
            Uses(vec![Use {
                role: Role::SECOND,
                kind: Player::Store(kind),
                url: url.map(str::to_owned),
                is_asked_for: true,
            }])
        };
        let at = "postgres://me:p@ss@host/db";
        assert_eq!(parsed(&["second=sqlite"], None).unwrap(), one(StoreKind::Sqlite, None));
        assert_eq!(parsed(&[&format!("second=postgres@{at}")], None).unwrap(), one(StoreKind::Postgres, Some(at)));
        assert_eq!(parsed(&["second=postgres"], Some(at)).unwrap(), one(StoreKind::Postgres, Some(at)));
        assert_eq!(parsed(&["second=sqlite"], Some(at)).unwrap(), one(StoreKind::Sqlite, None));
        let by_variable = Uses::with(&[], |name| (name == "ONCELAB_SECOND_URL").then(|| at.to_owned())).unwrap();
        assert_eq!((by_variable.0[0].kind, by_variable.0[0].is_asked_for), (Player::Store(StoreKind::Postgres), false));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_name_and_a_remedy_and_without_the_url() {
        let cases: [(&[&str], &str); 9] = [
            (&["third=sqlite"], "no role is named 'third'; there are: second, cache, broker"),
            (&["secnd=sqlite"], "did you mean 'second'"),
            (&["store=postgres@postgres://me:hunter2@h/db"], "--store SERVICE, or --store-url URL"),
            (&["second=mysql@mysql://me:hunter2@h/db"], "is named 'mysql'"),
            (&["second=postgres://me:hunter2@h/db"], "is named 'postgres'"),
            (&["second=sqlite@postgres://me:hunter2@h/db"], "leave out the @"),
            (&["second=postgres@mysql://me:hunter2@h/db"], "write postgres://user@host:5432/database"),
            (&["second"], "write ROLE=SERVICE"),
            (&["second=sqlite", "second=postgres"], "named twice"),
        ];
        for (texts, says) in cases {
            let refused = parsed(texts, None).unwrap_err().to_string();
            assert!(refused.contains(says) && !refused.contains("hunter2"), "{texts:?}: {refused}");
        }
        let refused = parsed(&[], Some("mysql://me:hunter2@h/db")).unwrap_err().to_string();
        assert!(refused.contains("ONCELAB_SECOND_URL") && !refused.contains("hunter2"), "{refused}");
    }
}
