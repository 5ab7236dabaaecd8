//! The proxy between a client and a server that say exactly what a test makes them say.

mod http1;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::http2::testing::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, WINDOW_UPDATE, frame,
};
use super::postgres::testing::{SSL_REQUEST, batch, message, startup};
use super::{Landing, Protocol, Wire, WireFault};
use crate::wire::Address;

/// Long enough for something that should not happen to happen.
const A_MOMENT: Duration = Duration::from_millis(60);

/// Longer than anything takes that should happen.
const LIMIT: Duration = Duration::from_secs(5);

/// Both ends of a connection through a proxy.
struct Ends {
    wire: Wire,
    client: TcpStream,
    server: TcpStream,
}

/// A port of the loopback interface.
fn at(port: u16) -> Address {
    Address::Port("127.0.0.1".to_owned(), port)
}

/// Where a proxy before a port listens.
fn port(wire: &Wire) -> (String, u16) {
    match wire.address() {
        Address::Port(host, port) => (host.clone(), *port),
        socket => panic!("{socket}"),
    }
}

async fn ends(protocol: Protocol) -> Ends {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wire = Wire::start(&at(listener.local_addr().unwrap().port()), protocol).await.unwrap();
    let client = TcpStream::connect(port(&wire)).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    Ends { wire, client, server }
}

