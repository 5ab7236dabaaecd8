//! What crosses the hop: a request, or the answer to it.

use std::fmt;

use crate::service::contract::{Given, Operation, Returned, another};
use crate::service::{Acts, Footprint, HasIds, Ids, Kind};
use crate::terms::{AccountId, Answer, ClientId, Effect, Failure, HttpForm, MessageId, Reply, Request, Trouble};

/// What crosses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Crosses {
    Request,
    Answer,
    Trouble(Trouble),
}

/// A form, without the version that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Post,
    PostWithKey,
    Put,
    PutIfMatch,
    Delete,
}

/// Every form with the name that it has in lines.
const FORMS: [(Form, &str); 5] = [
    (Form::Post, "post"),
    (Form::PostWithKey, "post-key"),
    (Form::Put, "put"),
    (Form::PutIfMatch, "put-if"),
    (Form::Delete, "delete"),
];

/// A message on the hop: flat and small, as every operation is, since an explorer copies millions of them a second.
///
/// The numbers of clients, the numbers of requests and versions have 16 bits: in a schedule there are few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HopOp {
    crosses: Crosses,
    form: Form,
    client: u16,
    sequence: u16,
    version: u16,
    message: MessageId,
    /// Of a request: its account and its amount. Of an answer: the lower and the upper half of what it tells.
    words: [u32; 2],
}

const _: () = assert!(size_of::<HopOp>() == 20);

const ARRIVE: Kind = Kind { number: 56, name: "arrive", acts: Acts::ARRIVES };
const ANSWER: Kind = Kind { number: 57, name: "answer", acts: Acts::ANSWERS };

/// The kinds of messages.
pub(super) const KINDS: &[Kind] = &[ARRIVE, ANSWER];

impl HopOp {
    /// A request crosses, in this form.
    #[must_use]
    #[inline]
    pub fn arrive(request: &Request, form: HttpForm) -> Self {
        let Request { id, client, sequence, effect: Effect { account, amount } } = *request;
        let words = [account.0, amount.cast_unsigned()];
        HopOp { client: small(client.0), sequence: small(sequence), ..HopOp::of(Crosses::Request, form, id, words) }
    }

    /// What the handler of a request of this form has to say crosses.
    #[must_use]
    #[inline]
    pub fn answer(message: MessageId, form: HttpForm, reply: Reply) -> Self {
        let (crosses, told) = match reply {
            Ok(Answer(told)) => (Crosses::Answer, told),
            Err(trouble) => (Crosses::Trouble(trouble), 0),
        };
        let [a, b, c, d, e, f, g, h] = told.to_le_bytes();
        HopOp::of(crosses, form, message, [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])])
    }

    fn of(crosses: Crosses, form: HttpForm, message: MessageId, words: [u32; 2]) -> Self {
        let (form, version) = match form {
            HttpForm::Post => (Form::Post, 0),
            HttpForm::PostWithKey => (Form::PostWithKey, 0),
            HttpForm::Put => (Form::Put, 0),
            HttpForm::PutIfMatch(version) => (Form::PutIfMatch, small(version)),
            HttpForm::Delete => (Form::Delete, 0),
        };
        HopOp { crosses, form, client: 0, sequence: 0, version, message, words }
    }

    /// The form of the request that crosses, or that is answered.
    #[must_use]
    pub fn form(self) -> HttpForm {
        match self.form {
            Form::Post => HttpForm::Post,
            Form::PostWithKey => HttpForm::PostWithKey,
            Form::Put => HttpForm::Put,
            Form::PutIfMatch => HttpForm::PutIfMatch(self.version.into()),
            Form::Delete => HttpForm::Delete,
        }
    }

    /// The message that it is about.
    #[must_use]
    pub fn message(self) -> MessageId {
        self.message
    }

    /// The request that crosses, if one does.
    #[must_use]
    pub fn request(self) -> Option<Request> {
        let [account, amount] = self.words;
        let effect = Effect { account: AccountId(account), amount: amount.cast_signed() };
        let (client, sequence) = (ClientId(self.client.into()), self.sequence.into());
        (self.crosses == Crosses::Request).then_some(Request { id: self.message, client, sequence, effect })
    }

    /// The reply that crosses, if one does.
    #[must_use]
    pub fn reply(self) -> Option<Reply> {
        let [low, high] = self.words;
        match self.crosses {
            Crosses::Request => None,
            Crosses::Answer => Some(Ok(Answer((u64::from(low) | u64::from(high) << 32).cast_signed()))),
            Crosses::Trouble(trouble) => Some(Err(trouble)),
        }
    }
}

