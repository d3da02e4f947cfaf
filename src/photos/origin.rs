//! What a file says about its own making: when it was taken, with what, and which way is up. All of it
//! is hearsay: a hostile or broken record counts as none.

use std::io::Cursor;
use std::panic::catch_unwind;

use chrono::{DateTime, FixedOffset, Months, NaiveDate, TimeDelta, Utc};
use exif::{Exif, In, Reader, Tag, Value};
use image::metadata::Orientation;

use super::checks::judge;
use super::thresholds::{OnBreach, Thresholds};
use crate::domain::application::PhotoSource;
use crate::domain::photo_check::{Check, CheckResult, Measure};
use crate::domain::photo_reason::PhotoReason;

/// China keeps one time zone; cameras write local time without one.
const CHINA_OFFSET_SECONDS: i32 = 8 * 3600;
/// Longest text of the file that is repeated to a reviewer, in characters.
const MAX_TEXT: usize = 80;

/// What the EXIF record tells.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Origin {
    pub(super) orientation: Orientation,
    /// 拍摄时间.
    pub(super) taken_at: Option<DateTime<FixedOffset>>,
    /// Programs and devices, cleaned for display; empty when nothing is told.
    pub(super) tools: Vec<String>,
}

impl Origin {
    const UNKNOWN: Self = Self { orientation: Orientation::NoTransforms, taken_at: None, tools: Vec::new() };

    /// Reads the EXIF record of a JPEG or PNG file, as far as it can be read.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let exif = catch_unwind(|| {
            let mut reader = Reader::new();
            reader.continue_on_error(true);
            reader.read_from_container(&mut Cursor::new(bytes)).or_else(|e| e.distill_partial_result(|_| {})).ok()
        });
        exif.ok().flatten().map_or(Self::UNKNOWN, |exif| Self::from_exif(&exif))
    }

    fn from_exif(exif: &Exif) -> Self {
        let orientation = exif
            .get_field(Tag::Orientation, In::PRIMARY)
            .and_then(|f| f.value.get_uint(0))
            .and_then(|n| Orientation::from_exif(u8::try_from(n).ok()?))
            .unwrap_or(Orientation::NoTransforms);
        let tools = [Tag::Software, Tag::Make, Tag::Model].into_iter().filter_map(|tag| text(exif, tag)).collect();
        Self { orientation, taken_at: taken_at(exif), tools }
    }

    /// 近6个月内: how old the photo says it is (P30).
    pub(super) fn age(&self, declared: PhotoSource, now: DateTime<Utc>, limits: &Thresholds) -> Check {
        let code = PhotoReason::PhotoOlderThan6Months;
        let months = limits.age_months_max.limit as u32;
        let limit = Measure::from(format!("{months} months"));
        let check = |result, value| Check { code, result, value, limit: Some(limit.clone()) };
        let Some(taken) = self.taken_at else {
            return check(CheckResult::Flag, None);
        };
        let value = Some(Measure::from(taken.to_rfc3339()));
        let today = now.with_timezone(taken.offset()).date_naive();
        let oldest = today.checked_sub_months(Months::new(months)).unwrap_or(NaiveDate::MIN);
        let age = now.signed_duration_since(taken);
        let hours = age.num_minutes() as f64 / 60.0;
        let result = if taken.date_naive() < oldest {
            judge(code, false, limits.age_months_max.on_breach)
        } else if age < -TimeDelta::days(1) || (declared == PhotoSource::Camera && hours > limits.camera_age_hours_max)
        {
            // A clock that is wrong, or a camera photo that is not from just now: a person should look.
            CheckResult::Flag
        } else {
            CheckResult::Pass
        };
        check(result, value)
    }

    /// 修图软件: whether a retouching program left its name (P31).
    pub(super) fn editing(&self, limits: &Thresholds) -> Check {
        let code = PhotoReason::FaceRetouched;
        if self.tools.is_empty() {
            return Check::not_checked(code);
        }
        let editor = self.tools.iter().find(|tool| {
            let tool = tool.to_lowercase();
            limits.editors.iter().any(|editor| tool.contains(editor.as_str()))
        });
        let result = judge(code, editor.is_none(), OnBreach::Flag);
        let shown = editor.cloned().unwrap_or_else(|| self.tools.join("; "));
        Check { code, result, value: Some(shown.into()), limit: None }
    }
}

