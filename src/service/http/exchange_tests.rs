//! What is written is read back, and what nobody wrote is refused.

use hyper::header::{HeaderValue, IF_MATCH};
use hyper::{Method, Request, StatusCode};

use super::exchange::{
    DELIVERY, KEY, Unfit, answer, answer_unfit, delivery_of, from_http, handler_of, outcome, require, to_http,
};
use crate::terms::{
    AccountId, Answer, ClientId, Delivery, Effect, Failure, HttpForm, MessageId, Reply, Request as Asked, Trouble,
};

const FORMS: [HttpForm; 5] =
    [HttpForm::Post, HttpForm::PostWithKey, HttpForm::Put, HttpForm::PutIfMatch(5), HttpForm::Delete];

fn asked() -> Asked {
    let effect = Effect { account: AccountId(3), amount: -10 };
    Asked { id: MessageId(7), client: ClientId(1), sequence: 4, effect }
}

const SECOND: Delivery = Delivery { attempt: 2, copy: 1 };

fn halves(request: Request<String>) -> (Request<()>, String) {
    let (head, body) = request.into_parts();
    (Request::from_parts(head, ()), body)
}

fn read(change: impl FnOnce(&mut Request<()>), form: HttpForm) -> Result<HttpForm, Unfit> {
    let (mut head, body) = halves(to_http(&asked(), form, SECOND));
    change(&mut head);
    from_http(&head, body.as_bytes()).map(|(_, form, _)| form)
}

