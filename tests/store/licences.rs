use std::time::Duration;

use chrono::TimeDelta;
use greenlane::{
    domain::{
        application::Status,
        decision::NewLicence,
        ids::LicenceId,
        licence_display::LicenceState,
        licence_watch::{CardProblem, LicenceWatch},
        presentation::{Purpose, Refused},
    },
    store::{self, StoreError, licences::Verification, types::Page},
};

use crate::{make, site::Site};

/// A licence of a holder of its own, issued so long ago.
async fn issued(site: &Site, holder: &str, ago: TimeDelta) -> LicenceId {
    let licence = make::licence("C1");
    issue(site, holder, &licence, ago).await.unwrap();
    licence.id
}

async fn issue(site: &Site, holder: &str, licence: &NewLicence, ago: TimeDelta) -> store::Result<()> {
    let now = site.now().await.unwrap();
    let mut new = make::admission(now);
    new.application.holder = holder.to_owned();
    let id = site.admit_one(new).await;
    site.try_change(&[id], |write| {
        write.after_mut().application.status = Status::Issued;
        write.after_mut().application.licence_id = Some(licence.id);
        write.licence = Some(licence.clone());
        make::append(write, "issued", now - ago);
    })
    .await
}

async fn terminate(site: &Site, licence: LicenceId) -> store::Result<()> {
    let (record, now) = (site.licence(licence).await.unwrap().unwrap(), site.now().await.unwrap());
    site.try_change(&[record.application_id], |write| {
        write.after_mut().application.watch = Some(LicenceWatch { terminated: true, ..LicenceWatch::default() });
        make::append(write, "licence_terminated", now);
    })
    .await
}

fn check(licence_id: LicenceId, refused: Option<Refused>, at: chrono::DateTime<chrono::Utc>) -> Verification {
    Verification {
        id: uuid::Uuid::now_v7(),
        licence_id,
        at,
        key: "patrol-7".to_owned(),
        key_id: refused.is_none().then(|| "0123456789ab".to_owned()),
        verifier: "traffic-police".to_owned(),
        purpose: Purpose::RoadCheck,
        refused,
    }
}

pub async fn a_presentation_is_used_up_once(site: Site) {
    let (now, licence) = (site.now().await.unwrap(), LicenceId::new());
    let used = |nonce: u8| {
        let (site, check) = (&site, check(licence, None, now));
        async move { site.record_verification(&check, Some([nonce; 16])).await.unwrap() }
    };
    let first = futures::future::join_all((0..6).map(|_| used(1))).await;
    assert_eq!(first.iter().filter(|used| **used).count(), 1, "{first:?}");
    assert!(used(2).await && !used(2).await && !used(1).await);
    let replays = [Some(Refused::Replayed); 2];
    for refused in replays {
        assert!(site.record_verification(&check(licence, refused, now), None).await.unwrap());
    }
    assert_eq!(site.raw.number("SELECT count(*) FROM verifications").await, 4);
}

pub async fn checks_are_listed_newest_first(site: Site) {
    let now = site.now().await.unwrap();
    let (mine, other) = (LicenceId::new(), LicenceId::new());
    let mut written = Vec::new();
    for refused in [None, Some(Refused::Expired), Some(Refused::StatusAbnormal)] {
        let check = check(mine, refused, now);
        assert!(site.record_verification(&check, None).await.unwrap());
        written.insert(0, check);
    }
    site.record_verification(&check(other, None, now), None).await.unwrap();
    let first = site.verifications(mine, &Page { limit: 2, after: None }).await.unwrap();
    let second = site.verifications(mine, &Page { limit: 2, after: first.next.clone() }).await.unwrap();
    assert_eq!(([first.items, second.items].concat(), second.next), (written, None));
    assert!(site.verifications(mine, &Page { limit: 2, after: Some("nonsense".to_owned()) }).await.is_err());
}

pub async fn licences_have_their_turn_to_be_checked(site: Site) {
    let old = issued(&site, "one", TimeDelta::hours(3)).await;
    let older = issued(&site, "two", TimeDelta::hours(4)).await;
    issued(&site, "three", TimeDelta::minutes(1)).await;
    let hour = Duration::from_secs(3600);
    let mut taken: Vec<LicenceId> =
        site.take_licences_to_check(hour, 1).await.unwrap().iter().map(|licence| licence.id).collect();
    assert_eq!(taken, [older], "the longest first");
    taken = site.take_licences_to_check(hour, 10).await.unwrap().iter().map(|licence| licence.id).collect();
    assert_eq!(taken, [old]);
    assert!(site.take_licences_to_check(hour, 10).await.unwrap().is_empty(), "each had its turn");
    let seen = site.licence(old).await.unwrap().unwrap();
    assert_eq!((seen.seen_at, seen.seen_status), (None, None), "asked, and not answered yet");
    site.set_asked_at(old, site.now().await.unwrap() - TimeDelta::hours(2)).await.unwrap();
    let again = site.take_licences_to_check(hour, 10).await.unwrap();
    assert_eq!(again.iter().map(|licence| licence.id).collect::<Vec<_>>(), [old], "its turn was brought forward");
    let now = site.now().await.unwrap();
    site.note_seen_status(old, "SH", now).await.unwrap();
    let seen = site.licence(old).await.unwrap().unwrap();
    assert_eq!((seen.seen_at, seen.seen_status.as_deref()), (Some(now), Some("SH")));
}

