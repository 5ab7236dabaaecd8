//! The hop over real sockets: what is lost on it was not seen, what comes is what was sent, and what HTTP does not allow is an error.

use std::rc::Rc;

use hyper::Response;
use hyper::header::HeaderValue;
use hyper::http::uri::Authority;

use super::op::HopOp;
use super::replayed::{ReplayedHop, reply_in};
use crate::service::http::exchange::{answer, delivery_value, to_http};
use crate::service::http::{HttpConnection, HttpVersion, Peer};
use crate::service::replayed::{Ran, ReplayDriver};
use crate::service::{AnyOp, Outcome};
use crate::terms::{
    AccountId, Answer, ClientId, Delivery, Effect, HttpForm, MessageId, Reply, Request, Session, Trouble,
};

const LANE: Session = Session(0);
const OTHER: Session = Session(1);
const FLIGHT: Session = Session(16);
const FORM: HttpForm = HttpForm::PutIfMatch(2);

fn request() -> Request {
    let effect = Effect { account: AccountId(3), amount: 10 };
    Request { id: MessageId(7), client: ClientId(0), sequence: 1, effect }
}

fn arrives() -> AnyOp {
    HopOp::arrive(&request(), FORM).into()
}

fn answers(reply: Reply) -> AnyOp {
    HopOp::answer(MessageId(7), FORM, reply).into()
}

fn hop() -> ReplayedHop {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    ReplayedHop::new(Rc::new(runtime)).expect("a port")
}

fn come(ran: Ran) -> Option<String> {
    match ran {
        Ran::Came(Outcome::Ok(response)) => Some(response.to_string()),
        Ran::Came(Outcome::Failed(_) | Outcome::Unknown) | Ran::Unheard | Ran::Waits => None,
    }
}

#[test]
fn a_request_and_every_answer_cross() {
    let mut hop = hop();
    for reply in [Ok(Answer(-5)), Err(Trouble::Unknown), Err(Trouble::InProgress), Err(Trouble::Refused)] {
        for on in [LANE, OTHER] {
            let came = hop.execute(on, arrives(), Delivery::FIRST, false).expect("it comes");
            assert_eq!(come(came).as_deref(), Some("arrived"));
        }
        for on in [OTHER, LANE] {
            let heard = hop.execute(on, answers(reply), Delivery::FIRST, false).expect("it is heard");
            let told = reply.map_or_else(|trouble| trouble.to_string(), |Answer(told)| told.to_string());
            assert_eq!(come(heard), Some(format!("heard {told}")));
        }
    }
}

#[test]
fn a_lost_request_never_comes_and_a_lost_answer_is_never_heard() {
    let mut hop = hop();
    hop.lose_request(LANE, arrives(), Delivery::FIRST).expect("it is lost");
    hop.execute(LANE, arrives(), Delivery::FINAL, false).expect("the next one comes");
    let lost = hop.execute(LANE, answers(Ok(Answer(1))), Delivery::FINAL, true).expect("it is lost");
    assert_eq!(lost, Ran::Unheard);
    hop.execute(LANE, arrives(), Delivery::FIRST, false).expect("over another connection");
}

#[test]
fn a_late_request_has_a_handler_begin_that_nobody_hears() {
    let mut hop = hop();
    hop.hold(LANE, FLIGHT, arrives(), Delivery::FIRST).expect("it is held");
    hop.execute(LANE, arrives(), Delivery::FINAL, false).expect("the retry comes first");
    hop.execute(LANE, answers(Ok(Answer(1))), Delivery::FINAL, false).expect("and is answered");
    let landed = hop.land(FLIGHT, arrives(), Delivery::FIRST).expect("it lands");
    assert_eq!(come(landed).as_deref(), Some("arrived"));
    hop.take_over(FLIGHT, LANE);
    let said = hop.execute(LANE, answers(Err(Trouble::Refused)), Delivery::FIRST, false).expect("the proxy reads it");
    assert_eq!(said, Ran::Unheard);
    assert!(hop.land(FLIGHT, arrives(), Delivery::FIRST).is_err(), "nothing lands twice");
}

