//! Connections written to byte by byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Arrived, HttpLimits, HttpListener, Refused, Treatment, Treats};

/// Keeps what came, and treats a request as the first letter of its path says.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn taken(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics").clone()
    }
}

impl Treats for Notes {
    async fn treat(&self, arrived: Arrived) -> Treatment {
        let path = arrived.head.uri().path();
        let note = format!("{} {path} {} {}", arrived.head.method(), arrived.body_bytes, arrived.earlier);
        self.0.lock().expect("nobody panics").push(note);
        let answer = Response::new("fine".to_owned());
        match path {
            "/drop" => Treatment::Drop,
            "/silence" => Treatment::Silence,
            "/close" => Treatment::AnswerAndClose(answer, Duration::from_millis(1)),
            _ => Treatment::Answer(answer),
        }
    }

    fn refused(&self, why: Refused) {
        self.0.lock().expect("nobody panics").push(format!("{why:?}"));
    }
}

fn start(limits: HttpLimits) -> (HttpListener, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let listening = HttpListener::start(([127, 0, 0, 1], 0).into(), Arc::clone(&notes), limits).expect("a free port");
    (listening, notes)
}

async fn connect(to: &HttpListener) -> TcpStream {
    TcpStream::connect(to.address()).await.expect("a connection")
}

/// Reads an answer, up to the end of its body `fine`.
async fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"fine") {
        let byte = stream.read_u8().await.expect("an answer");
        read.push(byte);
    }
    String::from_utf8(read).expect("text")
}

/// Reads what comes until the connection ends.
async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.expect("an orderly end");
    String::from_utf8(read).expect("text")
}

/// Sends bytes over a connection of their own, and reads until its end.
async fn sent(to: &HttpListener, bytes: &[u8]) -> String {
    let mut stream = connect(to).await;
    stream.write_all(bytes).await.expect("a place for the bytes");
    rest(&mut stream).await
}

#[tokio::test]
async fn a_request_is_read_whole_before_its_connection_is_dropped() {
    let (listening, notes) = start(HttpLimits::default());
    let mut stream = connect(&listening).await;
    stream.write_all(b"POST /drop HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhel").await.expect("sent");
    assert_eq!(notes.taken(), Vec::<String>::new());
    stream.write_all(b"lo").await.expect("sent");
    assert_eq!(rest(&mut stream).await, "");
    assert_eq!(notes.taken(), ["POST /drop 5 0"]);
}

#[tokio::test]
async fn a_connection_is_dropped_that_was_used_before() {
    let (listening, notes) = start(HttpLimits::default());
    let mut stream = connect(&listening).await;
    stream.write_all(b"GET /fine HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    stream
        .write_all(b"PUT /drop HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        .await
        .expect("sent");
    assert_eq!(rest(&mut stream).await, "");
    assert_eq!(notes.taken(), ["GET /fine 0 0", "PUT /drop 3 1"]);
}

#[tokio::test]
async fn an_idle_connection_is_closed_behind_its_answer() {
    let (listening, _) = start(HttpLimits::default());
    let heard = sent(&listening, b"GET /close HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 200") && heard.ends_with("fine"), "{heard}");
}

#[tokio::test]
async fn silence_lasts_until_the_server_is_gone() {
    let (listening, notes) = start(HttpLimits::default());
    let mut stream = connect(&listening).await;
    stream.write_all(b"GET /silence HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    // It has been read, since others that came later are answered.
    while notes.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut other = connect(&listening).await;
    other.write_all(b"GET /fine HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sent");
    answer(&mut other).await;
    assert!(stream.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    drop(listening);
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn what_http_does_not_allow_is_answered_400() {
    let (listening, notes) = start(HttpLimits::default());
    let head = "POST / HTTP/1.1\r\nhost: a\r\n";
    let wrong = [
        "nonsense\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost: a\r\nbad header: x\r\n\r\n".to_owned(),
        format!("{head}content-length: five\r\n\r\nhello"),
        format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        format!("{head}transfer-encoding: gzip\r\n\r\nhello"),
        format!("{head}transfer-encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n"),
    ];
    for bytes in &wrong {
        let heard = sent(&listening, bytes.as_bytes()).await;
        assert!(heard.starts_with("HTTP/1.1 400"), "{bytes}: {heard}");
    }
    assert_eq!(notes.taken(), vec!["Malformed"; wrong.len()]);
}

#[tokio::test]
async fn a_stranger_can_have_so_much_and_no_more() {
    let limits = HttpLimits {
        head_bytes: 8192,
        body_bytes: 10,
        connections: 1,
        patience: Duration::from_millis(100),
        ..HttpLimits::default()
    };
    let (listening, notes) = start(limits);
    // Each waits until the one before has left: there is one place.
    let head = "POST / HTTP/1.1\r\nhost: a\r\n";
    let long = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(20_000));
    let cases = [
        (long, "HTTP/1.1 4", "TooLarge"),
        (format!("{head}content-length: 11\r\n\r\n"), "HTTP/1.1 413", "TooLarge"),
        (format!("{head}transfer-encoding: chunked\r\n\r\n20\r\n{}\r\n", "x".repeat(32)), "HTTP/1.1 413", "TooLarge"),
        (format!("{head}content-length: 10\r\n\r\nhello"), "HTTP/1.1 408", "TooSlow"),
    ];
    for (bytes, answered, noted) in &cases {
        let mut stream = connect(&listening).await;
        stream.write_all(bytes.as_bytes()).await.expect("sent");
        // What was not read may make the end disorderly.
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        let heard = String::from_utf8(heard).expect("text");
        assert!(heard.starts_with(answered), "{noted}: {heard}");
        assert_eq!(notes.taken().last().map(String::as_str), Some(*noted));
    }
    // Who says nothing loses the place.
    assert_eq!(rest(&mut connect(&listening).await).await, "");
    assert_eq!(notes.taken().len(), cases.len());
}

#[tokio::test]
async fn who_leaves_in_the_middle_has_sent_no_request() {
    let (listening, notes) = start(HttpLimits::default());
    let mut stream = connect(&listening).await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhello").await.expect("sent");
    drop(stream);
    while notes.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(notes.taken(), ["Unfinished"]);
}
