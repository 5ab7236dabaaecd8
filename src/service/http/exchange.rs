//! A request of the lab and the reply to it, as HTTP has them; and back.
//!
//! | form | over HTTP |
//! |:--|:--|
//! | post | `POST /accounts/3/entries` |
//! | post with a key | … with `Idempotency-Key: "7"` (draft-ietf-httpapi-idempotency-key-header-07: a quoted string) |
//! | put | `PUT /values/3` |
//! | put if it matches | … with `If-Match: "2"` (RFC 9110, section 13.1.1) |
//! | delete | `DELETE /values/3?client=0&sequence=1&amount=10`: content of a DELETE means nothing (RFC 9110, section 9.3.5) |
//!
//! The body is `{"client":0,"sequence":1,"amount":10}`. A header of the lab's own says which delivery of which message it is; strategies
//! do not see the header, as they do not see the delivery.

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, IF_MATCH};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::terms::{
    AccountId, Answer, ClientId, Delivery, Effect, Failure, HttpForm, MessageId, Reply, Request as Asked, Trouble,
};

/// Which delivery of which message it is: `message=7, attempt=0, copy=0`, a dictionary of RFC 9651.
pub(crate) const DELIVERY: HeaderName = HeaderName::from_static("oncelab-delivery");

/// The handler that has answered, by number.
pub(crate) const HANDLER: HeaderName = HeaderName::from_static("oncelab-handler");

/// The id that a client gives to a request so that retries of it are not taken for others.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// RFC 9457.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why an HTTP request is none of the lab's, and what its sender is answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// 404.
    #[error("there is nothing at {0}: ask POST /accounts/N/entries, PUT /values/N or DELETE /values/N")]
    NoSuchPath(String),
    /// 400.
    #[error("the header or the body is not as the lab writes it: {0}")]
    Malformed(String),
    /// 400, as the draft asks for.
    #[error("the request needs an Idempotency-Key")]
    NoKey,
    /// 428 (RFC 6585).
    #[error("the request needs an If-Match")]
    NoVersion,
    /// 405.
    #[error("{found} is not what this resource is for: ask {expected}")]
    OtherMethod { found: &'static str, expected: &'static str },
}

/// An answer that the lab's server never gives: whatever gave it stands in the lab's way and is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} is no answer of the lab's server: {begins}")]
pub(crate) struct StrangeAnswer {
    pub status: StatusCode,
    /// How its body begins.
    pub begins: String,
}

/// The part of a request that stands in its body, or in the query of a DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    client: u32,
    sequence: u32,
    amount: i32,
}

#[derive(Serialize, Deserialize)]
struct Done {
    balance: i64,
}

/// What a body says in place of an answer.
#[derive(Serialize, Deserialize)]
struct Problem {
    title: String,
    status: u16,
    /// Why it was certainly not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// One delivery of a request over HTTP, with a path as its target. Whoever sends it adds the host.
pub(crate) fn to_http(asked: &Asked, form: HttpForm, delivery: Delivery) -> Request<String> {
    let account = asked.effect.account.0;
    let content = Content { client: asked.client.0, sequence: asked.sequence, amount: asked.effect.amount };
    let Content { client, sequence, amount } = content;
    let json = || format!(r#"{{"client":{client},"sequence":{sequence},"amount":{amount}}}"#);
    let (method, target, body) = match form {
        HttpForm::Post | HttpForm::PostWithKey => (Method::POST, format!("/accounts/{account}/entries"), json()),
        HttpForm::Put | HttpForm::PutIfMatch(_) => (Method::PUT, format!("/values/{account}"), json()),
        HttpForm::Delete => {
            let query = format!("client={client}&sequence={sequence}&amount={amount}");
            (Method::DELETE, format!("/values/{account}?{query}"), String::new())
        }
    };
    let has_body = !body.is_empty();
    let mut request = Request::new(body);
    *request.method_mut() = method;
    // A path of letters, digits and signs that stand for themselves.
    *request.uri_mut() = target.parse().unwrap_or_default();
    let headers = request.headers_mut();
    if has_body {
        headers.insert(CONTENT_TYPE, JSON);
    }
    match form {
        HttpForm::PostWithKey => drop(headers.insert(KEY, quoted(asked.id.0))),
        HttpForm::PutIfMatch(version) => drop(headers.insert(IF_MATCH, quoted(version))),
        HttpForm::Post | HttpForm::Put | HttpForm::Delete => {}
    }
    headers.insert(DELIVERY, delivery_value(asked.id, delivery));
    request
}

/// The request, its form and its delivery, from what came over HTTP.
///
/// # Errors
/// [`Unfit`] if the lab does not write it like that.
pub(crate) fn from_http(head: &Request<()>, body: &[u8]) -> Result<(Asked, HttpForm, Delivery), Unfit> {
    let (message, delivery) = delivery_of(head.headers())?;
    let path = head.uri().path();
    let number = |before: &str, behind: &str| {
        path.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind)).and_then(|number| number.parse().ok())
    };
    let (account, form) = match *head.method() {
        Method::POST => (
            number("/accounts/", "/entries"),
            match header(head.headers(), &KEY)? {
                None => HttpForm::Post,
                Some(key) if unquoted(key) == Some(message.0) => HttpForm::PostWithKey,
                Some(key) => return Err(malformed(format!("Idempotency-Key {key} is none of message {}", message.0))),
            },
        ),
        Method::PUT => (
            number("/values/", ""),
            match header(head.headers(), &IF_MATCH)? {
                None => HttpForm::Put,
                Some(version) => {
                    let known =
                        unquoted(version).ok_or_else(|| malformed(format!("If-Match {version} is no version")))?;
                    HttpForm::PutIfMatch(known)
                }
            },
        ),
        Method::DELETE => (number("/values/", ""), HttpForm::Delete),
        _ => (None, HttpForm::Post),
    };
    let account = account.ok_or_else(|| Unfit::NoSuchPath(path.to_owned()))?;
    let content = match form {
        HttpForm::Delete => content_of_query(head.uri().query().unwrap_or_default())?,
        HttpForm::Post | HttpForm::PostWithKey | HttpForm::Put | HttpForm::PutIfMatch(_) => {
            serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?
        }
    };
    let Content { client, sequence, amount } = content;
    let effect = Effect { account: AccountId(account), amount };
    Ok((Asked { id: message, client: ClientId(client), sequence, effect }, form, delivery))
}