pub async fn a_service_ends_with_its_application(site: Site) {
    let licence = issued(&site, "one", TimeDelta::hours(3)).await;
    let begun = site.now().await.unwrap();
    for _ in 0..2 {
        terminate(&site, licence).await.unwrap();
    }
    let ended = site.licence(licence).await.unwrap().unwrap();
    assert_eq!(ended.state, LicenceState::Terminated);
    assert!(ended.terminated_at.is_some_and(|at| at >= begun && at <= begun + TimeDelta::minutes(1)), "{ended:?}");
    assert_eq!(site.current_licence("one").await.unwrap(), None);
    let latest = async |holder: &str, owner| site.latest_licence(holder, owner).await.unwrap().map(|latest| latest.id);
    assert_eq!(latest("one", None).await, Some(licence));
    assert_eq!(latest("nobody", None).await, None);
    assert!(site.take_licences_to_check(Duration::ZERO, 10).await.unwrap().is_empty(), "nobody follows what has ended");
    // The holder's next licence is current, and takes nothing's place.
    let next = issued(&site, "one", TimeDelta::zero()).await;
    assert_eq!(site.licence(licence).await.unwrap().unwrap().state, LicenceState::Terminated);
    assert_eq!(latest("one", None).await, Some(next));
    // One look for many holders, each by its last licence, and nothing for an unknown one.
    let other = issued(&site, "other", TimeDelta::zero()).await;
    let holders = ["one", "nobody", "other"].map(str::to_owned);
    let mut many: Vec<_> = site.latest_licences(&holders).await.unwrap().iter().map(|latest| latest.id).collect();
    many.sort_unstable();
    let mut expected = [next, other];
    expected.sort_unstable();
    assert_eq!(many, expected);
    assert!(site.latest_licences(&[]).await.unwrap().is_empty());
    // An owner finds its own last one, whoever had the next.
    let owner = site.view(site.licence(next).await.unwrap().unwrap().application_id).await.application.owner;
    assert_eq!((latest("one", Some(&owner)).await, latest("one", Some("another")).await), (Some(next), None));
}

pub async fn licences_without_card_are_listed(site: Site) {
    let of = async |problem: CardProblem| {
        let licence = NewLicence { card_problem: Some(problem), ..make::licence("C1") };
        issue(&site, &format!("{problem} {}", licence.id), &licence, TimeDelta::zero()).await.unwrap();
        set_card_problem(&site, licence.id, Some(problem)).await;
        licence.id
    };
    let first = of(CardProblem::GlyphMissing).await;
    let second = of(CardProblem::PortraitUnusable).await;
    let third = of(CardProblem::GlyphMissing).await;
    issued(&site, "well", TimeDelta::zero()).await;
    let page = async |limit, after| {
        let listed = site.licences_without_card(&Page { limit, after }).await.unwrap();
        (listed.items.iter().map(|licence| (licence.id, licence.card_problem)).collect::<Vec<_>>(), listed.next)
    };
    let (newest, next) = page(2, None).await;
    let glyph = Some(CardProblem::GlyphMissing);
    assert_eq!(newest, [(third, glyph), (second, Some(CardProblem::PortraitUnusable))]);
    assert_eq!(page(2, next).await, (vec![(first, glyph)], None));
    // What was drawn again, and what is not shown any more, is nobody's task.
    set_card_problem(&site, second, None).await;
    terminate(&site, third).await.unwrap();
    assert_eq!(page(9, None).await.0, [(first, glyph)]);
    assert!(site.licences_without_card(&Page { limit: 2, after: Some("nonsense".to_owned()) }).await.is_err());
}

async fn set_card_problem(site: &Site, licence: LicenceId, card_problem: Option<CardProblem>) {
    let record = site.licence(licence).await.unwrap().unwrap();
    site.change(&[record.application_id], |write| {
        write.after_mut().application.watch = Some(LicenceWatch { card_problem, ..LicenceWatch::default() });
    })
    .await;
}

pub async fn only_a_current_licence_is_ended_or_replaced(site: Site) {
    let first = issued(&site, "one", TimeDelta::hours(3)).await;
    let second = make::successor("C1D", first);
    issue(&site, "one", &second, TimeDelta::hours(2)).await.unwrap();
    // Whoever ends the first sees it current still: somebody was faster.
    let events = site.raw.number("SELECT count(*) FROM events").await;
    assert!(matches!(terminate(&site, first).await, Err(StoreError::LicenceNotCurrent)));
    assert_eq!(site.raw.number("SELECT count(*) FROM events").await, events, "nothing is written");
    assert_eq!(site.licence(first).await.unwrap().unwrap().state, LicenceState::Superseded);

    terminate(&site, second.id).await.unwrap();
    let third = make::successor("C1D", second.id);
    assert!(matches!(issue(&site, "one", &third, TimeDelta::zero()).await, Err(StoreError::LicenceNotCurrent)));
    assert_eq!(site.licence(third.id).await.unwrap(), None);
    assert_eq!(site.current_licence("one").await.unwrap(), None);
}
