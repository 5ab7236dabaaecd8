//! Kafka's protocol: a request has a length, the number of what it asks for, a version, and a number of its own that its answer bears
//! too. A broker answers the requests of a connection one after the other.
//!
//! A client goes where a broker says that it is. So the proxy puts its own address into the answers that name brokers: whatever the client
//! connects to, it connects to the proxy.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{FindCoordinatorResponse, MetadataResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use super::proxy::lock;
use super::{Address, Framer, Part, Piece, invalid, take};

/// How many bytes say how long the rest is.
const LENGTH: usize = 4;

const METADATA: u16 = 3;
const FIND_COORDINATOR: u16 = 10;

/// From this version on an answer names several coordinators.
const SEVERAL_COORDINATORS: i16 = 4;

/// What opens a connection or finds out about the broker, and changes nothing: these two, and SaslHandshake, ApiVersions and
/// SaslAuthenticate.
const OPENING: [u16; 5] = [METADATA, FIND_COORDINATOR, 17, 18, 36];

/// The requests whose answers name brokers, by their numbers: what each asks for, and in which version.
type AsksForBrokers = Arc<Mutex<HashMap<u32, (u16, i16)>>>;

/// Both sides of a connection through a proxy at this address.
pub(super) fn framers(at: &Address) -> (KafkaRequests, KafkaAnswers) {
    let asked = AsksForBrokers::default();
    let at = match at {
        Address::Port(host, port) => Some((StrBytes::from_string(host.clone()), i32::from(*port))),
        Address::Socket(_) => None,
    };
    (KafkaRequests { asked: Arc::clone(&asked) }, KafkaAnswers { asked, at })
}

/// What a client sends. A piece is a request. One that no answer comes to (a produce that wants none) cannot have its reply lost.
#[derive(Debug)]
pub(super) struct KafkaRequests {
    asked: AsksForBrokers,
}

impl Framer for KafkaRequests {
    fn next(&mut self, received: &mut Vec<u8>) -> io::Result<Option<Piece>> {
        let Some(bytes) = message(received)? else { return Ok(None) };
        let Some((asks, version, call)) = heading(&bytes) else {
            return Err(invalid("a request of Kafka's has no number"));
        };
        if matches!(asks, METADATA | FIND_COORDINATOR) {
            lock(&self.asked).insert(call, (asks, version));
        }
        let part = Part { begins: true, ends: true, ..Part::of(call) };
        Ok(Some(Piece { part: (!OPENING.contains(&asks)).then_some(part), ..Piece::of(bytes) }))
    }
}

/// What a request asks for, in which version, and its number.
fn heading(request: &[u8]) -> Option<(u16, i16, u32)> {
    let (asks, rest) = request.get(LENGTH..)?.split_first_chunk()?;
    let (version, rest) = rest.split_first_chunk()?;
    Some((u16::from_be_bytes(*asks), i16::from_be_bytes(*version), u32::from_be_bytes(*rest.first_chunk()?)))
}

/// What a broker sends. A piece is an answer.
#[derive(Debug)]
pub(super) struct KafkaAnswers {
    asked: AsksForBrokers,
    /// Where the proxy listens, if it is at a port.
    at: Option<(StrBytes, i32)>,
}

impl Framer for KafkaAnswers {
    fn next(&mut self, received: &mut Vec<u8>) -> io::Result<Option<Piece>> {
        let Some(bytes) = message(received)? else { return Ok(None) };
        let number = bytes.get(LENGTH..LENGTH + 4).and_then(|number| number.try_into().ok());
        let call = u32::from_be_bytes(number.ok_or_else(|| invalid("an answer of Kafka's has no number"))?);
        let bytes = match (lock(&self.asked).remove(&call), &self.at) {
            (Some((asks, version)), Some(at)) => readdressed(bytes, asks, version, at)?,
            (Some(_), None) | (None, _) => bytes,
        };
        let part = Part { begins: true, ends: true, ..Part::of(call) };
        Ok(Some(Piece { part: Some(part), ..Piece::of(bytes) }))
    }
}

