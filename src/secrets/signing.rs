//! The keys that sign licence records and presentation codes: ES256, or SM2 with SM3 where the national algorithms are
//! asked for. One trait for both, so that a hardware module can be a third.

use super::{
    checkpoint::{Jwk, SignatureError},
    key::Key,
};
use crate::domain::wire::wire_enum;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;

wire_enum! {
    /// How something is signed, by its name in key files, public keys and records.
    pub enum SigningAlgorithm as "signing algorithm" {
        /// ECDSA over P-256 with SHA-256.
        Es256 = "ES256",
        /// SM2 with SM3 (GB/T 32918.2), with the usual distinguishing identifier `1234567812345678`.
        Sm2 = "SM2",
    }
}

/// Bytes of a key id: enough to tell a handful of keys apart, few enough for a small code.
const KEY_ID: usize = 8;

/// The signer's distinguishing identifier that GM/T 0009 names for everybody who has agreed on no other.
const DISTID: &str = "1234567812345678";

/// One key that signs, wherever it is kept.
pub trait Signer: Send + Sync {
    /// How it signs.
    fn algorithm(&self) -> SigningAlgorithm;

    /// Its public half; `kid` is what [`Signer::key_id`] is in base64url.
    fn public_key(&self) -> &Jwk;

    /// Its id, as signed messages carry it.
    fn key_id(&self) -> &[u8];

    /// Signs: 64 bytes, r and s.
    ///
    /// # Errors
    /// [`SignatureError::Failed`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError>;

    /// Whether the signature belongs to the message and this key.
    ///
    /// # Errors
    /// [`SignatureError::Wrong`].
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError>;
}

/// The signing keys of an installation: one signs, all of them verify, so that a key can be changed with overlap.
pub struct SigningKeys {
    keys: Vec<Box<dyn Signer>>,
    active: usize,
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.public_keys().map(|key| key.kid.as_str()).collect();
        f.debug_struct("SigningKeys").field("key_ids", &ids).finish_non_exhaustive()
    }
}

impl SigningKeys {
    /// The keys, oldest first, each with whether it may sign; one that may not verifies and is published all the same.
    ///
    /// # Errors
    /// [`SignatureError::InvalidKey`] for bytes that are no key of the algorithm, and where no key may sign.
    pub(super) fn new(keys: impl IntoIterator<Item = (SigningAlgorithm, Key, bool)>) -> Result<Self, SignatureError> {
        let (mut signers, mut active) = (Vec::new(), None);
        for (algorithm, key, may_sign) in keys {
            if may_sign {
                active = Some(signers.len());
            }
            signers.push(signer(algorithm, &key)?);
        }
        Ok(Self { keys: signers, active: active.ok_or(SignatureError::InvalidKey)? })
    }

    /// The key that installations have from the beginning, derived from their root: every process finds the same one.
    pub(super) fn first(root: &Key) -> Key {
        // A random value is no scalar of the curve once in 2^32 times.
        let candidates = (0..=u8::MAX).map(|n| Key(root.mac(&[b"licence signing key 1", &[n]])));
        candidates.into_iter().find(|key| Es256::new(key).is_ok()).unwrap_or(Key([1; 32]))
    }

    /// The key that signs at present.
    ///
    /// # Errors
    /// Never in practice: there is always one.
    pub(super) fn active(&self) -> Result<&dyn Signer, SignatureError> {
        self.keys.get(self.active).map(AsRef::as_ref).ok_or(SignatureError::InvalidKey)
    }

    /// The public half of the key that signs at present.
    pub fn active_key(&self) -> Option<&Jwk> {
        self.active().ok().map(Signer::public_key)
    }

    /// The key of this id, old, present or yet to come.
    pub(super) fn find(&self, key_id: &[u8]) -> Option<&dyn Signer> {
        self.keys.iter().map(AsRef::as_ref).find(|key| key.key_id() == key_id)
    }

    /// Every public key, newest first.
    pub fn public_keys(&self) -> impl Iterator<Item = &Jwk> {
        self.keys.iter().rev().map(|key| key.public_key())
    }
}

fn signer(algorithm: SigningAlgorithm, key: &Key) -> Result<Box<dyn Signer>, SignatureError> {
    Ok(match algorithm {
        SigningAlgorithm::Es256 => Box::new(Es256::new(key)?),
        SigningAlgorithm::Sm2 => Box::new(Sm2::new(key)?),
    })
}

/// The public half of a key and its short id.
struct Public {
    jwk: Jwk,
    key_id: Vec<u8>,
}

impl Public {
    /// `point` is uncompressed SEC1: 0x04, x, y.
    fn new(algorithm: SigningAlgorithm, curve: &str, point: &[u8]) -> Self {
        let mut jwk = Jwk::of(curve, algorithm.as_str(), point);
        let thumbprint = URL_SAFE_NO_PAD.decode(&jwk.kid).unwrap_or_default();
        let key_id = thumbprint.get(..KEY_ID).unwrap_or_default().to_vec();
        jwk.kid = URL_SAFE_NO_PAD.encode(&key_id);
        Self { jwk, key_id }
    }
}

struct Es256 {
    key: EcdsaKeyPair,
    public: Public,
}

