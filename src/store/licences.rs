//! Issued licences after their issue: who looked at them, and when the registry was asked last. How one stands changes
//! through [`Jobs::commit`](super::Jobs::commit) only.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::{
    ids::LicenceId,
    presentation::{Purpose, Refused},
};

use super::{
    Result,
    types::{LicenceRecord, Listed, Page},
};

/// A check of a presentation. No personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Its id, which sorts by time.
    pub id: Uuid,
    /// The licence that was presented.
    pub licence_id: LicenceId,
    /// When.
    pub at: DateTime<Utc>,
    /// Name of the verifier's key, or the person who is signed in.
    pub key: String,
    /// The public part of that key; none for a person.
    pub key_id: Option<String>,
    /// Owner of that key, or the person.
    pub verifier: String,
    /// What for.
    pub purpose: Purpose,
    /// Why the presentation was not good; none when it was.
    pub refused: Option<Refused>,
}

/// Licences after their issue.
#[async_trait]
pub trait Licences: Send + Sync {
    /// The licence that was issued to the holder last, however it stands; of one owner's applications if one is named.
    async fn latest_licence(&self, holder: &str, owner: Option<&str>) -> Result<Option<LicenceRecord>>;
    /// Of each of these holders the licence that was issued last, however it stands: one look for many.
    async fn latest_licences(&self, holders: &[String]) -> Result<Vec<LicenceRecord>>;
    /// Appends a check. With `nonce` it uses up that presentation: false, and nothing is written, when an earlier check
    /// did.
    async fn record_verification(&self, verification: &Verification, nonce: Option<[u8; 16]>) -> Result<bool>;
    /// The checks of a licence, newest first.
    async fn verifications(&self, licence: LicenceId, page: &Page) -> Result<Listed<Verification>>;
    /// Current licences whose card cannot be drawn, newest first.
    async fn licences_without_card(&self, page: &Page) -> Result<Listed<LicenceRecord>>;
    /// Takes current licences about which the registry was not asked for `age`, the longest first: nobody else gets
    /// them for as long again. Since its issue a licence counts as asked about.
    async fn take_licences_to_check(&self, age: Duration, limit: usize) -> Result<Vec<LicenceRecord>>;
    /// Lets a licence count as asked about at another moment, so that its next turn comes sooner.
    async fn set_asked_at(&self, licence: LicenceId, at: DateTime<Utc>) -> Result<()>;
    /// Writes what the registry answered about a licence.
    async fn note_seen_status(&self, licence: LicenceId, status: &str, at: DateTime<Utc>) -> Result<()>;
}
