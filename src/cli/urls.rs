//! The URLs of servers that run already: where they come from, and which service they name.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::UsageError;
use crate::service::Endpoint;
use crate::terms::StoreKind;

/// The variables that name servers when no flag does.
pub(super) const STORE_VARIABLE: &str = "ONCELAB_STORE_URL";
pub(super) const LOCK_VARIABLE: &str = "ONCELAB_LOCK_URL";

/// No URL is longer, in bytes.
const LONGEST_URL: u64 = 8 * 1024;

/// Servers that run already.
#[derive(Debug, Clone, Args)]
pub(super) struct Urls {
    /// The database to use, as postgres://user@host:5432/database or mysql://user@host:3306; implies --store postgres or
    /// --store mariadb. The lab touches only a schema of its own, and drops the schema at the end. Keep the password in
    /// PGPASSFILE (PostgreSQL), in a file (--store-url-file) or in the variable [env: ONCELAB_STORE_URL]
    #[arg(long, value_name = "URL")]
    store_url: Option<String>,
    /// A file with the URL of the database, so that the list of processes does not show the password
    #[arg(long, value_name = "FILE", conflicts_with = "store_url")]
    store_url_file: Option<PathBuf>,
    /// The endpoints of the etcd cluster to use, separated by commas, as http://user:password@host:2379; implies --lock etcd.
    /// The lab touches only keys under oncelab/ [env: ONCELAB_LOCK_URL]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    lock_url: Vec<String>,
}

/// A URL, and what named it.
struct Named {
    url: String,
    by: &'static str,
    /// What it names.
    store: StoreKind,
}

impl Named {
    /// Whether this command named it, and not the environment of all commands.
    fn is_asked_for(&self) -> bool {
        self.by != STORE_VARIABLE && self.by != LOCK_VARIABLE
    }
}

impl Urls {
    /// The store to use: the one that was asked for, or the one that a URL names, or the default.
    ///
    /// # Errors
    /// If a URL was named together with another store, or names no store that the lab knows.
    pub fn store(&self, asked: Option<&str>, default: &str) -> Result<String, UsageError> {
        match (asked, self.named_store()?) {
            (None, Some(named)) => Ok(named.store.name().to_owned()),
            (Some(asked), Some(named)) if asked != named.store.name() && named.is_asked_for() => {
                let service = if named.store == StoreKind::Mariadb { "MariaDB" } else { "PostgreSQL" };
                Err(contradiction(named.by, service, "--store", asked, named.store.name()))
            }
            (asked, _) => Ok(asked.unwrap_or(default).to_owned()),
        }
    }

    /// The lock service to use: the one that was asked for, or the one that a URL names, or the default.
    ///
    /// # Errors
    /// If a URL was named together with another lock service.
    pub fn lock(&self, asked: Option<&str>, default: &str) -> Result<String, UsageError> {
        match (asked, self.named_locks().1) {
            (None, Some(_)) => Ok("etcd".to_owned()),
            (Some(asked), Some(by)) if asked != "etcd" && by != LOCK_VARIABLE => {
                Err(contradiction(by, "etcd", "--lock", asked, "etcd"))
            }
            (asked, _) => Ok(asked.unwrap_or(default).to_owned()),
        }
    }

    /// The URL of the store, if there is one that names a store of this kind.
    ///
    /// # Errors
    /// If the file that should hold it cannot be read, or it names no store that the lab knows.
    pub fn store_url(&self, kind: StoreKind) -> Result<Option<String>, UsageError> {
        Ok(self.named_store()?.filter(|named| named.store == kind).map(|named| named.url))
    }

    /// The endpoints of the lock service, none if none were named.
    pub fn lock_urls(&self) -> Vec<Endpoint> {
        self.named_locks().0.iter().map(|url| url.as_str().into()).collect()
    }

    /// The same as one text, with their passwords, as the variable has them.
    pub fn lock_urls_in_words(&self) -> Option<String> {
        Some(self.named_locks().0.join(",")).filter(|urls| !urls.is_empty())
    }

    /// Warns of passwords that the list of processes shows.
    pub fn warn(&self) {
        let has_password = |url: &str| Endpoint::from(url).user().is_some_and(|(_, password)| !password.is_empty());
        let warn = |flag: &str, remedy: &str| {
            eprintln!("warning: everybody on this machine can see the password in {flag} (with ps): {remedy}");
        };
        if self.store_url.as_deref().is_some_and(has_password) {
            warn("--store-url", "set ONCELAB_STORE_URL, or use --store-url-file or PGPASSFILE");
        }
        if self.lock_url.iter().any(|url| has_password(url)) {
            warn("--lock-url", "set ONCELAB_LOCK_URL");
        }
    }

