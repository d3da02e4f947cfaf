//! Signed messages: COSE_Sign1 (RFC 9052), tagged, the algorithm and the key's id in the protected header.

use super::{
    checkpoint::SignatureError,
    signing::{SigningAlgorithm, SigningKeys},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use coset::{Algorithm, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable, iana};

/// A message whose signature is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What was signed.
    pub payload: Vec<u8>,
    /// How.
    pub algorithm: SigningAlgorithm,
    /// The `kid` of the public key.
    pub key_id: String,
}

impl SigningKeys {
    /// Signs `payload` for one use: `context` is signed with it and not carried by it, so that a message of one use is
    /// none of another.
    ///
    /// # Errors
    /// Practically never; see [`SignatureError`].
    pub fn sign(&self, payload: Vec<u8>, context: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signer = self.active()?;
        let mut protected = HeaderBuilder::new().key_id(signer.key_id().to_vec()).build();
        protected.alg = Some(cose_name(signer.algorithm()));
        CoseSign1Builder::new()
            .protected(protected)
            .payload(payload)
            .try_create_signature(context, |message| signer.sign(message))?
            .build()
            .to_tagged_vec()
            .map_err(|_| SignatureError::Failed)
    }

    /// The payload of a message that one of these keys signed for this use, exactly as it was made: a message that reads
    /// the same and is written otherwise is wrong too.
    ///
    /// # Errors
    /// [`SignatureError::UnknownKey`], [`SignatureError::Wrong`].
    pub fn open(&self, message: &[u8], context: &[u8]) -> Result<Signed, SignatureError> {
        let sign1 = CoseSign1::from_tagged_slice(message).map_err(|_| SignatureError::Wrong)?;
        if sign1.unprotected != Header::default() || sign1.clone().to_tagged_vec().ok().as_deref() != Some(message) {
            return Err(SignatureError::Wrong);
        }
        let header = &sign1.protected.header;
        let key_id = URL_SAFE_NO_PAD.encode(&header.key_id);
        let Some(signer) = self.find(&header.key_id) else { return Err(SignatureError::UnknownKey { key_id }) };
        if header.alg != Some(cose_name(signer.algorithm())) {
            return Err(SignatureError::Wrong);
        }
        sign1.verify_signature(context, |signature, message| signer.verify(message, signature))?;
        let payload = sign1.payload.ok_or(SignatureError::Wrong)?;
        Ok(Signed { payload, algorithm: signer.algorithm(), key_id })
    }
}

/// COSE has no number for SM2: it is named by text, which the RFC leaves to private use.
fn cose_name(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Es256 => Algorithm::Assigned(iana::Algorithm::ES256),
        SigningAlgorithm::Sm2 => Algorithm::Text(algorithm.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::key::Key, *};

    fn keys(algorithm: SigningAlgorithm) -> SigningKeys {
        SigningKeys::new([(algorithm, Key([7; 32]), true)]).unwrap()
    }

    #[test]
    fn what_was_signed_opens_and_names_its_algorithm() {
        for algorithm in SigningAlgorithm::ALL.iter().copied() {
            let keys = keys(algorithm);
            let message = keys.sign(b"payload".to_vec(), b"use").unwrap();
            let signed = keys.open(&message, b"use").unwrap();
            assert_eq!((signed.payload.as_slice(), signed.algorithm), (&b"payload"[..], algorithm));
            assert_eq!(Some(&signed.key_id), keys.public_keys().map(|key| &key.kid).next());
            assert_eq!(keys.open(&message, b"another"), Err(SignatureError::Wrong));
        }
    }

    #[test]
    fn no_bit_can_be_changed_and_nothing_added() {
        let keys = keys(SigningAlgorithm::Es256);
        let message = keys.sign(b"payload".to_vec(), b"").unwrap();
        for bit in 0..message.len() * 8 {
            let mut changed = message.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(keys.open(&changed, b"").is_err(), "bit {bit}");
        }
        for length in 0..message.len() {
            assert!(keys.open(&message[..length], b"").is_err(), "{length} bytes");
        }
        assert!(keys.open(&[message.as_slice(), &[0]].concat(), b"").is_err());
        let mut carrying = CoseSign1::from_tagged_slice(&message).unwrap();
        carrying.unprotected = HeaderBuilder::new().key_id(b"x".to_vec()).build();
        assert_eq!(keys.open(&carrying.to_tagged_vec().unwrap(), b""), Err(SignatureError::Wrong));
    }

    #[test]
    fn keys_change_with_overlap() {
        let (old, new) = ((SigningAlgorithm::Es256, Key([1; 32])), (SigningAlgorithm::Sm2, Key([2; 32])));
        let ring =
            |may_sign| SigningKeys::new([(old.0, old.1.clone(), true), (new.0, new.1.clone(), may_sign)]).unwrap();
        let alone = SigningKeys::new([(old.0, old.1.clone(), true)]).unwrap();
        let (prepared, changed) = (ring(false), ring(true));
        for signer in [&alone, &prepared, &changed] {
            let message = signer.sign(b"payload".to_vec(), b"").unwrap();
            for verifier in [&prepared, &changed] {
                assert!(verifier.open(&message, b"").is_ok());
            }
        }
        let message = changed.sign(b"payload".to_vec(), b"").unwrap();
        assert!(matches!(alone.open(&message, b""), Err(SignatureError::UnknownKey { .. })));
    }
}
