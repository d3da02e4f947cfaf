//! The licence record (电子驾驶证记录) that generation writes: signed, immutable, superseded and never edited.
//!
//! At rest it is a COSE_Sign1 over JSON, sealed like all personal data. The signature covers the licence's id too, so that
//! a record proves which licence it belongs to.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        applicant::PersonName,
        application::{Application, Photo},
        decision::{LicenceFacts, NewLicence, SealedRecord},
        identity::DocumentNumber,
        ids::{ApplicationId, LicenceId},
        personal::Applicant,
        workflow::WorkflowId,
    },
    providers::Licence,
    secrets::{Context, KeyMaterial, SealError, SignatureError, SigningAlgorithm},
};

/// Table and column that the record is sealed for.
const LICENCES: (&str, &str) = ("licences", "ciphertext");

/// Why a record cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It does not seal or open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It is not signed by a key of this installation, or was changed since.
    #[error("the signature of the licence record is not good")]
    Signature(#[from] SignatureError),
    /// Signed, and not a record that this version reads.
    #[error("the licence record is not what this version expects")]
    Unexpected,
}

/// What the record holds. Personal data: stored sealed only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The application that it was issued for.
    pub application_id: ApplicationId,
    /// The workflow version that issued it.
    pub workflow: WorkflowId,
    /// 证件.
    pub document: DocumentNumber,
    /// 姓名.
    pub name: PersonName,
    /// 档案编号, as the registry has it.
    pub file_number: String,
    /// 性别, where known.
    pub sex: Option<String>,
    /// 国籍, where known.
    pub nationality: Option<String>,
    /// 住址, where known.
    pub address: Option<String>,
    /// 出生日期, from the registry or an identity number.
    pub birth_date: Option<NaiveDate>,
    /// 初次领证日期, where known.
    pub first_issued_on: Option<NaiveDate>,
    /// The licence data at issue.
    pub facts: LicenceFacts,
    /// Letters of the licence status at issue.
    pub status: String,
    /// The portrait: a stored photo, whatever its source.
    pub photo: Photo,
    /// The registry's whole answer at issue; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<Licence>,
    /// The holder's licence whose place this one takes, where there was a current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<LicenceId>,
}

/// How a stored record is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The algorithm.
    pub algorithm: SigningAlgorithm,
    /// The `kid` of the public key.
    pub key_id: String,
}

impl Record {
    /// From the registry's answer at the moment of generation.
    pub fn new(application: &Application, applicant: &Applicant, licence: &Licence, photo: Photo) -> Self {
        let document = applicant.document.clone();
        let sex = licence.sex.clone().or_else(|| document.sex().map(|sex| sex.to_string()));
        let birth_date = licence.birth_date.or_else(|| document.birth_date());
        Self {
            application_id: application.id,
            workflow: application.workflow.clone(),
            name: applicant.name.clone(),
            file_number: licence.file_number.clone(),
            sex,
            nationality: licence.nationality.clone(),
            address: licence.address.clone(),
            birth_date,
            first_issued_on: licence.first_issued_on,
            facts: facts(licence),
            status: licence.status.clone(),
            photo,
            registry: Some(licence.clone()),
            supersedes: None,
            document,
        }
    }

    /// What the card prints of it, as far as it comes from outside.
    pub fn printed(&self) -> impl Iterator<Item = &str> {
        let known = [self.sex.as_deref(), self.nationality.as_deref(), self.address.as_deref()];
        let always = [self.name.as_str(), &self.file_number, &self.facts.classes, &self.facts.authority];
        always.into_iter().chain(known.into_iter().flatten())
    }

    /// Signs and seals the record under a fresh id.
    ///
    /// # Errors
    /// Practically never; see [`RecordError`].
    pub fn seal(self, secrets: &KeyMaterial) -> Result<NewLicence, RecordError> {
        let id = LicenceId::new();
        let json = serde_json::to_vec(&self).map_err(|_| RecordError::Unexpected)?;
        let signed = secrets.signing_keys().sign(json, &signed_for(id))?;
        let (table, column) = LICENCES;
        let sealed = secrets.sealer().seal_bytes(&Context { table, column, row: &id.to_string() }, &signed)?;
        Ok(NewLicence {
            id,
            status: self.status,
            facts: self.facts,
            sealed,
            supersedes: self.supersedes,
            card_problem: None,
        })
    }

