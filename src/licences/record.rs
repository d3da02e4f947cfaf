//! The licence record (电子驾驶证记录) that generation writes: immutable, superseded and never edited.

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
    secrets::{KeyMaterial, SealError},
};

/// Table and column that the record is sealed for.
const LICENCES: (&str, &str) = ("licences", "ciphertext");

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
    /// The portrait.
    pub photo: Photo,
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
            document,
        }
    }

    /// Seals the record under a fresh id.
    ///
    /// # Errors
    /// Practically never; see [`SealError`].
    pub fn seal(self, secrets: &KeyMaterial) -> Result<NewLicence, SealError> {
        let id = LicenceId::new();
        let (table, column) = LICENCES;
        let sealed = secrets.sealer().seal_record(table, column, &id.to_string(), &self)?;
        Ok(NewLicence { id, status: self.status, facts: self.facts, sealed: sealed.into() })
    }

    /// Opens a stored record.
    ///
    /// # Errors
    /// When it was tampered with or its key is missing.
    pub fn open(secrets: &KeyMaterial, id: LicenceId, sealed: &SealedRecord) -> Result<Self, SealError> {
        let (table, column) = LICENCES;
        secrets.sealer().open_record(table, column, &id.to_string(), &sealed.clone().into())
    }
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
