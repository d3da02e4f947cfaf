//! The card of an issued licence, from the registry to the pixels of the answer.

use std::path::Path;

use image::RgbImage;
use serde_json::json;

use crate::support::{Database, Sample, Site, on_both_databases, program::Settings, sample, scratch::Scratch};

/// Debian's package `fonts-noto-cjk`; without it the test of a fuller font has nothing to look at.
const FULL_FONT: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";

/// A site whose displays ask the registry every time. An unoptimised program takes long for a card, so its codes live long.
async fn start(database: Database) -> Site {
    let plan =
        Site::on(database).setting("licence.status_cache_seconds", 0).setting("licence.presentation_seconds", 600);
    plan.start().await
}

async fn issue(site: &Site, sample: &Sample) -> String {
    let id = site.api.admit(sample).await;
    site.api.wait_until_done(&id, "issued").await["licence_id"].as_str().unwrap().to_owned()
}

async fn status(site: &Site, sample: &Sample, letters: &str) {
    site.simulator.override_registry(sample.document_number(), json!({ "status": letters })).await;
}

async fn svg(site: &Site, licence: &str) -> String {
    let answer = site.api.get(&format!("/v1/licences/{licence}/card.svg")).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("image/svg+xml"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    String::from_utf8(answer.body).unwrap()
}

async fn png(site: &Site, licence: &str) -> RgbImage {
    let answer = site.api.get(&format!("/v1/licences/{licence}/card.png")).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("image/png"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    image::load_from_memory(&answer.body).unwrap().to_rgb8()
}

fn code(picture: &RgbImage) -> String {
    let grey = image::imageops::grayscale(picture);
    let (width, height) = (grey.width() as usize, grey.height() as usize);
    let at = |x: usize, y: usize| grey.get_pixel(x as u32, y as u32).0[0];
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, at);
    let grids = prepared.detect_grids();
    assert_eq!(grids.len(), 1, "one code");
    grids[0].decode().unwrap().1
}

/// Pixels of the abnormal code's red, which nothing of a valid card has.
fn red(picture: &RgbImage) -> usize {
    picture.pixels().filter(|pixel| pixel.0[0] > 0xa0 && pixel.0[1] < 0x30 && pixel.0[2] < 0x40).count()
}

on_both_databases! {
    async fn a_card_shows_the_licence_and_a_code_that_can_be_checked(database) {
        let site = start(database).await;
        let sample = sample(0);
        let licence = issue(&site, &sample).await;
        let text = svg(&site, &licence).await;
        for part in [">张三<", ">C1<", ">2021-06-01 至 2027-06-01<", ">蒙C<", ">正常<", "生成时间"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains(sample.document_number()), "the number is masked");
        let picture = png(&site, &licence).await;
        assert_eq!((picture.width(), red(&picture)), (1080, 0));
        let checked = json!({ "token": code(&picture), "purpose": "road_check" });
        let answer = site.api.post("/v1/presentations/verify", &checked).await.expect(200).json();
        assert_eq!(answer["valid"], true, "{answer:#}");
    }

    async fn a_missing_glyph_is_known_at_the_issue_and_refuses_the_card(database) {
        let site = start(database).await;
        let sample = sample(0).set("/applicant/name", "𬭎㛃");
        site.simulator.override_registry(sample.document_number(), json!({ "holder_name": "𬭎㛃" })).await;
        let licence = issue(&site, &sample).await;
        let listed = || async { site.api.get("/v1/ops/licences?problem=card_refused").await.expect(200).items() };
        let [refused] = &listed().await[..] else { panic!("one licence has no card") };
        assert_eq!((refused["id"].as_str(), refused["reason"].as_str()), (Some(licence.as_str()), Some("glyph_missing")));
        assert_eq!(refused["missing"], json!(["U+2CB4E", "U+36C3"]), "before anybody asked for the card");
        for kind in ["svg", "png", "svg"] {
            let problem = site.api.get(&format!("/v1/licences/{licence}/card.{kind}")).await.problem(409, "glyph_missing");
            assert!(!problem.to_string().contains(['𬭎', '㛃']), "{problem}");
        }
        let told = site.api.get("/v1/audit?type=card_refused").await.expect(200).items();
        assert_eq!(told.len(), 1, "{told:#?}");
        let data = &told[0]["data"];
        assert_eq!((&data["licence_id"], &data["reason"]), (&json!(licence), &json!("glyph_missing")));
        assert_eq!(listed().await.len(), 1);
        site.api.get("/v1/ops/licences").await.any_problem(422);
    }
}

#[tokio::test]
async fn the_status_decides_whether_and_how() {
    let site = start(Database::sqlite()).await;
    let sample = sample(0);
    let licence = issue(&site, &sample).await;
    for (letters, name) in [("A", "正常"), ("HI", "违法未处理、事故未处理"), ("N", "延期换证")] {
        status(&site, &sample, letters).await;
        assert!(svg(&site, &licence).await.contains(name), "{letters}");
    }
    for (letters, name) in [("D", "暂扣"), ("SH", "逾期未审验、违法未处理"), ("B", "超分")] {
        status(&site, &sample, letters).await;
        let text = svg(&site, &licence).await;
        assert!(text.contains(name) && text.contains("依法不能正常使用"), "{letters}");
    }
    let picture = png(&site, &licence).await;
    assert!(red(&picture) > 10_000);
    assert!(!code(&picture).is_empty());
    for letters in ["L", "J", "Z", "", "E", "F", "G", "R", "C"] {
        status(&site, &sample, letters).await;
        for kind in ["svg", "png"] {
            site.api.get(&format!("/v1/licences/{licence}/card.{kind}")).await.problem(409, "not_presentable");
        }
    }
    status(&site, &sample, "A").await;
    site.simulator.fault("registry", json!({ "error_rate": 1.0 })).await;
    site.api.get(&format!("/v1/licences/{licence}/card.png")).await.problem(409, "not_presentable");
}

#[tokio::test]
async fn a_card_is_its_owners() {
    let site = start(Database::sqlite()).await;
    let licence = issue(&site, &sample(0)).await;
    let stranger = site.key_of("stranger", "licences:present").await;
    for path in [format!("/v1/licences/{licence}/card.svg"), format!("/v1/licences/{}/card.png", uuid::Uuid::now_v7())]
    {
        stranger.get(&path).await.problem(404, "not_found");
    }
    site.key("applications:read").await.get(&format!("/v1/licences/{licence}/card.svg")).await.any_problem(403);
}

#[tokio::test]
async fn a_fuller_font_draws_rare_names() {
    if !Path::new(FULL_FONT).exists() {
        return;
    }
    let site = Site::on(Database::sqlite()).setting("licence.font", FULL_FONT).start().await;
    let sample = sample(0).set("/applicant/name", "𬭎㛃");
    site.simulator.override_registry(sample.document_number(), json!({ "holder_name": "𬭎㛃" })).await;
    let licence = issue(&site, &sample).await;
    assert!(svg(&site, &licence).await.contains(">𬭎㛃<"));
    png(&site, &licence).await;
}

#[tokio::test]
async fn a_card_that_can_be_drawn_again_leaves_the_list() {
    if !Path::new(FULL_FONT).exists() {
        return;
    }
    let fonts = Scratch::new();
    let font = fonts.file("font.ttc");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/src/licences/card/font/NotoSansCJKsc-GBK.otf"), &font).unwrap();
    let mut site = Site::on(Database::sqlite()).setting("licence.font", font.display()).start().await;
    let sample = sample(0).set("/applicant/name", "𬭎");
    site.simulator.override_registry(sample.document_number(), json!({ "holder_name": "𬭎" })).await;
    let licence = issue(&site, &sample).await;
    let of_operators = format!("/v1/ops/licences/{licence}");
    let card = site.api.get(&of_operators).await.expect(200).json()["card"].clone();
    assert_eq!(card, json!({ "reason": "glyph_missing", "missing": ["U+2CB4E"] }));
    std::fs::copy(FULL_FONT, &font).unwrap();
    site.restart().await;
    png(&site, &licence).await;
    assert!(site.api.get("/v1/ops/licences?problem=card_refused").await.expect(200).items().is_empty());
    assert!(site.api.get(&of_operators).await.expect(200).json()["card"].is_null());
    assert_eq!(site.api.get("/v1/audit?type=card_drawn").await.expect(200).items().len(), 1);
}

#[tokio::test]
async fn a_font_that_is_none_is_refused_at_start() {
    let scratch = Scratch::new();
    let wrong = scratch.file("font.otf");
    std::fs::write(&wrong, "no font").unwrap();
    let settings = Settings::complete(scratch.path()).setting("licence.font", wrong.display());
    let refused = settings.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
    assert!(refused.stderr.contains("licence.font"), "{refused:?}");
}
