//! The server, over sockets.

use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{CountedRequest, RepeatsServer, Settings, document, kinds};

fn start(settings: Settings) -> RepeatsServer {
    RepeatsServer::start(([127, 0, 0, 1], 0).into(), settings).expect("a free port")
}

/// Sends requests over one connection, each once the one before is answered. Says the status of each; 0 where the connection ended.
async fn over_one(server: &RepeatsServer, requests: &[(&str, &str, &str)]) -> Vec<u16> {
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    let mut statuses = Vec::new();
    for (method, path, headers) in requests {
        let request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
        if stream.write_all(request.as_bytes()).await.is_err() {
            statuses.push(0);
            continue;
        }
        statuses.push(status(&mut stream).await);
    }
    statuses
}

async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return 0,
        }
    }
    let head = String::from_utf8(head).expect("text");
    let length =
        head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("a body");
    head[9..12].parse().expect("a status")
}

fn only(server: &RepeatsServer, path: &str) -> CountedRequest {
    let arrivals = server.arrivals();
    let mut found = arrivals.requests().filter(|counted| counted.target == path);
    let one = found.next().expect("it came").clone();
    assert_eq!(found.next(), None);
    one
}

#[tokio::test]
async fn a_reply_is_lost_on_a_new_connection_and_every_arrival_counts() {
    let server = start(Settings::default());
    for _ in 0..3 {
        assert_eq!(over_one(&server, &[("POST", "/reply-lost/a", "")]).await, [0]);
    }
    let CountedRequest { arrivals, faults, on_reused, .. } = only(&server, "/reply-lost/a");
    assert_eq!((arrivals, faults, on_reused), (3, 3, 0));
    assert_eq!(server.arrivals().repeated_not_idempotent().count(), 1);
}

#[tokio::test]
async fn a_reply_is_lost_on_a_reused_connection_alone() {
    let server = start(Settings::default());
    let path = "/reused/reply-lost/a";
    assert_eq!(over_one(&server, &[("GET", "/ok", ""), ("PUT", path, ""), ("PUT", path, "")]).await, [200, 0, 0]);
    // A repeat over a new connection is answered.
    assert_eq!(over_one(&server, &[("PUT", path, "")]).await, [200]);
    let CountedRequest { arrivals, faults, on_reused, .. } = only(&server, path);
    assert_eq!((arrivals, faults, on_reused), (2, 1, 1));
    assert_eq!(server.arrivals().repeated_not_idempotent().count(), 0, "PUT is idempotent");
}

#[tokio::test]
async fn a_status_is_answered_once_or_always() {
    let server = start(Settings::default());
    let twice = |path| [("POST", path, ""), ("POST", path, "")];
    assert_eq!(over_one(&server, &twice("/503/a")).await, [503, 503]);
    assert_eq!(over_one(&server, &twice("/once/429/a")).await, [429, 200]);
    assert_eq!(over_one(&server, &twice("/new/500/a")).await, [500, 200]);
    assert_eq!(over_one(&server, &twice("/idle-close/a")).await, [200, 200]);
    assert_eq!(over_one(&server, &twice("/nowhere")).await, [404, 404]);
    assert_eq!(server.arrivals().unknown_paths, 2);
    assert_eq!(server.arrivals().repeated_not_idempotent().count(), 4);
}

#[tokio::test]
async fn requests_are_told_apart_by_label_or_by_key() {
    let server = start(Settings::default());
    let (one, two) = ("idempotency-key: \"1\"\r\n", "idempotency-key: \"2\"\r\n");
    let requests = [("POST", "/ok", one), ("POST", "/ok", two), ("POST", "/ok", ""), ("POST", "/ok", one)];
    over_one(&server, &requests).await;
    let mut arrivals: Vec<u64> = server.arrivals().requests().map(|counted| counted.arrivals).collect();
    arrivals.sort_unstable();
    assert_eq!(arrivals, [1, 1, 2]);

    // With a label another key is not another request, but it is told.
    over_one(&server, &[("POST", "/ok/a", one), ("POST", "/ok/a", two), ("POST", "/ok?a", one), ("PUT", "/ok/a", one)])
        .await;
    let arrivals = server.arrivals();
    let posted = arrivals.requests().find(|counted| counted.target == "/ok/a" && counted.method == Method::POST);
    assert_eq!(posted.map(|counted| (counted.arrivals, counted.unlike, counted.keyed)), Some((2, 1, true)));
    assert_eq!(arrivals.requests().count(), 6);
}