/// Holds the form that a request has against the form that its strategy needs.
///
/// # Errors
/// [`Unfit`] says what is missing.
pub(crate) fn require(found: HttpForm, needed: HttpForm) -> Result<(), Unfit> {
    match (needed, found) {
        (needed, found) if needed == found => Ok(()),
        (HttpForm::PostWithKey, HttpForm::Post) => Err(Unfit::NoKey),
        (HttpForm::PutIfMatch(_), HttpForm::Put) => Err(Unfit::NoVersion),
        // A key, or a version, that nobody asks for does no harm.
        (HttpForm::Post, HttpForm::PostWithKey) | (HttpForm::Put, HttpForm::PutIfMatch(_)) => Ok(()),
        // Which version it must be, the strategy decides.
        (HttpForm::PutIfMatch(_), HttpForm::PutIfMatch(_)) => Ok(()),
        (needed, found) => Err(Unfit::OtherMethod { found: found.method(), expected: needed.method() }),
    }
}

/// The answer to a request of this form, from the handler with this number.
pub(crate) fn answer(
    reply: Reply,
    form: HttpForm,
    handler: u16,
    (message, delivery): (MessageId, Delivery),
) -> Response<String> {
    let status = status_of(reply, form);
    let mut response = match reply {
        Ok(Answer(balance)) => written(status, JSON, &Done { balance }),
        Err(trouble) => {
            let (title, failure) = match trouble {
                Trouble::Failed(failure) => ("failed", Some(failure.name().to_owned())),
                Trouble::Unknown => ("unknown", None),
                Trouble::InProgress => ("in_progress", None),
                Trouble::Refused => ("refused", None),
            };
            written(status, PROBLEM, &Problem { title: title.to_owned(), status: status.as_u16(), failure })
        }
    };
    response.headers_mut().insert(DELIVERY, delivery_value(message, delivery));
    response.headers_mut().insert(HANDLER, HeaderValue::from(handler));
    response
}

