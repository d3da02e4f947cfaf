//! Envelope encryption: each record has its own data key, wrapped under a master key.
//!
//! Both layers are AES-256-GCM with a random 96-bit nonce in front. A wrapped key is bound to its
//! master key's id and to its row, a ciphertext to its table, column and row, so that neither can
//! be moved. The key id is not bound into the ciphertext itself: changing the master key means
//! wrapping the data key again ([`Sealer::rewrap`]), never decrypting the record.

use super::key::{Key, fill_random, hmac};
use crate::domain::decision::SealedRecord;
use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::Mac;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;
use zeroize::Zeroizing;

const NONCE: usize = 12;
const SALT: usize = 16;

/// Where a ciphertext belongs. Part of what is authenticated; never secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// The table, e.g. `applicants`.
    pub table: &'a str,
    /// The column, e.g. `record`.
    pub column: &'a str,
    /// The row's primary key as text.
    pub row: &'a str,
}

/// Why something could not be sealed or opened. Never carries contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The key material has no master key of this id.
    #[error("no master key with the id `{key_id}`")]
    UnknownKey {
        /// The id that was asked for.
        key_id: String,
    },
    /// Changed, cut short, moved from another row, or sealed under another key.
    #[error("sealed data of `{table}` does not open: it was changed or belongs elsewhere")]
    Tampered {
        /// The table it was read from.
        table: String,
    },
    /// The value has no JSON form, or is beyond the cipher's 64 GiB.
    #[error("a record of `{table}` cannot be sealed")]
    Unsealable {
        /// The table it was meant for.
        table: String,
    },
    /// Opened, but not a record of the expected type: written by another version of the program.
    #[error("a record of `{table}` opens, but is not what this version expects")]
    Unexpected {
        /// The table it was read from.
        table: String,
    },
}

/// A data key in use: one record's own key. Never stored.
pub struct DataKey(Aes256Gcm);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// A data key as it is stored: encrypted under a master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The master key's id.
    pub key_id: String,
    /// 76 bytes: salt, nonce, encrypted key, tag.
    pub bytes: Vec<u8>,
}

struct MasterKey {
    id: String,
    key: Key,
}

impl MasterKey {
    /// The key that wraps one data key. Derived with a random salt: random nonces under one key
    /// are safe for 2^32 messages only, which a busy installation reaches within a year.
    fn wrapping_cipher(&self, salt: &[u8]) -> Aes256Gcm {
        let mut mac = hmac(&self.key.0);
        mac.update(b"greenlane wrapping key 1");
        mac.update(salt);
        let key = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        Aes256Gcm::new(&(*key).into())
    }
}

/// Seals and opens records. Holds every master key; the newest seals.
pub struct Sealer {
    newest: MasterKey,
    older: Vec<MasterKey>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.keys().map(|key| key.id.as_str()).collect();
        f.debug_struct("Sealer").field("key_ids", &ids).finish_non_exhaustive()
    }
}

impl Sealer {
    /// A sealer over the master keys, oldest first; `None` without a single one.
    pub(super) fn new(keys: impl IntoIterator<Item = (String, Key)>) -> Option<Self> {
        let mut older: Vec<_> = keys.into_iter().map(|(id, key)| MasterKey { id, key }).collect();
        let newest = older.pop()?;
        Some(Self { newest, older })
    }

    /// The id of the master key that seals at present.
    pub fn key_id(&self) -> &str {
        &self.newest.id
    }

