//! Webhook signatures as in the Standard Webhooks specification 1.0 (symmetric, `v1`).

use super::key::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::Mac;
use secrecy::SecretString;
use std::{fmt, str::FromStr};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";

/// The text is not `whsec_` and 24 to 64 bytes in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook secret of the form `whsec_<base64 of 24 to 64 bytes>`")]
pub struct WebhookSecretError;

/// The secret with which an owner's webhooks are signed. Redacted in `Debug`.
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key.to_vec()))
    }

    /// The secret as its owner receives it: `whsec_<base64>`.
    pub fn to_text(&self) -> SecretString {
        format!("{PREFIX}{}", STANDARD.encode(self.0.as_slice())).into()
    }

    /// The `webhook-signature` header: `v1,<base64>` over `id.timestamp.body`.
    /// `id` is the `webhook-id` header, `timestamp` the `webhook-timestamp` in Unix seconds.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = hmac(&self.0);
        mac.update(id.as_bytes());
        mac.update(format!(".{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// Whether one of the signatures in the header (separated by spaces) is right. Says nothing
    /// about the age of the timestamp.
    pub fn verify(&self, id: &str, timestamp: i64, body: &[u8], header: &str) -> bool {
        let expected = self.sign(id, timestamp, body);
        header.split(' ').any(|given| given.as_bytes().ct_eq(expected.as_bytes()).into())
    }
}

impl FromStr for WebhookSecret {
    type Err = WebhookSecretError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let base64 = text.strip_prefix(PREFIX).ok_or(WebhookSecretError)?;
        let key = STANDARD.decode(base64).map(Zeroizing::new).map_err(|_| WebhookSecretError)?;
        if (24..=64).contains(&key.len()) { Ok(Self(key)) } else { Err(WebhookSecretError) }
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    /// The reference vector that the Standard Webhooks libraries share.
    #[test]
    fn the_published_vector_is_reproduced() {
        let secret: WebhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_part_is_signed() {
        let secret = WebhookSecret::new([3; 32]);
        let header = format!("v1,AAAA {}", secret.sign("a", 1, b"body"));
        assert!(secret.verify("a", 1, b"body", &header));
        assert!(!secret.verify("b", 1, b"body", &header));
        assert!(!secret.verify("a", 2, b"body", &header));
        assert!(!secret.verify("a", 1, b"Body", &header));
        assert!(!WebhookSecret::new([4; 32]).verify("a", 1, b"body", &header));
    }

    #[test]
    fn the_text_round_trips_and_nonsense_is_refused() {
        let secret = WebhookSecret::new([3; 32]);
        let text = secret.to_text();
        let again: WebhookSecret = text.expose_secret().parse().unwrap();
        assert_eq!(again.sign("a", 1, b"x"), secret.sign("a", 1, b"x"));
        assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
        for text in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!"] {
            assert_eq!(text.parse::<WebhookSecret>().unwrap_err(), WebhookSecretError, "{text}");
        }
    }
}
