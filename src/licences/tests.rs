//! No order of presenting, checking, repeating, changing and waiting makes a code good that must not be.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    desk::{Desk, Settings, Shown},
    presentation::{Presentation, Verifier},
    record::Record,
};
use crate::{
    domain::{
        application::{Photo, PhotoSource, Status},
        ids::LicenceId,
        presentation::{Purpose, Refused},
    },
    engine::fixture::{Site, applicant},
    photos::PhotoVault,
    providers::{blob::BlobStore, noop},
};

const MINUTE: Duration = Duration::from_secs(60);

/// What happens next; an index chooses among the codes there are.
#[derive(Debug, Clone)]
enum Step {
    Present,
    /// An earlier code is checked, for the first time or again.
    Verify(Index),
    /// An earlier code is checked with one bit of its text changed.
    Flip(Index, Index),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Present),
        4 => any::<Index>().prop_map(Step::Verify),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(code, bit)| Step::Flip(code, bit)),
        // Around the edge of a code's life more often than elsewhere.
        2 => prop_oneof![0_i64..90_000, 59_900_i64..60_100, 1_i64..1_000].prop_map(Step::Wait),
    ]
}

struct Bench {
    site: Site,
    desk: Desk,
    licence: LicenceId,
    verifier: Verifier,
}

impl Bench {
    async fn new() -> Self {
        let site = Site::start().await;
        let shared = Arc::clone(&site.engine.shared);
        let application = site.admit(1).await;
        let applicant = applicant(1);
        let document = crate::providers::DocumentRef {
            document_type: applicant.document.document_type().as_str(),
            document_number: applicant.document.as_str(),
        };
        let providers = noop::providers();
        let registered = providers.registry.query_licence(document, "test").await.unwrap().licence.unwrap();
        let photo = Photo { source: PhotoSource::Retained, photo_id: None };
        let licence = Record::new(&application, &applicant, &registered, photo).seal(&shared.secrets).unwrap();
        site.change(application.id, |write| {
            write.after_mut().application.status = Status::Issued;
            write.after_mut().application.licence_id = Some(licence.id);
            write.licence = Some(licence.clone());
        })
        .await;
        let folder = std::env::temp_dir().join(format!("greenlane-desk-{}", std::process::id()));
        let blobs = BlobStore::open(&url::Url::from_file_path(folder).unwrap()).unwrap();
        let photos = PhotoVault::new(Arc::clone(&shared.store), Arc::clone(&shared.secrets), blobs);
        let settings = Settings { status_cache: Duration::from_secs(5), presentation: MINUTE };
        let desk = Desk::new(site.engine.clone(), photos, providers.registry, settings);
        let verifier =
            Verifier { key: "patrol-7".to_owned(), key_id: Some("0123".to_owned()), owner: "police".to_owned() };
        Self { site, desk, licence: licence.id, verifier }
    }

    fn now(&self) -> DateTime<Utc> {
        self.site.engine.shared.clock.now()
    }

    async fn present(&self) -> Presentation {
        let shown: Shown = self.desk.show(self.licence).await.unwrap().unwrap();
        self.desk.present(&shown).unwrap().unwrap()
    }

    async fn verify(&self, token: &str) -> Option<Refused> {
        self.desk.verify(token, Purpose::RoadCheck, &self.verifier).await.unwrap().refused
    }

    /// Plays the steps beside the plainest model of what a code is good for.
    async fn play(&self, steps: Vec<Step>) -> Result<(), TestCaseError> {
        let mut codes: Vec<(Presentation, bool)> = vec![(self.present().await, false)];
        for step in steps {
            match step {
                Step::Present => codes.push((self.present().await, false)),
                Step::Wait(millis) => self.site.engine.shared.clock.advance(TimeDelta::milliseconds(millis)),
                Step::Flip(which, bit) => {
                    let (code, _) = which.get(&codes);
                    let mut text = code.token.clone().into_bytes();
                    let bit = bit.index(text.len() * 8);
                    text[bit / 8] ^= 1 << (bit % 8);
                    // What is no text reaches nobody: it does not travel in JSON.
                    let Ok(text) = String::from_utf8(text) else { continue };
                    prop_assert_eq!(self.verify(&text).await, Some(Refused::Forged));
                }
                Step::Verify(which) => {
                    let which = which.index(codes.len());
                    let (code, used) = &mut codes[which];
                    let before = self.now();
                    let refused = self.verify(&code.token).await;
                    let after = self.now();
                    if refused.is_none() {
                        prop_assert!(before < code.expires_at, "good at {before}, over at {}", code.expires_at);
                        prop_assert!(!*used, "good twice");
                        *used = true;
                    } else if after < code.expires_at {
                        prop_assert!(*used, "refused as {refused:?} in its time and unused");
                        prop_assert_eq!(refused, Some(Refused::Replayed));
                    } else {
                        prop_assert!(matches!(refused, Some(Refused::Expired | Refused::Replayed)), "{refused:?}");
                    }
                }
            }
        }
        Ok(())
    }
}

#[test]
fn in_no_order_is_a_code_good_late_twice_or_changed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bench = runtime.block_on(Bench::new());
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in vec(step(), 1..40))| {
        runtime.block_on(bench.play(steps))?;
    });
}