/// A text field, without control characters and cut to a displayable length.
fn text(exif: &Exif, tag: Tag) -> Option<String> {
    let Value::Ascii(parts) = &exif.get_field(tag, In::PRIMARY)?.value else {
        return None;
    };
    let joined = parts.iter().map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join(" ");
    let clean: String = joined.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

fn taken_at(exif: &Exif) -> Option<DateTime<FixedOffset>> {
    let ascii = |tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(parts) => parts.first().cloned(),
        _ => None,
    };
    let mut told = exif::DateTime::from_ascii(&ascii(Tag::DateTimeOriginal)?).ok()?;
    if let Some(offset) = ascii(Tag::OffsetTimeOriginal) {
        // An unreadable offset leaves China's.
        let _ = told.parse_offset(&offset);
    }
    let seconds = told.offset.map_or(CHINA_OFFSET_SECONDS, |minutes| i32::from(minutes) * 60);
    NaiveDate::from_ymd_opt(told.year.into(), told.month.into(), told.day.into())?
        .and_hms_opt(told.hour.into(), told.minute.into(), told.second.into())?
        .and_local_timezone(FixedOffset::east_opt(seconds)?)
        .single()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::photos::samples::{self, ExifRecord};

    fn read(record: &ExifRecord<'_>) -> Origin {
        Origin::read(&samples::with_exif(&samples::jpeg(&samples::plain(16, 16, [255; 3])), &record.tiff()))
    }

    fn now() -> DateTime<Utc> {
        "2026-11-20T02:00:00Z".parse().unwrap()
    }

    fn age_of(taken: &str, declared: PhotoSource) -> CheckResult {
        let origin = read(&ExifRecord { taken: Some(taken), ..ExifRecord::default() });
        origin.age(declared, now(), &Thresholds::default()).result
    }

    #[test]
    fn six_calendar_months_are_the_limit_of_an_album_photo() {
        let cases = [
            ("2026:11:19 10:00:00", CheckResult::Pass),
            ("2026:05:20 00:00:00", CheckResult::Pass),
            ("2026:05:19 23:59:59", CheckResult::Fail),
            ("2019:01:01 08:00:00", CheckResult::Fail),
            ("0000:01:01 00:00:00", CheckResult::Fail),
            ("2027:02:01 08:00:00", CheckResult::Flag),
            ("2026:13:41 08:00:00", CheckResult::Flag),
            ("    :  :     :  :  ", CheckResult::Flag),
            ("yesterday", CheckResult::Flag),
        ];
        for (taken, want) in cases {
            assert_eq!(age_of(taken, PhotoSource::Album), want, "{taken}");
        }
    }

    #[test]
    fn a_camera_photo_is_from_now() {
        assert_eq!(age_of("2026:11:20 09:00:00", PhotoSource::Camera), CheckResult::Pass);
        assert_eq!(age_of("2026:11:01 09:00:00", PhotoSource::Camera), CheckResult::Flag);
        assert_eq!(age_of("2025:11:01 09:00:00", PhotoSource::Camera), CheckResult::Fail);
    }

    #[test]
    fn a_photo_without_a_date_is_flagged() {
        let check = Origin::read(&samples::jpeg(&samples::plain(16, 16, [255; 3]))).age(
            PhotoSource::Album,
            now(),
            &Thresholds::default(),
        );
        assert_eq!((check.result, check.value), (CheckResult::Flag, None));
    }

    #[test]
    fn a_flagging_policy_never_refuses() {
        let origin = read(&ExifRecord { taken: Some("2019:01:01 08:00:00"), ..ExifRecord::default() });
        let mut limits = Thresholds::default();
        limits.age_months_max.on_breach = OnBreach::Flag;
        assert_eq!(origin.age(PhotoSource::Album, now(), &limits).result, CheckResult::Flag);
    }

    #[test]
    fn a_month_is_counted_where_the_photo_was_taken() {
        let origin =
            read(&ExifRecord { taken: Some("2026:11:19 23:30:00"), offset: Some("-05:00"), ..ExifRecord::default() });
        assert_eq!(origin.taken_at.unwrap().to_rfc3339(), "2026-11-19T23:30:00-05:00");
        let origin =
            read(&ExifRecord { taken: Some("2026:11:19 23:30:00"), offset: Some("??"), ..ExifRecord::default() });
        assert_eq!(origin.taken_at.unwrap().to_rfc3339(), "2026-11-19T23:30:00+08:00");
    }

    #[test]
    fn editors_are_flagged_cameras_are_not() {
        let result = |software| {
            read(&ExifRecord { software: Some(software), ..ExifRecord::default() })
                .editing(&Thresholds::default())
                .result
        };
        for editor in ["Adobe Photoshop 25.0 (Windows)", "MEITU 9.8", "美图秀秀", "FaceU激萌"] {
            assert_eq!(result(editor), CheckResult::Flag, "{editor}");
        }
        for camera in ["iOS 19.1", "HUAWEI Mate 70", "MediaTek Camera Application"] {
            assert_eq!(result(camera), CheckResult::Pass, "{camera}");
        }
        assert_eq!(result(" \u{1}\u{2} "), CheckResult::NotChecked);
    }

    #[test]
    fn long_or_hostile_texts_are_cut() {
        let origin = read(&ExifRecord { software: Some(&"\u{1b}[31m<script>".repeat(500)), ..ExifRecord::default() });
        assert_eq!(origin.tools.len(), 1);
        assert!(origin.tools[0].chars().count() <= MAX_TEXT && !origin.tools[0].contains('\u{1b}'));
    }

    proptest! {
        #[test]
        fn any_record_is_read_or_ignored(tiff in prop::collection::vec(any::<u8>(), 0..400), head in any::<bool>()) {
            let mut record = if head { b"II*\0\x08\0\0\0".to_vec() } else { Vec::new() };
            record.extend_from_slice(&tiff);
            let bytes = samples::with_exif(&samples::jpeg(&samples::plain(8, 8, [255; 3])), &record);
            let origin = Origin::read(&bytes);
            let _ = origin.age(PhotoSource::Album, now(), &Thresholds::default());
            let _ = origin.editing(&Thresholds::default());
        }

        #[test]
        fn a_damaged_record_is_read_or_ignored(at in 0_usize..200, with in any::<u8>()) {
            let mut record = ExifRecord {
                orientation: Some(6), taken: Some("2026:11:19 10:00:00"), offset: Some("+08:00"), software: Some("x"), gps: true,
            }.tiff();
            let at = at % record.len();
            record[at] = with;
            let bytes = samples::with_exif(&samples::jpeg(&samples::plain(8, 8, [255; 3])), &record);
            let _ = Origin::read(&bytes).age(PhotoSource::Camera, now(), &Thresholds::default());
        }
    }
}
