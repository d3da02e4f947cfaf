//! `/v1/photos`.

use crate::support::{Answer, Database, Site, on_both_databases, photo, sample};

async fn site() -> Site {
    Site::on(Database::sqlite()).roles("api").start().await
}

fn codes(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {answer:?}"));
    errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect()
}

on_both_databases! {
    async fn a_photo_can_be_sent_as_a_form_or_as_it_is(database) {
        let site = Site::on(database).roles("api").start().await;
        let (png, jpeg) = (photo::white_png(520, 756), photo::white_jpeg(520, 756));
        let (form_type, form) = photo::multipart("photo", "me.jpg", "image/jpeg", &jpeg);
        for (path, content_type, body) in [
            ("/v1/photos?source=camera", "image/png", png),
            ("/v1/photos?source=album", "image/jpeg", jpeg),
            ("/v1/photos", form_type.as_str(), form),
        ] {
            let answer = site.api.post_raw(path, content_type, body).await.expect(201).json();
            assert_eq!((answer["width"].as_u64(), answer["height"].as_u64()), (Some(520), Some(756)), "{answer:#}");
            assert!(answer["photo_id"].is_string());
            let hash = answer["sha256"].as_str().unwrap();
            assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{answer:#}");
            let checks = answer["checks"].as_array().unwrap();
            assert!(!checks.is_empty());
            for check in checks {
                assert!(check["code"].is_string(), "{check:#}");
                assert!(["pass", "flag", "fail", "not_checked"].contains(&check["result"].as_str().unwrap()), "{check:#}");
                assert!(check.get("value").is_some() && check.get("limit").is_some(), "{check:#}");
            }
        }
    }

    async fn the_picture_is_shown_to_reviewers_only_and_every_view_is_recorded(database) {
        let site = Site::on(database).start().await;
        let uploaded = photo::white_png(520, 756);
        let photo_id = site.api.post_raw("/v1/photos?source=camera", "image/png", uploaded.clone()).await.expect(201).text("photo_id");
        let id = site.api.admit(&sample(0).photo("camera", &photo_id)).await;
        let task = site.api.review_of(&id).await;
        assert_eq!(task["photo_id"], photo_id.as_str());

        let shown = site.api.reviewer("wang").get(&format!("/v1/photos/{photo_id}/image")).await.expect(200);
        assert!(shown.header("cache-control").unwrap().contains("no-store"), "{shown:?}");
        assert!(shown.header("content-type").unwrap().starts_with("image/"), "{shown:?}");
        let picture = image::load_from_memory(&shown.body).unwrap();
        assert_eq!((picture.width(), picture.height()), (520, 756));
        let events = site.api.events(&id).await;
        let views = events.iter().filter(|event| event["type"].as_str().unwrap().contains("photo") && event["actor"]["id"] == "wang").count();
        assert_eq!(views, 1, "{events:#?}");
    }
}

#[tokio::test]
async fn files_that_are_no_photo_are_refused() {
    let site = site().await;
    let good = photo::white_jpeg(520, 756);
    let png = photo::white_png(520, 756);
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("0 bytes", "image/jpeg", Vec::new()),
        ("a cut JPEG", "image/jpeg", good[..good.len() / 2].to_vec()),
        ("a cut PNG", "image/png", png[..png.len() / 2].to_vec()),
        ("only the magic bytes", "image/png", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("a header that promises 50,000 x 50,000 pixels", "image/png", photo::png_header(50_000, 50_000)),
        (
            "a header that promises 4 billion pixels a side",
            "image/png",
            photo::png_header(u32::MAX >> 1, u32::MAX >> 1),
        ),
        ("a header without a size", "image/png", photo::png_header(0, 0)),
        ("SVG", "image/png", photo::SVG.as_bytes().to_vec()),
        ("ZIP", "image/jpeg", photo::ZIP.to_vec()),
        ("HTML", "image/jpeg", b"<html><script>alert(1)</script></html>".to_vec()),
        ("GIF", "image/png", b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
        ("text", "image/png", b"hello".to_vec()),
    ];
    for (what, content_type, body) in cases {
        let answer = site.api.post_raw("/v1/photos?source=camera", content_type, body.clone()).await;
        assert_eq!(answer.status, 422, "{what}: {answer:?}");
        assert!(!codes(&answer).is_empty(), "{what}: {answer:?}");
        answer.problem(422, "photo_rejected");

        let (form_type, form) = photo::multipart("photo", "x.png", content_type, &body);
        site.api.post_raw("/v1/photos?source=camera", &form_type, form).await.problem(422, "photo_rejected");
    }
    site.api.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn photos_of_a_wrong_shape_are_told_why() {
    let site = site().await;
    for (what, body, code) in [
        ("too small", photo::white_png(300, 436), "resolution_too_low"),
        ("square", photo::white_png(800, 800), "aspect_ratio_invalid"),
        ("wide", photo::white_png(756, 520), "aspect_ratio_invalid"),
        ("a red wall", photo::plain_png([200, 20, 20]), "background_not_white"),
    ] {
        let answer = site.api.post_raw("/v1/photos?source=album", "image/png", body).await;
        assert_eq!(answer.status, 422, "{what}: {answer:?}");
        assert!(codes(&answer).iter().any(|found| found == code), "{what}: `{code}` expected in {answer:?}");
        answer.problem(422, "photo_rejected");
    }
}

#[tokio::test]
async fn a_file_that_lies_about_its_type_is_judged_by_its_content() {
    let site = site().await;
    let answer = site.api.post_raw("/v1/photos?source=camera", "image/png", photo::white_jpeg(520, 756)).await;
    assert!(matches!(answer.status, 201 | 422), "{answer:?}");
}

#[tokio::test]
async fn size_and_content_type_have_limits() {
    let site = site().await;
    let large = photo::noise_png(2000, 2000);
    assert!(large.len() > 10 * 1024 * 1024, "{}", large.len());
    site.api.post_raw("/v1/photos?source=camera", "image/png", large.clone()).await.any_problem(413);
    let (form_type, form) = photo::multipart("photo", "x.png", "image/png", &large);
    site.api.post_raw("/v1/photos?source=camera", &form_type, form).await.any_problem(413);

    for content_type in ["image/svg+xml", "application/zip", "application/json", "text/plain", "image/gif"] {
        site.api.post_raw("/v1/photos?source=camera", content_type, photo::white_png(520, 756)).await.any_problem(415);
    }
}

#[tokio::test]
async fn forms_without_the_photo_are_refused() {
    let site = site().await;
    let picture = photo::white_png(520, 756);
    let (form_type, form) = photo::multipart("file", "x.png", "image/png", &picture);
    for (content_type, body) in [
        (form_type.as_str(), form),
        (form_type.as_str(), Vec::new()),
        (form_type.as_str(), b"--greenlane-test-boundary\r\n".to_vec()),
        ("multipart/form-data", picture.clone()),
    ] {
        let answer = site.api.post_raw("/v1/photos?source=camera", content_type, body).await;
        assert!(matches!(answer.status, 400 | 415 | 422), "{answer:?}");
    }
    for source in ["retained", "previous", "scanner", ""] {
        let answer = site.api.post_raw(&format!("/v1/photos?source={source}"), "image/png", picture.clone()).await;
        assert!(matches!(answer.status, 400 | 422), "source `{source}`: {answer:?}");
    }
}

#[tokio::test]
async fn unknown_photos_are_not_found() {
    let site = site().await;
    site.api.get(&format!("/v1/photos/{}/image", uuid::Uuid::now_v7())).await.any_problem(404);
    let answer = site.api.get("/v1/photos/..%2f..%2fsecret/image").await;
    assert!(matches!(answer.status, 400 | 404 | 422), "{answer:?}");
}