/// The status of a reply.
fn status_of(reply: Reply, form: HttpForm) -> StatusCode {
    StatusCode::from_u16(form.status(reply)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The answer to what is no request of the lab's.
pub(crate) fn answer_unfit(unfit: &Unfit) -> Response<String> {
    let status = match unfit {
        Unfit::NoSuchPath(_) => StatusCode::NOT_FOUND,
        Unfit::Malformed(_) | Unfit::NoKey => StatusCode::BAD_REQUEST,
        Unfit::NoVersion => StatusCode::PRECONDITION_REQUIRED,
        Unfit::OtherMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
    };
    written(status, PROBLEM, &Problem { title: unfit.to_string(), status: status.as_u16(), failure: None })
}

/// What a client makes of an answer that it has read to its end. An answer that was cut, or that did not come, is
/// [`Trouble::Unknown`] (RFC 9110, section 9.2.2).
///
/// | status | outcome |
/// |:--|:--|
/// | 2xx with a balance | done |
/// | 409; 412, 422 | in progress; refused |
/// | 421, 425 | failed for certain (RFC 9110, section 15.5.20; RFC 8470, section 5.2) |
/// | 500, 502, 503, 504, 429, 408 | unknown, unless the body is the lab's own and says that it failed for certain |
///
/// # Errors
/// [`StrangeAnswer`] for any other status: a retry cannot help.
pub(crate) fn outcome(status: StatusCode, body: &[u8]) -> Result<Reply, StrangeAnswer> {
    match status {
        // Done, and nobody can tell with which result.
        _ if status.is_success() => {
            Ok(serde_json::from_slice(body).map_or(Err(Trouble::Unknown), |Done { balance }| Ok(Answer(balance))))
        }
        StatusCode::CONFLICT => Ok(Err(Trouble::InProgress)),
        StatusCode::PRECONDITION_FAILED | StatusCode::UNPROCESSABLE_ENTITY => Ok(Err(Trouble::Refused)),
        StatusCode::MISDIRECTED_REQUEST | StatusCode::TOO_EARLY => Ok(Err(Trouble::Failed(Failure::Unavailable))),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Ok(Err(Trouble::Unknown)),
        _ if status.is_server_error() => {
            let problem: Option<Problem> = serde_json::from_slice(body).ok();
            let failure = problem.and_then(|problem| problem.failure).and_then(|name| Failure::from_name(&name));
            Ok(Err(failure.map_or(Trouble::Unknown, Trouble::Failed)))
        }
        _ => {
            let begins = String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned();
            Err(StrangeAnswer { status, begins })
        }
    }
}

/// The message and the delivery that a request or an answer says to be of.
///
/// # Errors
/// [`Unfit::Malformed`] if it does not say so, or not in numbers.
pub(crate) fn delivery_of(headers: &HeaderMap) -> Result<(MessageId, Delivery), Unfit> {
    let text = header(headers, &DELIVERY)?.ok_or_else(|| malformed(format!("no {DELIVERY}")))?;
    let wrong = || malformed(format!("{DELIVERY}: {text}"));
    let (mut message, mut attempt, mut copy) = (None, None, None);
    for member in text.split(',') {
        match member.trim().split_once('=').ok_or_else(wrong)? {
            ("message", number) => message = Some(number.parse().map_err(|_| wrong())?),
            ("attempt", number) => attempt = Some(number.parse().map_err(|_| wrong())?),
            ("copy", number) => copy = Some(number.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
    }
    match (message, attempt, copy) {
        (Some(message), Some(attempt), Some(copy)) => Ok((MessageId(message), Delivery { attempt, copy })),
        _ => Err(wrong()),
    }
}

/// The handler that an answer says to be from; 0 if it says nothing of the kind.
pub(crate) fn handler_of(headers: &HeaderMap) -> u16 {
    let number = headers.get(&HANDLER).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    number.unwrap_or(0)
}

/// How [`DELIVERY`] says it.
pub(crate) fn delivery_value(message: MessageId, Delivery { attempt, copy }: Delivery) -> HeaderValue {
    ascii(&format!("message={}, attempt={attempt}, copy={copy}", message.0))
}

fn written(status: StatusCode, content_type: HeaderValue, body: &impl Serialize) -> Response<String> {
    // Structs of numbers and texts: there is nothing that JSON cannot say.
    let mut response = Response::new(serde_json::to_string(body).unwrap_or_default());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A header that may stand once.
fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Unfit> {
    let mut all = headers.get_all(name).iter();
    let first = all.next();
    if all.next().is_some() {
        return Err(malformed(format!("{name} stands there twice")));
    }
    first.map(|value| value.to_str().map_err(|_| malformed(format!("{name} is no text")))).transpose()
}

fn content_of_query(query: &str) -> Result<Content, Unfit> {
    let wrong = || malformed(format!("the query '{query}'"));
    let (mut client, mut sequence, mut amount) = (None, None, None);
    for pair in query.split('&') {
        match pair.split_once('=').ok_or_else(wrong)? {
            ("client", number) => client = Some(number.parse().map_err(|_| wrong())?),
            ("sequence", number) => sequence = Some(number.parse().map_err(|_| wrong())?),
            ("amount", number) => amount = Some(number.parse().map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
    }
    match (client, sequence, amount) {
        (Some(client), Some(sequence), Some(amount)) => Ok(Content { client, sequence, amount }),
        _ => Err(wrong()),
    }
}

fn quoted(number: u32) -> HeaderValue {
    ascii(&format!("\"{number}\""))
}

/// A number in quotes. A weak version (`W/"2"`) is none: `If-Match` compares strongly.
fn unquoted(text: &str) -> Option<u32> {
    let number = text.strip_prefix('"')?.strip_suffix('"')?;
    // Rust would read `+7` too.
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok()).flatten()
}

/// Letters, digits and signs, as all that the lab writes.
fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn malformed(what: String) -> Unfit {
    Unfit::Malformed(what)
}
