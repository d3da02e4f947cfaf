//! What `POST /v1/applications` takes and what it refuses.

use serde_json::{Value, json};

use crate::support::sample::with_check_digit;
use crate::support::{Sample, Site, fresh_key, on_both_databases, sample};

on_both_databases! {
    async fn an_accepted_application_says_what_it_is(database) {
        let site = Site::on(database).roles("api").start().await;
        let sample = Sample::of("11010519491231002X").upstream_ref("X-1");
        let application = site.api.submit(&sample).await.expect(201).json();

        assert_eq!(application["kind"], "first_issue");
        assert_eq!(application["status"], "in_progress");
        assert_eq!(application["stage"], "eligibility");
        assert!(application["workflow"].as_str().unwrap().starts_with("first_issue@"), "{application:#}");
        assert_eq!(application["photo"], json!({ "source": "retained", "photo_id": null }));
        assert_eq!(application["upstream_ref"], "X-1");
        for absent in ["outcome", "licence_id", "due_at", "decided_at", "completed_at"] {
            assert_eq!(application.get(absent), Some(&Value::Null), "`{absent}` is there and null: {application:#}");
        }
        let id: uuid::Uuid = application["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(id.get_version_num(), 7);
        chrono::DateTime::parse_from_rfc3339(application["submitted_at"].as_str().unwrap()).unwrap();
        let channels: Vec<_> = application["notifications"].as_array().unwrap().iter()
            .map(|notice| (notice["channel"].as_str().unwrap(), notice["state"].as_str().unwrap(), notice["attempts"].as_u64().unwrap()))
            .collect();
        assert_eq!(channels, [("sms", "pending", 0), ("app", "pending", 0)]);
        let masked = json!({ "name": "张*", "document_number": "1101**********002X", "mobile": "138****8000" });
        for (field, value) in masked.as_object().unwrap() {
            assert_eq!(&application["applicant"][field], value, "{application:#}");
        }
    }

    async fn one_open_application_per_holder(database) {
        let site = Site::on(database).roles("api").start().await;
        let sample = sample(0);
        site.api.admit(&sample).await;
        site.api.submit(&sample).await.problem(409, "application_in_progress");
    }

    async fn concurrent_applications_of_one_holder_leave_one(database) {
        let site = Site::on(database).roles("api").start().await;
        let sample = sample(0);
        let answers = futures::future::join_all((0..16).map(|_| site.api.submit(&sample))).await;
        let accepted = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(accepted, 1, "{answers:#?}");
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            answer.problem(409, "application_in_progress");
        }
    }
}

