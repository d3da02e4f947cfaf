use super::*;

fn built_in() -> Calendar {
    Calendar::parse(BUILT_IN).unwrap()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// The shipped file with one place changed.
fn changed(from: &str, to: &str) -> CalendarError {
    assert!(BUILT_IN.contains(from), "{from}");
    Calendar::parse(&BUILT_IN.replacen(from, to, 1)).unwrap_err()
}

fn with_region(lines: &str) -> Result<Calendar, CalendarError> {
    Calendar::parse(&format!("{BUILT_IN}\n{lines}"))
}

#[test]
fn the_shipped_years_have_the_published_number_of_working_days() {
    let calendar = built_in();
    assert_eq!(calendar.years(), 2021..=2026);
    assert_eq!(calendar.data_ends(), date("2026-12-31"));
    let counted: Vec<_> = calendar
        .years()
        .map(|year| {
            let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            let days = first.iter_days().take_while(|day| day.year() == year);
            days.filter(|day| calendar.is_working_day(*day, None).unwrap()).count()
        })
        .collect();
    assert_eq!(counted, [250, 249, 249, 251, 248, 248]);
}

#[test]
fn every_day_has_its_reason() {
    let calendar = built_in();
    for (day, why, working) in [
        ("2026-11-20", DayKind::Weekday, true),
        ("2026-11-21", DayKind::Weekend, false),
        ("2026-02-17", DayKind::Holiday, false),
        ("2026-02-14", DayKind::MakeUpWorkday, true),
    ] {
        let trace = calendar.day(date(day), None).unwrap();
        assert_eq!((trace.why, trace.working), (why, working), "{day}");
    }
}

#[test]
fn a_year_without_data_is_never_guessed() {
    let calendar = built_in();
    for (day, year) in [("2020-12-31", 2020), ("2027-01-04", 2027)] {
        assert_eq!(calendar.is_working_day(date(day), None), Err(CalendarMissing { year }));
    }
    assert!(calendar.day(NaiveDate::MAX, None).is_err());
    assert!(calendar.day(NaiveDate::MIN, None).is_err());
}

#[test]
fn a_region_overrides_the_nation_for_its_authorities() {
    let calendar = with_region(
        "[regions.'宁']\nholidays = [2026-03-20, 2026-02-14]\nmake_up_workdays = [2026-03-22, 2026-02-23]\n\
         [regions.'宁A']\nholidays = [2026-03-22]\nmake_up_workdays = []",
    )
    .unwrap();
    let kind = |day, authority| {
        let authority = IssuingAuthority::parse(authority).unwrap();
        calendar.day(date(day), Some(&authority)).unwrap().why
    };
    assert_eq!(kind("2026-03-20", "宁B"), DayKind::RegionalHoliday);
    assert_eq!(kind("2026-02-14", "宁B"), DayKind::RegionalHoliday);
    assert_eq!(kind("2026-02-23", "宁B"), DayKind::RegionalWorkday);
    assert_eq!(kind("2026-03-22", "宁B"), DayKind::RegionalWorkday);
    assert_eq!(kind("2026-03-22", "宁A"), DayKind::RegionalHoliday);
    assert_eq!(kind("2026-03-20", "宁A"), DayKind::RegionalHoliday);
    assert_eq!(kind("2026-03-20", "蒙C"), DayKind::Weekday);
    assert_eq!(calendar.day(date("2026-03-20"), None).unwrap().why, DayKind::Weekday);
}

#[test]
fn wrong_files_are_refused_with_line_and_reason() {
    let line_of = |text: &str| 1 + BUILT_IN[..BUILT_IN.find(text).unwrap()].matches('\n').count();
    for (from, to, wanted) in [
        ("2021-01-02", "2022-01-02", "is not in the year `2021`"),
        ("2021-01-02", "2021-01-01", "listed twice: `2021-01-01`"),
        ("2021-01-02", "2021-02-07", "listed twice: `2021-02-07`"),
        ("2021-01-02", "2021-02-30", ""),
        ("2021-01-02", "2021-01-02T08:00:00", "not a date"),
        ("2021-01-02", "\"2021-01-02\"", ""),
        ("2021-01-02", "08:00:00", "not a date"),
        ("2021-02-20", "2021-02-22", "`2021-02-22` is a Mon"),
        ("2021-01-01, ", "", "元旦"),
        ("years.2021", "years.21", "not a year: `21`"),
        ("years.2021", "years.２０２１", ""),
        ("years.2023", "years.2033", "`2023` before `2024` is missing"),
        ("cn-2026.1", " ", "`version` must be"),
        ("source =", "sauce =", "unknown field"),
    ] {
        let error = changed(from, to);
        assert!(error.reason.contains(wanted), "{from} -> {to}: {error:?}");
        assert!(error.line.is_some(), "{from} -> {to}: {error:?}");
    }
    assert_eq!(changed("2021-02-20", "2021-02-22").line, Some(line_of("2021-02-20")));
}

#[test]
fn incomplete_lists_are_found() {
    let without_make_up = "make_up_workdays = [2026-01-04, 2026-02-14, 2026-02-28, 2026-05-09, 2026-09-20, 2026-10-10]";
    assert!(changed(without_make_up, "make_up_workdays = []").reason.contains("242 working days"));
    let header = "version = \"1\"\nsource = \"test\"\n";
    let empty = format!("{header}[years.2026]\nholidays = []\nmake_up_workdays = []");
    assert!(Calendar::parse(&empty).unwrap_err().reason.contains("2026-01-01"));
    let bare = format!("{header}[years.2026]\nholidays = [2026-01-01, 2026-05-01, 2026-10-01]\nmake_up_workdays = []");
    let error = Calendar::parse(&bare).unwrap_err();
    assert_eq!((error.line, error.reason.contains("258 working days")), (Some(3), true), "{error:?}");
    assert!(Calendar::parse(&format!("{header}[years]")).unwrap_err().reason.contains("no year"));
    assert!(Calendar::parse("").is_err());
    let (before, after) = BUILT_IN.split_once("[years.2023]").unwrap();
    let gap = format!("{before}{}", &after[after.find("[years.2024]").unwrap()..]);
    assert!(Calendar::parse(&gap).unwrap_err().reason.contains("`2023` before `2024`"));
}

#[test]
fn wrong_regions_are_refused() {
    for (lines, wanted) in [
        ("[regions.'宁']\nholidays = [2027-03-20]\nmake_up_workdays = []", "no data for the year"),
        ("[regions.'宁']\nholidays = []\nmake_up_workdays = [2026-03-20]", "is a Fri"),
        ("[regions.'宁 夏']\nholidays = []\nmake_up_workdays = []", "issuing authority"),
        ("[regions.'宁']\nholidays = [2026-03-20, 2026-03-20]\nmake_up_workdays = []", "listed twice"),
        ("[regions.'宁']\nholidays = []", "make_up_workdays"),
    ] {
        let error = with_region(lines).unwrap_err();
        assert!(error.reason.contains(wanted), "{error:?}");
        assert!(error.line.is_some());
    }
}

#[test]
fn local_time_is_eight_hours_ahead_and_safe_at_the_ends() {
    let at: DateTime<Utc> = "2026-11-20T16:30:00Z".parse().unwrap();
    assert_eq!(local_date(at), date("2026-11-21"));
    assert_eq!(instant(local(at).unwrap()), Some(at));
    assert_eq!(local(DateTime::<Utc>::MAX_UTC), None);
    assert_eq!(instant(NaiveDateTime::MIN), None);
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in proptest::prelude::any::<String>()) {
        let _ = Calendar::parse(&text);
    }

    #[test]
    fn no_damaged_file_panics(at in 0..BUILT_IN.len(), with in "[\\]\\[=0-9'\"宁 \n-]{0,6}") {
        if let (Some(before), Some(after)) = (BUILT_IN.get(..at), BUILT_IN.get(at + 1..)) {
            let _ = Calendar::parse(&format!("{before}{with}{after}"));
        }
    }
}
