//! Where photos are kept: a folder by default, an S3 bucket in larger installations.

use std::sync::Arc;

use async_trait::async_trait;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use url::Url;

use crate::engine::sweep::retention::PhotoFiles;

/// A store of named byte strings. Keys are relative paths such as `photos/0192…`, without personal data.
#[derive(Debug, Clone)]
pub struct BlobStore(Arc<dyn ObjectStore>);

/// Why a blob store cannot be used, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The URL names no store.
    #[error("not a blob URL: use `file:///absolute/folder` or `s3://bucket`")]
    Url,
    /// The folder cannot be made.
    #[error("cannot make the blob folder: `{folder}`")]
    Folder {
        /// Which one.
        folder: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key is empty or leaves the store.
    #[error("not a blob key: `{0}`")]
    Key(String),
    /// The store failed.
    #[error("the blob store failed")]
    Store(#[from] object_store::Error),
}

impl BlobStore {
    /// Opens `file:///absolute/folder` (made if it is not there) or `s3://bucket` (`AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT` … from the environment). A bucket is not asked yet.
    ///
    /// # Errors
    /// [`BlobError::Url`], [`BlobError::Folder`], [`BlobError::Store`].
    pub fn open(url: &Url) -> Result<Self, BlobError> {
        match url.scheme() {
            "file" => {
                let folder = url.to_file_path().map_err(|()| BlobError::Url)?;
                std::fs::create_dir_all(&folder)
                    .map_err(|source| BlobError::Folder { folder: folder.display().to_string(), source })?;
                // What was acknowledged must survive a power cut.
                Ok(Self(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))))
            }
            "s3" => {
                let bucket = url.host_str().filter(|_| matches!(url.path(), "" | "/")).ok_or(BlobError::Url)?;
                Ok(Self(Arc::new(AmazonS3Builder::from_env().with_bucket_name(bucket).build()?)))
            }
            _ => Err(BlobError::Url),
        }
    }

    /// Writes a blob, replacing an older one. Readers see the old or the new one, never a part.
    ///
    /// # Errors
    /// [`BlobError::Key`], [`BlobError::Store`].
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), BlobError> {
        self.0.put(&path(key)?, PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// The blob; `None` when there is none.
    ///
    /// # Errors
    /// [`BlobError::Key`], [`BlobError::Store`].
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError> {
        match self.0.get(&path(key)?).await {
            Ok(found) => Ok(Some(found.bytes().await?.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the blob; one that is not there is as good as removed.
    ///
    /// # Errors
    /// [`BlobError::Key`], [`BlobError::Store`].
    pub async fn delete(&self, key: &str) -> Result<(), BlobError> {
        match self.0.delete(&path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[async_trait]
impl PhotoFiles for BlobStore {
    async fn remove(&self, key: &str) -> anyhow::Result<()> {
        Ok(self.delete(key).await?)
    }
}

fn path(key: &str) -> Result<Path, BlobError> {
    let safe = !key.is_empty() && !key.starts_with('/') && !key.ends_with('/');
    Path::parse(key).ok().filter(|_| safe).ok_or_else(|| BlobError::Key(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("greenlane blobs 照片 {}", uuid::Uuid::new_v4())))
        }

        fn store(&self) -> BlobStore {
            BlobStore::open(&Url::from_file_path(&self.0).unwrap()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn keeps_replaces_and_removes() {
        let folder = Folder::new();
        let store = folder.store();
        assert_eq!(store.get("photos/1").await.unwrap(), None);
        store.put("photos/1", b"one".to_vec()).await.unwrap();
        store.put("photos/1", b"two".to_vec()).await.unwrap();
        store.put("photos/2", Vec::new()).await.unwrap();
        let again = folder.store();
        assert_eq!(again.get("photos/1").await.unwrap().unwrap(), b"two");
        assert_eq!(again.get("photos/2").await.unwrap().unwrap(), b"");
        again.delete("photos/1").await.unwrap();
        again.delete("photos/1").await.unwrap();
        assert_eq!(store.get("photos/1").await.unwrap(), None);
    }

    #[tokio::test]
    async fn keys_cannot_leave_the_store() {
        let folder = Folder::new();
        let store = folder.store();
        for key in ["", "/", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "."] {
            assert!(matches!(store.put(key, vec![1]).await, Err(BlobError::Key(_))), "{key}");
            assert!(matches!(store.get(key).await, Err(BlobError::Key(_))), "{key}");
            assert!(matches!(store.delete(key).await, Err(BlobError::Key(_))), "{key}");
        }
    }

    #[test]
    fn urls() {
        for url in ["http://x/", "file://host/share", "s3:///", "s3://bucket/folder", "memory:///"] {
            assert!(matches!(BlobStore::open(&Url::parse(url).unwrap()), Err(BlobError::Url)), "{url}");
        }
        assert!(BlobStore::open(&Url::parse("s3://bucket").unwrap()).is_ok());
        let file = Folder::new();
        std::fs::write(&file.0, "a file, not a folder").unwrap();
        let error = BlobStore::open(&Url::from_file_path(&file.0).unwrap()).unwrap_err();
        assert!(matches!(error, BlobError::Folder { .. }));
        std::fs::remove_file(&file.0).unwrap();
    }
}