    fn named_store(&self) -> Result<Option<Named>, UsageError> {
        let (url, by) = if let Some(url) = &self.store_url {
            (url.clone(), "--store-url")
        } else if let Some(file) = &self.store_url_file {
            (read(file)?, "--store-url-file")
        } else if let Some(url) = variable(STORE_VARIABLE) {
            (url, STORE_VARIABLE)
        } else {
            return Ok(None);
        };
        // The URL itself may hold a password.
        let write = "write postgres://user@host:5432/database or mysql://user@host:3306";
        let Some((scheme, _)) = url.split_once("://") else {
            return Err(UsageError(format!("{by}: this is not a URL; {write}")));
        };
        let Some(store) = StoreKind::of_scheme(scheme) else {
            let scheme: String = scheme.chars().take(20).collect();
            let scheme = scheme.escape_debug();
            return Err(UsageError(format!(
                "{by}: the lab knows no store with addresses that begin with {scheme}://; {write}"
            )));
        };
        Ok(Some(Named { url, by, store }))
    }

    fn named_locks(&self) -> (Vec<String>, Option<&'static str>) {
        if !self.lock_url.is_empty() {
            return (self.lock_url.clone(), Some("--lock-url"));
        }
        match variable(LOCK_VARIABLE) {
            Some(urls) => (urls.split(',').map(str::to_owned).collect(), Some(LOCK_VARIABLE)),
            None => (Vec::new(), None),
        }
    }
}

fn contradiction(by: &str, service: &str, flag: &str, asked: &str, right: &str) -> UsageError {
    UsageError(format!("{by} names {service}, and {flag} asks for {asked}: leave {by} out, or add {flag} {right}"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn read(file: &Path) -> Result<String, UsageError> {
    let cannot = |error: std::io::Error| UsageError(format!("--store-url-file {}: {error}", file.display()));
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(cannot)?;
    if !opened.metadata().map_err(cannot)?.is_file() {
        return Err(UsageError(format!("--store-url-file {}: this is not a file", file.display())));
    }
    opened.take(LONGEST_URL).read_to_string(&mut text).map_err(cannot)?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::Urls;
    use crate::terms::StoreKind;

    fn urls(store: Option<&str>, lock: &[&str]) -> Urls {
        Urls {
            store_url: store.map(str::to_owned),
            store_url_file: None,
            lock_url: lock.iter().map(|&url| url.to_owned()).collect(),
        }
    }

    #[test]
    fn a_url_implies_the_service_that_it_names_and_is_refused_beside_another() {
        let named = urls(Some("postgresql://me@host/db"), &["http://host:2379"]);
        assert_eq!(named.store(None, "sqlite").unwrap(), "postgres");
        assert_eq!(named.store(Some("postgres"), "sqlite").unwrap(), "postgres");
        let refused = named.store(Some("sqlite"), "sqlite").unwrap_err().to_string();
        assert!(refused.contains("--store-url names PostgreSQL, and --store asks for sqlite"), "{refused}");
        let mariadb = urls(Some("mysql://me@host"), &[]);
        assert_eq!(mariadb.store(None, "sqlite").unwrap(), "mariadb");
        assert_eq!(urls(Some("mariadb://me@host"), &[]).store(None, "sqlite").unwrap(), "mariadb");
        let refused = mariadb.store(Some("postgres"), "sqlite").unwrap_err().to_string();
        assert!(refused.contains("--store-url names MariaDB, and --store asks for postgres"), "{refused}");
        assert_eq!(mariadb.store_url(StoreKind::Postgres).unwrap(), None);
        assert_eq!(named.lock(None, "embedded").unwrap(), "etcd");
        let refused = named.lock(Some("embedded"), "embedded").unwrap_err().to_string();
        assert!(refused.contains("--lock-url names etcd, and --lock asks for embedded"), "{refused}");
        let none = urls(None, &[]);
        assert_eq!(none.lock(None, "embedded").unwrap(), "embedded");
    }

    #[test]
    fn what_names_no_store_is_refused_without_its_password() {
        for url in ["oracle://me:hunter2@host/db", "me:hunter2@host/db", "\u{1b}[31mhunter://hunter2"] {
            let refused = urls(Some(url), &[]).store(None, "sqlite").unwrap_err().to_string();
            assert!(refused.contains("postgres://user@host") && !refused.contains("hunter2"), "{refused}");
            assert!(!refused.contains('\u{1b}'), "{refused}");
        }
    }
}
