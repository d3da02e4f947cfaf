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
        } else if age < -TimeDelta::days(1) || (declared == PhotoSource::Camera && hours > limits.camera_age_hours_max) {
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
