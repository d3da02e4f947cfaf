use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};

use super::*;
use crate::{
    domain::{audit::acts_chain, cause::Cause, event::ActorKind, ids::PhotoId},
    engine::{fixture::Site, sweep::checkpoints},
    store::types::OperatorAction,
};

/// A site with `count` applications of four events each.
async fn log(count: u32) -> (Site, Vec<ApplicationId>) {
    let site = Site::start().await;
    let mut ids = Vec::new();
    for number in 0..count {
        let id = site.admit(number).await.id;
        for _ in 0..3 {
            let cause =
                Cause::PhotoViewed { actor: Actor::new(ActorKind::Reviewer, "wang"), photo: Some(PhotoId::new()) };
            site.engine.committer.apply(id, cause, None).await.unwrap();
        }
        ids.push(id);
    }
    (site, ids)
}

async fn checkpoint(site: &Site) {
    assert!(checkpoints::take(&site.engine, site.engine.shared.clock.now()).await.unwrap().is_some());
}

/// Runs SQL that the triggers would refuse.
async fn tamper(site: &Site, sql: &[&str]) {
    let mut connection = SqliteConnection::connect(&site.url()).await.unwrap();
    let triggers = sqlx::query_scalar::<_, String>("SELECT name FROM sqlite_schema WHERE type = 'trigger'");
    for trigger in triggers.fetch_all(&mut connection).await.unwrap() {
        let drop = format!("DROP TRIGGER \"{trigger}\"");
        sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await.unwrap();
    }
    for sql in sql {
        let changed = sqlx::query(sqlx::AssertSqlSafe((*sql).to_owned())).execute(&mut connection).await.unwrap();
        assert!(changed.rows_affected() > 0, "{sql}");
    }
    connection.close().await.unwrap();
}

async fn verified(site: &Site, only: Option<ApplicationId>, anchor: Option<&Anchor>) -> Report {
    let mut verifier = Verifier::new(site.store(), &site.engine.shared.secrets);
    verifier.read_checkpoints(only, anchor).await.unwrap();
    match only {
        None => verifier.verify_all().await.unwrap(),
        Some(id) => verifier.verify_one(id).await.unwrap(),
    }
    verifier.into_report()
}

fn texts(report: &Report) -> Vec<&str> {
    report.breaks.iter().map(|found| found.text.as_str()).collect()
}

#[tokio::test]
async fn an_untouched_log_is_intact_with_and_without_checkpoints() {
    let (site, ids) = log(3).await;
    let report = verified(&site, None, None).await;
    assert_eq!((report.intact, report.applications, report.events, report.checkpoints), (true, 3, 12, 0), "{report:?}");
    checkpoint(&site).await;
    let later = site.admit(9).await.id;
    checkpoint(&site).await;
    let report = verified(&site, None, None).await;
    assert_eq!((report.intact, report.applications, report.checkpoints), (true, 4, 2), "{report:?}");
    for id in [ids[0], later] {
        assert!(verified(&site, Some(id), None).await.intact);
    }
    let unknown = verified(&site, Some(ApplicationId::new()), None).await;
    assert!(!unknown.intact && texts(&unknown)[0].contains("is missing"), "{unknown:?}");
}

#[tokio::test]
async fn acts_that_belong_to_no_application_are_proven_too() {
    let (site, _) = log(1).await;
    let act = OperatorAction {
        at: site.engine.shared.clock.now(),
        actor: Actor::new(ActorKind::Operator, "qian"),
        kind: "queue_paused".to_owned(),
        data: json!({ "queue": "generation" }),
    };
    for _ in 0..3 {
        site.store().record_action(&act).await.unwrap();
    }
    let report = verified(&site, None, None).await;
    assert_eq!((report.intact, report.applications, report.events, report.acts), (true, 1, 4, 3), "{report:?}");
    checkpoint(&site).await;
    let chain = acts_chain(&act.actor);
    tamper(&site, &[&format!("DELETE FROM events WHERE application_id = '{chain}' AND seq = 3")]).await;
    let report = verified(&site, None, None).await;
    assert_eq!(
        texts(&report),
        [format!("event 3 of chain `{chain}` of operators' acts was cut off, with all that followed")]
    );
    tamper(&site, &[&format!("UPDATE events SET actor_id = 'li' WHERE application_id = '{chain}' AND seq = 1")]).await;
    assert!(texts(&verified(&site, Some(chain), None).await)[0].contains("event 1"), "the first bad one");
}

