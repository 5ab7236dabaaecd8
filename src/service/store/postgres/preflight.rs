//! What is looked at on a server before the lab makes anything there: whether this is the server itself and not something in
//! between, whether it can be written, and which of its settings would end the lab's work.

use sqlx::postgres::PgConnection;

use super::{POOLER, broken, statements};
use crate::service::BackendError;

/// The connections that the lab has beside those of its handlers: its keeper, and one that resets and reads.
const OWN_CONNECTIONS: i64 = 2;

/// Looks at a server, and says what it will do to the lab's connections that somebody should know. So many handlers will connect.
///
/// # Errors
/// [`BackendError`] if it cannot be written, or lets too few connect.
pub(super) async fn look(connection: &mut PgConnection, handlers: u16) -> Result<Vec<String>, BackendError> {
    let query = sqlx::query_as::<_, (bool, bool, String)>(statements::CAN_WRITE);
    let (is_standby, is_read_only, user) = query.fetch_one(&mut *connection).await.map_err(|error| broken(&error))?;
    let cannot = |what: &str, remedy: String| {
        Err(BackendError { backend: "postgres", what: what.to_owned(), remedy: Some(remedy) })
    };
    if is_standby {
        return cannot(
            "the server is a standby, which can only be read",
            "name the primary in the URL of the store".to_owned(),
        );
    }
    if is_read_only {
        let remedy = format!("ALTER ROLE \"{user}\" SET default_transaction_read_only = off, or name another user");
        return cannot("the server lets this user only read (default_transaction_read_only)", remedy);
    }
    let query = sqlx::query_as::<_, (String, String, i64, i64)>(statements::CONNECTIONS);
    let limits = query.fetch_all(&mut *connection).await.map_err(|error| broken(&error))?;
    // One of its own is there already.
    let needed = OWN_CONNECTIONS - 1 + i64::from(handlers);
    if let Some((setting, of, limit, free)) = limits.into_iter().find(|(.., free)| *free < needed) {
        let setting = match of.as_str() {
            "" => setting,
            of => format!("the connection limit of \"{of}\" (ALTER {setting} … CONNECTION LIMIT)"),
        };
        return cannot(
            &format!("{setting} is {limit}, which leaves {free} more connections, and the run needs {needed}"),
            format!("raise {setting}, end other connections, or lower load.handlers"),
        );
    }
    let query = sqlx::query_as::<_, (String, String)>(statements::TIMEOUTS);
    let timeouts = query.fetch_all(connection).await.map_err(|error| broken(&error))?;
    let warning = |(name, value): (String, String)| {
        format!(
            "the server has {name} = {value}, and ends what takes longer, be it the lab's or a handler's work: \
             ALTER ROLE \"{user}\" SET {name} = 0, unless that is what you want to see"
        )
    };
    Ok(timeouts.into_iter().map(warning).collect())
}

/// Makes sure, before anything is made, that a connection works in the schema of the run, and has a process of the server
/// for itself, other than the keeper's.
///
/// # Errors
/// [`BackendError`] if something between the lab and the server has not passed on what the connection asked for.
pub(super) async fn stand(connection: &mut PgConnection, schema: &str, keeper: i32) -> Result<(), BackendError> {
    let query = sqlx::query_as::<_, (Option<String>, i32)>(statements::WHERE);
    let (found, pid) = query.fetch_one(connection).await.map_err(|error| broken(&error))?;
    let pooler = |what: String| Err(BackendError { backend: "postgres", what, remedy: Some(POOLER.to_owned()) });
    if found.as_deref() != Some(schema) {
        let found = found.unwrap_or_else(|| "none".to_owned());
        return pooler(format!(
            "connections work in the schema {found} and not in the run's, {schema}: their options were dropped on the way"
        ));
    }
    if pid == keeper {
        return pooler(
            "two connections share a process of the server, so that a transaction of one could end up in the other"
                .to_owned(),
        );
    }
    Ok(())
}
