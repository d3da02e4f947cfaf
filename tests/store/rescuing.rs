use std::time::Duration;

use greenlane::{
    domain::{ids::LeaseId, job::Slot, stage::Stage},
    store::types::Held,
};

use crate::{
    make,
    site::{Site, wants},
};

const HOUR: Duration = Duration::from_secs(3600);

pub async fn frees_what_dead_processes_held(site: Site) {
    let ids = site.admit_many(2).await;
    let dead = make::process(site.now().await.unwrap());
    // The first job is said to run alone once it is a suspect; the other is a suspect that was only near.
    for (fence, crashes) in [(1, [1, 1]), (2, [2, 2]), (3, [3, 2]), (4, [4, 2])] {
        site.heartbeat(&dead, HOUR).await.unwrap();
        let mut claimed = site.claim(dead.lease, &wants(10)).await.unwrap().claimed.len();
        while let Some(suspect) = site.claim_suspect(dead.lease, Stage::ALL).await.unwrap() {
            claimed += 1;
            if suspect.application.id == ids[0] {
                let held = Held { application_id: ids[0], slot: Slot::Main, fence };
                assert!(site.mark_alone(dead.lease, held).await.unwrap());
                assert!(!site.mark_alone(LeaseId::new(), held).await.unwrap(), "held by another");
                assert!(!site.mark_alone(dead.lease, Held { fence: fence - 1, ..held }).await.unwrap(), "an old fence");
            }
        }
        assert_eq!(claimed, 2);
        site.heartbeat(&dead, Duration::ZERO).await.unwrap();
        assert_eq!(site.rescue().await.unwrap(), 2);
        assert_eq!(site.rescue().await.unwrap(), 0);
        for (id, crashes) in ids.iter().zip(crashes) {
            let job = &site.view(*id).await.jobs[0];
            assert_eq!((job.lease, job.crashes, job.attempts, job.fence), (None, crashes, 0, fence));
        }
        assert!(site.processes().await.unwrap().is_empty());
    }
}

pub async fn leaves_the_living_alone(site: Site) {
    site.admit_many(3).await;
    let now = site.now().await.unwrap();
    let (living, dead) = (make::process(now), make::process(now));
    site.heartbeat(&living, HOUR).await.unwrap();
    site.heartbeat(&dead, HOUR).await.unwrap();
    site.claim(living.lease, &wants(2)).await.unwrap();
    site.claim(dead.lease, &wants(1)).await.unwrap();
    assert_eq!(site.rescue().await.unwrap(), 0);
    site.heartbeat(&dead, Duration::ZERO).await.unwrap();
    assert_eq!(site.rescue().await.unwrap(), 1);
    assert_eq!(site.held_by(living.lease).await.unwrap().len(), 2);
    assert_eq!(site.held_by(dead.lease).await.unwrap(), []);
    assert_eq!(site.processes().await.unwrap().len(), 1);
    // A paused process that comes back is a process again, and finds that it holds nothing.
    site.heartbeat(&dead, HOUR).await.unwrap();
    assert_eq!(site.processes().await.unwrap().len(), 2);
}

/// A process that was taken for dead can still commit a job that it keeps: nobody else would ever free that one.
pub async fn frees_jobs_of_forgotten_processes(site: Site) {
    let id = site.admit_many(1).await[0];
    let forgotten = LeaseId::new();
    site.change(&[id], |write| write.after_mut().jobs[0].lease = Some(forgotten)).await;
    assert_eq!(site.rescue().await.unwrap(), 1);
    let job = &site.view(id).await.jobs[0];
    assert_eq!((job.lease, job.crashes), (None, 1));
}

pub async fn processes_come_and_go(site: Site) {
    let now = site.now().await.unwrap();
    let mut process = make::process(now);
    site.heartbeat(&process, HOUR).await.unwrap();
    process.stats = serde_json::json!({"in_flight": 4});
    site.heartbeat(&process, HOUR).await.unwrap();
    let listed = site.processes().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].seen_at >= now);
    assert_eq!(greenlane::store::types::Process { seen_at: process.seen_at, ..listed[0].clone() }, process);
    site.farewell(process.lease).await.unwrap();
    site.farewell(process.lease).await.unwrap();
    assert_eq!(site.processes().await.unwrap(), []);
    site.ping().await.unwrap();
}
