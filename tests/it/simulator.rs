//! `greenlane simulate`: the provider simulator as the process that the other tests rely on.

use serde_json::json;

use crate::support::sample::{file_number, identity_number};
use crate::support::simulator::Simulator;

#[tokio::test]
async fn one_process_answers_for_all_four_providers() {
    let simulator = Simulator::start().await;
    let number = identity_number(0);
    let holder = json!({ "document_type": "A", "document_number": number });
    let licence = simulator.call("/registry/v1/licences/query", &holder).await.expect(200).json();
    assert_eq!(licence["licence"]["holder_name"], "张三");
    assert_eq!(licence["licence"]["file_number"], file_number(&number).as_str());
    let photo = simulator.call("/registry/v1/photos/query", &holder).await;
    image::load_from_memory(&photo.expect(200).body).unwrap();

    let face = json!({ "face_token": "ft-ok", "document_type": "A", "document_number": number, "name": "张三" });
    let face = simulator.call("/face/v1/verifications/query", &face).await;
    assert_eq!(face.expect(200).json()["state"], "passed");

    let message = json!({ "to": "13800138000", "template": "issued", "text": "…", "reference": "r" });
    simulator.call("/sms/v1/messages", &message).await.expect(202);
    let asked = simulator.call("/sms/v1/messages/query", &json!({ "reference": "r" })).await;
    assert_eq!(asked.expect(200).json()["found"], true);
    let push = json!({ "cid": "c", "app_user": "u-1", "title": "t", "body": "b", "data": {} });
    for _ in 0..2 {
        simulator.call("/push/v1/notifications", &push).await.expect(202);
    }
    for provider in ["sms", "push"] {
        let accepted = simulator.accepted(provider).await;
        assert_eq!(accepted.values().copied().collect::<Vec<_>>(), [1], "{provider}");
    }
}

#[tokio::test]
async fn it_takes_orders() {
    let simulator = Simulator::start().await;
    let number = identity_number(0);
    let ask = json!({ "document_type": "A", "document_number": number });
    simulator.override_registry(&number, json!({ "status": "D" })).await;
    let answer = simulator.call("/registry/v1/licences/query", &ask).await;
    assert_eq!(answer.expect(200).json()["licence"]["status"], "D");

    simulator.fault("registry", json!({ "error_rate": 1.0, "seed": 7 })).await;
    let answer = simulator.call("/registry/v1/licences/query", &ask).await;
    assert!(answer.status >= 500, "{answer:?}");
    simulator.fault("registry", json!({ "seed": 7 })).await;
    let answer = simulator.call("/registry/v1/licences/query", &ask).await;
    answer.expect(200);
}