#[tokio::test]
async fn wrong_fields_are_named_by_pointer() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let number = "/applicant/document_number";
    let good = || sample(0);
    let cases: Vec<(&str, Sample, &str)> = vec![
        ("check digit", good().set(number, "110105194912310021"), number),
        ("impossible birth date", good().set(number, with_check_digit("11010519490230002")), number),
        ("29 February of a common year", good().set(number, with_check_digit("11010520010229002")), number),
        ("birth date in the future", good().set(number, with_check_digit("11010529991231002")), number),
        ("17 digits", good().set(number, "11010519491231002"), number),
        ("15 digits, the number of before 1999", good().set(number, "110105491231002"), number),
        ("19 digits", good().set(number, "11010519491231002X0"), number),
        ("a letter inside", good().set(number, "1101051949123100XX"), number),
        ("full-width digits", good().set(number, "１１０１０５１９４９１２３１００２Ｘ"), number),
        ("one full-width digit", good().set(number, "1101051949123100２X"), number),
        ("Chinese characters", good().set(number, "身份证号码是"), number),
        ("empty number", good().set(number, ""), number),
        ("a space around", good().set(number, " 11010519491231002X"), number),
        ("a NUL inside", good().set(number, "11010519491231002\0"), number),
        ("unknown document type", good().set("/applicant/document_type", "Q"), "/applicant/document_type"),
        ("a company's document", good().set("/applicant/document_type", "N"), "/applicant/document_type"),
        ("short mobile", good().mobile("1380013800"), "/applicant/mobile"),
        ("long mobile", good().mobile("138001380000"), "/applicant/mobile"),
        ("landline", good().mobile("01012345678"), "/applicant/mobile"),
        ("no such range", good().mobile("12800138000"), "/applicant/mobile"),
        ("full-width mobile", good().mobile("１３８００１３８０００"), "/applicant/mobile"),
        ("country code", good().mobile("+8613800138000"), "/applicant/mobile"),
        ("empty name", good().set("/applicant/name", ""), "/applicant/name"),
        ("blank name", good().set("/applicant/name", "  \u{3000}"), "/applicant/name"),
        ("endless name", good().set("/applicant/name", "张".repeat(10_000)), "/applicant/name"),
        ("NUL in the name", good().set("/applicant/name", "张\0三"), "/applicant/name"),
        ("line break in the name", good().set("/applicant/name", "张\n三"), "/applicant/name"),
        ("short file number", good().set("/licence/file_number", "15030012345"), "/licence/file_number"),
        ("long file number", good().set("/licence/file_number", "1503001234567"), "/licence/file_number"),
        ("letters in the file number", good().set("/licence/file_number", "15030012345X"), "/licence/file_number"),
        (
            "full-width file number",
            good().set("/licence/file_number", "１５０３００１２３４５６"),
            "/licence/file_number",
        ),
        ("previous photo of a first issue", good().photo_source("previous"), "/photo/source"),
        ("retained photo for a photo change", good().kind("photo_change"), "/photo/source"),
        ("previous photo for a photo change", good().kind("photo_change").photo_source("previous"), "/photo/source"),
        ("camera without a photo", good().photo_source("camera"), "/photo/photo_id"),
        ("unknown photo", good().photo("album", &uuid::Uuid::now_v7().to_string()), "/photo/photo_id"),
        (
            "a photo for a retained source",
            good().photo("retained", &uuid::Uuid::now_v7().to_string()),
            "/photo/photo_id",
        ),
        ("callback that is no URL", good().callback("not a url"), "/callback_url"),
        ("endless reference", good().upstream_ref(&"x".repeat(100_000)), "/upstream_ref"),
        ("NUL in the reference", good().upstream_ref("a\0b"), "/upstream_ref"),
        ("empty face token", good().face_token(""), "/face_token"),
        ("empty consent version", good().set("/consent/version", ""), "/consent/version"),
    ];
    let mut wrong = Vec::new();
    for (what, sample, pointer) in cases {
        let answer = site.api.submit(&sample).await;
        let problem = if answer.status == 422 { answer.json() } else { Value::Null };
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let named = errors
            .iter()
            .any(|error| error["pointer"] == pointer && error["code"].is_string() && error["detail"].is_string());
        if !named {
            wrong.push(format!("{what}: 422 at `{pointer}` expected, got {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(site.api.get("/v1/applications").await.expect(200).items().is_empty(), "nothing was stored");
}

#[tokio::test]
async fn missing_and_unknown_members_are_refused() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let required = [
        "/kind",
        "/applicant",
        "/applicant/document_type",
        "/applicant/document_number",
        "/applicant/name",
        "/applicant/mobile",
        "/applicant/app_user",
        "/licence",
        "/licence/file_number",
        "/photo",
        "/photo/source",
        "/face_token",
        "/consent",
        "/consent/version",
        "/consent/given_at",
    ];
    for pointer in required {
        let answer = site.api.submit(&sample(0).remove(pointer)).await;
        assert_eq!(answer.status, 422, "without `{pointer}`: {answer:?}");
    }
    for pointer in ["/extra", "/applicant/extra", "/licence/extra", "/photo/extra", "/consent/extra"] {
        site.api.submit(&sample(0).set(pointer, 1)).await.any_problem(422);
    }
    for (pointer, value) in [
        ("/kind", json!("renewal")),
        ("/kind", json!(null)),
        ("/applicant/mobile", json!(13_800_138_000_u64)),
        ("/applicant", json!([])),
        ("/photo/source", json!("scanner")),
        ("/consent/given_at", json!("yesterday")),
        ("/consent/given_at", json!("2026-11-20T10:00:00")),
    ] {
        site.api.submit(&sample(0).set(pointer, value)).await.any_problem(422);
    }
}

#[tokio::test]
async fn several_wrong_fields_are_told_at_once() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let bad = sample(0).mobile("1").set("/licence/file_number", "1").set("/applicant/document_number", "1");
    let problem = site.api.submit(&bad).await.any_problem(422);
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().filter_map(|error| error["pointer"].as_str()).collect();
    for pointer in ["/applicant/mobile", "/licence/file_number", "/applicant/document_number"] {
        assert!(pointers.contains(&pointer), "{problem:#}");
    }
}

#[tokio::test]
async fn refusals_repeat_no_personal_data() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let bad = sample(0)
        .set("/applicant/document_number", "110105194912310021")
        .mobile("1390013900")
        .set("/applicant/name", "\0欧阳修");
    let answer = site.api.submit(&bad).await.expect(422);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    for secret in ["110105194912310021", "1390013900", "欧阳修"] {
        assert!(!text.contains(secret), "`{secret}` in {text}");
        assert!(!site.server.output().contains(secret), "`{secret}` in the log");
    }
}

