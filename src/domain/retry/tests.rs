use super::*;
use proptest::prelude::*;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_list_repeats_its_last_wait() {
    let schedule = RetrySchedule::list(vec![secs(5), secs(30)], 0.0).unwrap();
    let waits: Vec<_> = [0, 1, 2, 3, u32::MAX].map(|n| schedule.wait(n, 0.5, 1.0)).to_vec();
    assert_eq!(waits, [secs(5), secs(5), secs(30), secs(30), secs(30)]);
    assert_eq!(schedule.total_worst(0), Duration::ZERO);
    assert_eq!(schedule.total_worst(1), Duration::ZERO);
    assert_eq!(schedule.total_worst(4), secs(65));
}

#[test]
fn a_backoff_grows_up_to_its_greatest_wait() {
    let schedule = RetrySchedule::backoff(secs(2), 2.0, secs(10), 0.5).unwrap();
    assert_eq!([1, 2, 3, 4, 5].map(|n| schedule.wait(n, 0.5, 1.0)), [2, 4, 8, 10, 10].map(secs));
    assert_eq!(schedule.wait(1, 0.0, 1.0), secs(1));
    assert_eq!(schedule.wait(1, 1.0, 1.0), secs(3));
    assert_eq!(schedule.wait(u32::MAX, 0.5, 1.0), secs(10));
    assert_eq!(schedule.wait(3, 0.5, 0.0), Duration::ZERO);
    assert_eq!(schedule.total_worst(5), secs(36));
    assert!(schedule.total_worst(u32::MAX) > secs(u64::from(u32::MAX)));
}

#[test]
fn odd_inputs_never_panic() {
    let schedule = RetrySchedule::backoff(secs(2), 10.0, secs(60), 0.2).unwrap();
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, f64::MAX] {
        schedule.wait(7, odd, odd);
    }
    assert_eq!(schedule.wait(1, 0.5, f64::NAN), secs(2));
    assert_eq!(schedule.wait(1, 0.5, -3.0), Duration::ZERO);
}

#[test]
fn wrong_schedules_are_refused_with_a_reason() {
    for (text, wanted) in [
        (r#"{"waits": []}"#, "either `waits`"),
        ("{}", "either `waits`"),
        (r#"{"waits": ["5s"], "base": "1s"}"#, "either `waits`"),
        (r#"{"base": "1s"}"#, "either `waits`"),
        (r#"{"waits": ["0s"]}"#, "longer than 0"),
        (r#"{"waits": ["31d"]}"#, "longer than 0"),
        (r#"{"waits": ["5 s"]}"#, "not a duration: `5 s`"),
        (r#"{"waits": ["5"]}"#, "not a duration"),
        (r#"{"waits": ["99999999999999999999s"]}"#, "not a duration"),
        (r#"{"waits": ["18446744073709551615d"]}"#, "not a duration"),
        (r#"{"waits": ["-1s"]}"#, "not a duration"),
        (r#"{"waits": ["五s"]}"#, "not a duration"),
        (r#"{"base": "10s", "max": "5s"}"#, "shorter than `base`"),
        (r#"{"base": "1s", "max": "5s", "factor": 0.5}"#, "`factor`"),
        (r#"{"waits": ["5s"], "jitter": 1.0}"#, "`jitter`"),
        (r#"{"waits": ["5s"], "wait": 1}"#, "unknown field"),
    ] {
        let error = serde_json::from_str::<RetrySchedule>(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn a_schedule_survives_its_file_form() {
    for text in
        [r#"{"waits":["500ms","5s","2m"],"jitter":0.2}"#, r#"{"base":"2s","factor":2.0,"max":"1h","jitter":0.1}"#]
    {
        let schedule: RetrySchedule = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&schedule).unwrap(), text);
    }
}

#[test]
fn jitter_is_the_same_for_the_same_parts_only() {
    let a = jitter_unit(&[b"id", b"eligibility", &1_u32.to_be_bytes()]);
    assert_eq!(a, jitter_unit(&[b"id", b"eligibility", &1_u32.to_be_bytes()]));
    assert_ne!(a, jitter_unit(&[b"id", b"eligibility", &2_u32.to_be_bytes()]));
    assert_ne!(jitter_unit(&[b"ab", b"c"]), jitter_unit(&[b"a", b"bc"]));
    let mean = (0..1_000_u32).map(|n| jitter_unit(&[&n.to_be_bytes()])).sum::<f64>() / 1_000.0;
    assert!((0.45..0.55).contains(&mean), "{mean}");
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse_duration(&text);
    }

    #[test]
    fn durations_round_trip(ms in 0_u64..4_000_000_000) {
        let duration = Duration::from_millis(ms);
        prop_assert_eq!(parse_duration(&format_duration(duration)).unwrap(), duration);
    }

    #[test]
    fn the_worst_total_bounds_every_run(
        base in 1_u64..1_000, factor in 1.0_f64..10.0, more in 0_u64..100_000, jitter in 0.0_f64..0.99,
        units in prop::collection::vec(0.0_f64..1.0, 1..20),
    ) {
        let schedule = RetrySchedule::backoff(secs(base), factor, secs(base + more), jitter).unwrap();
        let attempts = u32::try_from(units.len()).unwrap() + 1;
        let total: Duration = units.iter().zip(1_u32..).map(|(unit, n)| schedule.wait(n, *unit, 1.0)).sum();
        prop_assert!(total <= schedule.total_worst(attempts) + Duration::from_micros(1));
    }

    #[test]
    fn a_unit_is_at_least_0_and_below_1(bytes in any::<Vec<u8>>()) {
        prop_assert!((0.0..1.0).contains(&jitter_unit(&[&bytes])));
    }
}