#[tokio::test]
async fn every_kind_of_tampering_is_named() {
    let cases: &[(&[&str], i64, &str)] = &[
        (&["UPDATE events SET data = '{}' WHERE application_id = '{id}' AND seq = 2"], 2, "was edited"),
        (&["UPDATE events SET hash = prev_hash WHERE application_id = '{id}' AND seq = 3"], 3, "was edited"),
        (&["UPDATE events SET actor_id = 'li' WHERE application_id = '{id}' AND seq = 4"], 4, "was edited"),
        (&["DELETE FROM events WHERE application_id = '{id}' AND seq = 2"], 2, "was removed"),
        (&["DELETE FROM events WHERE application_id = '{id}' AND seq = 1"], 1, "was removed"),
        (&["DELETE FROM events WHERE application_id = '{id}' AND seq = 4"], 4, "was cut off"),
        (&["DELETE FROM events WHERE application_id = '{id}'"], 1, "is missing"),
        (
            &[
                "UPDATE events SET seq = 9 WHERE application_id = '{id}' AND seq = 2",
                "UPDATE events SET seq = 2 WHERE application_id = '{id}' AND seq = 3",
                "UPDATE events SET seq = 3 WHERE application_id = '{id}' AND seq = 9",
            ],
            2,
            "was swapped",
        ),
        (
            &[
                "UPDATE events SET seq = seq + 10 WHERE application_id = '{id}' AND seq > 2",
                "UPDATE events SET seq = seq - 9 WHERE application_id = '{id}' AND seq > 10",
                "INSERT INTO events SELECT application_id, 3, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash \
                 FROM events WHERE application_id = '{id}' AND seq = 2",
            ],
            3,
            "was inserted",
        ),
    ];
    for with_checkpoint in [false, true] {
        for (sql, seq, words) in cases {
            let (site, ids) = log(3).await;
            if with_checkpoint {
                checkpoint(&site).await;
            }
            let sql: Vec<String> = sql.iter().map(|sql| sql.replace("{id}", &ids[1].to_string())).collect();
            tamper(&site, &sql.iter().map(String::as_str).collect::<Vec<_>>()).await;
            for only in [None, Some(ids[1])] {
                let report = verified(&site, only, None).await;
                assert!(!report.intact && report.breaks.len() == 1, "{sql:?}: {report:#?}");
                let found = &report.breaks[0];
                assert_eq!((found.application_id, found.seq), (Some(ids[1]), Some(*seq)), "{sql:?}: {found:?}");
                assert!(found.text.contains(words), "{found:?}");
            }
            assert!(verified(&site, Some(ids[0]), None).await.intact, "the others are not in doubt");
        }
    }
}

#[tokio::test]
async fn an_application_that_is_gone_is_found() {
    let (site, ids) = log(2).await;
    checkpoint(&site).await;
    let id = ids[0];
    let gone = |table: &str, column: &str| format!("DELETE FROM {table} WHERE {column} = '{id}'");
    tamper(
        &site,
        &[&gone("jobs", "application_id"), &gone("applicants", "application_id"), &gone("applications", "id")],
    )
    .await;
    let report = verified(&site, None, None).await;
    assert_eq!(texts(&report), [format!("application `{id}` is missing, although it has events")]);
    tamper(&site, &[&gone("events", "application_id")]).await;
    let report = verified(&site, None, None).await;
    assert_eq!(report.breaks[0].application_id, Some(id), "only the checkpoint knows it: {report:?}");
}

