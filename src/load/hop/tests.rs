//! Strangers on both sides of the hop: whatever they say is an outcome or an error with a name.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Request as HttpRequest;
use hyper::header::{AUTHORIZATION, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::desk::FrontDesk;
use super::proxy::{Ahead, LabProxy};
use super::server::Origin;
use super::{ANYWHERE, HopLane, listen};
use crate::fault::{Alarm, Dice, Level, Plan, Probability};
use crate::history::begin;
use crate::load::network::{Network, Parcel};
use crate::service::http::exchange::to_http;
use crate::service::http::{HttpConnection, HttpListener, HttpVersion, Peer};
use crate::strategy::Registry;
use crate::terms::{AccountId, Answer, ClientId, Delivery, Effect, HttpForm, MessageId, Reply, Request, Trouble};

fn request(id: u32) -> Request {
    let effect = Effect { account: AccountId(3), amount: 10 };
    Request { id: MessageId(id), client: ClientId(0), sequence: id, effect }
}

fn peer(at: SocketAddr, version: HttpVersion) -> Peer {
    Peer { authority: at.to_string().parse().expect("an address"), version, credentials: None }
}

/// A server, perhaps with the lab's proxy before it, and the one inbox behind it.
struct Hop {
    desk: Arc<FrontDesk>,
    inbox: UnboundedReceiver<Parcel>,
    entrance: SocketAddr,
    _listening: Vec<HttpListener>,
    // Takes what is written down, and keeps it from being an error.
    _collector: Box<dyn Send>,
}

impl Hop {
    fn start(strategy: &str, level: Option<Level>) -> Self {
        let (sender, inbox) = unbounded_channel();
        let (recorders, collector) = begin();
        let network = Network {
            plan: Arc::new(Plan::new(1, level.clone().unwrap_or_else(Level::none), Duration::from_secs(1))),
            dice: Dice::new(1),
            inboxes: [sender].into_iter().collect(),
            under_way: TaskTracker::new(),
            client_timeout: Duration::from_millis(1),
        };
        let desk = Arc::new(FrontDesk::new(network, recorders));
        let strategy = Registry::default().get(strategy).expect("one of the lab's");
        let origin = Origin { desk: Arc::clone(&desk), strategy, is_behind_proxy: level.is_some() };
        let mut listening = vec![listen(ANYWHERE, Arc::new(origin)).expect("a port")];
        if level.is_some() {
            let credentials = Some(desk.credentials.clone());
            let ahead = Peer { credentials, ..peer(listening[0].address(), HttpVersion::Http1) };
            let ahead = Arc::new(Ahead { peer: ahead, idle: Mutex::default() });
            listening.push(listen(ANYWHERE, Arc::new(LabProxy { desk: Arc::clone(&desk), ahead })).expect("a port"));
        }
        let entrance = listening[listening.len() - 1].address();
        Hop { desk, inbox, entrance, _listening: listening, _collector: Box::new(collector) }
    }

    fn peer(&self) -> Peer {
        Peer { credentials: Some(self.desk.credentials.clone()), ..peer(self.entrance, HttpVersion::Http1) }
    }

    async fn status(&self, peer: &Peer, request: HttpRequest<String>) -> u16 {
        let mut connection = HttpConnection::open(peer).await.expect("somebody listens");
        connection.ask(request).await.expect("an answer").status().as_u16()
    }
}

fn lane(peer: Peer) -> HopLane {
    let strategy = Registry::default().get("post").expect("one of the lab's");
    HopLane { peer, strategy, alarm: Alarm::default(), connection: None }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Sends an attempt of the first request.
async fn ask(lane: &mut HopLane, attempt: u8) -> Option<crate::load::network::Answered> {
    lane.ask(&request(0), attempt, soon()).await
}

const FIRST: Delivery = Delivery::FIRST;

#[tokio::test]
async fn who_is_not_of_the_trial_is_refused_and_does_nothing() {
    for level in [None, Some(Level::none())] {
        let mut hop = Hop::start("post", level);
        let asked = || to_http(&request(0), HttpForm::Post, FIRST);
        let stranger = peer(hop.entrance, HttpVersion::Http1);
        assert_eq!(hop.status(&stranger, asked()).await, 401);
        let mut guessed = asked();
        guessed.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer 0"));
        assert_eq!(hop.status(&stranger, guessed).await, 401);
        assert!(hop.inbox.try_recv().is_err());
        assert_eq!(hop.desk.counts(), crate::load::HopCounts::default());
    }
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_answered_and_reaches_no_handler() {
    let mut hop = Hop::start("dedup-table", None);
    let peer = hop.peer();
    let changed = |change: fn(&mut HttpRequest<String>)| {
        let mut asked = to_http(&request(0), HttpForm::PostWithKey, FIRST);
        change(&mut asked);
        asked
    };
    assert_eq!(hop.status(&peer, to_http(&request(0), HttpForm::Post, FIRST)).await, 400);
    assert_eq!(hop.status(&peer, to_http(&request(0), HttpForm::Put, FIRST)).await, 405);
    assert_eq!(hop.status(&peer, changed(|asked| "{".clone_into(asked.body_mut()))).await, 400);
    assert_eq!(hop.status(&peer, changed(|asked| asked.headers_mut().clear())).await, 400);
    assert_eq!(hop.status(&peer, changed(|asked| *asked.uri_mut() = "/elsewhere".parse().expect("a path"))).await, 404);
    assert_eq!(hop.status(&peer, changed(|asked| *asked.body_mut() = "x".repeat(20_000))).await, 413);
    assert!(hop.inbox.try_recv().is_err());
    let precondition = Hop::start("conditional-put", None);
    let asked = to_http(&request(0), HttpForm::Put, FIRST);
    assert_eq!(precondition.status(&precondition.peer(), asked).await, 428);
}

#[tokio::test]
async fn an_answer_comes_back_with_its_handler_and_a_repeated_request_is_another_delivery() {
    for version in [HttpVersion::Http1, HttpVersion::Http2] {
        let mut hop = Hop::start("post", Some(Level::none()));
        let mut lane = lane(Peer { version, ..hop.peer() });
        let mut expected = 0;
        // Nobody but the lane knows that the second is the first once more.
        for copy in [0, 2, 3] {
            let (answered, parcel) = tokio::join!(ask(&mut lane, 0), async {
                let parcel = hop.inbox.recv().await.expect("it arrives");
                let delivery = parcel.delivery;
                parcel.answer(0, Ok(Answer(copy)));
                delivery
            });
            let answered = answered.expect("an answer");
            assert_eq!((i64::from(parcel.copy), answered.delivery, answered.reply), (copy, parcel, Ok(Answer(copy))));
            expected += 1;
        }
        let counts = hop.desk.counts();
        assert_eq!((counts.at_proxy, counts.at_server, counts.repeated), (expected, expected, 2));
        assert!(lane.connection.is_some());
    }
}

#[tokio::test]
async fn a_crashed_handler_and_a_client_that_left_close_connections() {
    let mut hop = Hop::start("post", Some(Level::none()));
    let mut lane = lane(hop.peer());
    let (answered, ()) = tokio::join!(ask(&mut lane, 0), async {
        drop(hop.inbox.recv().await.expect("it arrives"));
    });
    assert!(answered.is_none() && lane.connection.is_none());
    assert_eq!(hop.desk.counts().dropped, 0);
    // It comes back when the server has dropped the exchange.
    let (answered, ()) = tokio::join!(ask(&mut lane, 1), async {
        let parcel = hop.inbox.recv().await.expect("it arrives");
        parcel.client_leaves().await;
        assert_eq!(hop.desk.counts().dropped, 1);
    });
    assert!(answered.is_none());
}

#[tokio::test]
async fn a_lost_reply_was_given_and_a_lost_request_never_came() {
    let certain = Probability::new(1.0).expect("a probability");
    let mut level = Level::none();
    level.client.reply_lost = certain;
    let mut hop = Hop::start("post", Some(level));
    let mut lane = lane(hop.peer());
    let (answered, loses_reply) = tokio::join!(ask(&mut lane, 0), async {
        let parcel = hop.inbox.recv().await.expect("it arrives");
        let loses_reply = parcel.loses_reply;
        parcel.answer(0, Ok(Answer(1)));
        loses_reply
    });
    assert!(answered.is_none() && loses_reply);
    let mut level = Level::none();
    level.client.request_lost = certain;
    let mut hop = Hop::start("post", Some(level));
    let mut lane = self::lane(hop.peer());
    assert!(ask(&mut lane, 0).await.is_none());
    assert!(hop.inbox.try_recv().is_err());
    assert_eq!((hop.desk.counts().at_proxy, hop.desk.counts().at_server), (1, 0));
}

/// Answers every connection with these bytes, whatever it asks, and closes it.
async fn liar(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind(ANYWHERE).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(bytes).await;
        }
    });
    address
}

