//! Everything that is secret about an installation, behind one value.

use super::{
    checkpoint::CheckpointSigner,
    file::{KeyFile, KeyFileError},
    key::Key,
    sealer::Sealer,
    signing::{SigningAlgorithm, SigningKeys},
    webhook::WebhookSecret,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// An installation's keys. Load once, share by reference; `Debug` shows key ids only.
#[derive(Debug)]
pub struct KeyMaterial {
    sealer: Sealer,
    signer: CheckpointSigner,
    signing: SigningKeys,
    blind_index_key: Key,
    derivation_root: Key,
}

impl KeyMaterial {
    /// Fresh keys that are never written: for `demo`, `bench` and tests.
    pub fn ephemeral() -> Result<Self, KeyFileError> {
        Self::from_file(KeyFile::generate(), Path::new("(memory)"))
    }

    /// Writes fresh keys to a new file of mode 0600. An existing file is never overwritten.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let file = KeyFile::generate();
        file.write_new(path)?;
        Self::from_file(file, path)
    }

    /// Loads a file. One that group or others have access to is refused.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Self::from_file(KeyFile::read(path)?, path)
    }

    /// Loads the file, or creates it (and its folder) when there is none. Processes that start
    /// together end up with the same keys.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        match Self::load(path) {
            Err(KeyFileError::Missing { .. }) => {}
            other => return other,
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| written(path, source))?;
        }
        match Self::create(path) {
            Err(KeyFileError::Exists { .. }) => Self::load(path),
            other => other,
        }
    }

    /// Encrypts and decrypts records.
    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Signs and verifies audit checkpoints.
    pub fn checkpoint_signer(&self) -> &CheckpointSigner {
        &self.signer
    }

    /// Sign and verify licence records and presentation codes.
    pub fn signing_keys(&self) -> &SigningKeys {
        &self.signing
    }

    /// A keyed fingerprint by which a value can be found without being readable: equal values of
    /// one domain (e.g. `document_number`) give equal fingerprints, and only here. The caller
    /// normalises the value first.
    pub fn blind_index(&self, domain: &str, value: &str) -> [u8; 32] {
        self.blind_index_key.mac(&[domain.as_bytes(), value.as_bytes()])
    }

    /// [`KeyMaterial::blind_index`] as 64 hexadecimal digits.
    pub fn blind_index_hex(&self, domain: &str, value: &str) -> String {
        hex::encode(self.blind_index(domain, value))
    }

    /// [`KeyMaterial::blind_index`] of bytes.
    pub fn content_index(&self, domain: &str, contents: &[u8]) -> [u8; 32] {
        self.blind_index_key.mac(&[domain.as_bytes(), contents])
    }

    /// The secret that signs the webhooks of an owner; the same at every call.
    pub fn webhook_secret(&self, owner: &str) -> WebhookSecret {
        WebhookSecret::new(self.derivation_root.mac(&[b"webhook", owner.as_bytes()]))
    }

    /// A keyed authentication code for tokens that only Greenlane itself reads, e.g. presentation
    /// tokens (亮码). Compare with [`super::digests_match`].
    pub fn token_mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        self.derivation_root.mac(&[b"token", purpose.as_bytes(), message])
    }

    fn from_file(file: KeyFile, path: &Path) -> Result<Self, KeyFileError> {
        let malformed = |reason: String| KeyFileError::Malformed { path: path.to_owned(), line: None, reason };
        let first = (SigningAlgorithm::Es256, SigningKeys::first(&file.derivation_root), file.derived_may_sign());
        let sealer = Sealer::new(file.master_keys.into_iter().map(|entry| (entry.id, entry.key)))
            .ok_or_else(|| malformed("there is no master key".to_owned()))?;
        let keys: Vec<Key> = file.checkpoint_keys.into_iter().map(|entry| entry.key).collect();
        let signer =
            CheckpointSigner::new(&keys).map_err(|error| malformed(format!("a checkpoint key is wrong: {error}")))?;
        let further = file.signing_keys.into_iter().map(|entry| {
            let may_sign = entry.may_sign();
            (entry.algorithm, entry.key, may_sign)
        });
        let signing = SigningKeys::new(std::iter::once(first).chain(further))
            .map_err(|error| malformed(format!("a signing key is wrong: {error}")))?;
        Ok(Self {
            sealer,
            signer,
            signing,
            blind_index_key: file.blind_index_key,
            derivation_root: file.derivation_root,
        })
    }
}

