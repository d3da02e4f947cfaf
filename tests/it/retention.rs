//! What is kept for a time only, end to end.

use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use crate::support::{BOUND, Site, fresh_key, sample};

/// Makes everything that was uploaded and completed older than any retention, and what is condemned ready to be erased.
async fn grow_old(site: &Site) {
    let mut connection = SqliteConnection::connect(site.database.url()).await.unwrap();
    let past = "2001-01-01T00:00:00.000000Z";
    for sql in [
        "UPDATE applications SET completed_at = ?1 WHERE completed_at IS NOT NULL",
        "UPDATE photos SET created_at = ?1, check_at = ?1, condemned_at = ?1 WHERE check_at IS NOT NULL",
    ] {
        sqlx::query(sql).bind(past).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

fn files(site: &Site) -> usize {
    std::fs::read_dir(site.scratch.file("blobs").join("photos")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn photos_that_nobody_needs_are_erased_and_a_repeated_request_is_answered_all_the_same() {
    let mut site = Site::start().await;
    let (unused, refused, needed) = (
        site.api.upload_photo("camera").await,
        site.api.upload_photo("camera").await,
        site.api.upload_photo("camera").await,
    );
    let (withdrawn, key) = (sample(0).photo("camera", &refused), fresh_key());
    let id = site.api.submit_with_key(&withdrawn.body, &key).await.expect(201).text("id");
    site.api.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "withdrawn" })).await.expect(200);
    let open = site.api.admit(&sample(0).photo("camera", &needed)).await;
    site.api.review_of(&open).await;
    assert_eq!(files(&site), 3);

    grow_old(&site).await;
    site.restart().await;
    let deadline = std::time::Instant::now() + 2 * BOUND;
    while files(&site) > 1 {
        assert!(std::time::Instant::now() < deadline, "two are erased: {}", site.server.output());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let reviewer = site.api.reviewer("wang");
    for (photo, status) in [(&unused, 404), (&refused, 404), (&needed, 200)] {
        reviewer.get(&format!("/v1/photos/{photo}/image")).await.expect(status);
    }
    let again = site.api.submit_with_key(&withdrawn.body, &key).await.expect(200);
    assert_eq!((again.header("idempotency-replayed"), again.text("id")), (Some("true"), id));
    let fresh = site.api.submit_with_key(&withdrawn.body, &fresh_key()).await.expect(422);
    fresh.field_error("/photo/photo_id");
    site.greenlane(&["audit", "verify"]).await.expect(0);
}