/// A connection on which the client and the server have said what they say first.
async fn open(protocol: Protocol) -> Ends {
    let mut ends = ends(protocol).await;
    let (asks, answers) = match protocol {
        Protocol::Postgres => (startup(), [message(b'R', &[0; 4]), message(b'Z', b"I")].concat()),
        Protocol::Http1 => (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        Protocol::Resp => (b"*1\r\n$4\r\nPING\r\n".to_vec(), b"+PONG\r\n".to_vec()),
        Protocol::Kafka => (b"\0\0\0\x08\0\x12\0\0\0\0\0\0".to_vec(), b"\0\0\0\x04\0\0\0\0".to_vec()),
        Protocol::Http2 => ([PREFACE, &frame(4, 0, 0, b"")].concat(), frame(4, 0, 0, b"")),
    };
    ends.client.write_all(&asks).await.unwrap();
    hear(&mut ends.server, &asks).await;
    ends.server.write_all(&answers).await.unwrap();
    hear(&mut ends.client, &answers).await;
    ends
}

async fn hear(stream: &mut TcpStream, expected: &[u8]) {
    let mut heard = vec![0; expected.len()];
    timeout(LIMIT, stream.read_exact(&mut heard)).await.expect("it is said in time").unwrap();
    assert_eq!(heard, expected);
}

async fn hear_nothing(stream: &mut TcpStream) {
    let heard = timeout(A_MOMENT, stream.read(&mut [0; 64])).await;
    assert!(heard.is_err(), "nothing is said, and the connection is open: {heard:?}");
}

async fn hear_the_end(stream: &mut TcpStream) {
    let heard = timeout(LIMIT, stream.read(&mut [0; 64])).await.expect("it is closed in time");
    assert_eq!(heard.unwrap_or(0), 0, "nothing was said before it was closed");
}

#[tokio::test]
async fn the_answer_to_an_earlier_message_does_not_end_a_lost_one() {
    let Ends { wire, mut client, mut server } = open(Protocol::Postgres).await;
    wire.arm(WireFault::LoseReply);
    let said = [batch(b"PDS"), batch(b"BES")].concat();
    client.write_all(&said).await.unwrap();
    hear(&mut server, &said).await;
    let prepared = [message(b'1', b""), message(b'Z', b"I")].concat();
    server.write_all(&prepared).await.unwrap();
    hear(&mut client, &prepared).await;
    hear_nothing(&mut server).await;
    server.write_all(&[message(b'C', b"INSERT 0 1\0"), message(b'Z', b"I")].concat()).await.unwrap();
    hear_the_end(&mut client).await;
    hear_the_end(&mut server).await;
    assert_eq!(wire.requests(), 1);
}

#[tokio::test]
async fn a_held_request_lands_with_its_own_answer() {
    let Ends { wire, mut client, mut server } = open(Protocol::Postgres).await;
    wire.arm(WireFault::Hold);
    client.write_all(&[batch(b"PDS"), batch(b"BES")].concat()).await.unwrap();
    hear(&mut server, &batch(b"PDS")).await;
    hear_the_end(&mut client).await;
    hear_nothing(&mut server).await;
    let landing = tokio::spawn(async move { (wire.release().await, wire) });
    hear(&mut server, &batch(b"BES")).await;
    // To prepare it failed; that is not what became of the request.
    server.write_all(&[message(b'E', b""), message(b'Z', b"I")].concat()).await.unwrap();
    hear_nothing(&mut server).await;
    server.write_all(&message(b'Z', b"I")).await.unwrap();
    let (landing, _wire) = timeout(LIMIT, landing).await.expect("it lands in time").unwrap();
    assert_eq!(landing, Landing::Finished { failed: false });
    hear_the_end(&mut server).await;
}

#[tokio::test]
async fn a_client_that_gives_up_does_not_keep_the_server_from_finishing() {
    let Ends { wire, mut client, mut server } = open(Protocol::Postgres).await;
    wire.arm(WireFault::LoseReply);
    client.write_all(&batch(b"Q")).await.unwrap();
    hear(&mut server, &batch(b"Q")).await;
    drop(client);
    hear_nothing(&mut server).await;
    server.write_all(&message(b'Z', b"I")).await.unwrap();
    hear_the_end(&mut server).await;
    drop(wire);
}

#[tokio::test]
async fn a_request_that_was_flushed_ends_when_it_is_synchronised() {
    let Ends { wire, mut client, mut server } = open(Protocol::Postgres).await;
    wire.arm(WireFault::Hold);
    client.write_all(&batch(b"BEH")).await.unwrap();
    hear_nothing(&mut server).await;
    client.write_all(&batch(b"ES")).await.unwrap();
    hear_the_end(&mut client).await;
    assert_eq!(wire.requests(), 1);
    let landing = tokio::spawn(async move { wire.release().await });
    hear(&mut server, &batch(b"BEHES")).await;
    server.write_all(&[message(b'E', b""), message(b'Z', b"I")].concat()).await.unwrap();
    assert_eq!(timeout(LIMIT, landing).await.unwrap().unwrap(), Landing::Finished { failed: true });
}

#[tokio::test]
async fn who_asks_for_encryption_is_told_that_there_is_none() {
    let Ends { wire: _wire, mut client, mut server } = ends(Protocol::Postgres).await;
    client.write_all(SSL_REQUEST).await.unwrap();
    hear(&mut client, b"N").await;
    client.write_all(&startup()).await.unwrap();
    hear(&mut server, &startup()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_followed_closes_both_sides() {
    for (protocol, said) in [
        (Protocol::Postgres, vec![0; 4]),
        (Protocol::Postgres, vec![255; 8]),
        (Protocol::Http1, b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        (Protocol::Http1, [PREFACE, &frame(4, 0, 0, b"")].concat()),
        (Protocol::Http2, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        (Protocol::Http2, [PREFACE, &frame(HEADERS, END_HEADERS, 2, b"even")].concat()),
        (Protocol::Http2, [PREFACE, &frame(HEADERS, 0, 1, b"open"), &frame(DATA, 0, 1, b"")].concat()),
    ] {
        let Ends { wire: _wire, mut client, mut server } = ends(protocol).await;
        client.write_all(&said).await.unwrap();
        hear_the_end(&mut client).await;
        let mut heard = Vec::new();
        let ended = timeout(LIMIT, server.read_to_end(&mut heard)).await;
        assert!(ended.is_ok() && heard.len() < said.len(), "{said:?}: {ended:?}");
    }
}

#[tokio::test]
async fn a_held_call_lands_with_all_of_its_headers() {
    let Ends { wire, mut client, mut server } = open(Protocol::Http2).await;
    wire.arm(WireFault::Hold);
    let (headers, more) = (frame(HEADERS, END_STREAM, 1, b"long"), frame(CONTINUATION, END_HEADERS, 1, b"er"));
    let request = [headers, more].concat();
    client.write_all(&request).await.unwrap();
    hear_the_end(&mut client).await;
    hear_nothing(&mut server).await;
    let landing = tokio::spawn(async move { wire.release().await });
    hear(&mut server, &request).await;
    server.write_all(&frame(RST_STREAM, 0, 1, &[0; 4])).await.unwrap();
    assert_eq!(timeout(LIMIT, landing).await.unwrap().unwrap(), Landing::Finished { failed: true });
}

#[tokio::test]
async fn nothing_of_a_call_that_is_kept_back_passes_and_nothing_after_it() {
    for fault in [WireFault::LoseRequest, WireFault::Hold] {
        let Ends { wire, mut client, mut server } = open(Protocol::Http2).await;
        wire.arm(fault);
        let headers = |stream| frame(HEADERS, END_HEADERS, stream, b"h");
        client.write_all(&[headers(1), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9]), headers(3)].concat()).await.unwrap();
        hear_nothing(&mut server).await;
        client.write_all(&frame(6, 0, 0, &[7; 8])).await.unwrap();
        hear(&mut server, &frame(6, 0, 0, &[7; 8])).await;
        client.write_all(&frame(DATA, END_STREAM, 1, b"")).await.unwrap();
        hear_the_end(&mut client).await;
        assert_eq!(wire.requests(), 2);
    }
}

#[tokio::test]
async fn a_lost_answer_gets_the_window_that_it_needs() {
    let Ends { wire, mut client, mut server } = open(Protocol::Http2).await;
    wire.arm(WireFault::LoseReply);
    let call = frame(HEADERS, END_HEADERS | END_STREAM, 1, b"h");
    client.write_all(&call).await.unwrap();
    hear(&mut server, &call).await;
    server.write_all(&frame(DATA, 0, 1, &[1; 300])).await.unwrap();
    let window = 300_u32.to_be_bytes();
    hear(&mut server, &[frame(WINDOW_UPDATE, 0, 0, &window), frame(WINDOW_UPDATE, 0, 1, &window)].concat()).await;
    // The client cancels, which would keep the server from finishing; and the others on the connection go on.
    client.write_all(&frame(RST_STREAM, 0, 1, &[0; 4])).await.unwrap();
    hear_nothing(&mut server).await;
    server.write_all(&frame(DATA, 0, 3, b"another")).await.unwrap();
    hear(&mut client, &frame(DATA, 0, 3, b"another")).await;
    server.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, b"t")).await.unwrap();
    hear_the_end(&mut client).await;
    hear_the_end(&mut server).await;
}

#[tokio::test]
async fn one_side_that_closes_closes_the_other() {
    let Ends { wire: _wire, client, mut server } = open(Protocol::Http2).await;
    drop(client);
    hear_the_end(&mut server).await;
    let Ends { wire: _wire, mut client, server } = open(Protocol::Postgres).await;
    drop(server);
    hear_the_end(&mut client).await;
}

#[tokio::test]
async fn a_proxy_that_is_dropped_closes_everything() {
    let Ends { wire, mut client, mut server } = open(Protocol::Postgres).await;
    let address = port(&wire);
    drop(wire);
    hear_the_end(&mut client).await;
    hear_the_end(&mut server).await;
    assert!(TcpStream::connect(address).await.is_err());

    let Ends { wire, mut client, mut server } = open(Protocol::Postgres).await;
    wire.arm(WireFault::Hold);
    client.write_all(&batch(b"Q")).await.unwrap();
    hear_the_end(&mut client).await;
    drop(wire);
    hear_the_end(&mut server).await;
}

#[tokio::test]
async fn a_held_request_whose_server_is_gone_is_broken() {
    let Ends { wire, mut client, server } = open(Protocol::Postgres).await;
    wire.arm(WireFault::Hold);
    client.write_all(&batch(b"Q")).await.unwrap();
    hear_the_end(&mut client).await;
    drop(server);
    assert_eq!(timeout(LIMIT, wire.release()).await.unwrap(), Landing::Broken);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_closes_the_client() {
    // Nobody listens on port 1.
    let wire = Wire::start(&at(1), Protocol::Postgres).await.unwrap();
    let mut client = TcpStream::connect(port(&wire)).await.unwrap();
    hear_the_end(&mut client).await;
    assert_eq!((wire.connections(), wire.requests()), (1, 0));
}
