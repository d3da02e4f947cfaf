//! The API's description of itself, as a snapshot: a change of the outside contract is seen in review.

#[test]
fn the_document_is_the_reviewed_one() {
    let document: serde_json::Value = serde_json::from_str(greenlane::http::openapi::text()).unwrap();
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_json_snapshot!("openapi", document, { ".info.version" => "[version]" });
    });
}
