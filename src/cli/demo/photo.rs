//! Pictures for the uploads: plain ones, because the automatic checks are made for people's own photos.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use reqwest::{Method, header};
use serde_json::Value;

use super::client::{Answer, Caller, send};

const BOUNDARY: &str = "greenlane-demo-boundary";
/// What the app asks for: 520 × 756 pixels.
const SIZE: (u32, u32) = (520, 756);
const WHITE: [u8; 3] = [255; 3];
const RED: [u8; 3] = [200, 20, 20];

/// The pictures that are uploaded.
pub(super) struct Pictures {
    /// White, in the right size.
    good: Vec<u8>,
    /// Before a red wall.
    bad: Vec<u8>,
}

impl Pictures {
    /// Draws them.
    ///
    /// # Errors
    /// They cannot be encoded.
    pub(super) fn draw() -> image::ImageResult<Self> {
        Ok(Self { good: png(WHITE)?, bad: png(RED)? })
    }

    /// Uploads a photo as the app does, with a form; gives its id.
    ///
    /// # Errors
    /// It is refused.
    pub(super) async fn upload(&self, upstream: &Caller, source: &str) -> anyhow::Result<String> {
        let answer = post(upstream, source, &self.good).await?.expect(201)?;
        let id = answer["photo_id"].as_str();
        id.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("the upload was answered without a `photo_id`"))
    }

    /// Uploads a photo that cannot do; gives the code and the reasons of the refusal.
    ///
    /// # Errors
    /// It is not refused.
    pub(super) async fn upload_refused(&self, upstream: &Caller) -> anyhow::Result<String> {
        let problem = post(upstream, "album", &self.bad).await?.expect(422)?;
        let reasons = problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["code"].as_str());
        let reasons: Vec<&str> = reasons.collect();
        Ok(format!("422 {}: {}", problem["code"].as_str().unwrap_or_default(), name(&reasons)))
    }
}

/// The reason that the red wall is refused for is enough; white has no face, and that may be said too.
fn name(reasons: &[&str]) -> String {
    let expected = reasons.iter().find(|&&reason| reason == "background_not_white");
    expected.map_or_else(|| reasons.join(", "), |&reason| reason.to_owned())
}

async fn post(upstream: &Caller, source: &str, picture: &[u8]) -> anyhow::Result<Answer> {
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"photo.png\"\r\ncontent-type: image/png\r\n\r\n"
    );
    let form = [head.as_bytes(), picture, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
    let request = upstream.request(Method::POST, &format!("/v1/photos?source={source}"));
    send(request.header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}")).body(form)).await
}

fn png(colour: [u8; 3]) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb(colour)).write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// Whether a task's answer names a photo: the reviewer looks at it.
pub(super) fn path_of(task: &Value) -> Option<String> {
    task["photo_id"].as_str().map(|id| format!("/v1/photos/{id}/image"))
}
