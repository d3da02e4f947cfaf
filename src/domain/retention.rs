//! How long photos are kept: what becomes of one that retention looks at. Pure.

use chrono::{DateTime, TimeDelta, Utc};

/// How long a condemned photo's file stays: an application that took it at the last moment is seen in that time.
const RESPITE: TimeDelta = TimeDelta::minutes(10);

/// What uploaded photos wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhotoRules {
    /// One that no application named is kept so long after its upload.
    pub unused: TimeDelta,
    /// One of applications that were all refused or withdrawn is kept so long after the last of them was completed.
    pub rejected: TimeDelta,
}

/// Who needs a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoUse {
    /// It is the registry's (留存照片), which was kept at an issue.
    Retained,
    /// No application names it.
    Nobody,
    /// An application that is not completed.
    Open,
    /// An application that was issued: its licence shows it, and a later one may use it again.
    Issued,
    /// Applications that were all refused or withdrawn, the last of them completed at this moment.
    Refused(DateTime<Utc>),
}

/// What becomes of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoFate {
    /// It is kept; nobody looks again.
    Kept,
    /// It is kept until this moment at least.
    LookAt(DateTime<Utc>),
    /// No new application may name it any more; it is looked at again at this moment.
    Condemned(DateTime<Utc>),
    /// Its file and what its record says of it are erased now.
    Erased,
}

impl PhotoFate {
    /// Of a photo that was uploaded, and perhaps condemned, at these moments.
    pub fn of(
        uploaded_at: DateTime<Utc>,
        condemned_at: Option<DateTime<Utc>>,
        used: PhotoUse,
        rules: &PhotoRules,
        now: DateTime<Utc>,
    ) -> Self {
        let until = match used {
            PhotoUse::Retained | PhotoUse::Issued => return Self::Kept,
            // Whatever it waits for: it cannot be refused and forgotten sooner.
            PhotoUse::Open => later(now, rules.rejected.min(rules.unused)),
            PhotoUse::Nobody => later(uploaded_at, rules.unused),
            PhotoUse::Refused(at) => later(at, rules.rejected),
        };
        if now < until {
            return Self::LookAt(until);
        }
        match condemned_at.map(|at| later(at, RESPITE)) {
            Some(end) if end <= now => Self::Erased,
            Some(end) => Self::Condemned(end),
            None => Self::put_off(now),
        }
    }

    /// Of a photo whose time is over, and which cannot be erased now.
    pub fn put_off(now: DateTime<Utc>) -> Self {
        Self::Condemned(later(now, RESPITE))
    }
}

fn later(at: DateTime<Utc>, wait: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: PhotoRules = PhotoRules { unused: TimeDelta::hours(24), rejected: TimeDelta::days(30) };

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::hours(hours)
    }

    fn fate(used: PhotoUse, condemned: Option<i64>, now: i64) -> PhotoFate {
        PhotoFate::of(at(0), condemned.map(at), used, &RULES, at(now))
    }

    #[test]
    fn what_nobody_uses_goes_after_a_day() {
        assert_eq!(fate(PhotoUse::Nobody, None, 1), PhotoFate::LookAt(at(24)));
        assert_eq!(fate(PhotoUse::Nobody, None, 24), PhotoFate::Condemned(at(24) + RESPITE));
        assert_eq!(fate(PhotoUse::Nobody, Some(24), 24), PhotoFate::Condemned(at(24) + RESPITE));
        assert_eq!(fate(PhotoUse::Nobody, Some(24), 25), PhotoFate::Erased);
    }

    #[test]
    fn what_was_refused_goes_after_its_time() {
        assert_eq!(fate(PhotoUse::Refused(at(100)), None, 101), PhotoFate::LookAt(at(100 + 30 * 24)));
        assert!(matches!(fate(PhotoUse::Refused(at(100)), None, 101 + 30 * 24), PhotoFate::Condemned(_)));
        assert_eq!(fate(PhotoUse::Refused(at(100)), Some(101 + 30 * 24), 102 + 30 * 24), PhotoFate::Erased);
    }

    #[test]
    fn what_an_application_needs_stays_even_if_it_came_at_the_last_moment() {
        for condemned in [None, Some(24)] {
            assert_eq!(fate(PhotoUse::Open, condemned, 10_000), PhotoFate::LookAt(at(10_024)));
            assert_eq!(fate(PhotoUse::Issued, condemned, 10_000), PhotoFate::Kept);
            assert_eq!(fate(PhotoUse::Retained, condemned, 10_000), PhotoFate::Kept);
        }
    }
}
