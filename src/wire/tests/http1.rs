//! The proxy before a server of HTTP/1.1.

use super::{Ends, LIMIT, hear, hear_nothing, hear_the_end, open};
use crate::wire::{Landing, Protocol, WireFault};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

const PUT: &[u8] = b"PUT /values/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
const DONE: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";

#[tokio::test]
async fn a_lost_request_is_read_to_its_end_and_nothing_of_it_passes() {
    let Ends { wire, mut client, mut server } = open(Protocol::Http1).await;
    wire.arm(WireFault::LoseRequest);
    client.write_all(&PUT[..PUT.len() - 1]).await.unwrap();
    hear_nothing(&mut client).await;
    client.write_all(&PUT[PUT.len() - 1..]).await.unwrap();
    hear_the_end(&mut client).await;
    hear_the_end(&mut server).await;
    assert_eq!(wire.requests(), 2);
}

#[tokio::test]
async fn a_held_request_lands_whole_when_its_client_is_gone() {
    let Ends { wire, mut client, mut server } = open(Protocol::Http1).await;
    wire.arm(WireFault::Hold);
    client.write_all(PUT).await.unwrap();
    hear_the_end(&mut client).await;
    hear_nothing(&mut server).await;
    let landing = tokio::spawn(async move { wire.release().await });
    hear(&mut server, PUT).await;
    // An interim answer is not the answer.
    server.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    hear_nothing(&mut server).await;
    server.write_all(DONE).await.unwrap();
    assert_eq!(timeout(LIMIT, landing).await.unwrap().unwrap(), Landing::Finished { failed: false });
    hear_the_end(&mut server).await;
}

#[tokio::test]
async fn an_answer_is_lost_after_its_request_has_passed() {
    let Ends { wire, mut client, mut server } = open(Protocol::Http1).await;
    client.write_all(PUT).await.unwrap();
    hear(&mut server, PUT).await;
    wire.lose_answer();
    server.write_all(&DONE[..DONE.len() - 2]).await.unwrap();
    // It is read to its end.
    hear_nothing(&mut client).await;
    server.write_all(&DONE[DONE.len() - 2..]).await.unwrap();
    hear_the_end(&mut client).await;
    hear_the_end(&mut server).await;
    assert!(!wire.keep_answer(), "it met an answer");
}

#[tokio::test]
async fn an_answer_that_never_came_was_not_lost() {
    let Ends { wire, mut client, mut server } = open(Protocol::Http1).await;
    client.write_all(PUT).await.unwrap();
    hear(&mut server, PUT).await;
    wire.lose_answer();
    assert!(wire.keep_answer());
    server.write_all(DONE).await.unwrap();
    hear(&mut client, DONE).await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_connection_of_its_handler_along() {
    let Ends { wire: _wire, mut client, mut server } = open(Protocol::Http1).await;
    client.write_all(PUT).await.unwrap();
    hear(&mut server, PUT).await;
    drop(client);
    hear_the_end(&mut server).await;
}

#[tokio::test]
async fn a_server_that_answers_what_http_does_not_allow_closes_the_client() {
    for answer in
        ["HTTP/1.1 2OO OK\r\n\r\n", "<html>", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"]
    {
        let Ends { wire: _wire, mut client, mut server } = open(Protocol::Http1).await;
        client.write_all(PUT).await.unwrap();
        hear(&mut server, PUT).await;
        server.write_all(answer.as_bytes()).await.unwrap();
        // What has no end of a head is waited for: then the server goes.
        drop(server);
        hear_the_end(&mut client).await;
    }
}
