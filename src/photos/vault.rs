//! Where portraits rest: the registry's retained picture (留存照片) is kept at issue, and every stored picture is read here.
//!
//! A retained picture is named by a keyed hash of its contents: a run that is repeated stores nothing twice, and a picture
//! that comes again, whoever it comes for, costs a look instead of a file.

use std::{
    collections::HashSet,
    io::Cursor,
    sync::{Arc, Mutex, PoisonError},
};

use image::ImageReader;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    domain::{application::PhotoSource, ids::PhotoId},
    providers::blob::{BlobError, BlobStore},
    secrets::{KeyMaterial, SealError},
    store::{Store, StoreError, types::PhotoRecord},
};

use super::photo_file::{self, PhotoFileError};

/// The name of the keyed hash of a picture's contents.
const CONTENTS: &str = "retained_photo";
/// So many ids of stored pictures a process remembers, to spare the look.
const REMEMBERED: usize = 4096;

/// Why a picture was not kept or not read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// What should be kept is no JPEG or PNG.
    #[error("the picture cannot be read")]
    Unreadable,
    /// The files are away.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The database is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The file is damaged, or its key is gone.
    #[error(transparent)]
    File(#[from] PhotoFileError),
}

/// Stored pictures. Cheap to clone.
#[derive(Clone)]
pub struct PhotoVault {
    store: Arc<dyn Store>,
    secrets: Arc<KeyMaterial>,
    blobs: BlobStore,
    stored: Arc<Mutex<HashSet<PhotoId>>>,
}

impl PhotoVault {
    /// Pictures in `blobs`, their records in `store`.
    pub fn new(store: Arc<dyn Store>, secrets: Arc<KeyMaterial>, blobs: BlobStore) -> Self {
        Self { store, secrets, blobs, stored: Arc::default() }
    }

    /// Keeps a retained picture for `owner`, unless it is kept already; answers its id.
    ///
    /// # Errors
    /// [`VaultError`]; asking again is harmless.
    pub async fn keep_retained(&self, owner: &str, picture: &[u8]) -> Result<PhotoId, VaultError> {
        let id = self.id_of(picture);
        if self.is_remembered(id) {
            return Ok(id);
        }
        if self.store.photo(id).await?.is_none() {
            self.keep(id, owner, picture).await?;
        }
        self.remember(id);
        Ok(id)
    }

    /// The picture as it was stored, a JPEG or PNG; none when there is no such photo.
    ///
    /// # Errors
    /// [`VaultError`].
    pub async fn picture(&self, id: PhotoId) -> Result<Option<Vec<u8>>, VaultError> {
        let Some(photo) = self.store.photo(id).await?.filter(PhotoRecord::has_file) else { return Ok(None) };
        let Some(file) = self.blobs.get(&photo.blob).await? else { return Ok(None) };
        Ok(Some(photo_file::open(&self.secrets, id, &file)?))
    }

    async fn keep(&self, id: PhotoId, owner: &str, picture: &[u8]) -> Result<(), VaultError> {
        let (width, height) = ImageReader::new(Cursor::new(picture))
            .with_guessed_format()
            .ok()
            .and_then(|reader| reader.into_dimensions().ok())
            .ok_or(VaultError::Unreadable)?;
        let record = PhotoRecord {
            id,
            owner: owner.to_owned(),
            source: PhotoSource::Retained,
            width,
            height,
            sha256: hex::encode(Sha256::digest(picture)),
            checks: json!([]),
            face: None,
            thresholds: String::new(),
            blob: photo_file::blob_key(id),
            condemned: false,
            created_at: self.store.now().await?,
        };
        // The file before its record: a record always has a file.
        self.blobs.put(&record.blob, photo_file::seal(&self.secrets, id, picture)?).await?;
        self.store.put_photo(&record).await?;
        Ok(())
    }

    /// The hash is keyed: an id tells nobody whether it belongs to a picture that he has.
    fn id_of(&self, picture: &[u8]) -> PhotoId {
        let digest = self.secrets.content_index(CONTENTS, picture);
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
        PhotoId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    fn is_remembered(&self, id: PhotoId) -> bool {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    fn remember(&self, id: PhotoId) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        if stored.len() >= REMEMBERED {
            stored.clear();
        }
        stored.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::fixture::Site, providers::noop};

    async fn picture() -> Vec<u8> {
        let document = crate::providers::DocumentRef { document_type: "A", document_number: "1" };
        noop::providers().registry.query_photo(document, "test").await.unwrap().unwrap()
    }

    struct Bench {
        site: Site,
        blobs: std::path::PathBuf,
    }

    impl Bench {
        async fn new() -> Self {
            let blobs = std::env::temp_dir().join(format!("greenlane-vault-{}", uuid::Uuid::now_v7()));
            Self { site: Site::start().await, blobs }
        }

        fn vault(&self) -> PhotoVault {
            let shared = &self.site.engine.shared;
            let blobs = BlobStore::open(&url::Url::from_file_path(&self.blobs).unwrap()).unwrap();
            PhotoVault::new(Arc::clone(&shared.store), Arc::clone(&shared.secrets), blobs)
        }

        fn files(&self) -> usize {
            std::fs::read_dir(self.blobs.join("photos")).map_or(0, Iterator::count)
        }
    }

    impl Drop for Bench {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.blobs);
        }
    }

    #[tokio::test]
    async fn an_identical_picture_is_stored_once_and_comes_back_whole() {
        let bench = Bench::new().await;
        let (vault, picture) = (bench.vault(), picture().await);
        let id = vault.keep_retained("upstream", &picture).await.unwrap();
        assert_eq!(vault.keep_retained("other", &picture).await.unwrap(), id);
        // Another process remembers nothing, and asks.
        assert_eq!(bench.vault().keep_retained("upstream", &picture).await.unwrap(), id);
        assert_eq!(bench.files(), 1);
        assert_eq!(bench.vault().picture(id).await.unwrap().unwrap(), picture);
        assert_eq!(vault.picture(PhotoId::new()).await.unwrap(), None);
        let record = bench.site.store().photo(id).await.unwrap().unwrap();
        assert_eq!((record.width, record.height, record.source), (520, 756, PhotoSource::Retained));
    }

    #[tokio::test]
    async fn what_is_no_picture_is_not_kept() {
        let bench = Bench::new().await;
        for wrong in [&b""[..], b"\xff\xd8\xff", b"<html>"] {
            let error = bench.vault().keep_retained("upstream", wrong).await.unwrap_err();
            assert!(matches!(error, VaultError::Unreadable), "{error}");
        }
        assert_eq!(bench.files(), 0);
    }
}