impl Operation for HopOp {
    #[inline]
    fn kind(self) -> &'static Kind {
        match self.crosses {
            Crosses::Request => &ARRIVE,
            Crosses::Answer | Crosses::Trouble(_) => &ANSWER,
        }
    }

    /// Nothing is kept on the way.
    fn footprint(self) -> Footprint {
        Footprint::default()
    }

    fn said(self) -> Option<Reply> {
        self.reply()
    }

    fn in_words(self, several: bool) -> String {
        let number = if several { (self.message.0 + 1).to_string() } else { String::new() };
        match (self.reply(), self.form()) {
            (Some(reply), form) => format!("answer {}", form.status(reply)),
            (None, form @ (HttpForm::Post | HttpForm::Put | HttpForm::Delete)) => {
                format!("{} X{number}", form.method())
            }
            (None, form @ HttpForm::PostWithKey) => format!("{} X{number} with key K{number}", form.method()),
            (None, form @ HttpForm::PutIfMatch(version)) => format!("{} X{number} if {version}", form.method()),
        }
    }

    fn parse(kind: &str, rest: &str, _: &Request) -> Option<Self> {
        let (form, rest) = rest.split_once(' ')?;
        let (form, version) = form.split_once('=').unwrap_or((form, "0"));
        let (form, _) = *FORMS.iter().find(|(_, name)| *name == form)?;
        let version = version.parse().ok()?;
        let (message, rest) = rest.split_once(' ')?;
        let message = MessageId(message.strip_prefix('m')?.parse().ok()?);
        if kind == ANSWER.name {
            return Some(HopOp { form, version, ..HopOp::answer(message, HttpForm::Post, reply_from(rest)?) });
        }
        let words: Vec<&str> = rest.split(' ').collect();
        let [amount, "to", account, "client", client, "number", sequence] = words[..] else { return None };
        let words = [account.parse().ok()?, amount.parse::<i32>().ok()?.cast_unsigned()];
        let (client, sequence) = (client.parse().ok()?, sequence.parse().ok()?);
        let op = HopOp { crosses: Crosses::Request, form, client, sequence, version, message, words };
        (kind == ARRIVE.name).then_some(op)
    }
}

/// A number of 16 bits. What is none becomes the greatest.
fn small(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl HasIds for HopOp {
    #[inline]
    fn map_ids(mut self, ids: &mut impl Ids) -> Self {
        self.message = self.message.map_ids(ids);
        if self.crosses == Crosses::Request {
            self.words[0] = AccountId(self.words[0]).map_ids(ids).0;
            self.client = u16::try_from(ClientId(self.client.into()).map_ids(ids).0).unwrap_or(u16::MAX);
        }
        self
    }
}

impl fmt::Display for HopOp {
    /// Prints `arrive put m7 +10 to 3 client 0 number 2`, or `answer put m7 10`, or `answer put-if=3 m7 refused`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = FORMS.iter().find(|(form, _)| *form == self.form).map_or("", |(_, name)| name);
        write!(f, "{} {form}", self.kind().name)?;
        if self.form == Form::PutIfMatch {
            write!(f, "={}", self.version)?;
        }
        write!(f, " m{} ", self.message.0)?;
        match (self.request(), self.reply()) {
            (Some(Request { client, sequence, effect: Effect { account, amount }, .. }), _) => {
                write!(f, "{amount:+} to {} client {} number {sequence}", account.0, client.0)
            }
            (None, reply) => reply.map_or(Ok(()), |reply| print(reply, f)),
        }
    }
}

fn print(reply: Reply, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reply {
        Ok(Answer(told)) => write!(f, "{told}"),
        Err(trouble) => write!(f, "{trouble}"),
    }
}

/// A reply from what [`print`] prints.
fn reply_from(text: &str) -> Option<Reply> {
    let troubles = [Trouble::Unknown, Trouble::InProgress, Trouble::Refused];
    let failures = Failure::NAMES.iter().map(|(failure, _)| Trouble::Failed(*failure));
    let trouble = troubles.into_iter().chain(failures).find(|trouble| trouble.to_string() == text);
    trouble.map(Err).or_else(|| text.parse().ok().map(Answer).map(Ok))
}

/// What came of a message that crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HopResponse {
    /// The request is on the other side, as it was sent, and a handler has it.
    Arrived,
    /// What the client took the answer for.
    Heard(Reply),
}

impl Returned for HopResponse {
    type Op = HopOp;