    /// A fresh data key for one row, and its stored form.
    pub fn new_data_key(&self, table: &str, row: &str) -> Result<(DataKey, WrappedKey), SealError> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill_random(bytes.as_mut_slice());
        let wrapped = self.wrap(&bytes, table, row)?;
        Ok((DataKey(Aes256Gcm::new(&(*bytes).into())), wrapped))
    }

    /// The data key of a row, from its stored form.
    pub fn unwrap(&self, wrapped: &WrappedKey, table: &str, row: &str) -> Result<DataKey, SealError> {
        let bytes = self.unwrap_bytes(wrapped, table, row)?;
        Ok(DataKey(Aes256Gcm::new(&(*bytes).into())))
    }

    /// The same data key under the newest master key, for a change of master keys.
    pub fn rewrap(&self, wrapped: &WrappedKey, table: &str, row: &str) -> Result<WrappedKey, SealError> {
        let bytes = self.unwrap_bytes(wrapped, table, row)?;
        self.wrap(&bytes, table, row)
    }

    /// Encrypts one value of a row; 28 bytes longer than the plaintext.
    pub fn seal(&self, key: &DataKey, plaintext: &[u8], context: &Context<'_>) -> Result<Vec<u8>, SealError> {
        encrypt(&key.0, plaintext, &context.associated_data(), Vec::new())
            .ok_or_else(|| SealError::Unsealable { table: context.table.to_owned() })
    }

    /// Decrypts one value of a row.
    pub fn open(
        &self,
        key: &DataKey,
        ciphertext: &[u8],
        context: &Context<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        decrypt(&key.0, ciphertext, &context.associated_data()).ok_or_else(|| tampered(context.table))
    }

    /// Seals a whole record as JSON under a data key of its own.
    pub fn seal_record<T: Serialize>(
        &self,
        table: &str,
        column: &str,
        row: &str,
        record: &T,
    ) -> Result<SealedRecord, SealError> {
        let json = serde_json::to_vec(record)
            .map(Zeroizing::new)
            .map_err(|_| SealError::Unsealable { table: table.to_owned() })?;
        self.seal_bytes(&Context { table, column, row }, &json)
    }

    /// [`Sealer::seal_record`] of bytes that are a record already.
    pub fn seal_bytes(&self, context: &Context<'_>, record: &[u8]) -> Result<SealedRecord, SealError> {
        let (key, wrapped) = self.new_data_key(context.table, context.row)?;
        let ciphertext = self.seal(&key, record, context)?;
        Ok(SealedRecord { key_id: wrapped.key_id, wrapped_key: wrapped.bytes, ciphertext })
    }

    /// Opens a record sealed by [`Sealer::seal_record`] for the same table, column and row.
    pub fn open_record<T: DeserializeOwned>(
        &self,
        table: &str,
        column: &str,
        row: &str,
        sealed: &SealedRecord,
    ) -> Result<T, SealError> {
        let json = self.open_bytes(&Context { table, column, row }, sealed)?;
        // A serde error can quote the value, so it stops here.
        serde_json::from_slice(&json).map_err(|_| SealError::Unexpected { table: table.to_owned() })
    }

    /// The bytes of a record, see [`Sealer::seal_bytes`].
    pub fn open_bytes(&self, context: &Context<'_>, sealed: &SealedRecord) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let bytes = self.unwrap_parts(&sealed.key_id, &sealed.wrapped_key, context.table, context.row)?;
        let key = DataKey(Aes256Gcm::new(&(*bytes).into()));
        self.open(&key, &sealed.ciphertext, context)
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.newest).chain(self.older.iter().rev())
    }

    fn wrap(&self, data_key: &[u8; 32], table: &str, row: &str) -> Result<WrappedKey, SealError> {
        let mut salt = [0; SALT];
        fill_random(&mut salt);
        let aad = associated_data("wrap", &[&self.newest.id, table, row]);
        let bytes = encrypt(&self.newest.wrapping_cipher(&salt), data_key, &aad, salt.to_vec())
            .ok_or_else(|| SealError::Unsealable { table: table.to_owned() })?;
        Ok(WrappedKey { key_id: self.newest.id.clone(), bytes })
    }

    fn unwrap_bytes(&self, wrapped: &WrappedKey, table: &str, row: &str) -> Result<Zeroizing<[u8; 32]>, SealError> {
        self.unwrap_parts(&wrapped.key_id, &wrapped.bytes, table, row)
    }

    fn unwrap_parts(
        &self,
        key_id: &str,
        bytes: &[u8],
        table: &str,
        row: &str,
    ) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let master = self
            .keys()
            .find(|key| key.id == key_id)
            .ok_or_else(|| SealError::UnknownKey { key_id: key_id.to_owned() })?;
        let (salt, rest) = bytes.split_at_checked(SALT).ok_or_else(|| tampered(table))?;
        let aad = associated_data("wrap", &[key_id, table, row]);
        decrypt(&master.wrapping_cipher(salt), rest, &aad)
            .and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok())
            .map(Zeroizing::new)
            .ok_or_else(|| tampered(table))
    }
}

impl Context<'_> {
    fn associated_data(&self) -> Vec<u8> {
        associated_data("data", &[self.table, self.column, self.row])
    }
}

fn tampered(table: &str) -> SealError {
    SealError::Tampered { table: table.to_owned() }
}

/// The parts with their lengths, so that no two lists of parts give the same bytes.
fn associated_data(purpose: &str, parts: &[&str]) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    for part in std::iter::once(&purpose).chain(parts) {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part.as_bytes());
    }
    out
}

/// Appends nonce and ciphertext to `out`; `None` when the plaintext is too long for the cipher.
fn encrypt(cipher: &Aes256Gcm, plaintext: &[u8], aad: &[u8], mut out: Vec<u8>) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE];
    fill_random(&mut nonce);
    let body = cipher.encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad }).ok()?;
    out.reserve_exact(NONCE + body.len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&body);
    Some(out)
}

