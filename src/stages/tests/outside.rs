//! The four providers as a test wants them.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Mutex,
};

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::{
    domain::provider_error::{ErrorClass, Provider, ProviderError, code},
    providers::{
        CallError, DocumentRef, Face, FaceAnswer, FaceQuery, FaceState, Licence, Push, PushNotification, Registry,
        RegistryAnswer, RetainedPhoto, Sms, SmsMessage, SmsReport, SmsState,
    },
};

/// What happens to one call.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It fails without an effect.
    Fails(CallError),
    /// It has its effect, and the answer is lost.
    ReplyLost,
}

/// The outside.
pub(super) struct Outside {
    pub(super) registry: Mutex<RegistryAnswer>,
    pub(super) face: Mutex<FaceAnswer>,
    /// How the gateway says that its messages stand.
    pub(super) sms_state: Mutex<SmsState>,
    /// The registry's retained picture.
    pub(super) picture: Mutex<Option<Vec<u8>>>,
    /// What the next calls, to whichever provider, meet.
    pub(super) faults: Mutex<VecDeque<Fault>>,
    /// The messages that applicants got: template, text and reference.
    pub(super) messages: Mutex<Vec<[String; 3]>>,
    /// The notifications that applicants got: the service delivers a `cid` once.
    pub(super) pushes: Mutex<BTreeSet<String>>,
    /// Every call, in order.
    pub(super) calls: Mutex<Vec<&'static str>>,
}

impl Outside {
    pub(super) fn new() -> Self {
        Self {
            registry: Mutex::new(RegistryAnswer { found: true, filed: true, licence: Some(licence()) }),
            face: Mutex::new(face(FaceState::Passed)),
            sms_state: Mutex::new(SmsState::Accepted),
            picture: Mutex::new(Some(picture())),
            faults: Mutex::default(),
            messages: Mutex::default(),
            pushes: Mutex::default(),
            calls: Mutex::default(),
        }
    }

    /// Changes the registry's licence.
    pub(super) fn registered(&self, change: impl FnOnce(&mut Licence)) {
        change(self.registry.lock().unwrap().licence.as_mut().unwrap());
    }

    /// The next call meets this.
    pub(super) fn meets(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// The calls since the last look.
    pub(super) fn called(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Notes a call; answers its fault, if it has one.
    fn call(&self, name: &'static str) -> Result<Option<CallError>, CallError> {
        self.calls.lock().unwrap().push(name);
        match self.faults.lock().unwrap().pop_front() {
            None => Ok(None),
            Some(Fault::Fails(error)) => Err(error),
            Some(Fault::ReplyLost) => Ok(Some(failed(ErrorClass::ReconcileFirst, code::CONNECTION_LOST))),
        }
    }
}

pub(super) fn failed(class: ErrorClass, code: &str) -> CallError {
    CallError::Failed(ProviderError::new(Provider::Sms, class, code, "the provider did not help"))
}

pub(super) fn face(state: FaceState) -> FaceAnswer {
    FaceAnswer { state, sub_code: "200".to_owned(), score: Some(0.97) }
}

/// A picture that decodes.
fn picture() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(4, 5).write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

pub(super) fn licence() -> Licence {
    Licence {
        file_number: "150300123456".to_owned(),
        holder_name: "张三".to_owned(),
        status: "A".to_owned(),
        classes: "C1D".to_owned(),
        valid_from: NaiveDate::from_ymd_opt(2021, 6, 1).unwrap(),
        valid_until: NaiveDate::from_ymd_opt(2027, 6, 1),
        issuing_authority: "蒙C".to_owned(),
        points: 0,
        retained_photo: RetainedPhoto { available: true, suitable: true },
        sex: None,
        nationality: None,
        address: None,
        birth_date: None,
        first_issued_on: None,
    }
}

#[async_trait]
impl Registry for Outside {
    async fn query_licence(&self, _: DocumentRef<'_>, _: &str) -> Result<RegistryAnswer, CallError> {
        self.call("registry")?.map_or_else(|| Ok(self.registry.lock().unwrap().clone()), Err)
    }

    async fn query_photo(&self, _: DocumentRef<'_>, _: &str) -> Result<Option<Vec<u8>>, CallError> {
        self.call("photo")?.map_or_else(|| Ok(self.picture.lock().unwrap().clone()), Err)
    }
}

#[async_trait]
impl Face for Outside {
    async fn query_verification(&self, _: FaceQuery<'_>, _: &str) -> Result<FaceAnswer, CallError> {
        self.call("face")?.map_or_else(|| Ok(self.face.lock().unwrap().clone()), Err)
    }
}

/// As real gateways: what is sent twice arrives twice.
#[async_trait]
impl Sms for Outside {
    async fn send(&self, message: SmsMessage<'_>, _: &str) -> Result<String, CallError> {
        let lost = self.call("send")?;
        let mut messages = self.messages.lock().unwrap();
        messages.push([message.template, message.text, message.reference].map(str::to_owned));
        lost.map_or_else(|| Ok(format!("m{}", messages.len())), Err)
    }

    async fn query(&self, reference: &str, _: &str) -> Result<SmsReport, CallError> {
        if let Some(lost) = self.call("query")? {
            return Err(lost);
        }
        let messages = self.messages.lock().unwrap();
        let last = messages.iter().rposition(|[.., known]| known == reference);
        let state = last.map(|_| *self.sms_state.lock().unwrap());
        Ok(SmsReport { found: last.is_some(), message_id: last.map(|n| format!("m{}", n + 1)), state })
    }
}

#[async_trait]
impl Push for Outside {
    async fn send(&self, notification: PushNotification<'_>, _: &str) -> Result<String, CallError> {
        let lost = self.call("push")?;
        self.pushes.lock().unwrap().insert(notification.cid.to_owned());
        lost.map_or_else(|| Ok(format!("p-{}", notification.cid)), Err)
    }
}
