//! A folder that is removed when the demonstration ends.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The shipped workflows: the demonstration works from any directory.
const WORKFLOWS: [(&str, &str); 3] = [
    ("first_issue.toml", include_str!("../../../workflows/first_issue.toml")),
    ("reissue.toml", include_str!("../../../workflows/reissue.toml")),
    ("photo_change.toml", include_str!("../../../workflows/photo_change.toml")),
];

/// The folder. Dropping it removes it with everything in it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the folder, readable by its owner only: it will hold key material.
    ///
    /// # Errors
    /// The system's temporary folder cannot be written.
    pub(super) fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("greenlane-demo-{}", uuid::Uuid::now_v7().simple()));
        make_private(&path)?;
        let scratch = Self(path);
        fs::create_dir(scratch.path("workflows"))?;
        for (name, text) in WORKFLOWS {
            fs::write(scratch.path("workflows").join(name), text)?;
        }
        Ok(scratch)
    }

    /// A place in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut folder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("warning: `{}` could not be removed: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_the_workflows_and_leaves_nothing() {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.0.clone();
        assert_eq!(fs::read_dir(scratch.path("workflows")).unwrap().count(), WORKFLOWS.len());
        drop(scratch);
        assert!(!folder.exists());
    }
}
