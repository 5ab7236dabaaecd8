//! What the path of a request asks for: `/once/reused/reply-lost/a`.

use hyper::StatusCode;

/// What a path may say.
pub(crate) const GRAMMAR: &str = "\
/[once/][new/|reused/]FAULT[/LABEL]

FAULT:
  ok          answered 200
  reply-lost  the request is read whole, and the connection dropped
  no-answer   never answered; the connection stays open until you give up
  500         answered with this status; any from 400 to 599
  idle-close  answered 200, and the connection is closed when it is idle
once/         the fault is for the first arrival of a request only
new/          … only for the first request on a connection
reused/       … only for a request on a connection that was used before
              Everybody else is answered 200.
LABEL         names a request: an arrival with the same method and path is
              another arrival of the same request. Without a label it must have
              the same Idempotency-Key as well (or none as well).
GET /repeats  the counts so far, as JSON
";

/// Where the counts can be read.
pub(crate) const LISTING: &str = "/repeats";

/// What is done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfortune {
    /// Nothing: it is answered 200.
    Ok,
    /// The reply is lost.
    ReplyLost,
    /// It is never answered.
    NoAnswer,
    /// It is answered with this status.
    Status(StatusCode),
    /// It is answered 200, and its connection is closed when it is idle.
    IdleClose,
}

/// Which requests it is done to, as to their connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnConnection {
    /// To all.
    Any,
    /// To the first on a connection.
    New,
    /// To all but the first on a connection.
    Reused,
}

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demand<'a> {
    pub misfortune: Misfortune,
    pub on: OnConnection,
    /// Only the first arrival of a request meets it.
    pub once: bool,
    /// What stands behind the fault. Empty, if nothing does.
    pub label: &'a str,
}

impl<'a> Demand<'a> {
    /// Reads a path. `None`, if it asks for nothing that there is.
    pub fn of(path: &'a str) -> Option<Self> {
        let mut demand = Demand { misfortune: Misfortune::Ok, on: OnConnection::Any, once: false, label: "" };
        let mut rest = path.strip_prefix('/')?;
        loop {
            let (word, after) = rest.split_once('/').unwrap_or((rest, ""));
            match word {
                "once" if !demand.once => demand.once = true,
                "new" if demand.on == OnConnection::Any => demand.on = OnConnection::New,
                "reused" if demand.on == OnConnection::Any => demand.on = OnConnection::Reused,
                word => return Some(Demand { misfortune: misfortune(word)?, label: after, ..demand }),
            }
            rest = after;
        }
    }

    /// Whether a request meets the fault: its earlier arrivals, and the earlier requests on its connection.
    pub fn is_met(&self, arrivals_before: u64, earlier_on_connection: u64) -> bool {
        let is_due = !self.once || arrivals_before == 0;
        let is_on = match self.on {
            OnConnection::Any => true,
            OnConnection::New => earlier_on_connection == 0,
            OnConnection::Reused => earlier_on_connection > 0,
        };
        is_due && is_on
    }
}

fn misfortune(word: &str) -> Option<Misfortune> {
    match word {
        "ok" => Some(Misfortune::Ok),
        "reply-lost" => Some(Misfortune::ReplyLost),
        "no-answer" => Some(Misfortune::NoAnswer),
        "idle-close" => Some(Misfortune::IdleClose),
        status => {
            let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
            (status.is_client_error() || status.is_server_error()).then_some(Misfortune::Status(status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_happens_to_whom() {
        let demand = Demand::of("/once/reused/reply-lost/a/b").expect("a path that is known");
        assert_eq!((demand.misfortune, demand.on), (Misfortune::ReplyLost, OnConnection::Reused));
        assert_eq!((demand.once, demand.label), (true, "a/b"));
        assert_eq!(Demand::of("/new/once/ok").map(|demand| (demand.on, demand.once)), Some((OnConnection::New, true)));
        let status = Demand::of("/503").map(|demand| demand.misfortune);
        assert_eq!(status, Some(Misfortune::Status(StatusCode::SERVICE_UNAVAILABLE)));
    }

    #[test]
    fn what_there_is_not_is_not_read() {
        for path in
            ["", "/", "*", "/once", "/once/once/ok", "/new/reused/ok", "/200", "/600", "/5033", "/replylost", "/ok2"]
        {
            assert_eq!(Demand::of(path), None, "{path}");
        }
    }

    #[test]
    fn a_fault_is_for_those_whom_the_path_names() {
        let met = |path: &str| {
            let demand = Demand::of(path).expect("a path that is known");
            [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(before, earlier)| demand.is_met(before, earlier))
        };
        assert_eq!(met("/503"), [true, true, true, true]);
        assert_eq!(met("/once/503"), [true, false, true, false]);
        assert_eq!(met("/new/503"), [true, true, false, false]);
        assert_eq!(met("/reused/503"), [false, false, true, true]);
        assert_eq!(met("/once/reused/503"), [false, false, true, false]);
    }

    #[test]
    fn every_fault_is_in_the_text_for_people() {
        for word in ["ok", "reply-lost", "no-answer", "idle-close", "500", "once/", "new/", "reused/", LISTING] {
            assert!(GRAMMAR.contains(word), "{word}");
        }
        assert!(GRAMMAR.lines().all(|line| line.chars().count() <= 80));
    }
}
