//! API keys: `glk_<id>_<secret>`. Only the SHA-256 digest is stored; the secret is 256 random
//! bits, so a slow password hash would add nothing.

use super::key::fill_random;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const PREFIX: &str = "glk_";
const ID_LEN: usize = 12;
const SECRET_LEN: usize = 43;

/// The text is not an API key: wrong prefix, length or characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key of the form `glk_<id>_<secret>`")]
pub struct ApiKeyError;

/// A freshly generated API key; the only moment at which its text exists.
#[derive(Debug)]
pub struct ApiKey {
    /// The whole key, to be shown once. Redacted in `Debug`.
    pub plain: SecretString,
    /// The public part: 12 hexadecimal digits, the key's primary key.
    pub id: String,
    /// SHA-256 of the whole key, to be stored.
    pub digest: [u8; 32],
}

impl ApiKey {
    /// A fresh key from the process's cryptographic generator.
    pub fn generate() -> Self {
        let mut id = [0; ID_LEN / 2];
        let mut secret = Zeroizing::new([0; 32]);
        fill_random(&mut id);
        fill_random(secret.as_mut_slice());
        let id = hex::encode(id);
        let plain = format!("{PREFIX}{id}_{}", URL_SAFE_NO_PAD.encode(*secret));
        let digest = Self::digest(&plain);
        Self { plain: plain.into(), id, digest }
    }

    /// What is stored of a key: SHA-256 of the whole text.
    pub fn digest(plain: &str) -> [u8; 32] {
        Sha256::digest(plain.as_bytes()).into()
    }

    /// The id and the digest of a key that a caller sent; refuses what cannot be one before any
    /// look-up.
    pub fn parse(plain: &str) -> Result<(&str, [u8; 32]), ApiKeyError> {
        let (id, secret) = plain.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(ApiKeyError)?;
        let id_fits = id.len() == ID_LEN && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let secret_fits =
            secret.len() == SECRET_LEN && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if id_fits && secret_fits { Ok((id, Self::digest(plain))) } else { Err(ApiKeyError) }
    }
}

/// Whether two digests are equal, in time that does not depend on where they differ.
pub fn digests_match(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_generated_key_parses_to_itself() {
        let key = ApiKey::generate();
        let plain = key.plain.expose_secret();
        assert_eq!(plain.len(), 4 + 12 + 1 + 43);
        assert_eq!(ApiKey::parse(plain), Ok((key.id.as_str(), key.digest)));
        assert_ne!(ApiKey::generate().digest, key.digest);
        assert!(!format!("{key:?}").contains(&plain[17..]));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let secret = "A".repeat(43);
        for text in [
            String::new(),
            "glk_".to_owned(),
            "glk__".to_owned(),
            format!("glk_0123456789ab_{}", &secret[1..]),
            format!("glk_0123456789ab_{secret}A"),
            format!("glk_0123456789AB_{secret}"),
            format!("glk_0123456789a_{secret}"),
            format!("xlk_0123456789ab_{secret}"),
            format!("glk_0123456789ab_{}=", &secret[1..]),
            format!("glk_0123456789ab_{}é", &secret[2..]),
            format!(" glk_0123456789ab_{secret}"),
        ] {
            assert_eq!(ApiKey::parse(&text), Err(ApiKeyError), "{text}");
        }
        assert!(ApiKey::parse(&format!("glk_0123456789ab_{}_-", &secret[2..])).is_ok());
    }

    #[test]
    fn comparison_looks_at_every_byte() {
        let digest = ApiKey::digest("x");
        let mut other = digest;
        assert!(digests_match(&digest, &other));
        other[31] ^= 1;
        assert!(!digests_match(&digest, &other));
    }
}
