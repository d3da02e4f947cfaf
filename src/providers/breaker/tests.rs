use super::*;

const S: Duration = Duration::from_secs(1);

struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let settings =
            BreakerSettings { window: 10 * S, min_calls: 4, failure_ratio: 0.5, open_for: 5 * S, max_open_for: 12 * S };
        Self { breaker: Breaker::new(settings), now: Instant::now() }
    }

    fn call(&self, verdict: Verdict) {
        self.breaker.admit(self.now).unwrap().end(verdict, self.now, DateTime::UNIX_EPOCH);
    }

    fn state(&self) -> BreakerState {
        self.breaker.state(self.now).0
    }
}

use Verdict::{Alarm, Healthy, Outage};

#[test]
fn opens_at_the_share_of_failures_and_not_before_enough_calls() {
    let bench = Bench::new();
    for verdict in [Outage, Outage, Outage] {
        bench.call(verdict);
        assert_eq!(bench.state(), BreakerState::Closed);
    }
    bench.call(Outage);
    assert_eq!(bench.state(), BreakerState::Open);
    assert_eq!(bench.breaker.admit(bench.now + S).unwrap_err(), 4 * S);

    let bench = Bench::new();
    for _ in 0..20 {
        for verdict in [Healthy, Healthy, Outage] {
            bench.call(verdict);
        }
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn old_calls_do_not_count() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.call(Outage);
    }
    bench.now += 11 * S;
    bench.call(Outage);
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn an_alarm_opens_at_once() {
    let bench = Bench::new();
    bench.call(Alarm);
    assert_eq!(bench.breaker.state(bench.now), (BreakerState::Open, Some(DateTime::UNIX_EPOCH)));
}

#[test]
fn half_open_lets_one_probe_pass_and_its_answer_decides() {
    let mut bench = Bench::new();
    bench.call(Alarm);
    for length in [10 * S, 12 * S, 12 * S] {
        bench.now += 12 * S;
        assert_eq!(bench.state(), BreakerState::HalfOpen);
        let probe = bench.breaker.admit(bench.now).unwrap();
        for _ in 0..100 {
            assert!(bench.breaker.admit(bench.now).is_err(), "no stampede");
        }
        probe.end(Outage, bench.now, DateTime::UNIX_EPOCH);
        assert_eq!(bench.breaker.admit(bench.now).unwrap_err(), length, "open for longer, up to the maximum");
    }
    bench.now += 12 * S;
    bench.call(Healthy);
    assert_eq!(bench.breaker.state(bench.now), (BreakerState::Closed, None));
    bench.call(Alarm);
    assert_eq!(bench.breaker.admit(bench.now).unwrap_err(), 5 * S, "the doubling starts anew");
}

#[test]
fn an_interrupted_probe_gives_its_place_back() {
    let mut bench = Bench::new();
    bench.call(Alarm);
    bench.now += 5 * S;
    drop(bench.breaker.admit(bench.now).unwrap());
    assert!(bench.breaker.admit(bench.now).is_ok());
}

#[test]
fn answers_from_before_a_change_count_for_nothing() {
    let mut bench = Bench::new();
    let late = bench.breaker.admit(bench.now).unwrap();
    let later = bench.breaker.admit(bench.now).unwrap();
    bench.call(Alarm);
    bench.now += 5 * S;
    let _probe = bench.breaker.admit(bench.now).unwrap();
    late.end(Healthy, bench.now, DateTime::UNIX_EPOCH);
    assert_eq!(bench.state(), BreakerState::HalfOpen);
    drop(later);
    assert!(bench.breaker.admit(bench.now).is_err(), "the probe's place is still taken");
}
