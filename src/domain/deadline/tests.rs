use super::*;
use crate::domain::calendar::{BUILT_IN, DayKind};
use proptest::prelude::*;

fn cn() -> Calendar {
    Calendar::parse(BUILT_IN).unwrap()
}

fn rule(working_days: u32) -> DeadlineRule {
    DeadlineRule {
        working_days,
        starts_at: Stage::FaceVerification,
        close: NaiveTime::from_hms_opt(17, 0, 0).unwrap(),
        opens: NaiveTime::from_hms_opt(9, 0, 0).unwrap(),
        warn_at: vec![0.5, 0.8],
        on_breach: OnBreach::Escalate,
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn local_at(text: &str) -> DateTime<Utc> {
    at(&format!("{text}+08:00"))
}

const HOUR: u64 = 3_600;

#[test]
fn due_on_the_first_working_day_after_the_start() {
    for (start, wanted, why) in [
        ("2026-11-20T16:00:00", Some("2026-11-23T17:00:00"), "Friday afternoon"),
        ("2026-11-20T23:30:00", Some("2026-11-23T17:00:00"), "Friday night"),
        ("2026-11-21T10:00:00", Some("2026-11-23T17:00:00"), "ordinary Saturday"),
        ("2026-09-19T10:00:00", Some("2026-09-20T17:00:00"), "Saturday before a make-up Sunday"),
        ("2026-09-20T10:00:00", Some("2026-09-21T17:00:00"), "on a make-up Sunday"),
        ("2026-09-30T16:00:00", Some("2026-10-08T17:00:00"), "eve of National Day week"),
        ("2026-02-13T16:00:00", Some("2026-02-14T17:00:00"), "Friday before a make-up Saturday"),
        ("2026-02-14T09:30:00", Some("2026-02-24T17:00:00"), "make-up Saturday before the Spring Festival"),
        ("2026-02-17T08:00:00", Some("2026-02-24T17:00:00"), "inside Spring Festival"),
        ("2026-12-31T10:00:00", None, "needs the 2027 calendar"),
        // The local date decides, not that of UTC.
        ("2026-11-19T00:30:00", Some("2026-11-20T17:00:00"), "just after local midnight"),
        ("2020-12-31T10:00:00", Some("2021-01-04T17:00:00"), "only the days after the start are looked up"),
    ] {
        let found = due(&cn(), &rule(1), local_at(start), None);
        match wanted {
            Some(wanted) => assert_eq!(found.unwrap().due_at, local_at(wanted), "{why}"),
            None => assert_eq!(found, Err(CalendarMissing { year: 2027 }), "{why}"),
        }
    }
}

#[test]
fn the_trace_explains_every_day() {
    let found = due(&cn(), &rule(2), local_at("2026-09-18T10:00:00"), None).unwrap();
    let trace: Vec<_> = found.trace.iter().map(|day| (day.date.to_string(), day.working, day.why)).collect();
    assert_eq!(
        trace,
        [
            ("2026-09-19".to_owned(), false, DayKind::Weekend),
            ("2026-09-20".to_owned(), true, DayKind::MakeUpWorkday),
            ("2026-09-21".to_owned(), true, DayKind::Weekday),
        ]
    );
    assert_eq!(found.due_at, local_at("2026-09-21T17:00:00"));
    assert_eq!(found.calendar_version, "cn-2026.1");
}

#[test]
fn a_promise_for_the_same_day_counts_it_while_the_office_is_open() {
    for (start, wanted) in [
        ("2026-11-20T08:00:00", "2026-11-20T17:00:00"),
        ("2026-11-20T16:59:59", "2026-11-20T17:00:00"),
        ("2026-11-20T17:00:00", "2026-11-23T17:00:00"),
        ("2026-11-21T10:00:00", "2026-11-23T17:00:00"),
    ] {
        assert_eq!(due(&cn(), &rule(0), local_at(start), None).unwrap().due_at, local_at(wanted), "{start}");
    }
}

#[test]
fn a_regional_holiday_moves_the_due_day_there_only() {
    let text = format!("{BUILT_IN}\n[regions.'宁']\nholidays = [2026-11-23]\nmake_up_workdays = []");
    let calendar = Calendar::parse(&text).unwrap();
    let start = local_at("2026-11-20T16:00:00");
    let due_in = |authority: &str| {
        let authority = IssuingAuthority::parse(authority).unwrap();
        due(&calendar, &rule(1), start, Some(&authority)).unwrap().due_at
    };
    assert_eq!(due_in("宁A"), local_at("2026-11-24T17:00:00"));
    assert_eq!(due_in("蒙C"), local_at("2026-11-23T17:00:00"));
}

#[test]
fn the_ends_of_time_are_an_error_not_a_panic() {
    let (cn, rule) = (cn(), rule(1));
    for start in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        assert!(due(&cn, &rule, start, None).is_err());
    }
    assert!(working_time_between(&cn, &rule, DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, None).is_err());
}

#[test]
fn office_time_is_counted_on_working_days_only() {
    for (from, until, hours) in [
        ("2026-11-20T16:00:00", "2026-11-23T17:00:00", 9),
        ("2026-11-20T08:00:00", "2026-11-20T20:00:00", 8),
        ("2026-11-21T10:00:00", "2026-11-22T10:00:00", 0),
        ("2026-09-20T10:00:00", "2026-09-20T12:00:00", 2),
        ("2026-11-20T12:00:00", "2026-11-20T11:00:00", 0),
        ("2026-11-20T20:00:00", "2026-11-23T08:00:00", 0),
    ] {
        let time = working_time_between(&cn(), &rule(1), local_at(from), local_at(until), None).unwrap();
        assert_eq!(time, Duration::from_secs(hours * HOUR), "{from} to {until}");
    }
}

#[test]
fn warnings_fall_into_office_hours() {
    let (start, due) = (local_at("2026-11-20T15:00:00"), local_at("2026-11-23T17:00:00"));
    for (fraction, wanted) in [
        (0.0, "2026-11-20T15:00:00"),
        (0.1, "2026-11-20T16:00:00"),
        (0.2, "2026-11-20T17:00:00"),
        (0.5, "2026-11-23T12:00:00"),
        (0.8, "2026-11-23T15:00:00"),
        (1.0, "2026-11-23T17:00:00"),
        (7.0, "2026-11-23T17:00:00"),
        (-1.0, "2026-11-20T15:00:00"),
        (f64::NAN, "2026-11-23T17:00:00"),
    ] {
        let found = instant_at(&cn(), &rule(1), start, due, fraction, None).unwrap();
        assert_eq!(found, local_at(wanted), "{fraction}");
    }
    // Without office time in between there is nothing to share out.
    let (start, due) = (local_at("2026-11-20T18:00:00"), local_at("2026-11-22T17:00:00"));
    assert_eq!(instant_at(&cn(), &rule(1), start, due, 0.5, None).unwrap(), due);
}

#[test]
fn six_months_end_with_the_month() {
    for (from, wanted) in [
        ("2026-01-15", "2026-07-15"),
        ("2026-08-31", "2027-02-28"),
        ("2027-08-30", "2028-02-29"),
        ("2026-03-31", "2026-09-30"),
        ("2026-12-31", "2027-06-30"),
    ] {
        assert_eq!(six_months_after(from.parse().unwrap()).to_string(), wanted);
    }
    assert_eq!(six_months_after(NaiveDate::MAX), NaiveDate::MAX);
}

#[test]
fn rules_that_cannot_be_are_refused() {
    assert_eq!(rule(1).validate(), Ok(()));
    assert!(matches!(rule(61).validate(), Err(DeadlineRuleError::TooManyDays(61))));
    let swapped = DeadlineRule { opens: rule(1).close, ..rule(1) };
    assert!(matches!(swapped.validate(), Err(DeadlineRuleError::OfficeHours { .. })));
    for warn_at in [vec![0.0], vec![1.0], vec![0.8, 0.5], vec![0.5, 0.5], vec![f64::NAN]] {
        assert!(matches!(DeadlineRule { warn_at, ..rule(1) }.validate(), Err(DeadlineRuleError::WarnAt(_))));
    }
    // An unchecked rule still gives a due time.
    let start = local_at("2026-11-20T10:00:00");
    let found = due(&cn(), &swapped, start, None).unwrap().due_at;
    assert_eq!(instant_at(&cn(), &swapped, start, found, 0.5, None).unwrap(), found);
}

#[test]
fn the_rule_reads_as_in_a_workflow_file() {
    let text = "working_days = 1\nstarts_at = 'face_verification'\nclose = '17:00'\nwarn_at = [0.5, 0.8]\n\
                on_breach = 'escalate'";
    assert_eq!(toml::from_str::<DeadlineRule>(text).unwrap(), rule(1));
    assert!(toml::from_str::<DeadlineRule>(&text.replace("escalate", "approve")).is_err());
    assert!(toml::from_str::<DeadlineRule>(&text.replace("17:00", "25:00")).is_err());
}

/// Any second of the years with data that leaves room for the due day.
fn starts() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (local_at("2021-01-01T00:00:00").timestamp(), local_at("2026-12-01T00:00:00").timestamp());
    (first..last).prop_map(|second| DateTime::from_timestamp(second, 0).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn due_is_later_and_at_the_close_of_a_working_day(start in starts(), days in 0_u32..5) {
        let cn = cn();
        let found = due(&cn, &rule(days), start, None).unwrap();
        prop_assert!(found.due_at > start);
        let local = calendar::local(found.due_at).unwrap();
        prop_assert_eq!(local.time(), rule(days).close);
        prop_assert!(cn.is_working_day(local.date(), None).unwrap());
        prop_assert_eq!(found.trace.last().unwrap().date, local.date());
    }

    #[test]
    fn a_later_start_or_more_days_are_never_due_earlier(a in starts(), b in starts(), days in 0_u32..4) {
        let cn = cn();
        let (a, b) = (a.min(b), a.max(b));
        let due_at = |start, days| due(&cn, &rule(days), start, None).unwrap().due_at;
        prop_assert!(due_at(a, days) <= due_at(b, days));
        prop_assert!(due_at(a, days) <= due_at(a, days + 1));
    }

    #[test]
    fn a_warning_uses_its_fraction_of_the_time(start in starts(), fraction in 0.0_f64..1.0, more in 0.0_f64..1.0) {
        let (cn, rule) = (cn(), rule(1));
        let due_at = due(&cn, &rule, start, None).unwrap().due_at;
        let warn = |fraction| instant_at(&cn, &rule, start, due_at, fraction, None).unwrap();
        let used = |until| working_time_between(&cn, &rule, start, until, None).unwrap();
        prop_assert!(start <= warn(fraction) && warn(fraction) <= due_at);
        prop_assert!(warn(fraction) <= warn((fraction + more).min(1.0)));
        let wanted = used(due_at).mul_f64(fraction);
        prop_assert!(used(warn(fraction)).abs_diff(wanted) < Duration::from_micros(1));
    }
}