#[tokio::test]
async fn what_a_peer_answers_that_http_does_not_allow_is_no_answer() {
    let answers: [&[u8]; 9] = [
        b"",
        b"nonsense\r\n\r\n",
        b"\x00\xff\xfe",
        b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{\"balance\":",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 999\r\nbad header: x\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
    ];
    for bytes in answers {
        let mut lane = lane(peer(liar(bytes).await, HttpVersion::Http1));
        assert!(ask(&mut lane, 0).await.is_none(), "{}", String::from_utf8_lossy(bytes));
        assert!(lane.alarm.reason().is_none() && lane.connection.is_none());
    }
}

#[tokio::test]
async fn what_a_peer_answers_by_itself_is_an_outcome_or_ends_the_trial() {
    let cases: [(&[u8], Reply); 3] = [
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>", Err(Trouble::Unknown)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", Err(Trouble::Unknown)),
        (b"HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\noncelab-delivery: x\r\n\r\n", Err(Trouble::InProgress)),
    ];
    for (bytes, reply) in cases {
        let mut lane = lane(peer(liar(bytes).await, HttpVersion::Http1));
        let answered = lane.ask(&request(7), 2, soon()).await.expect("an answer");
        let expected = (reply, MessageId(7), Delivery { attempt: 2, copy: 0 });
        assert_eq!((answered.reply, answered.message, answered.delivery), expected);
    }
    let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found";
    let mut lane = lane(peer(liar(missing).await, HttpVersion::Http1));
    assert!(ask(&mut lane, 0).await.is_none());
    let (_, error) = lane.alarm.reason().expect("an alarm");
    assert!(error.what.contains("404 Not Found is no answer of the lab's server: not found"), "{error}");
}

#[tokio::test]
async fn a_client_that_waits_for_too_long_leaves_and_one_without_a_server_has_sent_nothing() {
    let hop = Hop::start("post", None);
    let mut lane = lane(hop.peer());
    assert!(lane.ask(&request(0), 0, Instant::now() + Duration::from_millis(50)).await.is_none());
    assert!(lane.connection.is_none());
    let nobody = std::net::TcpListener::bind(ANYWHERE).expect("a port").local_addr().expect("an address");
    let mut lane = self::lane(peer(nobody, HttpVersion::Http1));
    assert!(ask(&mut lane, 0).await.is_none());
}
