//! Where the servers of a run are, as far as a file may say it: never a user, and never a password.

use crate::service::Wanted;

/// The places of servers that were named by their URLs, as settings of the run's backends: a run is finished on the same servers.
pub(super) fn of_servers(wanted: &Wanted) -> Vec<(String, String)> {
    let store = wanted.store_url.as_deref().filter(|_| wanted.store.is_server()).and_then(place);
    let is_used = wanted.needs_lock && wanted.lock == crate::service::LockKind::Etcd;
    let mut locks: Vec<String> =
        wanted.lock_urls.iter().filter(|_| is_used).filter_map(|endpoint| place(endpoint.url())).collect();
    locks.sort();
    let lock = (!locks.is_empty()).then(|| locks.join(" "));
    let named = |key: &str, place: Option<String>| place.map(|place| (key.to_owned(), place));
    let more = wanted.more_stores.iter().filter(|more| more.kind.is_server());
    let more = more.filter_map(|more| named(&format!("{}_at", more.role.name()), more.url.as_deref().and_then(place)));
    named("store_at", store).into_iter().chain(named("lock_at", lock)).chain(more).collect()
}

/// Host, port and database of a URL, without user, password and options; none if it is no URL.
fn place(url: &str) -> Option<String> {
    let (_, rest) = url.trim().split_once("://").unwrap_or(("", url.trim()));
    let rest = rest.split(['?', '#']).next()?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    // A password may have an `@` of its own.
    let host = host.rsplit('@').next()?;
    // What is odd is left out, since it might be a part of a password.
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:[]%".contains(c));
    let place = if path.is_empty() { host.to_owned() } else { format!("{host}/{path}") };
    (is_plain(host) && is_plain(path)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_place_has_no_user_and_no_password() {
        let cases = [
            ("postgres://lab:secret@db1:5432/lab?options=secret", Some("db1:5432/lab")),
            ("postgres://lab:se@cr%40et@db1/lab", Some("db1/lab")),
            ("http://127.0.0.1:2379", Some("127.0.0.1:2379")),
            ("http://user:secret@[::1]:2379/", Some("[::1]:2379")),
            ("127.0.0.1:2379", Some("127.0.0.1:2379")),
            ("postgres://lab:sec/ret@db1/lab", None),
        ];
        for (url, expected) in cases {
            assert_eq!(place(url).as_deref(), expected, "{url}");
        }
    }
}
