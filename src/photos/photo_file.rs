//! A photo's file in the blob store: a portrait is personal data, so it rests encrypted like every other record.

use crate::{
    domain::{decision::SealedRecord, ids::PhotoId},
    secrets::{Context, KeyMaterial, SealError, WrappedKey},
};

/// What a file is sealed for.
const TABLE: &str = "photos";
const COLUMN: &str = "file";
/// How a file begins, version included.
const MAGIC: &[u8; 4] = b"GLP1";

/// A file that does not open.
#[derive(Debug, thiserror::Error)]
pub enum PhotoFileError {
    /// Cut short, or not written by this program.
    #[error("the file of a photo is damaged")]
    Damaged,
    /// Changed, moved, or sealed under a key that is gone.
    #[error(transparent)]
    Sealed(#[from] SealError),
}

/// The key of a photo's file in the blob store.
pub fn blob_key(id: PhotoId) -> String {
    format!("photos/{id}")
}

/// Encrypts a picture, bound to its photo.
///
/// # Errors
/// Practically never; see [`SealError`].
pub fn seal(secrets: &KeyMaterial, id: PhotoId, picture: &[u8]) -> Result<Vec<u8>, SealError> {
    let row = id.to_string();
    let sealer = secrets.sealer();
    let (key, wrapped) = sealer.new_data_key(TABLE, &row)?;
    let ciphertext = sealer.seal(&key, picture, &Context { table: TABLE, column: COLUMN, row: &row })?;
    let sealed = SealedRecord { key_id: wrapped.key_id, wrapped_key: wrapped.bytes, ciphertext };
    pack(&sealed).ok_or_else(|| SealError::Unsealable { table: TABLE.to_owned() })
}

/// Decrypts the picture of a photo.
///
/// # Errors
/// [`PhotoFileError`].
pub fn open(secrets: &KeyMaterial, id: PhotoId, file: &[u8]) -> Result<Vec<u8>, PhotoFileError> {
    let sealed = unpack(file).ok_or(PhotoFileError::Damaged)?;
    let row = id.to_string();
    let wrapped = WrappedKey { key_id: sealed.key_id, bytes: sealed.wrapped_key };
    let key = secrets.sealer().unwrap(&wrapped, TABLE, &row)?;
    let picture =
        secrets.sealer().open(&key, &sealed.ciphertext, &Context { table: TABLE, column: COLUMN, row: &row })?;
    Ok(picture.to_vec())
}

/// Magic, then key id and wrapped key, each after its length in one byte, then the ciphertext.
fn pack(sealed: &SealedRecord) -> Option<Vec<u8>> {
    let mut file = MAGIC.to_vec();
    for part in [sealed.key_id.as_bytes(), &sealed.wrapped_key] {
        file.push(u8::try_from(part.len()).ok()?);
        file.extend_from_slice(part);
    }
    file.extend_from_slice(&sealed.ciphertext);
    Some(file)
}

fn unpack(file: &[u8]) -> Option<SealedRecord> {
    let rest = file.strip_prefix(MAGIC)?;
    let (key_id, rest) = part(rest)?;
    let (wrapped_key, ciphertext) = part(rest)?;
    let key_id = String::from_utf8(key_id.to_vec()).ok()?;
    Some(SealedRecord { key_id, wrapped_key: wrapped_key.to_vec(), ciphertext: ciphertext.to_vec() })
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_for_its_own_photo_only() {
        let secrets = KeyMaterial::ephemeral().unwrap();
        let id = PhotoId::new();
        let file = seal(&secrets, id, b"a picture").unwrap();
        assert!(!file.windows(9).any(|part| part == b"a picture"));
        assert_eq!(open(&secrets, id, &file).unwrap(), b"a picture");
        assert!(matches!(open(&secrets, PhotoId::new(), &file), Err(PhotoFileError::Sealed(_))));
        assert!(matches!(open(&KeyMaterial::ephemeral().unwrap(), id, &file), Err(PhotoFileError::Sealed(_))));
    }

    #[test]
    fn a_damaged_file_is_told() {
        let secrets = KeyMaterial::ephemeral().unwrap();
        let id = PhotoId::new();
        let file = seal(&secrets, id, b"a picture").unwrap();
        for length in 0..file.len() {
            assert!(open(&secrets, id, &file[..length]).is_err(), "{length}");
        }
        let mut changed = file;
        *changed.last_mut().unwrap() ^= 1;
        assert!(open(&secrets, id, &changed).is_err());
    }
}