#[tokio::test]
async fn no_more_requests_are_kept_than_there_is_room_for() {
    let server = start(Settings { most_requests: 2, ..Settings::default() });
    let requests = ["/ok/a", "/ok/b", "/ok/c", "/ok/a"].map(|path| ("POST", path, ""));
    assert_eq!(over_one(&server, &requests).await, [200, 200, 507, 200]);
    let arrivals = server.arrivals();
    assert_eq!((arrivals.requests().count(), arrivals.uncounted), (2, 1));
    assert_eq!(only(&server, "/ok/a").arrivals, 2);

    let (path, key) = (format!("/ok/{}", "x".repeat(509)), format!("idempotency-key: {}\r\n", "k".repeat(256)));
    assert_eq!(over_one(&server, &[("POST", &path, ""), ("POST", "/ok/a", &key)]).await, [414, 414]);
    assert_eq!((server.arrivals().too_large, only(&server, "/ok/a").arrivals), (2, 2));
}

#[tokio::test]
async fn the_counts_are_there_while_it_runs_and_are_not_counted() {
    let server = start(Settings::default());
    let requests = [("GET", "/ok/a", ""), ("GET", "/repeats", ""), ("HEAD", "/ok/a", ""), ("POST", "/repeats", "")];
    assert_eq!(over_one(&server, &requests[..2]).await, [200, 200]);
    assert_eq!(over_one(&server, &requests[3..]).await, [405]);
    assert_eq!(server.arrivals().requests().count(), 1);
    let listed = document(&server.arrivals(), server.elapsed(), 0);
    assert_eq!((listed["requests"].as_array().map(Vec::len), &listed["kinds"][0]["requests"]), (Some(0), &1.into()));
}

#[tokio::test]
async fn kinds_are_methods_with_and_without_key_and_body() {
    let server = start(Settings::default());
    let key = "idempotency-key: k\r\n";
    over_one(&server, &[("POST", "/ok/a", ""), ("POST", "/ok/a", ""), ("POST", "/ok/b", ""), ("POST", "/ok/c", key)])
        .await;
    let kinds = kinds(&server.arrivals());
    let figures: Vec<_> = kinds.iter().map(|kind| (kind.keyed, kind.requests, kind.repeated, kind.most)).collect();
    assert_eq!(figures, [(false, 2, 1, 2), (true, 1, 0, 1)]);
    assert!(kinds.iter().all(|kind| kind.method == "POST" && !kind.has_body));
}

/// HTTP/2 is told by its first bytes. What follows is settings and one request, `GET /reused/503/a`, with the static table of HPACK.
#[tokio::test]
async fn http_2_is_spoken_with_prior_knowledge() {
    let server = start(Settings::default());
    let mut stream = TcpStream::connect(server.address()).await.expect("a connection");
    let mut block = vec![0x82, 0x86];
    for (index, value) in [(1, "a"), (4, "/503/a")] {
        block.push(index);
        block.push(u8::try_from(value.len()).expect("short"));
        block.extend_from_slice(value.as_bytes());
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend_from_slice(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(&[0, 0, u8::try_from(block.len()).expect("short"), 1, 5, 0, 0, 0, 1]);
    bytes.extend_from_slice(&block);
    stream.write_all(&bytes).await.expect("sent");
    while server.arrivals().requests().count() == 0 {
        tokio::task::yield_now().await;
    }
    let counted = only(&server, "/503/a");
    assert_eq!((counted.version, counted.arrivals, counted.faults), (hyper::Version::HTTP_2, 1, 1));
}