#[tokio::test]
async fn a_chain_that_was_computed_anew_is_found_by_the_checkpoint() {
    let (site, ids) = log(1).await;
    checkpoint(&site).await;
    // Whoever can write both tables cuts off the last event and moves the document's head back.
    let cut = format!("DELETE FROM events WHERE application_id = '{}' AND seq = 4", ids[0]);
    let back = format!(
        "UPDATE applications SET document = json_set(document, '$.chain.seq', 3, '$.chain.hash', \
         (SELECT hash FROM events WHERE application_id = '{0}' AND seq = 3)) WHERE id = '{0}'",
        ids[0]
    );
    tamper(&site, &[&cut, &back]).await;
    let report = verified(&site, None, None).await;
    assert_eq!((report.breaks.len(), report.breaks[0].seq), (1, Some(4)), "{report:?}");
}

#[tokio::test]
async fn an_event_beyond_the_document_is_found() {
    let (site, ids) = log(1).await;
    let back = "UPDATE applications SET document = json_set(document, '$.chain.seq', 3, '$.chain.hash', \
                (SELECT hash FROM events WHERE application_id = applications.id AND seq = 3))";
    tamper(&site, &[back]).await;
    let report = verified(&site, None, None).await;
    assert_eq!(texts(&report), [format!("event 4 of application `{}` was inserted", ids[0])]);
}

#[tokio::test]
async fn checkpoints_are_verified_too() {
    for (sql, words) in [
        (
            "UPDATE checkpoints SET document = replace(document, '\"seq\":4', '\"seq\":3') WHERE id = 1",
            "wrong signature",
        ),
        ("DELETE FROM checkpoints WHERE id = 1", "does not follow"),
        ("UPDATE checkpoints SET document = '{}' WHERE id = 2", "is not what was stored"),
        ("UPDATE checkpoints SET until = '2001-01-01T00:00:00.000000Z' WHERE id = 2", "is not what was stored"),
    ] {
        let (site, _) = log(1).await;
        checkpoint(&site).await;
        site.admit(2).await;
        checkpoint(&site).await;
        tamper(&site, &[sql]).await;
        let report = verified(&site, None, None).await;
        assert!(!report.intact && report.breaks[0].checkpoint.is_some(), "{sql}: {report:?}");
        assert!(texts(&report)[0].contains(words), "{sql}: {report:?}");
    }
}

#[tokio::test]
async fn an_anchor_finds_checkpoints_that_were_cut_off() {
    let (site, _) = log(1).await;
    checkpoint(&site).await;
    site.admit(2).await;
    checkpoint(&site).await;
    let report = serde_json::to_value(verified(&site, None, None).await).unwrap();
    let last = &report["last_checkpoint"];
    let anchor: Anchor = format!("{}:{}", last["id"], last["digest"].as_str().unwrap()).parse().unwrap();
    assert!(verified(&site, None, Some(&anchor)).await.intact);
    let other: Anchor = format!("2:{}", "0".repeat(64)).parse().unwrap();
    assert!(!verified(&site, None, Some(&other)).await.intact);
    tamper(&site, &["DELETE FROM checkpoints WHERE id = 2"]).await;
    assert!(verified(&site, None, None).await.intact, "the database alone cannot know");
    let cut = verified(&site, None, Some(&anchor)).await;
    assert_eq!(texts(&cut), ["checkpoint 2 is gone or another one than was kept"]);
    for text in ["", "1", "0:00", "x:00", &format!("1:{}", "x".repeat(64))] {
        assert!(text.parse::<Anchor>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn an_export_carries_its_proof() {
    let (site, ids) = log(2).await;
    checkpoint(&site).await;
    let secrets = &site.engine.shared.secrets;
    let events = site.store().events(ids[0]).await.unwrap();
    let exported: Vec<_> = events.iter().map(|event| serde_json::to_value(exported(event).unwrap()).unwrap()).collect();
    assert_eq!(exported[0]["prev_hash"], "0".repeat(64));
    assert_eq!(exported[1]["actor"], json!({ "kind": "reviewer", "id": "wang" }));
    assert!(exported[1]["data"]["photo_id"].is_string());
    assert_eq!(checkpoints_with(site.store(), ids[0]).await.unwrap().len(), 1);
    for json in [true, false] {
        assert_eq!(export(site.store(), secrets, ids[0], json).await.unwrap(), ExitCode::SUCCESS);
        assert_eq!(export(site.store(), secrets, ApplicationId::new(), json).await.unwrap(), ExitCode::FAILURE);
    }
}
