//! The key material file: TOML, mode 0600, written once and completely or not at all.

use super::{
    checkpoint::CheckpointSigner,
    key::{Key, fill_random},
    signing::SigningAlgorithm,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

const HEADER: &str = "\
# Greenlane key material. Keep it secret (mode 0600), keep a copy apart from the database:
# without it no applicant can be read again.
# To change the master key, append another [[master_keys]] (an id of your choice and the output of
# `openssl rand -base64 32`) and restart every process: the last one seals, all of them open.
# blind_index_key and derivation_root cannot be changed: look-ups and webhook secrets hang on them.
# Licences and presentation codes are signed with a key that is derived from derivation_root (ES256) until the file has
# one of its own. To change it: append [[signing_keys]] with its algorithm (ES256 or SM2), a key as above and
# standby = true; restart every process, so that all of them know it and publish it; take `standby` out; restart again.
# The last one that neither stands by nor is retired signs, all of them verify. A key with retired = true never signs again,
# whatever becomes of the others; to retire the derived one, append [derived_signing_key] with retired = true.
# Never remove one whose licences are still in use.

";

/// Why the key material could not be created or loaded. Never carries contents.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is already a file; it is never overwritten.
    #[error("key material `{path}` already exists and is never overwritten; name another file")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("no key material at `{path}`; create it with `greenlane secret create {path}`")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Group or others have access.
    #[error("key material `{path}` is open to others (mode {mode:04o}); run `chmod 600 {path}`")]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not the expected form.
    #[error("key material `{path}` is not usable{}: {reason}", line.map(|n| format!(", line {n}")).unwrap_or_default())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
        /// What is wrong, without contents.
        reason: String,
    },
    /// The file system refused.
    #[error("key material `{path}` could not be {action}")]
    Io {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// The cause.
        source: io::Error,
    },
}

/// The contents of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    version: u32,
    pub(super) blind_index_key: Key,
    pub(super) derivation_root: Key,
    pub(super) master_keys: Vec<MasterKeyEntry>,
    pub(super) checkpoint_keys: Vec<CheckpointKeyEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) signing_keys: Vec<SigningKeyEntry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    derived_signing_key: Option<DerivedSigningKeyEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MasterKeyEntry {
    pub(super) id: String,
    pub(super) key: Key,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointKeyEntry {
    pub(super) key: Key,
}

/// A key for licences and presentation codes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SigningKeyEntry {
    pub(super) algorithm: SigningAlgorithm,
    pub(super) key: Key,
    /// Verifies and is published, but does not sign yet.
    #[serde(default)]
    standby: bool,
    /// Verifies and is published, and never signs again.
    #[serde(default)]
    retired: bool,
}

impl SigningKeyEntry {
    pub(super) fn may_sign(&self) -> bool {
        !self.standby && !self.retired
    }
}

/// The signing key that is derived from the root: it is in every installation, so it cannot be left out like an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DerivedSigningKeyEntry {
    /// As [`SigningKeyEntry::retired`].
    retired: bool,
}

impl KeyFile {
    pub(super) fn generate() -> Self {
        let mut id = [0; 4];
        fill_random(&mut id);
        Self {
            version: 1,
            blind_index_key: Key::generate(),
            derivation_root: Key::generate(),
            master_keys: vec![MasterKeyEntry { id: format!("mk_{}", hex::encode(id)), key: Key::generate() }],
            checkpoint_keys: vec![CheckpointKeyEntry { key: CheckpointSigner::generate_key() }],
            signing_keys: Vec::new(),
            derived_signing_key: None,
        }
    }

    /// Whether the derived signing key has not been retired.
    pub(super) fn derived_may_sign(&self) -> bool {
        self.derived_signing_key.as_ref().is_none_or(|entry| !entry.retired)
    }

