//! What `--help` says of the words of the trade: the tokens of a schedule, and the violations.

use crate::terms::Violation;

const TOKENS: &str = "\
Tokens of a schedule, here for lane a; a blank stands between two tokens:
  a    the next operation runs, and its response arrives
  a!   the request of the next operation is lost: the backend never sees it
  a?   the backend does the operation, and the reply is lost
  a~   the operation times out while its request is still on its way
  a+   the request that timed out reaches the backend
  ax   the handler (the server worker of the lane) crashes, and its client retries
  a*   a time runs out: a lease expires, or a message id is free again
  a&   an operation begins and waits; the next step of a takes its answer
";

const HOP: &str = "\
With --hop http the first step of an attempt is its request on the way to the handler, and the last step is its answer:
  a!   at the request: it is lost      a?   at the answer: it is lost
  a~   at the request: it is late. a+ lets it reach a handler when the client of the lane has its answer, or has
       given up; the lane's next steps are those of this handler, whose answer nobody hears
  ax   between the two: the client leaves, and its handler is dropped
";

/// The violations, for the help of a verb that prints them.
pub(super) fn violations() -> String {
    let line = |violation: Violation| format!("  {:<10} {}\n", violation.name(), violation.description());
    let lines: String = Violation::ALL.into_iter().map(line).collect();
    format!(
        "Violations (the ledger has one line for each effect; the lab sends a last retry\nwhen all faults are over):\n{lines}"
    )
}

/// The tokens and the violations, for the help of a verb that goes through schedules.
pub(super) fn of_schedules() -> String {
    format!("{TOKENS}\n{HOP}\n{}", violations())
}

#[cfg(test)]
mod tests {
    use super::TOKENS;
    use crate::explore::Schedule;

    #[test]
    fn every_token_of_the_legend_is_one_of_a_schedule() {
        let tokens: Vec<&str> = TOKENS.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(tokens.len(), 8);
        for token in tokens {
            assert!(token.parse::<Schedule>().is_ok(), "{token}");
        }
    }
}