/// An answer that names brokers, with this address for each of them.
fn readdressed(answer: Vec<u8>, asks: u16, version: i16, (host, port): &(StrBytes, i32)) -> io::Result<Vec<u8>> {
    match asks {
        METADATA => rewritten::<MetadataResponse>(answer, version, |said| {
            for broker in &mut said.brokers {
                (broker.host, broker.port) = (host.clone(), *port);
            }
        }),
        _ => rewritten::<FindCoordinatorResponse>(answer, version, |said| {
            // In old versions there is one; nowhere is there one where there is an error.
            if version < SEVERAL_COORDINATORS && said.node_id.0 >= 0 {
                (said.host, said.port) = (host.clone(), *port);
            }
            for coordinator in said.coordinators.iter_mut().filter(|coordinator| coordinator.node_id.0 >= 0) {
                (coordinator.host, coordinator.port) = (host.clone(), *port);
            }
        }),
    }
}

fn rewritten<R: Decodable + Encodable + HeaderVersion>(
    answer: Vec<u8>,
    version: i16,
    rewrite: impl FnOnce(&mut R),
) -> io::Result<Vec<u8>> {
    let odd = |error: &dyn std::fmt::Display| invalid(&format!("an answer of Kafka's cannot be read: {error}"));
    let mut bytes = Bytes::from(answer).split_off(LENGTH);
    let header = ResponseHeader::decode(&mut bytes, R::header_version(version)).map_err(|error| odd(&error))?;
    let mut said = R::decode(&mut bytes, version).map_err(|error| odd(&error))?;
    rewrite(&mut said);
    let mut again = BytesMut::zeroed(LENGTH);
    header.encode(&mut again, R::header_version(version)).map_err(|error| odd(&error))?;
    said.encode(&mut again, version).map_err(|error| odd(&error))?;
    let length = u32::try_from(again.len() - LENGTH).map_err(|error| odd(&error))?;
    again[..LENGTH].copy_from_slice(&length.to_be_bytes());
    Ok(again.into())
}

