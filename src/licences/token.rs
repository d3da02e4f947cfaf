//! Presentation codes (亮码): a signed, opaque token that lives for a minute and names nobody.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::{ids::LicenceId, presentation::Claims},
    secrets::{KeyMaterial, SignatureError},
};

/// What the signature of a code is good for.
const CONTEXT: &[u8] = b"greenlane presentation 1";
/// The purpose of the key that masks licences.
const MASK: &str = "presentation licence";
/// Far more than any code has: what is longer is not looked at.
const LONGEST: usize = 1024;

/// Makes a code for a licence, good from `now` for `lifetime`.
///
/// # Errors
/// Practically never; see [`SignatureError`].
pub(super) fn issue(
    secrets: &KeyMaterial,
    licence: LicenceId,
    now: DateTime<Utc>,
    lifetime: Duration,
) -> Result<(String, Claims), SignatureError> {
    let nonce = *uuid::Uuid::new_v4().as_bytes();
    // What the code says is what it carries: whole milliseconds.
    let issued_at = DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now);
    let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::zero());
    let masked = masked(secrets, &nonce, licence.0.into_bytes());
    let claims = Claims { nonce, licence: masked, issued_at, expires_at: issued_at + lifetime };
    let message = secrets.signing_keys().sign(claims.to_bytes(), CONTEXT)?;
    Ok((URL_SAFE_NO_PAD.encode(message), claims))
}

/// What a code claims, and the licence that it is for; none unless it was made here, exactly so.
pub(super) fn read(secrets: &KeyMaterial, token: &str) -> Option<(Claims, LicenceId)> {
    if token.len() > LONGEST {
        return None;
    }
    let message = URL_SAFE_NO_PAD.decode(token).ok()?;
    let signed = secrets.signing_keys().open(&message, CONTEXT).ok()?;
    let claims = Claims::from_bytes(&signed.payload)?;
    let licence = masked(secrets, &claims.nonce, claims.licence);
    Some((claims, LicenceId(uuid::Uuid::from_bytes(licence))))
}

/// Covers and uncovers an id with a stream that the nonce and a key give; a nonce is used once.
fn masked(secrets: &KeyMaterial, nonce: &[u8; 16], mut id: [u8; 16]) -> [u8; 16] {
    let stream = secrets.token_mac(MASK, nonce);
    id.iter_mut().zip(stream).for_each(|(byte, cover)| *byte ^= cover);
    id
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn now() -> DateTime<Utc> {
        "2026-11-22T04:00:00.123456Z".parse().unwrap()
    }

    #[test]
    fn a_code_leads_to_its_licence_and_shows_nothing_of_it() {
        let (secrets, licence) = (KeyMaterial::ephemeral().unwrap(), LicenceId::new());
        let (token, claims) = issue(&secrets, licence, now(), MINUTE).unwrap();
        assert_eq!(read(&secrets, &token), Some((claims, licence)));
        assert_eq!((claims.expires_at - claims.issued_at).num_seconds(), 60);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        assert!(!bytes.windows(6).any(|part| licence.0.as_bytes().windows(6).any(|id| id == part)));
        let (again, second) = issue(&secrets, licence, now(), MINUTE).unwrap();
        assert!(again != token && second.licence != claims.licence && second.nonce != claims.nonce);
        assert!(token.len() < 240, "small enough for a code that phones read: {}", token.len());
    }

    #[test]
    fn what_was_not_made_here_is_none() {
        let (secrets, other) = (KeyMaterial::ephemeral().unwrap(), KeyMaterial::ephemeral().unwrap());
        let (token, _) = issue(&other, LicenceId::new(), now(), MINUTE).unwrap();
        for wrong in ["", "nonsense", "=", "照片", &token, &"A".repeat(2000)] {
            assert_eq!(read(&secrets, wrong), None, "{wrong}");
        }
        // A record's signature is good for a record only.
        let signed = secrets.signing_keys().sign(vec![1; 49], b"greenlane licence 1:").unwrap();
        assert_eq!(read(&secrets, &URL_SAFE_NO_PAD.encode(signed)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        /// No code verifies with one bit changed, in its text or in what the text stands for, nor outside its time.
        #[test]
        fn no_changed_and_no_late_code_verifies(
            seed in any::<u64>(), text_bit in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(),
            seconds in 1_u64..600, late in 0_i64..1_000_000_000,
        ) {
            let (secrets, licence) = (KeyMaterial::ephemeral().unwrap(), LicenceId(uuid::Uuid::from_u64_pair(seed, seed)));
            let (token, claims) = issue(&secrets, licence, now(), Duration::from_secs(seconds)).unwrap();
            prop_assert!(read(&secrets, &token).is_some());

            let mut text = token.clone().into_bytes();
            let at = text_bit.index(text.len() * 8);
            text[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(String::from_utf8(text).ok().and_then(|text| read(&secrets, &text)), None);

            let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            let at = bit.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(read(&secrets, &URL_SAFE_NO_PAD.encode(bytes)), None);

            prop_assert!(!claims.is_timely(claims.expires_at + TimeDelta::milliseconds(late)));
            prop_assert!(!claims.is_timely(now() + TimeDelta::seconds(seconds.try_into().unwrap())));
        }
    }
}