fn written(path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io { path: PathBuf::from(path), action: "written", source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let folder = std::env::temp_dir().join(format!("greenlane-{}", uuid::Uuid::now_v7()));
            fs::create_dir(&folder).unwrap();
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("keys.toml")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn fingerprint(keys: &KeyMaterial) -> String {
        keys.blind_index_hex("test", "value")
    }

    #[test]
    fn a_created_file_loads_to_the_same_keys_and_is_never_overwritten() {
        let folder = Folder::new();
        let made = KeyMaterial::create(&folder.file()).unwrap();
        let loaded = KeyMaterial::load(&folder.file()).unwrap();
        assert_eq!(fingerprint(&made), fingerprint(&loaded));
        let sealed = made.sealer().seal_record("t", "c", "1", &"x").unwrap();
        assert_eq!(loaded.sealer().open_record::<String>("t", "c", "1", &sealed).unwrap(), "x");
        let error = KeyMaterial::create(&folder.file()).unwrap_err();
        assert!(matches!(error, KeyFileError::Exists { .. }), "{error}");
        assert_eq!(fingerprint(&KeyMaterial::load(&folder.file()).unwrap()), fingerprint(&made));
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "no draft is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_is_0600_and_a_wider_one_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new();
        KeyMaterial::create(&folder.file()).unwrap();
        let mode = fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        for mode in [0o644, 0o640, 0o604, 0o620] {
            fs::set_permissions(folder.file(), fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyMaterial::load(&folder.file()).unwrap_err().to_string();
            assert!(error.contains(&format!("mode 0{mode:o}")) && error.contains("chmod 600"), "{error}");
        }
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o400)).unwrap();
        KeyMaterial::load(&folder.file()).unwrap();
    }

    #[test]
    fn signing_keys_are_appended_and_a_file_without_them_goes_on_working() {
        let folder = Folder::new();
        let path = folder.file();
        let made = KeyMaterial::create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("\n[[signing_keys]]"), "as files of an earlier version");
        let message = made.signing_keys().sign(b"record".to_vec(), b"").unwrap();
        let key = format!("{}BA=", "B".repeat(41));
        let append = |algorithm: &str, key: &str, more: &str| {
            let entry = format!("{text}\n[[signing_keys]]\nalgorithm = \"{algorithm}\"\nkey = \"{key}\"\n{more}\n");
            fs::write(&path, entry).unwrap();
            KeyMaterial::load(&path)
        };
        for (more, signs) in [("standby = true", "ES256"), ("", "SM2")] {
            let keys = append("SM2", &key, more).unwrap();
            assert_eq!(keys.signing_keys().open(&message, b"").unwrap().payload, b"record", "the first key verifies");
            let signed = keys.signing_keys().sign(b"x".to_vec(), b"").unwrap();
            assert_eq!(keys.signing_keys().open(&signed, b"").unwrap().algorithm.as_str(), signs);
        }
        let zero = format!("{}=", "A".repeat(43));
        for (algorithm, key, said) in [("ES256", zero.as_str(), "a signing key is wrong"), ("RS256", &key, "RS256")] {
            let error = append(algorithm, key, "").unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_retired_key_never_signs_again_and_goes_on_verifying() {
        let folder = Folder::new();
        let path = folder.file();
        let made = KeyMaterial::create(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let derived = made.signing_keys().active_key().unwrap().clone();
        let message = made.signing_keys().sign(b"record".to_vec(), b"").unwrap();
        let load = |entries: &str| {
            fs::write(&path, format!("{text}\n{entries}")).unwrap();
            KeyMaterial::load(&path)
        };
        let entry = |algorithm: &str, letter: &str, more: &str| {
            let key = format!("{}BA=", letter.repeat(41));
            format!("[[signing_keys]]\nalgorithm = \"{algorithm}\"\nkey = \"{key}\"\n{more}\n")
        };
        let retired = "[derived_signing_key]\nretired = true\n";
        for (entries, signs) in [
            // The derived key signs until it is retired itself.
            (entry("SM2", "B", "retired = true"), "ES256"),
            (format!("{retired}{}", entry("SM2", "B", "")), "SM2"),
            (format!("{}{retired}{}", entry("SM2", "B", ""), entry("ES256", "C", "standby = true")), "SM2"),
            (format!("{}{}{retired}", entry("SM2", "B", ""), entry("ES256", "C", "retired = true")), "SM2"),
        ] {
            let keys = load(&entries).unwrap();
            let keys = keys.signing_keys();
            let signed = keys.open(&keys.sign(b"x".to_vec(), b"").unwrap(), b"").unwrap();
            assert_eq!(signed.algorithm.as_str(), signs, "{entries}");
            assert_eq!(keys.active_key().map(|key| &key.kid), Some(&signed.key_id));
            assert_eq!(keys.open(&message, b"").unwrap().payload, b"record");
            assert!(keys.public_keys().any(|key| *key == derived), "still published");
        }
        // Whatever becomes of the others: it is refused rather than signed with again.
        for others in ["".to_owned(), entry("SM2", "B", "standby = true"), entry("SM2", "B", "retired = true")] {
            let error = load(&format!("{others}{retired}")).unwrap_err().to_string();
            assert!(error.contains("no signing key may sign") && error.contains("append"), "{error}");
        }
        assert!(load("[derived_signing_key]\nretired = false\n").is_ok());
    }

    #[test]
    fn load_or_create_makes_the_folder_once() {
        let folder = Folder::new();
        let path = folder.0.join("var").join("keys.toml");
        let made = KeyMaterial::load_or_create(&path).unwrap();
        assert_eq!(fingerprint(&KeyMaterial::load_or_create(&path).unwrap()), fingerprint(&made));
    }

    #[test]
    fn processes_that_start_together_agree() {
        let folder = Folder::new();
        let path = folder.file();
        let found: Vec<String> = std::thread::scope(|scope| {
            let start = || fingerprint(&KeyMaterial::load_or_create(&path).unwrap());
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(found.iter().all(|one| *one == found[0]));
    }

    #[test]
    fn what_is_missing_or_no_file_is_said() {
        let folder = Folder::new();
        let error = KeyMaterial::load(&folder.file()).unwrap_err();
        assert!(matches!(error, KeyFileError::Missing { .. }));
        assert!(error.to_string().contains("greenlane secret create"), "{error}");
        assert!(KeyMaterial::load(&folder.0).is_err());
        assert!(KeyMaterial::create(&folder.0.join("none").join("keys.toml")).is_err());
    }

    #[test]
    fn derived_values_differ_by_domain_and_owner() {
        let keys = KeyMaterial::ephemeral().unwrap();
        let other = KeyMaterial::ephemeral().unwrap();
        assert_eq!(keys.blind_index("a", "x"), keys.blind_index("a", "x"));
        assert_ne!(keys.blind_index("a", "x"), keys.blind_index("b", "x"));
        assert_ne!(keys.blind_index("a", "x"), other.blind_index("a", "x"));
        assert_ne!(keys.token_mac("webhook", b"x"), keys.token_mac("presentation", b"x"));
        let secret = |owner| keys.webhook_secret(owner).to_text().expose_secret().to_owned();
        assert!(secret("a").starts_with("whsec_"));
        assert_eq!(secret("a"), secret("a"));
        assert_ne!(secret("a"), secret("b"));
    }

    #[test]
    fn debug_shows_no_key() {
        let keys = KeyMaterial::ephemeral().unwrap();
        let shown = format!("{keys:?}");
        assert!(shown.contains("Key(…)") && shown.contains("mk_"), "{shown}");
    }
}
