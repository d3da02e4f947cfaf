//! The texts of the mails to operations: short, in both languages, without personal data.

use std::{collections::BTreeMap, fmt::Write};

use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    domain::{calendar::CHINA_TIME, plan::AlertKind},
    store::types::Alert,
};

/// So many applications are named; the others are counted.
const NAMED: usize = 50;

/// A mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mail {
    /// The subject, on one line.
    pub(super) subject: String,
    /// Plain text.
    pub(super) body: String,
}

/// The digest of some alerts, oldest first; there are `more` than these.
pub(super) fn of_alerts(alerts: &[Alert], more: bool) -> Mail {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for alert in alerts {
        *counts.entry(&alert.kind).or_default() += 1;
    }
    let (total, plus) = (alerts.len(), if more { "+" } else { "" });
    let listed: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let subject = format!("Greenlane: {} ({total}{plus} 条告警)", listed.join(", "));
    let mut body = String::new();
    for (kind, count) in &counts {
        line(&mut body, format_args!("{count:>5}  {kind}: {}", meaning(kind)));
    }
    line(&mut body, format_args!("\nBeijing time 北京时间      kind 类型               about 事由"));
    for alert in alerts.iter().take(NAMED) {
        let about = [alert.application_id.map(|id| id.to_string()), alert.detail.clone()];
        let about = about.into_iter().flatten().collect::<Vec<_>>().join("  ");
        line(&mut body, format_args!("{}  {:<19}  {about}", local(alert.at), alert.kind));
    }
    if total > NAMED {
        line(&mut body, format_args!("… and {}{plus} more 另有 {}{plus} 条", total - NAMED, total - NAMED));
    }
    line(
        &mut body,
        format_args!("\nWhat to do: the dashboard at /ops, and docs/operations.md. 处理：见控制台 /ops 与运维手册。"),
    );
    Mail { subject, body }
}

/// The notice of a calendar whose data ends in `left` days, or ended.
pub(super) fn of_calendar(version: &str, ends: NaiveDate, left: i64) -> Mail {
    let subject = if left < 0 {
        format!("Greenlane: the working-day calendar ended on {ends} 工作日历数据已于 {ends} 用尽")
    } else {
        format!("Greenlane: the working-day calendar ends in {left} days 工作日历数据剩余 {left} 天")
    };
    let body = format!(
        "The calendar `{version}` has data until {ends}. Later due times cannot be promised until a calendar with the \
         next year is imported:\n  greenlane calendar import FILE --dry-run\n  greenlane calendar import FILE\n\n\
         日历 `{version}` 的数据截至 {ends}。请在国务院办公厅发布下一年放假通知后导入新日历，否则此后的办结时限无法计算。\n"
    );
    Mail { subject, body }
}

fn meaning(kind: &str) -> &'static str {
    match kind.parse::<AlertKind>() {
        Ok(AlertKind::Stalled) => "an operator must act 已停滞，需人工处理",
        Ok(AlertKind::DeadlineWarned) => "the due time comes near 临近办结时限",
        Ok(AlertKind::DeadlineBreached) => "the due time has passed 已超办结时限",
        Ok(AlertKind::NotificationFailed) => "the applicant was not reached 通知未送达",
        Ok(AlertKind::CardRefused) => "a licence has no card 驾驶证电子版无法生成",
        Ok(AlertKind::StatusUnknown) => "the registry answered a licence status that nobody knows 驾驶证状态代码未知",
        Ok(AlertKind::ProviderRefuses) => "a provider refuses us: credentials, credit, configuration 外部系统拒绝服务",
        Ok(AlertKind::LicenceStatusChanged) => "an issued licence is shown otherwise 电子证显示状态变化",
        Ok(AlertKind::CalendarMissing) => "no calendar for the due time 缺少工作日历",
        Err(_) => "see /ops 见控制台",
    }
}

fn local(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.with_timezone(&CHINA_TIME).format("%Y-%m-%d %H:%M:%S")
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::ApplicationId;

    fn alerts(kinds: &[&str]) -> Vec<Alert> {
        let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let alert = |(number, kind): (usize, &&str)| Alert {
            id: i64::try_from(number).unwrap(),
            kind: (*kind).to_owned(),
            application_id: Some(ApplicationId(Uuid::from_u128(number as u128))),
            detail: None,
            at: start + TimeDelta::seconds(i64::try_from(number).unwrap()),
        };
        kinds.iter().enumerate().map(alert).collect()
    }

    #[test]
    fn a_digest_counts_and_names() {
        let mail = of_alerts(&alerts(&["stalled", "deadline_breached", "stalled"]), false);
        assert_eq!(mail.subject, "Greenlane: 1 deadline_breached, 2 stalled (3 条告警)");
        let expected = "    1  deadline_breached: the due time has passed 已超办结时限\n    \
                        2  stalled: an operator must act 已停滞，需人工处理\n\n\
                        Beijing time 北京时间      kind 类型               about 事由\n\
                        2026-09-21 22:13:20  stalled              00000000-0000-0000-0000-000000000000\n\
                        2026-09-21 22:13:21  deadline_breached    00000000-0000-0000-0000-000000000001\n\
                        2026-09-21 22:13:22  stalled              00000000-0000-0000-0000-000000000002\n\n\
                        What to do: the dashboard at /ops, and docs/operations.md. 处理：见控制台 /ops 与运维手册。\n";
        assert_eq!(mail.body, expected);
    }

    #[test]
    fn an_alert_says_what_it_is_about() {
        let mut alerts = alerts(&["provider_refuses", "status_unknown"]);
        (alerts[0].application_id, alerts[0].detail) = (None, Some("sms: isv.OUT_OF_SERVICE".to_owned()));
        alerts[1].detail = Some("Q?".to_owned());
        let mail = of_alerts(&alerts, false);
        assert!(mail.body.contains("  provider_refuses     sms: isv.OUT_OF_SERVICE\n"), "{}", mail.body);
        assert!(mail.body.contains("0001  Q?\n"), "{}", mail.body);
    }

    #[test]
    fn a_flood_is_counted_and_not_listed() {
        let mail = of_alerts(&alerts(&["stalled"; 1000]), true);
        assert_eq!(mail.subject, "Greenlane: 1000 stalled (1000+ 条告警)");
        assert_eq!(mail.body.matches("0000-0000-0000").count(), NAMED);
        assert!(mail.body.contains("… and 950+ more 另有 950+ 条"), "{}", mail.body);
    }

    #[test]
    fn every_kind_has_a_meaning_and_an_unknown_one_too() {
        for kind in AlertKind::ALL {
            assert_ne!(meaning(kind.as_str()), meaning("of_tomorrow"), "{kind}");
        }
    }

    #[test]
    fn a_calendar_that_ends_or_ended() {
        let ends = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
        let soon = of_calendar("cn-2026", ends, 12);
        assert!(soon.subject.contains("ends in 12 days") && soon.body.contains("`cn-2026`"), "{soon:?}");
        assert!(of_calendar("cn-2026", ends, -1).subject.contains("ended on 2026-12-31"));
    }
}