#[test]
fn a_client_that_leaves_has_its_handler_dropped() {
    let mut hop = hop();
    hop.execute(LANE, arrives(), Delivery::FIRST, false).expect("it comes");
    hop.cut(LANE).expect("the server lets go of it");
    assert!(hop.execute(LANE, answers(Ok(Answer(1))), Delivery::FIRST, false).is_err(), "there is nothing to answer");
    // So does everybody who is there when it is closed.
    hop.execute(LANE, arrives(), Delivery::FIRST, false).expect("it comes");
    hop.hold(OTHER, FLIGHT, arrives(), Delivery::FIRST).expect("it is held");
    hop.close().expect("all are let go of");
    hop.execute(LANE, arrives(), Delivery::FIRST, false).expect("it comes as the first one did");
}

#[test]
fn a_request_that_comes_otherwise_than_it_was_sent_is_found_out() {
    // Somebody who knows the password sends another amount, another version, or says that it is another delivery.
    let more = Request { effect: Effect { amount: 11, ..request().effect }, ..request() };
    let twins = [
        (more, FORM, Delivery::FIRST),
        (request(), HttpForm::Put, Delivery::FIRST),
        (request(), HttpForm::PutIfMatch(3), Delivery::FIRST),
        (request(), FORM, Delivery::FINAL),
    ];
    for (sent, form, by) in twins {
        let mut hop = hop();
        hop.smuggle(to_http(&sent, form, by));
        let error = hop.execute(LANE, arrives(), Delivery::FIRST, false).expect_err("it is another");
        assert!(error.to_string().contains("and came as"), "{error}");
    }
}

#[test]
fn strangers_are_not_let_in() {
    let hop = hop();
    let (runtime, address) = hop.entrance();
    for credentials in [None, Some(HeaderValue::from_static("Bearer 0"))] {
        let authority = Authority::try_from(address.to_string()).expect("an address");
        let peer = Peer { authority, version: HttpVersion::Http1, credentials };
        let status = runtime.block_on(async {
            let mut connection = HttpConnection::open(&peer).await.expect("the port is open");
            connection.ask(to_http(&request(), FORM, Delivery::FIRST)).await.expect("an answer").status()
        });
        assert_eq!(status, 401);
    }
}

#[test]
fn an_answer_that_is_none_of_the_labs_is_an_error_and_never_a_panic() {
    let by = Delivery::FIRST;
    let op = HopOp::arrive(&request(), FORM);
    let right = |status: u16, body: &str| {
        let mut response = Response::new(body.as_bytes().to_vec());
        *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
        response.headers_mut().insert("oncelab-delivery", delivery_value(MessageId(7), by));
        response
    };
    assert_eq!(reply_in(&right(200, r#"{"balance":4}"#), op, by).expect("an answer"), Ok(Answer(4)));
    assert_eq!(reply_in(&right(502, "<html>"), op, by).expect("an outcome"), Err(Trouble::Unknown));
    for status in [100, 301, 404, 405, 418] {
        let error = reply_in(&right(status, "who are you"), op, by).expect_err("no answer of the lab's");
        assert!(error.to_string().contains("who are you"), "{error}");
    }
    let mut other = right(200, r#"{"balance":4}"#);
    other.headers_mut().insert("oncelab-delivery", delivery_value(MessageId(8), by));
    assert!(reply_in(&other, op, by).expect_err("another's").to_string().contains("in place of"));
    other.headers_mut().remove("oncelab-delivery");
    assert!(reply_in(&other, op, by).is_err(), "nobody's");
    let (mine, body) = answer(Ok(Answer(9)), FORM, 0, (MessageId(7), by)).into_parts();
    assert_eq!(reply_in(&Response::from_parts(mine, body.into_bytes()), op, by).expect("an answer"), Ok(Answer(9)));
}
