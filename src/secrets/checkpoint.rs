//! Signing of audit checkpoints: ES256 (ECDSA over P-256 with SHA-256). The public half is a JWK,
//! so that checkpoints kept outside the database can be verified without Greenlane.

use super::key::Key;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{
    Signature, SigningKey, VerifyingKey,
    signature::{Signer, Verifier},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Why a signature was not made or not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The scalar is zero or above the curve's order, or the JWK's point is not on the curve.
    #[error("not a key of the curve")]
    InvalidKey,
    /// The signer failed.
    #[error("the signature could not be made")]
    Failed,
    /// No key of this id is known here.
    #[error("no key with the id `{key_id}`")]
    UnknownKey {
        /// The id that was asked for.
        key_id: String,
    },
    /// The signature does not belong to these bytes and this key.
    #[error("the signature is wrong")]
    Wrong,
}

/// A public key of an elliptic curve as JSON Web Key (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Jwk {
    /// Always `EC`.
    pub kty: String,
    /// `P-256`, or `SM2` of the licence keys.
    pub crv: String,
    /// The point's x coordinate, base64url.
    pub x: String,
    /// The point's y coordinate, base64url.
    pub y: String,
    /// `ES256`, or `SM2` of the licence keys.
    pub alg: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// The RFC 7638 thumbprint; of the licence keys its first 8 bytes.
    pub kid: String,
}

impl Jwk {
    fn new(key: &VerifyingKey) -> Self {
        Self::of("P-256", "ES256", key.to_sec1_point(false).as_bytes())
    }

    /// Of an uncompressed SEC1 point: 0x04, x, y; each coordinate has 32 bytes.
    pub(super) fn of(curve: &str, algorithm: &str, point: &[u8]) -> Self {
        let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let kid = thumbprint(curve, &x, &y);
        let [kty, crv, alg, usage] = ["EC", curve, algorithm, "sig"].map(str::to_owned);
        Self { kty, crv, x, y, alg, usage, kid }
    }

    /// Whether the signature (64 bytes, r and s) belongs to the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let mut point = vec![4];
        for coordinate in [&self.x, &self.y] {
            let bytes = URL_SAFE_NO_PAD.decode(coordinate).map_err(|_| SignatureError::InvalidKey)?;
            point.extend(bytes);
        }
        let key = VerifyingKey::from_sec1_bytes(&point).map_err(|_| SignatureError::InvalidKey)?;
        verify(&key, message, signature)
    }
}

/// Signs audit checkpoints, and verifies those of every key the installation ever had.
pub struct CheckpointSigner {
    key: SigningKey,
    newest: Jwk,
    older: Vec<Jwk>,
}

impl fmt::Debug for CheckpointSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckpointSigner").field("key_id", &self.newest.kid).finish_non_exhaustive()
    }
}

impl CheckpointSigner {
    /// A signer over the keys, oldest first.
    pub(super) fn new(keys: &[Key]) -> Result<Self, SignatureError> {
        let (newest, older) = keys.split_last().ok_or(SignatureError::InvalidKey)?;
        let key = signing_key(newest)?;
        let older = older.iter().map(|key| Ok(Jwk::new(signing_key(key)?.verifying_key())));
        Ok(Self { newest: Jwk::new(key.verifying_key()), older: older.collect::<Result<_, SignatureError>>()?, key })
    }

    /// A fresh private key (a scalar of the curve).
    pub(super) fn generate_key() -> Key {
        loop {
            // A random value is above the curve's order once in 2^32 times.
            let key = Key::generate();
            if signing_key(&key).is_ok() {
                return key;
            }
        }
    }

    /// The id of the key that signs at present.
    pub fn key_id(&self) -> &str {
        &self.newest.kid
    }

    /// Signs the message with the newest key: 64 bytes, r and s.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signature: Signature = self.key.try_sign(message).map_err(|_| SignatureError::Failed)?;
        Ok(signature.to_bytes().to_vec())
    }

    /// Whether the signature belongs to the message and the key of this id, old or new.
    pub fn verify(&self, key_id: &str, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        self.public_keys()
            .find(|jwk| jwk.kid == key_id)
            .ok_or_else(|| SignatureError::UnknownKey { key_id: key_id.to_owned() })?
            .verify(message, signature)
    }

    /// Every public key, newest first, to be kept with the checkpoints.
    pub fn public_keys(&self) -> impl Iterator<Item = &Jwk> {
        std::iter::once(&self.newest).chain(self.older.iter().rev())
    }
}

fn signing_key(key: &Key) -> Result<SigningKey, SignatureError> {
    SigningKey::from_slice(&key.0).map_err(|_| SignatureError::InvalidKey)
}

fn verify(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let signature = Signature::from_slice(signature).map_err(|_| SignatureError::Wrong)?;
    key.verify(message, &signature).map_err(|_| SignatureError::Wrong)
}

/// RFC 7638: SHA-256 over the required members in order, base64url.
fn thumbprint(curve: &str, x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_verify_and_changes_do_not() {
        let signer = CheckpointSigner::new(&[CheckpointSigner::generate_key()]).unwrap();
        let signature = signer.sign(b"digest").unwrap();
        assert_eq!(signature.len(), 64);
        assert_eq!(signer.verify(signer.key_id(), b"digest", &signature), Ok(()));
        assert_eq!(signer.verify(signer.key_id(), b"Digest", &signature), Err(SignatureError::Wrong));
        assert_eq!(signer.verify(signer.key_id(), b"digest", &signature[1..]), Err(SignatureError::Wrong));
        let unknown = SignatureError::UnknownKey { key_id: "x".to_owned() };
        assert_eq!(signer.verify("x", b"digest", &signature), Err(unknown));
    }

    #[test]
    fn older_keys_still_verify() {
        let keys = [CheckpointSigner::generate_key(), CheckpointSigner::generate_key()];
        let old = CheckpointSigner::new(&keys[..1]).unwrap();
        let both = CheckpointSigner::new(&keys).unwrap();
        let signature = old.sign(b"digest").unwrap();
        assert_ne!(old.key_id(), both.key_id());
        assert_eq!(both.verify(old.key_id(), b"digest", &signature), Ok(()));
    }

    #[test]
    fn the_public_key_alone_verifies() {
        let signer = CheckpointSigner::new(&[CheckpointSigner::generate_key()]).unwrap();
        let json = serde_json::to_string(signer.public_keys().next().unwrap()).unwrap();
        let jwk: Jwk = serde_json::from_str(&json).unwrap();
        assert_eq!(jwk.verify(b"digest", &signer.sign(b"digest").unwrap()), Ok(()));
        let off_curve = Jwk { x: jwk.y.clone(), ..jwk };
        assert_eq!(off_curve.verify(b"digest", &[1; 64]), Err(SignatureError::InvalidKey));
    }

    #[test]
    fn the_private_key_of_rfc_7515_gives_its_public_key() {
        // RFC 7515, appendix A.3.1.
        let d = URL_SAFE_NO_PAD.decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap();
        let signer = CheckpointSigner::new(&[Key(d.try_into().unwrap())]).unwrap();
        assert_eq!(signer.newest.x, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        assert_eq!(signer.newest.y, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    }

    #[test]
    fn no_key_and_a_zero_key_are_refused() {
        assert_eq!(CheckpointSigner::new(&[]).unwrap_err(), SignatureError::InvalidKey);
        assert_eq!(CheckpointSigner::new(&[Key([0; 32])]).unwrap_err(), SignatureError::InvalidKey);
    }
}
