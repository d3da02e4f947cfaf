//! A 256-bit symmetric key, and the one way HMAC is computed here.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::Sha256;
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// 32 random bytes that erase themselves and never show in `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Key(pub(super) [u8; 32]);

impl Key {
    /// A fresh key from the process's cryptographic generator.
    pub(super) fn generate() -> Self {
        let mut bytes = [0; 32];
        fill_random(&mut bytes);
        Self(bytes)
    }

    /// HMAC-SHA256 of the parts. Each part is preceded by its length, so that moving a byte from
    /// one part to the next gives another result.
    pub(super) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = hmac(&self.0);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0)))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        // The text itself is a secret: the error says only what was expected.
        let bytes = STANDARD.decode(text.as_bytes()).map(Zeroizing::new);
        bytes
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
            .map(Self)
            .ok_or_else(|| de::Error::custom("a key is 32 bytes in standard base64"))
    }
}

/// Fills the buffer from the process's cryptographic generator.
pub(super) fn fill_random(buffer: &mut [u8]) {
    rand::rng().fill_bytes(buffer);
}

/// An HMAC-SHA256 under a key of at most 64 bytes (longer ones are cut; no caller has one).
pub(super) fn hmac(key: &[u8]) -> Hmac<Sha256> {
    // HMAC pads short keys with zeros, so padding here gives the same key without a fallible call.
    let mut block = Zeroizing::new([0; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::new(&(*block).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_matches_rfc_4231_case_2() {
        let mut mac = hmac(b"Jefe");
        mac.update(b"what do ya want for nothing?");
        assert_eq!(
            hex::encode(mac.finalize().into_bytes()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn parts_are_separated() {
        let key = Key([7; 32]);
        assert_ne!(key.mac(&[b"ab", b"c"]), key.mac(&[b"a", b"bc"]));
        assert_ne!(key.mac(&[b"ab"]), key.mac(&[b"ab", b""]));
    }

    #[test]
    fn debug_is_redacted_and_serde_round_trips() {
        let key = Key::generate();
        assert_eq!(format!("{key:?}"), "Key(…)");
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<Key>(&json).unwrap().0, key.0);
        for wrong in ["\"\"", "\"c2hvcnQ=\"", "\"not base64 !\""] {
            let error = serde_json::from_str::<Key>(wrong).unwrap_err().to_string();
            assert!(error.starts_with("a key is 32 bytes in standard base64"), "{error}");
        }
    }
}
