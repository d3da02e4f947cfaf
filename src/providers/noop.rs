//! Providers that answer at once and do nothing, in process: what is left to measure is Greenlane itself.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;

use super::answer::{FaceAnswer, FaceState, Licence, RegistryAnswer, RetainedPhoto, SmsReport};
use super::ports::{
    CallError, DocumentRef, Face, FaceQuery, Providers, Push, PushNotification, Registry, Sms, SmsMessage,
};
use super::sample;

/// All four ports: every holder has a filed licence in order, every face passes, every message is accepted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Noop;

/// The bundle of [`Noop`] ports.
pub fn providers() -> Providers {
    let port = Arc::new(Noop);
    Providers { registry: port.clone(), face: port.clone(), sms: port.clone(), push: port, breakers: Arc::default() }
}

#[async_trait]
impl Registry for Noop {
    async fn query_licence(&self, document: DocumentRef<'_>, _request_id: &str) -> Result<RegistryAnswer, CallError> {
        let licence = Licence {
            file_number: sample::file_number(document.document_number),
            holder_name: sample::HOLDER_NAME.to_owned(),
            status: "A".to_owned(),
            classes: "C1".to_owned(),
            valid_from: NaiveDate::from_ymd_opt(2021, 6, 1).unwrap_or_default(),
            valid_until: NaiveDate::from_ymd_opt(2027, 6, 1),
            issuing_authority: "蒙C".to_owned(),
            points: 0,
            retained_photo: RetainedPhoto { available: true, suitable: true },
            sex: None,
            nationality: None,
            address: None,
            birth_date: None,
            first_issued_on: None,
        };
        Ok(RegistryAnswer { found: true, filed: true, licence: Some(licence) })
    }

    async fn query_photo(&self, _document: DocumentRef<'_>, _request_id: &str) -> Result<Option<Vec<u8>>, CallError> {
        Ok(Some(sample::photo().to_vec()))
    }
}

#[async_trait]
impl Face for Noop {
    async fn query_verification(&self, _query: FaceQuery<'_>, _request_id: &str) -> Result<FaceAnswer, CallError> {
        Ok(FaceAnswer { state: FaceState::Passed, sub_code: "200".to_owned(), score: Some(100.0) })
    }
}

#[async_trait]
impl Sms for Noop {
    async fn send(&self, message: SmsMessage<'_>, _request_id: &str) -> Result<String, CallError> {
        Ok(message.reference.to_owned())
    }

    async fn query(&self, _reference: &str, _request_id: &str) -> Result<SmsReport, CallError> {
        Ok(SmsReport { found: false, message_id: None, state: None })
    }
}

#[async_trait]
impl Push for Noop {
    async fn send(&self, notification: PushNotification<'_>, _request_id: &str) -> Result<String, CallError> {
        Ok(notification.cid.to_owned())
    }
}
