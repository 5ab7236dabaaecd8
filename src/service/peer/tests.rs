//! The peer over real sockets: keys, strangers, and answers that are none.

use std::time::Duration;

use hyper::http::uri::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::backend::{PeerBackend, PeerConnection};
use super::op::{PeerOp, PeerResponse};
use crate::service::http::{HttpVersion, Peer};
use crate::service::{Backend, Connection, Outcome, Store};
use crate::terms::{AccountId, Answer, ClientId, Delivery, Effect, Failure, MessageId, Request};

const RETRY: Delivery = Delivery { attempt: 1, copy: 0 };

fn request(n: u32, amount: i32) -> Request {
    Request { id: MessageId(n), client: ClientId(0), sequence: 0, effect: Effect { account: AccountId(3), amount } }
}

fn charged(balance: i64) -> Outcome {
    Outcome::Ok(PeerResponse::Charged(Answer(balance)).into())
}

fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(test)
}

#[test]
fn a_charge_with_a_key_is_done_once_and_one_without_every_time() {
    block_on(async {
        let peer = PeerBackend::start(Duration::from_secs(10)).expect("a port");
        let mut connection = peer.connect().await.expect("a connection");
        let mut ask = async |op: PeerOp, by| connection.execute(op.into(), by).await.expect("the peer is well");
        assert_eq!(ask(PeerOp::post_with_key(&request(1, 10)), Delivery::FIRST).await, charged(10));
        assert_eq!(ask(PeerOp::post(&request(2, 5)), Delivery::FIRST).await, charged(15));
        assert_eq!(ask(PeerOp::post(&request(2, 5)), RETRY).await, charged(20));
        assert_eq!(ask(PeerOp::post_with_key(&request(1, 10)), RETRY).await, charged(10));
        let other = ask(PeerOp::post_with_key(&request(1, 11)), RETRY).await;
        assert_eq!(other, Outcome::Ok(PeerResponse::Refused.into()));
        peer.quiesce().await.expect("the peer is well");
        let ledger = peer.ledger().await.expect("the peer is well");
        let entries: Vec<_> =
            ledger.iter().map(|entry| (entry.number, entry.message.0, entry.balance, entry.by)).collect();
        assert_eq!(entries, [(1, 1, 10, Delivery::FIRST), (2, 2, 15, Delivery::FIRST), (3, 2, 20, RETRY)]);
        assert_eq!(peer.balances().await.expect("the peer is well"), [(AccountId(3), 20)]);
        peer.reset(1).await.expect("the peer is well");
        assert!(peer.ledger().await.expect("the peer is well").is_empty());
    });
}

/// What comes of a charge at somebody who reads the request and then says this; with nothing to say, never answers.
async fn answered_with(says: &'static [u8], stays: bool) -> Result<Outcome, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let authority = Authority::try_from(listener.local_addr().expect("an address").to_string()).expect("an authority");
    let stranger = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(says).await;
        if stays {
            std::future::pending::<()>().await;
        }
    });
    let peer = Peer { authority, version: HttpVersion::Http1, credentials: None };
    let mut connection = PeerConnection { peer, timeout: Duration::from_millis(300), open: None };
    let asked = connection.execute(PeerOp::post(&request(1, 10)).into(), Delivery::FIRST).await;
    stranger.abort();
    asked.map_err(|error| error.to_string())
}

#[test]
fn a_peer_that_is_gone_or_slow_or_speaks_no_http_is_an_outcome() {
    block_on(async {
        for (says, stays) in [
            (b"".as_slice(), false),
            (b"".as_slice(), true),
            (b"HELO\r\n\r\n".as_slice(), false),
            (b"HTTP/1.1 999999 What\r\n\r\n".as_slice(), false),
            (b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"balance\"".as_slice(), false),
            (b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}".as_slice(), false),
            (b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n".as_slice(), false),
            (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno".as_slice(), false),
            (b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n".as_slice(), false),
        ] {
            let shown = String::from_utf8_lossy(says);
            assert_eq!(answered_with(says, stays).await, Ok(Outcome::Unknown), "{shown} {stays}");
        }
        // Nobody listens there any more.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let authority = Authority::try_from(listener.local_addr().expect("an address").to_string()).expect("it is one");
        drop(listener);
        let peer = Peer { authority, version: HttpVersion::Http1, credentials: None };
        let mut connection = PeerConnection { peer, timeout: Duration::from_secs(2), open: None };
        let asked = connection.execute(PeerOp::post(&request(1, 10)).into(), Delivery::FIRST).await;
        assert_eq!(asked.expect("it is an outcome"), Outcome::Failed(Failure::Unavailable));
    });
}

#[test]
fn an_answer_that_no_retry_can_change_is_an_error_that_says_so() {
    block_on(async {
        for (says, why) in [
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nwhat?".as_slice(), "404 Not Found is no answer"),
            (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".as_slice(), "302 Found is no answer"),
            (b"HTTP/1.1 201 Created\r\nContent-Length: 14\r\n\r\n{\"balance\":10}".as_slice(), "no oncelab-delivery"),
            (
                b"HTTP/1.1 201 Created\r\noncelab-delivery: message=2, attempt=0, copy=0\r\nContent-Length: 14\r\n\r\n{\"balance\":10}"
                    .as_slice(),
                "was answered as",
            ),
        ] {
            let error = answered_with(says, true).await.expect_err("it is no answer of a peer's");
            assert!(error.starts_with("peer: ") && error.contains(why), "{error}");
        }
    });
}