#[tokio::test]
async fn a_small_x_is_taken_as_a_capital_one() {
    let site = Site::start().await;
    let number = "11010519491231002X";
    let id = site.api.admit(&Sample::of(number).set("/applicant/document_number", number.to_lowercase())).await;
    let application = site.api.wait_until_done(&id, "issued").await;
    assert_eq!(application["applicant"]["document_number"], "1101**********002X");
    let asked = site.simulator.log("registry").await;
    assert!(!asked.is_empty());
    assert!(!format!("{asked:?}").contains("002x"), "the registry is asked with the capital letter: {asked:?}");
    // The same person, whatever the letter: a reissue without a change is seen as one.
    let again = site.api.admit(&Sample::of(number).kind("reissue")).await;
    assert_eq!(site.api.wait_for_status(&again, "rejected").await["outcome"]["code"], "unchanged");
}

#[tokio::test]
async fn other_documents_have_no_check_digit() {
    let site = Site::start().await;
    for (kind, number) in
        [("C", "军字第00123456号"), ("D", "SB20260100"), ("E", "LT00200100"), ("F", "HK0012300"), ("G", "DIP000100")]
    {
        let sample = sample(0)
            .set("/applicant/document_type", kind)
            .set("/applicant/document_number", number)
            .set("/licence/file_number", "150300123456");
        let answer = site.api.submit_with_key(&sample.body, &fresh_key()).await;
        assert_eq!(answer.status, 201, "document type {kind}: {answer:?}");
        let shown = answer.json()["applicant"]["document_number"].as_str().unwrap().to_owned();
        assert!(shown.contains('*') && shown != number, "masked: {shown}");
    }
}

#[tokio::test]
async fn rare_names_travel_unharmed() {
    let site = Site::start().await;
    for (name, masked) in [("𬭎㛃", "𬭎*"), ("阿卜杜拉·买买提", "阿*"), ("O'Neill 李", "O*"), ("𠮷", "")]
    {
        let sample = sample(0).set("/applicant/name", name);
        site.simulator.override_registry(sample.document_number(), json!({ "holder_name": name })).await;
        let id = site.api.admit(&sample).await;
        let application = site.api.wait_for_status(&id, "issued").await;
        let shown = application["applicant"]["name"].as_str().unwrap();
        assert!(
            shown.starts_with(masked) && shown != name || name.chars().count() == 1,
            "`{name}` is shown as `{shown}`"
        );
    }
}