/// The message at the front, if it is all there.
fn message(received: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let Some(length) = received.first_chunk::<LENGTH>() else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    let length = usize::try_from(length).map_err(|_| invalid("a length of Kafka's is below zero"))?;
    take(received, LENGTH.saturating_add(length))
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::BrokerId;
    use kafka_protocol::messages::find_coordinator_response::Coordinator;
    use kafka_protocol::messages::metadata_response::MetadataResponseBroker;

    use super::super::Framer;
    use super::super::testing::pieces;
    use super::*;

    /// Both sides of a connection through a proxy at port 7 of this host.
    fn sides() -> (KafkaRequests, KafkaAnswers) {
        framers(&Address::Port("127.0.0.1".to_owned(), 7))
    }

    /// A request: what it asks for, its number, and what follows.
    fn request(asks: u16, number: u32, rest: &[u8]) -> Vec<u8> {
        let body = [&asks.to_be_bytes()[..], &[0, 9], &number.to_be_bytes(), rest].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn what_opens_a_connection_is_no_request_and_a_produce_is() {
        let stream = [request(18, 0, b"versions"), request(36, 1, b"secret"), request(0, 2, b""), request(22, 3, b"x")];
        let all = pieces(sides().0, &stream.concat(), 1000);
        let calls: Vec<Option<u32>> = all.iter().map(|piece| piece.part.map(|part| part.call)).collect();
        assert_eq!(calls, [None, None, Some(2), Some(3)]);
        assert_eq!(all[3].bytes, stream[3]);
        assert_eq!(pieces(sides().0, &stream.concat(), 1), all, "however it arrives");
    }

    #[test]
    fn an_answer_bears_the_number_of_its_request() {
        let answer = |number: u32| [&6_u32.to_be_bytes()[..], &number.to_be_bytes(), b"ok"].concat();
        let stream = [answer(0), answer(7)].concat();
        let all = pieces(sides().1, &stream, stream.len());
        assert_eq!(all.iter().map(|piece| piece.part.unwrap().call).collect::<Vec<_>>(), [0, 7]);
        assert_eq!(pieces(sides().1, &stream, 1), all, "however it arrives");
    }

    /// An answer of version 9, with its length before it.
    fn answer<R: Encodable + HeaderVersion>(number: i32, said: &R) -> Vec<u8> {
        let mut bytes = BytesMut::zeroed(LENGTH);
        ResponseHeader::default().with_correlation_id(number).encode(&mut bytes, R::header_version(4)).unwrap();
        said.encode(&mut bytes, 4).unwrap();
        let length = u32::try_from(bytes.len() - LENGTH).unwrap();
        bytes[..LENGTH].copy_from_slice(&length.to_be_bytes());
        bytes.into()
    }

    #[test]
    fn whatever_a_broker_says_of_where_brokers_are_is_the_proxys_address() {
        let elsewhere = || StrBytes::from_static_str("kafka.example.org");
        let broker = MetadataResponseBroker::default().with_node_id(BrokerId(1)).with_host(elsewhere()).with_port(9092);
        let metadata = MetadataResponse::default().with_brokers(vec![broker.clone(), broker]);
        let coordinator = |node| {
            let it = Coordinator::default().with_node_id(BrokerId(node)).with_port(if node < 0 { -1 } else { 9092 });
            if node < 0 { it } else { it.with_host(elsewhere()) }
        };
        let coordinators = FindCoordinatorResponse::default().with_coordinators(vec![coordinator(1), coordinator(-1)]);
        let (mut client, mut server) = sides();
        for (asks, number) in [(METADATA, 5), (FIND_COORDINATOR, 6)] {
            let mut asked = request(asks, number, b"");
            asked[LENGTH + 3] = 4;
            assert_eq!(client.next(&mut asked).unwrap().map(|piece| piece.part), Some(None));
        }
        let mut said = [answer(5, &metadata), answer(6, &coordinators), answer(7, &metadata)].concat();
        let mut next = || server.next(&mut said).unwrap().unwrap().bytes;
        let to = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).filter(|part| *part == what).count();
        let own = b"127.0.0.1";
        let mut told = next();
        assert_eq!((to(&told, own), to(&told, b"example")), (2, 0));
        assert_eq!(server_length(&told), told.len() - LENGTH);
        told = next();
        assert_eq!((to(&told, own), to(&told, b"example")), (1, 0), "what is nowhere stays so");
        assert_eq!(to(&next(), b"example"), 2, "nobody has asked for it: it passes as it is");
    }

    fn server_length(bytes: &[u8]) -> usize {
        u32::from_be_bytes(*bytes.first_chunk().unwrap()) as usize
    }

    #[test]
    fn refuses_what_it_cannot_follow() {
        let refused = |mut framer: Box<dyn Framer>, bytes: &[u8]| {
            framer.next(&mut bytes.to_vec()).is_err_and(|error| error.kind() == io::ErrorKind::InvalidData)
        };
        let (mut client, server) = sides();
        client.next(&mut request(METADATA, 0, b"")).unwrap();
        assert!(refused(Box::new(server), &[0, 0, 0, 5, 0, 0, 0, 0, 1]), "an answer that names brokers, cut off");
        assert!(refused(Box::new(client), &[0, 0, 0, 3, 1, 2, 3]), "too short for a number");
        assert!(refused(Box::new(sides().1), &[0, 0, 0, 0]));
        assert!(refused(Box::new(sides().0), b"GET / HTTP/1.1\r\n"), "longer than anything that is carried");
        assert!(refused(Box::new(sides().1), &[0xff; 8]));
    }
}