impl Es256 {
    fn new(key: &Key) -> Result<Self, SignatureError> {
        let invalid = |_| SignatureError::InvalidKey;
        use p256::elliptic_curve::sec1::ToSec1Point as _;
        let private = p256::SecretKey::from_slice(&key.0).map_err(|_| SignatureError::InvalidKey)?;
        let point = private.public_key().to_sec1_point(false);
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &key.0, point.as_bytes());
        Ok(Self { key: key.map_err(invalid)?, public: Public::new(SigningAlgorithm::Es256, "P-256", point.as_bytes()) })
    }
}

impl Signer for Es256 {
    fn algorithm(&self) -> SigningAlgorithm {
        SigningAlgorithm::Es256
    }

    fn public_key(&self) -> &Jwk {
        &self.public.jwk
    }

    fn key_id(&self) -> &[u8] {
        &self.public.key_id
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signature = self.key.sign(&SystemRandom::new(), message).map_err(|_| SignatureError::Failed)?;
        Ok(signature.as_ref().to_vec())
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key());
        public.verify(message, signature).map_err(|_| SignatureError::Wrong)
    }
}

struct Sm2 {
    key: sm2::dsa::SigningKey,
    public: Public,
}

impl Sm2 {
    fn new(key: &Key) -> Result<Self, SignatureError> {
        use sm2::elliptic_curve::sec1::ToSec1Point as _;
        let key = sm2::dsa::SigningKey::from_slice(DISTID, &key.0).map_err(|_| SignatureError::InvalidKey)?;
        let point = key.verifying_key().as_affine().to_sec1_point(false);
        Ok(Self { public: Public::new(SigningAlgorithm::Sm2, "SM2", point.as_bytes()), key })
    }
}

impl Signer for Sm2 {
    fn algorithm(&self) -> SigningAlgorithm {
        SigningAlgorithm::Sm2
    }

    fn public_key(&self) -> &Jwk {
        &self.public.jwk
    }

    fn key_id(&self) -> &[u8] {
        &self.public.key_id
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        use sm2::dsa::signature::Signer as _;
        let signature = self.key.try_sign(message).map_err(|_| SignatureError::Failed)?;
        Ok(signature.to_bytes().to_vec())
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        use sm2::dsa::{Signature, signature::Verifier as _};
        let signature = Signature::from_slice(signature).map_err(|_| SignatureError::Wrong)?;
        self.key.verifying_key().verify(message, &signature).map_err(|_| SignatureError::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key([byte; 32])
    }

    #[test]
    fn both_algorithms_verify_their_own_and_nothing_else() {
        for algorithm in SigningAlgorithm::ALL.iter().copied() {
            let (mine, other) = (signer(algorithm, &key(1)).unwrap(), signer(algorithm, &key(2)).unwrap());
            let signature = mine.sign(b"a record").unwrap();
            assert_eq!(signature.len(), 64);
            assert_eq!(mine.verify(b"a record", &signature), Ok(()));
            assert_eq!(mine.verify(b"a Record", &signature), Err(SignatureError::Wrong));
            assert_eq!(other.verify(b"a record", &signature), Err(SignatureError::Wrong));
            assert_eq!(mine.verify(b"a record", &signature[1..]), Err(SignatureError::Wrong));
            assert_eq!(mine.key_id().len(), KEY_ID);
            assert_eq!(mine.public_key().alg, algorithm.as_str());
            assert_ne!(mine.key_id(), other.key_id());
        }
    }

    #[test]
    fn sm2_agrees_with_the_example_of_the_standard() {
        // GB/T 32918.5-2017, annex A.2: the recommended curve, identifier `1234567812345678`.
        let bytes = |text: &str| hex::decode(text).unwrap();
        let d = bytes("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8");
        let signer = Sm2::new(&Key(d.try_into().unwrap())).unwrap();
        let coordinate = |text: &str| URL_SAFE_NO_PAD.encode(bytes(text));
        assert_eq!(signer.public.jwk.x, coordinate("09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"));
        assert_eq!(signer.public.jwk.y, coordinate("ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"));
        let signature = bytes(concat!(
            "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3",
            "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
        ));
        assert_eq!(signer.verify(b"message digest", &signature), Ok(()));
        assert_eq!(signer.verify(b"message digesT", &signature), Err(SignatureError::Wrong));
    }

    #[test]
    fn es256_agrees_with_the_example_of_rfc_6979() {
        // RFC 6979, appendix A.2.5, SHA-256, message `sample`.
        let bytes = |text: &str| hex::decode(text).unwrap();
        let d = bytes("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
        let signer = Es256::new(&Key(d.try_into().unwrap())).unwrap();
        let signature = bytes(concat!(
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
        ));
        assert_eq!(signer.verify(b"sample", &signature), Ok(()));
        assert_eq!(signer.verify(b"Sample", &signature), Err(SignatureError::Wrong));
        assert_eq!(signer.verify(b"sample", &signer.sign(b"sample").unwrap()), Ok(()));
    }

    #[test]
    fn the_last_key_that_may_sign_does_and_all_are_published() {
        let es256 = SigningAlgorithm::Es256;
        let keys =
            |may_sign| SigningKeys::new([(es256, key(1), true), (SigningAlgorithm::Sm2, key(2), may_sign)]).unwrap();
        let (before, after) = (keys(false), keys(true));
        assert_eq!(before.active().unwrap().algorithm(), es256);
        assert_eq!(after.active().unwrap().algorithm(), SigningAlgorithm::Sm2);
        assert_eq!(before.public_keys().count(), 2);
        assert!(SigningKeys::new([(es256, key(1), false)]).is_err(), "no key may sign");
        assert!(SigningKeys::new([(es256, key(0), true)]).is_err(), "zero is no key");
    }
}
