//! Style sheets and scripts, embedded in the program. Their address changes with their content, so that browsers keep
//! them for ever and never show an old one.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::http::problem::Problem;

/// Kept for a year, and never asked for again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

#[derive(RustEmbed)]
#[folder = "web/static/"]
struct Files;

/// Eight hexadecimal digits over all files: scripts import each other by relative address, so that they change together.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        if let Some(file) = Files::get(&name) {
            hash.update(file.metadata.sha256_hash());
        }
    }
    hex::encode(hash.finalize()).chars().take(8).collect()
});

/// The address of a file of `web/static`.
pub fn address(name: &str) -> String {
    format!("/static/{}/{name}", *VERSION)
}

/// Answers `/static/{version}/{name}`.
pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Result<Response, Problem> {
    let file = Files::get(&name).ok_or_else(Problem::not_found)?;
    // A page of the program before this one: its files may have changed.
    let keep = if version == *VERSION { FOR_EVER } else { "no-cache" };
    let kind = file.metadata.mimetype().to_owned();
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep.to_owned())];
    Ok((headers, file.data.into_owned()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_kept_under_their_present_address_only() {
        let address = address("css/base.css");
        let version = address.split('/').nth(2).unwrap().to_owned();
        for (version, keep) in [(version, FOR_EVER), ("00000000".to_owned(), "no-cache")] {
            let answer = serve(Path((version, "css/base.css".to_owned()))).await.unwrap();
            assert_eq!(answer.headers()[header::CACHE_CONTROL], keep);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/css");
        }
        for name in ["css/none.css", "../Cargo.toml", "none"] {
            assert_eq!(serve(Path(("x".to_owned(), name.to_owned()))).await.unwrap_err().code(), "not_found");
        }
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        for name in Files::iter().filter(|name| !name.starts_with("vendor/")) {
            let file = Files::get(&name).unwrap();
            let text = String::from_utf8_lossy(&file.data).replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("https://") && !text.contains("http://"), "{name}");
        }
    }
}