#[test]
fn every_form_is_read_as_it_was_written() {
    for form in FORMS {
        let (head, body) = halves(to_http(&asked(), form, SECOND));
        assert_eq!(head.method().as_str(), form.method());
        assert_eq!(from_http(&head, body.as_bytes()), Ok((asked(), form, SECOND)), "{form:?}");
        assert_eq!(require(form, form), Ok(()));
    }
    let (head, body) = halves(to_http(&asked(), HttpForm::PostWithKey, SECOND));
    assert_eq!(head.uri(), "/accounts/3/entries");
    assert_eq!(
        (&head.headers()[KEY], &head.headers()[DELIVERY]),
        (&HeaderValue::from_static("\"7\""), &HeaderValue::from_static("message=7, attempt=2, copy=1"))
    );
    assert_eq!(body, r#"{"client":1,"sequence":4,"amount":-10}"#);
    let (head, body) = halves(to_http(&asked(), HttpForm::Delete, SECOND));
    assert_eq!((head.uri().to_string().as_str(), body.as_str()), ("/values/3?client=1&sequence=4&amount=-10", ""));
}

#[test]
fn what_a_strategy_needs_must_be_there() {
    let status = |unfit: &Unfit| answer_unfit(unfit).status().as_u16();
    assert_eq!(require(HttpForm::Post, HttpForm::PostWithKey), Err(Unfit::NoKey));
    assert_eq!(status(&Unfit::NoKey), 400);
    assert_eq!(require(HttpForm::Put, HttpForm::PutIfMatch(1)), Err(Unfit::NoVersion));
    assert_eq!(status(&Unfit::NoVersion), 428);
    let other = require(HttpForm::Delete, HttpForm::Put).unwrap_err();
    assert_eq!((status(&other), other.to_string().as_str()), (405, "DELETE is not what this resource is for: ask PUT"));
    assert_eq!(require(HttpForm::PostWithKey, HttpForm::Post), Ok(()));
    assert_eq!(require(HttpForm::PutIfMatch(9), HttpForm::PutIfMatch(1)), Ok(()));
}

#[test]
fn what_the_lab_does_not_write_is_refused_and_not_misread() {
    let put = |name, value: &'static str| {
        move |head: &mut Request<()>| drop(head.headers_mut().insert(name, HeaderValue::from_static(value)))
    };
    let malformed = |read: Result<HttpForm, Unfit>| assert!(matches!(read, Err(Unfit::Malformed(_))), "{read:?}");
    for key in ["7", "\"8\"", "\"+7\"", "\"7", "\"\"", "\"99999999999\""] {
        malformed(read(put(KEY, key), HttpForm::PostWithKey));
    }
    for version in ["5", "W/\"5\"", "*", "\"five\""] {
        malformed(read(put(IF_MATCH, version), HttpForm::PutIfMatch(5)));
    }
    for delivery in ["", "message=7", "message=7, attempt=256, copy=0", "message=7, attempt=0, copy=0, more=1", "7"] {
        malformed(read(put(DELIVERY, delivery), HttpForm::Post));
    }
    malformed(read(|head| drop(head.headers_mut().remove(DELIVERY)), HttpForm::Post));
    malformed(read(
        |head| assert!(head.headers_mut().append(KEY, HeaderValue::from_static("\"7\""))),
        HttpForm::PostWithKey,
    ));
    for target in ["/", "/accounts/x/entries", "/accounts//entries", "/values/3/more", "/values/-3"] {
        let moved = |head: &mut Request<()>| *head.uri_mut() = target.parse().expect("a target");
        assert_eq!(read(moved, HttpForm::Post), Err(Unfit::NoSuchPath(target.to_owned())));
    }
    let got = read(|head| *head.method_mut() = Method::GET, HttpForm::Put);
    assert_eq!(got, Err(Unfit::NoSuchPath("/values/3".to_owned())));
    let queries = ["", "?client=1", "?client=1&sequence=4&amount=x", "?client=1&sequence=4&amount=1&more=1"];
    for query in queries {
        let asks = |head: &mut Request<()>| *head.uri_mut() = format!("/values/3{query}").parse().expect("a target");
        malformed(read(asks, HttpForm::Delete));
    }
    let (head, _) = halves(to_http(&asked(), HttpForm::Put, SECOND));
    for body in
        ["", "{}", r#"{"client":1,"sequence":4,"amount":1e99}"#, r#"{"client":1,"sequence":4,"amount":1,"a":1}"#]
    {
        assert!(matches!(from_http(&head, body.as_bytes()), Err(Unfit::Malformed(_))), "{body}");
    }
}

#[test]
fn every_reply_is_heard_as_it_was_given() {
    let failures = Failure::NAMES.map(|(failure, _)| Err(Trouble::Failed(failure)));
    let others: [Reply; 5] =
        [Ok(Answer(17)), Ok(Answer(i64::MIN)), Err(Trouble::Unknown), Err(Trouble::InProgress), Err(Trouble::Refused)];
    let mut seen = 0;
    for reply in failures.into_iter().chain(others) {
        for form in FORMS {
            let told = answer(reply, form, 12, (MessageId(7), SECOND));
            assert_eq!(outcome(told.status(), told.body().as_bytes()), Ok(reply), "{form:?}");
            assert_eq!(delivery_of(told.headers()), Ok((MessageId(7), SECOND)));
            assert_eq!(handler_of(told.headers()), 12);
            seen += 1;
        }
    }
    assert_eq!(seen, (Failure::NAMES.len() + 5) * FORMS.len());
    let status = |reply, form| answer(reply, form, 0, (MessageId(0), SECOND)).status().as_u16();
    let refused = FORMS.map(|form| status(Err(Trouble::Refused), form));
    assert_eq!(refused, [422, 422, 422, 412, 422]);
    assert_eq!(FORMS.map(|form| status(Ok(Answer(1)), form)), [201, 201, 200, 200, 200]);
}

#[test]
fn what_others_answer_is_an_outcome_or_named() {
    let heard = |status: u16, body: &str| outcome(StatusCode::from_u16(status).expect("a status"), body.as_bytes());
    for status in [500, 501, 502, 503, 504, 599, 429, 408] {
        assert_eq!(heard(status, "<html>Bad Gateway</html>"), Ok(Err(Trouble::Unknown)), "{status}");
    }
    for status in [421, 425] {
        assert_eq!(heard(status, ""), Ok(Err(Trouble::Failed(Failure::Unavailable))), "{status}");
    }
    for status in [409, 412, 422] {
        assert!(matches!(heard(status, "no JSON"), Ok(Err(Trouble::InProgress | Trouble::Refused))), "{status}");
    }
    // Done, with a result that nobody can read.
    for body in ["", "{", "[]", r#"{"balance":"ten"}"#, r#"{"balance":1e30}"#, "\u{0}"] {
        assert_eq!(heard(200, body), Ok(Err(Trouble::Unknown)), "{body}");
    }
    // Nobody but the lab's server may say that something failed for certain.
    assert_eq!(heard(503, r#"{"title":"failed","status":503,"failure":"tired"}"#), Ok(Err(Trouble::Unknown)));
    for status in [100, 101, 301, 304, 307, 400, 401, 403, 404, 405, 413, 428, 431, 451] {
        let strange = heard(status, "who are you").unwrap_err().to_string();
        assert!(strange.starts_with(&status.to_string()) && strange.ends_with("who are you"), "{strange}");
    }
    let long = "ä".repeat(1_000);
    assert!(heard(404, &long).unwrap_err().begins.len() < 250);
}
