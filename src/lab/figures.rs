//! The figures of a trial that are about time: speed, waits, what was available while a server was down.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::history::{Event, What};
use crate::load::{Finished, Resolution, TrialRecord};
use crate::results::{Course, LatencyMs, OutageSpan};
use crate::stats::median;
use crate::terms::Disturbed;

/// The longest wait that is told apart: longer ones count as an hour.
const LONGEST_US: u64 = 3_600_000_000;
/// How many stretches of time a course has, roughly.
const STRETCHES: u64 = 60;

/// Figures of the requests after the warm-up.
pub(super) struct Figures {
    /// From the first start to the last end.
    pub elapsed_s: f64,
    /// Acknowledged requests a second of that time.
    pub goodput_per_s: f64,
    pub latency: LatencyMs,
    /// Of the requests that started while a server was down or cut off, the share that was acknowledged within one client
    /// time-out; none if none did.
    pub available: Option<f64>,
    /// The median time from the end of a disturbance to the first acknowledgement of a request that started after it.
    pub recovery_ms: Option<f64>,
    pub course: Course,
}

impl Figures {
    /// The figures of a trial. Waits count from the intended start, and include retries.
    pub fn of(record: &TrialRecord, warmup: u32, client_timeout: Duration) -> Self {
        let measured: Vec<&Finished> = record.finished.iter().filter(|end| end.message.0 >= warmup).collect();
        let from = measured.iter().map(|end| end.started_ns).min().unwrap_or(0);
        let to = measured.iter().map(|end| end.ended_ns).max().unwrap_or(0);
        let elapsed_s = Duration::from_nanos(to.saturating_sub(from)).as_secs_f64();
        let waits = |digits| {
            let mut waits_us = Histogram::<u64>::new_with_bounds(1, LONGEST_US, digits).expect("valid bounds");
            for end in measured.iter().filter(|end| end.resolution == Resolution::Acknowledged) {
                waits_us.saturating_record((end.ended_ns - end.started_ns) / 1_000);
            }
            waits_us
        };
        let waits_us = waits(3);
        let ms = |us: u64| ms(us * 1_000);
        let (available, recovery_ms) = (available(record, client_timeout), recovery_ms(record));
        Figures {
            elapsed_s,
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            goodput_per_s: if elapsed_s > 0.0 { waits_us.len() as f64 / elapsed_s } else { 0.0 },
            latency: LatencyMs {
                p50: ms(waits_us.value_at_quantile(0.5)),
                p99: ms(waits_us.value_at_quantile(0.99)),
                p999: ms(waits_us.value_at_quantile(0.999)),
                max: ms(waits_us.max()),
            },
            available,
            recovery_ms,
            // Two digits: a curve is drawn of them, and a tenth of the values is kept.
            course: course(record, (from, to), &waits(2)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "times of a trial in nanoseconds are far below 2^53")]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn is_during(disturbed: &Disturbed, ns: u64) -> bool {
    (disturbed.from_ns..disturbed.until_ns).contains(&ns)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn available(record: &TrialRecord, client_timeout: Duration) -> Option<f64> {
    let during = |end: &&Finished| record.disturbed.iter().any(|disturbed| is_during(disturbed, end.started_ns));
    let concerned: Vec<&Finished> = record.finished.iter().filter(during).collect();
    let in_time = |end: &&&Finished| {
        end.resolution == Resolution::Acknowledged
            && Duration::from_nanos(end.ended_ns.saturating_sub(end.started_ns)) <= client_timeout
    };
    let served = concerned.iter().filter(in_time).count();
    (!concerned.is_empty()).then(|| served as f64 / concerned.len() as f64)
}

fn recovery_ms(record: &TrialRecord) -> Option<f64> {
    let after = |disturbed: &Disturbed| {
        let started_after = record.finished.iter().filter(|end| end.started_ns >= disturbed.until_ns);
        let served = started_after.filter(|end| end.resolution == Resolution::Acknowledged);
        served.map(|end| end.ended_ns - disturbed.until_ns).min()
    };
    let recoveries: Vec<f64> = record.disturbed.iter().filter_map(after).map(ms).collect();
    (!recoveries.is_empty()).then(|| median(recoveries))
}

/// What happened when, in stretches of equal length since the first measured request.
fn course(record: &TrialRecord, (from, to): (u64, u64), waits_us: &Histogram<u64>) -> Course {
    let stretch_ms = stretch_ms(to.saturating_sub(from));
    let stretch_ns = stretch_ms * 1_000_000;
    let count = usize::try_from(to.saturating_sub(from) / stretch_ns).unwrap_or(0) + 1;
    let place = |ns: u64| usize::try_from(ns.checked_sub(from)? / stretch_ns).ok().filter(|place| *place < count);
    let mut acknowledged = vec![0; count];
    for end in record.finished.iter().filter(|end| end.resolution == Resolution::Acknowledged) {
        if let Some(place) = place(end.ended_ns) {
            acknowledged[place] += 1;
        }
    }
    let mut faults = vec![0; count];
    for place in record.events.iter().filter(|event| is_fault(event)).filter_map(|event| place(event.at_ns)) {
        faults[place] += 1;
    }
    let outage = |disturbed: &Disturbed| OutageSpan {
        what: disturbed.disturbed.kind().name().to_owned(),
        server: disturbed.server.clone(),
        from_ms: ms(disturbed.from_ns.saturating_sub(from)),
        until_ms: ms(disturbed.until_ns.saturating_sub(from)),
    };
    Course {
        stretch_ms,
        acknowledged,
        faults,
        outages: record.disturbed.iter().map(outage).collect(),
        waits_us: waits_us.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect(),
    }
}

fn is_fault(event: &Event) -> bool {
    event.fault().is_some() || matches!(event.what, What::Crashed)
}

/// A round length of which about [`STRETCHES`] fill the time.
fn stretch_ms(elapsed_ns: u64) -> u64 {
    let wanted_ms = elapsed_ns / 1_000_000 / STRETCHES;
    let round = [10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];
    round.into_iter().find(|ms| *ms >= wanted_ms).unwrap_or(60_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::{Disturbance, MessageId, Target};

    const MS: u64 = 1_000_000;

    fn finished(n: u32, started_ms: u64, ended_ms: u64, resolution: Resolution) -> Finished {
        let message = MessageId(n);
        Finished { message, started_ns: started_ms * MS, ended_ns: ended_ms * MS, resolution, attempts: 1 }
    }

    fn record(finished: Vec<Finished>) -> TrialRecord {
        let disturbed = Disturbed {
            disturbed: Disturbance::Kill,
            target: Target::Store,
            server: "postgres".to_owned(),
            from_ns: 100 * MS,
            until_ns: 200 * MS,
        };
        TrialRecord {
            requests: Vec::new(),
            events: Vec::new(),
            ledger: Vec::new(),
            balances: crate::terms::ByRole::default(),
            disturbed: vec![disturbed],
            finished,
            usage: crate::service::Usage::default(),
            hop: None,
        }
    }

    #[test]
    fn availability_counts_what_began_in_an_outage_and_recovery_begins_at_its_end() {
        // Of the four that begin in the outage one is served within 50 ms, one later, one given up, one refused: a quarter.
        // The first request after it begins at 210 and is answered at 230: 30 ms from the end.
        let figures = Figures::of(
            &record(vec![
                finished(0, 0, 10, Resolution::Acknowledged),
                finished(1, 110, 140, Resolution::Acknowledged),
                finished(2, 120, 300, Resolution::Acknowledged),
                finished(3, 130, 140, Resolution::GaveUp),
                finished(4, 140, 150, Resolution::Refused),
                finished(5, 210, 230, Resolution::Acknowledged),
            ]),
            0,
            Duration::from_millis(50),
        );
        assert_eq!(figures.available, Some(0.25));
        assert_eq!(figures.recovery_ms, Some(30.0));
        assert_eq!(figures.elapsed_s, 0.3);
        assert!((figures.goodput_per_s - 4.0 / 0.3).abs() < 1e-9);
        // Stretches of 10 ms: acknowledged at 10, 140, 230 and 300 ms.
        let course = figures.course;
        assert_eq!((course.stretch_ms, course.acknowledged.len()), (10, 31));
        let at: Vec<usize> = (0..31).filter(|place| course.acknowledged[*place] > 0).collect();
        assert_eq!(at, [1, 14, 23, 30]);
        assert_eq!(course.waits_us.iter().map(|(_, count)| count).sum::<u64>(), 4);
    }

    #[test]
    fn without_disturbances_there_is_nothing_to_be_available_in() {
        let mut quiet = record(vec![finished(0, 0, 10, Resolution::Acknowledged)]);
        quiet.disturbed.clear();
        let figures = Figures::of(&quiet, 0, Duration::from_millis(50));
        assert_eq!((figures.available, figures.recovery_ms), (None, None));
    }
}
