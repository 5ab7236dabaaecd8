//! Kafka's protocol: a request has a length, the number of what it asks for, a version, and a number of its own that its answer bears
//! too. A broker answers the requests of a connection one after the other.

use super::{Framer, Part, Piece, invalid, take};

/// How many bytes say how long the rest is.
const LENGTH: usize = 4;

/// What opens a connection or finds out about the broker, and changes nothing: Metadata, SaslHandshake, ApiVersions, SaslAuthenticate.
const OPENING: [u16; 4] = [3, 17, 18, 36];

/// What a client sends. A piece is a request. One that no answer comes to (a produce that wants none) cannot have its reply lost.
#[derive(Debug)]
pub(super) struct KafkaRequests;

impl Framer for KafkaRequests {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        let Some(bytes) = message(received)? else { return Ok(None) };
        let short = || invalid("a request of Kafka's has no number");
        let (asks, number) = (bytes.get(LENGTH..LENGTH + 2), bytes.get(LENGTH + 4..LENGTH + 8));
        let asks = u16::from_be_bytes(asks.and_then(|asks| asks.try_into().ok()).ok_or_else(short)?);
        let call = u32::from_be_bytes(number.and_then(|number| number.try_into().ok()).ok_or_else(short)?);
        let part = Part { begins: true, ends: true, ..Part::of(call) };
        Ok(Some(Piece { part: (!OPENING.contains(&asks)).then_some(part), ..Piece::of(bytes) }))
    }
}

/// What a broker sends. A piece is an answer.
#[derive(Debug)]
pub(super) struct KafkaAnswers;

impl Framer for KafkaAnswers {
    fn next(&mut self, received: &mut Vec<u8>) -> std::io::Result<Option<Piece>> {
        let Some(bytes) = message(received)? else { return Ok(None) };
        let number = bytes.get(LENGTH..LENGTH + 4).and_then(|number| number.try_into().ok());
        let call = u32::from_be_bytes(number.ok_or_else(|| invalid("an answer of Kafka's has no number"))?);
        let part = Part { begins: true, ends: true, ..Part::of(call) };
        Ok(Some(Piece { part: Some(part), ..Piece::of(bytes) }))
    }
}

/// The message at the front, if it is all there.
fn message(received: &mut Vec<u8>) -> std::io::Result<Option<Vec<u8>>> {
    let Some(length) = received.first_chunk::<LENGTH>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    let length = usize::try_from(length).map_err(|_| invalid("a length of Kafka's is below zero"))?;
    take(received, LENGTH.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use super::super::Framer;
    use super::super::testing::pieces;
    use super::{KafkaAnswers, KafkaRequests};

    /// A request: what it asks for, its number, and what follows.
    fn request(asks: u16, number: u32, rest: &[u8]) -> Vec<u8> {
        let body = [&asks.to_be_bytes()[..], &[0, 9], &number.to_be_bytes(), rest].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn what_opens_a_connection_is_no_request_and_a_produce_is() {
        let stream = [request(18, 0, b"versions"), request(36, 1, b"secret"), request(0, 2, b""), request(22, 3, b"x")];
        let all = pieces(KafkaRequests, &stream.concat(), 1000);
        let calls: Vec<Option<u32>> = all.iter().map(|piece| piece.part.map(|part| part.call)).collect();
        assert_eq!(calls, [None, None, Some(2), Some(3)]);
        assert_eq!(all[3].bytes, stream[3]);
        assert_eq!(pieces(KafkaRequests, &stream.concat(), 1), all, "however it arrives");
    }

    #[test]
    fn an_answer_bears_the_number_of_its_request() {
        let answer = |number: u32| [&6_u32.to_be_bytes()[..], &number.to_be_bytes(), b"ok"].concat();
        let stream = [answer(0), answer(7)].concat();
        let all = pieces(KafkaAnswers, &stream, stream.len());
        assert_eq!(all.iter().map(|piece| piece.part.unwrap().call).collect::<Vec<_>>(), [0, 7]);
        assert_eq!(pieces(KafkaAnswers, &stream, 1), all, "however it arrives");
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        let refused = |mut framer: Box<dyn Framer>, bytes: &[u8]| {
            framer.next(&mut bytes.to_vec()).is_err_and(|error| error.kind() == std::io::ErrorKind::InvalidData)
        };
        assert!(refused(Box::new(KafkaRequests), &[0, 0, 0, 3, 1, 2, 3]), "too short for a number");
        assert!(refused(Box::new(KafkaAnswers), &[0, 0, 0, 0]));
        assert!(refused(Box::new(KafkaRequests), b"GET / HTTP/1.1\r\n"), "longer than anything that is carried");
        assert!(refused(Box::new(KafkaAnswers), &[0xff; 8]));
    }
}