    /// Writes a new file with mode 0600. It appears under its name complete or not at all, so that
    /// processes that start together agree on one.
    pub(super) fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
            _ => KeyFileError::Io { path: path.to_owned(), action: "written", source },
        };
        let body = toml::to_string(self).map(Zeroizing::new).map_err(io::Error::other).map_err(failed)?;
        let draft = draft_path(path);
        let written = write_private(&draft, &body).and_then(|()| fs::hard_link(&draft, path));
        // The draft is removed whatever happened; a failure here must not hide the first one.
        let removed = fs::remove_file(&draft);
        written.and(removed).map_err(failed)?;
        sync_directory(path).map_err(failed)
    }

    pub(super) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyFileError::Missing { path: path.to_owned() },
            _ => KeyFileError::Io { path: path.to_owned(), action: "read", source },
        };
        let mut file = File::open(path).map_err(failed)?;
        refuse_open_mode(path, &file.metadata().map_err(failed)?)?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text).map_err(|(line, reason)| KeyFileError::Malformed { path: path.to_owned(), line, reason })
    }

    fn parse(text: &str) -> Result<Self, (Option<usize>, String)> {
        // The error's own `Display` quotes the offending line, which may hold a key.
        let file: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start));
            (line.map(|before| before.matches('\n').count() + 1), error.message().to_owned())
        })?;
        let reason = if file.version != 1 {
            format!("version `{}` is unknown, this program reads version 1", file.version)
        } else if file.master_keys.is_empty() || file.checkpoint_keys.is_empty() {
            "at least one master key and one checkpoint key are needed".to_owned()
        } else if file.master_keys.iter().any(|key| key.id.is_empty()) {
            "a master key has an empty id".to_owned()
        } else if let Some(id) = file.repeated_id() {
            format!("the master key id `{id}` is there twice")
        } else if !file.derived_may_sign() && !file.signing_keys.iter().any(SigningKeyEntry::may_sign) {
            "no signing key may sign: each of them stands by or is retired; append a `[[signing_keys]]` without \
             `standby` and `retired`"
                .to_owned()
        } else {
            return Ok(file);
        };
        Err((None, reason))
    }

    fn repeated_id(&self) -> Option<&str> {
        let ids: Vec<&str> = self.master_keys.iter().map(|key| key.id.as_str()).collect();
        ids.iter().enumerate().find(|(at, id)| ids[..*at].contains(id)).map(|(_, id)| *id)
    }
}

/// A name beside the file that no other process uses.
fn draft_path(path: &Path) -> PathBuf {
    let mut random = [0; 8];
    fill_random(&mut random);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.draft", hex::encode(random)));
    path.with_file_name(name)
}

fn write_private(path: &Path, body: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(HEADER.as_bytes())?;
    file.write_all(body.as_bytes())?;
    file.sync_all()
}

/// Makes the new name survive a power cut; the file's own contents are already synced.
#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_open_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(KeyFileError::TooOpen { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_open_mode(_path: &Path, _metadata: &fs::Metadata) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_line_and_never_the_contents() {
        let good = toml::to_string(&KeyFile::generate()).unwrap();
        let cases = [
            (good.replace("version = 1", "version = 2"), None, "version `2` is unknown"),
            (good.replace("derivation_root = \"", "derivation_root = \"SECRET"), Some(3), "a key is 32 bytes"),
            (good.replace("derivation_root", "other_root"), Some(3), "unknown field"),
            ("version = 1".to_owned(), Some(1), "missing field"),
            (format!("{good}\n[[master_keys]]\nid = \"\"\n{}", key_line()), None, "empty id"),
            (good.replace("version = 1", "version = SECRET"), Some(1), ""),
        ];
        for (text, line, reason) in cases {
            let (got_line, got_reason) = KeyFile::parse(&text).unwrap_err();
            assert_eq!(got_line, line, "{got_reason}");
            assert!(got_reason.contains(reason), "{got_reason}");
            assert!(!got_reason.contains("SECRET"), "{got_reason}");
        }
    }

    #[test]
    fn a_repeated_id_is_refused() {
        let file = KeyFile::generate();
        let id = &file.master_keys[0].id;
        let text = format!("{}\n[[master_keys]]\nid = \"{id}\"\n{}", toml::to_string(&file).unwrap(), key_line());
        let (_, reason) = KeyFile::parse(&text).unwrap_err();
        assert_eq!(reason, format!("the master key id `{id}` is there twice"));
    }

    fn key_line() -> String {
        format!("key = \"{}=\"", "A".repeat(43))
    }
}