    /// Opens a stored record.
    ///
    /// # Errors
    /// When it was tampered with, its signature is not good, or a key is missing.
    pub fn open(secrets: &KeyMaterial, id: LicenceId, sealed: &SealedRecord) -> Result<Self, RecordError> {
        Self::open_signed(secrets, id, sealed).map(|(record, _)| record)
    }

    /// [`Record::open`], with how it is signed; none of a record that an earlier version wrote, which signed nothing.
    ///
    /// # Errors
    /// As [`Record::open`].
    pub fn open_signed(
        secrets: &KeyMaterial,
        id: LicenceId,
        sealed: &SealedRecord,
    ) -> Result<(Self, Option<Signature>), RecordError> {
        let (table, column) = LICENCES;
        let bytes = secrets.sealer().open_bytes(&Context { table, column, row: &id.to_string() }, sealed)?;
        let (json, signature) = if bytes.starts_with(b"{") {
            (bytes.to_vec(), None)
        } else {
            let signed = secrets.signing_keys().open(&bytes, &signed_for(id))?;
            (signed.payload, Some(Signature { algorithm: signed.algorithm, key_id: signed.key_id }))
        };
        // A serde error can quote the value, so it stops here.
        let record = serde_json::from_slice(&json).map_err(|_| RecordError::Unexpected)?;
        Ok((record, signature))
    }
}

/// What the signature of a record is good for: this licence.
fn signed_for(id: LicenceId) -> Vec<u8> {
    [&b"greenlane licence 1:"[..], id.0.as_bytes()].concat()
}

/// The part of the registry's licence whose change makes a reissue necessary.
pub fn facts(licence: &Licence) -> LicenceFacts {
    LicenceFacts {
        classes: licence.classes.clone(),
        valid_from: Some(licence.valid_from),
        valid_until: licence.valid_until,
        authority: licence.issuing_authority.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::application::PhotoSource;

    fn record() -> Record {
        serde_json::from_value(serde_json::json!({
            "application_id": ApplicationId::new(), "workflow": "first_issue@1",
            "document": { "document_type": "A", "document_number": "11010519491231002X" }, "name": "张三",
            "file_number": "150300123456", "sex": null, "nationality": null, "address": null, "birth_date": null,
            "first_issued_on": null, "status": "A", "photo": { "source": "retained", "photo_id": null },
            "facts": { "classes": "C1", "valid_from": null, "valid_until": null, "authority": "蒙C" },
        }))
        .unwrap()
    }

    #[test]
    fn a_record_is_signed_for_its_licence() {
        let secrets = KeyMaterial::ephemeral().unwrap();
        let licence = record().seal(&secrets).unwrap();
        let (opened, signature) = Record::open_signed(&secrets, licence.id, &licence.sealed).unwrap();
        assert_eq!((opened.photo.source, opened.document), (PhotoSource::Retained, record().document));
        assert_eq!(signature.unwrap().algorithm, SigningAlgorithm::Es256);
        // Sealed anew for another licence, the signature tells.
        let (table, column) = LICENCES;
        let (row, other) = (licence.id.to_string(), LicenceId::new());
        let signed = secrets.sealer().open_bytes(&Context { table, column, row: &row }, &licence.sealed).unwrap();
        let row = other.to_string();
        let moved = secrets.sealer().seal_bytes(&Context { table, column, row: &row }, &signed).unwrap();
        assert_eq!(Record::open(&secrets, other, &moved), Err(RecordError::Signature(SignatureError::Wrong)));
    }

    #[test]
    fn a_record_of_an_earlier_version_opens_without_a_signature() {
        let (secrets, id, record) = (KeyMaterial::ephemeral().unwrap(), LicenceId::new(), record());
        let (table, column) = LICENCES;
        let sealed = secrets.sealer().seal_record(table, column, &id.to_string(), &record).unwrap();
        assert_eq!(Record::open_signed(&secrets, id, &sealed), Ok((record, None)));
    }
}
