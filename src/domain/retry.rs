//! How long to wait before a failed attempt is repeated: data from the workflow file, with jitter.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A retry schedule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetryError {
    /// Not a duration such as `500ms`, `30s`, `5m`, `2h` or `1d`.
    #[error("not a duration: `{0}`, write for example `500ms`, `30s`, `5m`, `2h` or `1d`")]
    Duration(String),
    /// A wait is zero or longer than 30 days.
    #[error("a wait must be longer than 0 and at most 30 days")]
    WaitOutOfRange,
    /// Neither a list of waits nor a base, or both.
    #[error("give either `waits` or `base`, `factor` and `max`")]
    Shape,
    /// The factor is not between 1 and 10.
    #[error("`factor` must be between 1 and 10")]
    Factor,
    /// The greatest wait is shorter than the first one.
    #[error("`max` must not be shorter than `base`")]
    MaxBelowBase,
    /// The jitter is not between 0 and 1.
    #[error("`jitter` must be at least 0 and less than 1")]
    Jitter,
}

/// The waits between attempts. In a workflow file either of
/// ```toml
/// retry = { waits = ["5s", "30s", "2m"], jitter = 0.2 }            # the last wait repeats
/// retry = { base = "2s", factor = 2.0, max = "10m", jitter = 0.2 } # factor 2 and jitter 0.2 are the defaults
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct RetrySchedule {
    waits: Waits,
    jitter: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Waits {
    /// Never empty; the last one repeats.
    List(Vec<Duration>),
    Backoff {
        base: Duration,
        factor: f64,
        max: Duration,
    },
}

impl RetrySchedule {
    /// The jitter of a schedule that names none: waits vary by a fifth up and down.
    pub const DEFAULT_JITTER: f64 = 0.2;

    const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// A schedule of given waits, of which the last repeats. `jitter` is the fraction (0 up to,
    /// not including, 1) by which a wait may be shorter or longer.
    pub fn list(waits: Vec<Duration>, jitter: f64) -> Result<Self, RetryError> {
        if waits.is_empty() {
            return Err(RetryError::Shape);
        }
        waits.iter().try_for_each(|wait| check_wait(*wait))?;
        Ok(Self { waits: Waits::List(waits), jitter: check_jitter(jitter)? })
    }

    /// A schedule that starts at `base` and multiplies by `factor` up to `max`.
    pub fn backoff(base: Duration, factor: f64, max: Duration, jitter: f64) -> Result<Self, RetryError> {
        check_wait(base)?;
        check_wait(max)?;
        if !(1.0..=10.0).contains(&factor) {
            return Err(RetryError::Factor);
        }
        if max < base {
            return Err(RetryError::MaxBelowBase);
        }
        Ok(Self { waits: Waits::Backoff { base, factor, max }, jitter: check_jitter(jitter)? })
    }

    /// The wait after the given failed attempt (1 = after the first failure).
    ///
    /// `unit_random` in `0..1` places the wait within the jitter, see [`jitter_unit`]; `scale`
    /// multiplies it (`retry_scale`; 0 means at once). A scale that is no number counts as 1.
    pub fn wait(&self, attempt: u32, unit_random: f64, scale: f64) -> Duration {
        let unit = if (0.0..=1.0).contains(&unit_random) { unit_random } else { 0.5 };
        let scale = if scale.is_finite() { scale.max(0.0) } else { 1.0 };
        let spread = 1.0 + self.jitter * (2.0 * unit - 1.0);
        stretch(self.unspread(attempt), spread * scale)
    }

    /// The longest time that the waits between `attempts` attempts can take together (there is no
    /// wait after the last one), before any scale.
    pub fn total_worst(&self, attempts: u32) -> Duration {
        // Beyond this many waits each one is taken for the greatest: a bound stays a bound.
        const COUNTED: u32 = 10_000;
        let waits = attempts.saturating_sub(1);
        let counted: Duration =
            (1..=waits.min(COUNTED)).fold(Duration::ZERO, |sum, n| sum.saturating_add(self.unspread(n)));
        let rest = self.greatest().saturating_mul(waits.saturating_sub(COUNTED));
        stretch(counted.saturating_add(rest), 1.0 + self.jitter)
    }

    fn unspread(&self, attempt: u32) -> Duration {
        let done = attempt.max(1) - 1;
        match &self.waits {
            Waits::List(waits) => {
                let index = usize::try_from(done).unwrap_or(usize::MAX);
                waits.get(index).or(waits.last()).copied().unwrap_or(Self::LONGEST)
            }
            Waits::Backoff { base, factor, max } => {
                let factor = factor.powi(i32::try_from(done).unwrap_or(i32::MAX));
                Duration::try_from_secs_f64(base.as_secs_f64() * factor).map_or(*max, |wait| wait.min(*max))
            }
        }
    }

    fn greatest(&self) -> Duration {
        match &self.waits {
            Waits::List(waits) => waits.iter().copied().max().unwrap_or(Self::LONGEST),
            Waits::Backoff { max, .. } => *max,
        }
    }
}

/// A number in `0..1` that is the same for the same parts, e.g. application id, stage and attempt:
/// planning is pure, so its jitter must be too.
pub fn jitter_unit(parts: &[&[u8]]) -> f64 {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps `ab`,`c` apart from `a`,`bc`.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let bits = digest.iter().take(8).fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    // The upper 53 bits are what an f64 holds exactly, so 1.0 is never reached.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// Reads a duration of a configuration file: a whole number and `ms`, `s`, `m`, `h` or `d`.
pub fn parse_duration(text: &str) -> Result<Duration, RetryError> {
    let wrong = || RetryError::Duration(text.chars().take(40).collect());
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// Writes a duration so that [`parse_duration`] reads it back, to the millisecond.
pub fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    for (unit_ms, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
        if ms > 0 && ms.is_multiple_of(unit_ms) {
            return format!("{}{unit}", ms / unit_ms);
        }
    }
    format!("{ms}ms")
}

fn check_wait(wait: Duration) -> Result<(), RetryError> {
    if wait.is_zero() || wait > RetrySchedule::LONGEST { Err(RetryError::WaitOutOfRange) } else { Ok(()) }
}

fn check_jitter(jitter: f64) -> Result<f64, RetryError> {
    if (0.0..1.0).contains(&jitter) { Ok(jitter) } else { Err(RetryError::Jitter) }
}

fn stretch(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// The form in a workflow file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waits: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
}

impl TryFrom<Wire> for RetrySchedule {
    type Error = RetryError;

    fn try_from(wire: Wire) -> Result<Self, RetryError> {
        let jitter = wire.jitter.unwrap_or(Self::DEFAULT_JITTER);
        match (wire.waits, wire.base, wire.factor, wire.max) {
            (Some(waits), None, None, None) => {
                Self::list(waits.iter().map(|wait| parse_duration(wait)).collect::<Result<_, _>>()?, jitter)
            }
            (None, Some(base), factor, Some(max)) => {
                Self::backoff(parse_duration(&base)?, factor.unwrap_or(2.0), parse_duration(&max)?, jitter)
            }
            _ => Err(RetryError::Shape),
        }
    }
}

impl From<RetrySchedule> for Wire {
    fn from(schedule: RetrySchedule) -> Self {
        let jitter = Some(schedule.jitter);
        match schedule.waits {
            Waits::List(waits) => Self {
                waits: Some(waits.into_iter().map(format_duration).collect()),
                base: None,
                factor: None,
                max: None,
                jitter,
            },
            Waits::Backoff { base, factor, max } => Self {
                waits: None,
                base: Some(format_duration(base)),
                factor: Some(factor),
                max: Some(format_duration(max)),
                jitter,
            },
        }
    }
}

#[cfg(test)]
mod tests;