    fn parse(text: &str, _: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => (text == "arrived").then_some(HopResponse::Arrived),
            Some(("heard", reply)) => reply_from(reply).map(HopResponse::Heard),
            Some(_) => None,
        }
    }

    fn in_words(self, _: HopOp) -> String {
        match self {
            HopResponse::Arrived => "a handler begins".to_owned(),
            HopResponse::Heard(_) => "the client hears it".to_owned(),
        }
    }

    fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (HopResponse::Arrived, HopResponse::Arrived) => true,
            (HopResponse::Heard(one), HopResponse::Heard(other)) => one.err() == other.err(),
            (HopResponse::Arrived | HopResponse::Heard(_), _) => false,
        }
    }
}

impl HasIds for HopResponse {
    #[inline]
    fn map_ids(self, _: &mut impl Ids) -> Self {
        self
    }
}

impl fmt::Display for HopResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HopResponse::Arrived => f.write_str("arrived"),
            HopResponse::Heard(reply) => {
                f.write_str("heard ")?;
                print(*reply, f)
            }
        }
    }
}

impl Given<HopResponse> for () {
    #[inline]
    fn of(response: &HopResponse) -> Result<Self, Trouble> {
        if *response == HopResponse::Arrived { Ok(()) } else { another(response) }
    }
}

impl Given<HopResponse> for Answer {
    #[inline]
    fn of(response: &HopResponse) -> Result<Self, Trouble> {
        if let HopResponse::Heard(reply) = *response { reply } else { another(response) }
    }
}

#[cfg(test)]
mod tests {
    use super::{HopOp, HopResponse};
    use crate::terms::{AccountId, Answer, ClientId, Effect, Failure, HttpForm, MessageId, Reply, Request, Trouble};
    use crate::world::{Op, Response};

    /// Every reply that a handler can give, but for the numbers.
    fn replies() -> Vec<Reply> {
        let failures = Failure::NAMES.iter().map(|(failure, _)| Err(Trouble::Failed(*failure)));
        let others = [Trouble::Unknown, Trouble::InProgress, Trouble::Refused].map(Err);
        let answers = [0, 10, -1, i64::MAX, i64::MIN].map(|told| Ok(Answer(told)));
        failures.chain(others).chain(answers).collect()
    }

    fn request() -> Request {
        let effect = Effect { account: AccountId(3), amount: -10 };
        Request { id: MessageId(7), client: ClientId(2), sequence: 65_535, effect }
    }

    const FORMS: [HttpForm; 5] =
        [HttpForm::Post, HttpForm::PostWithKey, HttpForm::Put, HttpForm::PutIfMatch(65_535), HttpForm::Delete];

    /// Everything that can cross, but for the numbers.
    fn messages() -> Vec<HopOp> {
        let of = |form| {
            let answers = replies().into_iter().map(move |reply| HopOp::answer(MessageId(7), form, reply));
            answers.chain([HopOp::arrive(&request(), form)])
        };
        FORMS.into_iter().flat_map(of).collect()
    }

    #[test]
    fn what_crosses_is_what_was_sent() {
        for form in FORMS {
            let arrives = HopOp::arrive(&request(), form);
            assert_eq!((arrives.request(), arrives.reply(), arrives.form()), (Some(request()), None, form));
            for reply in replies() {
                let answers = HopOp::answer(MessageId(7), form, reply);
                assert_eq!((answers.request(), answers.reply(), answers.form()), (None, Some(reply), form));
            }
        }
    }

    #[test]
    fn messages_and_what_came_of_them_are_read_from_their_lines() {
        let mut lines = 0;
        for op in messages() {
            let op = Op::from(op);
            assert_eq!(Op::parse(&op.to_string(), &request()), Some(op), "{op}");
            lines += 1;
        }
        assert_eq!(lines, FORMS.len() * (replies().len() + 1));
        let shown = Op::from(HopOp::arrive(&request(), HttpForm::PutIfMatch(4)));
        assert_eq!(shown.to_string(), "arrive put-if=4 m7 -10 to 3 client 2 number 65535");
        for response in replies().into_iter().map(HopResponse::Heard).chain([HopResponse::Arrived]) {
            let response = Response::from(response);
            assert_eq!(Response::parse(&response.to_string(), shown.kind()), Some(response), "{response}");
        }
        let broken = [
            "arrive",
            "arrive put",
            "arrive put m7",
            "arrive get m7 +1 to 3 client 0 number 0",
            "arrive put 7 +1 to 3 client 0 number 0",
            "arrive put m7 +1 to 3 client 65536 number 0",
            "answer put m7",
            "answer put m7 soon",
            "answer put-if=65536 m7 10",
        ];
        for broken in broken {
            assert_eq!(Op::parse(broken, &request()), None, "{broken}");
        }
    }
}
