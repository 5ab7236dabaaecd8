//! Operations, outcomes and replies as the short texts that they have in files, and back.

use crate::terms::{Answer, Delivery, Failure, Reply, Trouble};
use crate::world::{Op, Outcome, Response};

/// An outcome as one short text.
pub(super) fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ok(response) => format!("ok: {response}"),
        Outcome::Failed(failure) => format!("failed: {failure}"),
        Outcome::Unknown => "unknown".to_owned(),
    }
}

/// An outcome from [`show_outcome`]'s text. The operation tells apart what prints alike.
pub(super) fn parse_outcome(text: &str, op: &Op) -> Option<Outcome> {
    match text.split_once(": ") {
        None if text == "unknown" => Some(Outcome::Unknown),
        Some(("failed", name)) => Failure::from_name(name).map(Outcome::Failed),
        Some(("ok", response)) => Response::parse(response, op.kind()).map(Outcome::Ok),
        _ => None,
    }
}

/// A reply as one short text.
pub(super) fn show_reply(reply: &Reply) -> String {
    match reply {
        Ok(answer) => format!("ok: {}", answer.0),
        Err(trouble) => trouble.to_string(),
    }
}

/// A reply from [`show_reply`]'s text.
pub(super) fn parse_reply(text: &str) -> Option<Reply> {
    match text.split_once(": ") {
        Some(("ok", answer)) => Some(Ok(Answer(answer.parse().ok()?))),
        Some(("failed", name)) => Some(Err(Trouble::Failed(Failure::from_name(name)?))),
        None => [Trouble::Unknown, Trouble::InProgress, Trouble::Refused]
            .into_iter()
            .find(|trouble| trouble.to_string() == text)
            .map(Err),
        Some(_) => None,
    }
}

/// A delivery from what its `Display` prints.
pub(super) fn parse_delivery(text: &str) -> Option<Delivery> {
    let (of, is_other) = match text.strip_suffix(Delivery::WITH_OTHER_BODY) {
        Some(of) => (of, true),
        None => (text, false),
    };
    let attempt = of.trim_end_matches('\'');
    let copy = u8::try_from(of.len() - attempt.len()).ok()?;
    let attempt = if attempt == "final" { Delivery::FINAL_ATTEMPT } else { attempt.parse().ok()? };
    let delivery = Delivery { attempt, copy };
    Some(if is_other { delivery.of_other_body() } else { delivery })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_and_delivery_reads_back_as_it_was_written() {
        let troubles = [Trouble::Unknown, Trouble::InProgress, Trouble::Refused, Trouble::Failed(Failure::StaleToken)];
        for reply in troubles.into_iter().map(Err).chain([Ok(Answer(-3))]) {
            assert_eq!(parse_reply(&show_reply(&reply)), Some(reply));
        }
        let some = [
            Delivery::FIRST,
            Delivery::FINAL,
            Delivery { attempt: 3, copy: 1 },
            Delivery { copy: 3, ..Delivery::FINAL },
        ];
        for delivery in some.into_iter().chain(some.map(Delivery::of_other_body)) {
            assert_eq!(parse_delivery(&delivery.to_string()), Some(delivery));
        }
    }
}
