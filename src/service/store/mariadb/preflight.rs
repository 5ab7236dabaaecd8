//! What is looked at on a server before the lab makes anything there: whether it is a MariaDB that can be written, and which of its
//! settings would end the lab's work.

use sqlx::mysql::MySqlConnection;

use super::{broken, statements};
use crate::service::BackendError;

/// The oldest version that is known to do what the lab's statements ask.
const OLDEST: (u32, u32) = (10, 5);

/// The connections that the lab has beside those of its handlers: its keeper, and one that resets and reads.
const OWN_CONNECTIONS: i64 = 2;

/// What to do where something between the lab and the server gets in the way.
const POOLER: &str = "name the server itself in the URL of the store, and not a proxy like MaxScale or ProxySQL";

fn cannot(what: String, remedy: String) -> BackendError {
    BackendError { backend: "mariadb", what, remedy: Some(remedy) }
}

/// That a server is a MariaDB, and not too old a one.
///
/// # Errors
/// [`BackendError`] if it is not.
pub(super) fn know(version: &str) -> Result<(), BackendError> {
    let use_this = format!("use MariaDB {}.{} or later", OLDEST.0, OLDEST.1);
    if !version.contains("MariaDB") {
        return Err(cannot(format!("the server is no MariaDB; it says that its version is {version:?}"), use_this));
    }
    let mut parts = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if (major, minor) < OLDEST {
        return Err(cannot(format!("the server's version is {major}.{minor}"), use_this));
    }
    Ok(())
}

/// Looks at a server, and says what it will do to the lab's connections that somebody should know. So many handlers will connect.
///
/// # Errors
/// [`BackendError`] if it cannot be written, or lets too few connect.
pub(super) async fn look(connection: &mut MySqlConnection, handlers: u16) -> Result<Vec<String>, BackendError> {
    let query = sqlx::query_as::<_, (i64, i64, String)>(statements::CAN_WRITE);
    let (is_read_only, autocommits, user) = query.fetch_one(&mut *connection).await.map_err(|error| broken(&error))?;
    if is_read_only != 0 {
        return Err(cannot(
            "the server can only be read (read_only)".to_owned(),
            "name the primary in the URL of the store, or SET GLOBAL read_only = OFF".to_owned(),
        ));
    }
    if autocommits == 0 {
        return Err(cannot(
            "the server leaves every statement in an open transaction (autocommit = OFF)".to_owned(),
            "SET GLOBAL autocommit = ON".to_owned(),
        ));
    }
    let limits = sqlx::query_as::<_, (String, i64, i64)>(statements::CONNECTIONS).fetch_all(&mut *connection).await;
    // One of its own is there already.
    let needed = OWN_CONNECTIONS - 1 + i64::from(handlers);
    let limits = limits.map_err(|error| broken(&error))?;
    if let Some((setting, limit, free)) = limits.into_iter().find(|(.., free)| *free < needed) {
        return Err(cannot(
            format!("{setting} is {limit}, which leaves {free} more connections, and the run needs {needed}"),
            format!("raise {setting}, end other connections, or lower load.handlers"),
        ));
    }
    let timeouts = sqlx::query_as::<_, (String, String)>(statements::TIMEOUTS).fetch_all(connection).await;
    let warning = |(name, value): (String, String)| {
        format!(
            "the server has {name} = {value} s, and ends what takes longer, be it the lab's or a handler's work of {user}: \
             SET GLOBAL {name} = 0, unless that is what you want to see"
        )
    };
    Ok(timeouts.map_err(|error| broken(&error))?.into_iter().map(warning).collect())
}

/// Makes sure, before anything is made, that a connection works in the schema of the run, and is another one than the keeper's.
///
/// # Errors
/// [`BackendError`] if something between the lab and the server has not passed on what the connection asked for.
pub(super) async fn stand(connection: &mut MySqlConnection, schema: &str, keeper: i64) -> Result<(), BackendError> {
    let query = sqlx::query_as::<_, (Option<String>, i64)>(statements::WHERE);
    let (found, id) = query.fetch_one(connection).await.map_err(|error| broken(&error))?;
    if found.as_deref() != Some(schema) {
        let found = found.unwrap_or_else(|| "none".to_owned());
        return Err(cannot(
            format!("connections work in the schema {found} and not in the run's, {schema}"),
            POOLER.to_owned(),
        ));
    }
    if id == keeper {
        let what = "two connections share one of the server, so that a transaction of one could end up in the other";
        return Err(cannot(what.to_owned(), POOLER.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::know;

    #[test]
    fn a_mysql_and_an_old_mariadb_are_refused() {
        assert!(know("10.11.19-MariaDB-0+deb12u1").is_ok() && know("11.4.2-MariaDB").is_ok());
        assert!(know("8.0.36").unwrap_err().what.contains("no MariaDB"));
        assert!(know("10.3.39-MariaDB").unwrap_err().what.contains("10.3"));
    }
}