fn decrypt(cipher: &Aes256Gcm, sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>()?;
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: body, aad }).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealer(ids: &[(&str, u8)]) -> Sealer {
        Sealer::new(ids.iter().map(|(id, byte)| ((*id).to_owned(), Key([*byte; 32])))).unwrap()
    }

    const HERE: Context<'static> = Context { table: "applicants", column: "record", row: "1" };

    #[test]
    fn a_record_round_trips_and_shows_nothing() {
        let sealer = sealer(&[("a", 1)]);
        let record = ("张三".to_owned(), "11010519491231002X".to_owned());
        let sealed = sealer.seal_record("applicants", "record", "1", &record).unwrap();
        assert_eq!(sealed.key_id, "a");
        assert_eq!(sealed.wrapped_key.len(), 76);
        assert!(!sealed.ciphertext.windows(6).any(|w| w == b"110105"));
        let opened: (String, String) = sealer.open_record("applicants", "record", "1", &sealed).unwrap();
        assert_eq!(opened, record);
        assert_eq!(
            sealer.open_record::<u64>("applicants", "record", "1", &sealed).unwrap_err(),
            SealError::Unexpected { table: "applicants".to_owned() }
        );
    }

    #[test]
    fn nothing_can_be_moved() {
        let sealer = sealer(&[("a", 1)]);
        let sealed = sealer.seal_record("applicants", "record", "1", &"x").unwrap();
        for (table, column, row) in
            [("photos", "record", "1"), ("applicants", "other", "1"), ("applicants", "record", "2")]
        {
            let error = sealer.open_record::<String>(table, column, row, &sealed).unwrap_err();
            assert_eq!(error, SealError::Tampered { table: table.to_owned() });
        }
        let other = sealer.seal_record("applicants", "record", "1", &"y").unwrap();
        let mixed = SealedRecord { wrapped_key: other.wrapped_key, ..sealed };
        assert!(sealer.open_record::<String>("applicants", "record", "1", &mixed).is_err());
    }

    #[test]
    fn older_keys_open_and_the_newest_seals() {
        let old = sealer(&[("a", 1)]);
        let both = sealer(&[("a", 1), ("b", 2)]);
        let (key, wrapped) = old.new_data_key("t", "1").unwrap();
        let secret = old.seal(&key, b"value", &HERE).unwrap();
        assert_eq!(both.key_id(), "b");
        let rewrapped = both.rewrap(&wrapped, "t", "1").unwrap();
        assert_eq!(rewrapped.key_id, "b");
        for wrapped in [&wrapped, &rewrapped] {
            let key = both.unwrap(wrapped, "t", "1").unwrap();
            assert_eq!(both.open(&key, &secret, &HERE).unwrap().as_slice(), b"value");
        }
        assert_eq!(old.unwrap(&rewrapped, "t", "1").unwrap_err(), SealError::UnknownKey { key_id: "b".to_owned() });
        let renamed = WrappedKey { key_id: "b".to_owned(), ..wrapped };
        assert!(both.unwrap(&renamed, "t", "1").is_err());
    }

    #[test]
    fn equal_plaintexts_give_different_ciphertexts() {
        let sealer = sealer(&[("a", 1)]);
        let (key, _) = sealer.new_data_key("t", "1").unwrap();
        assert_ne!(sealer.seal(&key, b"x", &HERE).unwrap(), sealer.seal(&key, b"x", &HERE).unwrap());
    }

    #[test]
    fn debug_shows_ids_only() {
        let sealer = sealer(&[("a", 1), ("b", 2)]);
        let (key, _) = sealer.new_data_key("t", "1").unwrap();
        assert_eq!(format!("{sealer:?}"), r#"Sealer { key_ids: ["b", "a"], .. }"#);
        assert_eq!(format!("{key:?}"), "DataKey(…)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_changed_or_missing_byte_is_found(
            plaintext in proptest::collection::vec(any::<u8>(), 0..64),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
            in_key in any::<bool>(),
        ) {
            let sealer = sealer(&[("a", 1)]);
            let sealed = sealer.seal_record("t", "c", "1", &plaintext).unwrap();
            prop_assert_eq!(&sealer.open_record::<Vec<u8>>("t", "c", "1", &sealed).unwrap(), &plaintext);
            let mut changed = sealed.clone();
            let bytes = if in_key { &mut changed.wrapped_key } else { &mut changed.ciphertext };
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(sealer.open_record::<Vec<u8>>("t", "c", "1", &changed).is_err());
            let mut cut = sealed;
            let bytes = if in_key { &mut cut.wrapped_key } else { &mut cut.ciphertext };
            bytes.truncate(at);
            prop_assert!(sealer.open_record::<Vec<u8>>("t", "c", "1", &cut).is_err());
        }
    }
}
