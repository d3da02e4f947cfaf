//! The folder of workflow files (`GREENLANE_WORKFLOWS`).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::domain::workflow::{Found, Problem, Workflow, WorkflowSet};

/// Loads every `*.toml` of a folder, without its subfolders.
///
/// # Errors
/// Every problem of every file at once, by file and line; an unreadable folder is a problem too.
pub fn load(dir: &Path) -> Result<WorkflowSet, Vec<Problem>> {
    let files = files(dir).map_err(|error| vec![unreadable(dir, &error)])?;
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        match load_file(&file) {
            Ok(workflow) => found.push(Found { file, workflow }),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        return WorkflowSet::new(found, dir);
    }
    // A kind whose file is broken is not missing: only what the sound files say against each other is told.
    if let Err(between) = WorkflowSet::new(found, dir) {
        problems.extend(between.into_iter().filter(|problem| problem.file != dir));
    }
    Err(problems)
}

/// Loads one file.
///
/// # Errors
/// Every problem of the file; an unreadable file is a problem too.
pub fn load_file(file: &Path) -> Result<Workflow, Vec<Problem>> {
    let text = fs::read_to_string(file).map_err(|error| vec![unreadable(file, &error)])?;
    Workflow::parse(&text)
        .map_err(|problems| problems.into_iter().map(|problem| Problem { file: file.to_owned(), ..problem }).collect())
}

fn files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem { file: path.to_owned(), line: 1, reason: format!("cannot be read: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{application::Kind, workflow::json_schema_text};

    fn shipped() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows")
    }

    /// A folder of its own for one test, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(files: &[(&str, &str)]) -> Self {
            let path = std::env::temp_dir().join(format!("greenlane-workflows-{}", uuid::Uuid::now_v7()));
            fs::create_dir_all(&path).unwrap();
            for (name, text) in files {
                fs::write(path.join(name), text).unwrap();
            }
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn shipped_text(name: &str) -> String {
        fs::read_to_string(shipped().join(name)).unwrap()
    }

    #[test]
    fn the_shipped_folder_serves_every_kind() {
        let set = load(&shipped()).unwrap();
        for kind in Kind::ALL {
            assert_eq!(set.newest(*kind).kind, *kind);
        }
    }

    #[test]
    fn problems_carry_their_file() {
        let broken = shipped_text("first_issue.toml").replace("name = \"first_issue\"", "name = 5");
        let [reissue, change] = ["reissue.toml", "photo_change.toml"].map(shipped_text);
        let folder = Folder::new(&[
            ("a.toml", &broken),
            ("b.toml", &reissue),
            ("c.toml", &change),
            ("d.toml", &change),
            ("notes.md", "x"),
        ]);
        let told: Vec<String> = load(&folder.0).unwrap_err().iter().map(ToString::to_string).collect();
        let at = |name: &str| folder.0.join(name).display().to_string();
        assert_eq!(
            told,
            [
                format!("{}:4: `name`: invalid type: integer `5`, expected a string", at("a.toml")),
                format!("{}:5: `photo_change@1` is also in `{}`", at("d.toml"), at("c.toml")),
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_problem() {
        let folder = Folder::new(&[]);
        assert_eq!(load(&folder.0).unwrap_err().len(), Kind::ALL.len());
        let missing = folder.0.join("missing");
        assert!(
            load(&missing).unwrap_err()[0]
                .to_string()
                .starts_with(&format!("{}:1: cannot be read: ", missing.display()))
        );
        fs::write(folder.0.join("a.toml"), [0xff, 0xfe]).unwrap();
        assert!(load(&folder.0).unwrap_err()[0].reason.starts_with("cannot be read: "));
    }

    /// `GREENLANE_WRITE_SCHEMA=1 cargo test the_committed_schema` writes the file anew.
    #[test]
    fn the_committed_schema_is_the_one_of_the_types() {
        let file = shipped().join("workflow.schema.json");
        if std::env::var_os("GREENLANE_WRITE_SCHEMA").is_some() {
            fs::write(&file, json_schema_text()).unwrap();
        }
        assert!(fs::read_to_string(file).unwrap() == json_schema_text(), "out of date: see the comment of this test");
    }
}
