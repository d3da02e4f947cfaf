//! What an upstream system submits, and every rule that its fields must keep.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::ToSchema;

use crate::{
    domain::{
        applicant::{AppUser, FaceToken, FieldError, FileNumber, Mobile, PersonName},
        application::{Kind, Photo, PhotoSource},
        identity::{DocumentNumber, DocumentType},
        ids::PhotoId,
        personal::{Applicant, Consent},
    },
    http::{
        params::Moment,
        problem::{Fault, Problem},
    },
    providers::egress,
    store::types::PhotoRecord,
};

/// The longest callback URL, in bytes.
const LONGEST_URL: usize = 2048;
/// The longest reference of an upstream system, in characters.
const LONGEST_REFERENCE: usize = 200;
/// The longest name of a consent text, in characters.
const LONGEST_VERSION: usize = 64;

/// A new application.
//
// Personal data: no `Debug`. The texts are checked here and not by their types, so that every wrong one is told at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApplication)]
pub(super) struct Submission {
    #[schema(value_type = Kind)]
    kind: String,
    applicant: ApplicantBody,
    /// Required except for `photo_change`.
    licence: Option<LicenceBody>,
    photo: NewPhotoBody,
    /// The token of the face verification session: 1 to 512 visible ASCII characters.
    #[schema(example = "ft-ok")]
    face_token: String,
    consent: ConsentBody,
    /// Changes of status are posted here; https and public.
    #[schema(example = "https://upstream.example/hooks/1")]
    callback_url: Option<String>,
    /// The upstream system's own reference, at most 200 characters.
    #[schema(example = "X-1")]
    upstream_ref: Option<String>,
}

/// The applicant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApplicant)]
pub(super) struct ApplicantBody {
    #[schema(value_type = DocumentType)]
    document_type: String,
    /// For identity cards with a right check digit; a last `x` is taken as `X`.
    #[schema(example = "11010519491231002X")]
    document_number: String,
    /// 1 to 50 characters.
    #[schema(example = "张三")]
    name: String,
    /// A mobile number of mainland China.
    #[schema(example = "13800138000")]
    mobile: String,
    /// The account in the app: 1 to 128 visible characters.
    #[schema(example = "u-123")]
    app_user: String,
}

/// The licence.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLicence)]
pub(super) struct LicenceBody {
    /// 档案编号: 12 digits.
    #[schema(example = "150300123456")]
    file_number: Option<String>,
}

/// The photo.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApplicationPhoto)]
pub(super) struct NewPhotoBody {
    #[schema(value_type = PhotoSource)]
    source: String,
    /// The upload, for camera and album.
    #[schema(value_type = Option<PhotoId>)]
    photo_id: Option<String>,
}

/// The applicant's consent.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Consent)]
pub(super) struct ConsentBody {
    /// Version of the text: 1 to 64 visible characters.
    #[schema(example = "2026-01")]
    version: String,
    /// When it was given, with offset.
    #[schema(value_type = String, format = DateTime, example = "2026-11-20T10:00:00+08:00")]
    given_at: String,
}

/// What the rules need to know beside the submission.
pub(super) struct Surroundings<'a> {
    /// The caller's owner: photos must be its own.
    pub(super) owner: &'a str,
    /// The upload that the submission names, where there is one.
    pub(super) upload: Option<&'a PhotoRecord>,
    /// Today's local date.
    pub(super) today: NaiveDate,
    /// Whether callbacks may be private.
    pub(super) allow_private_callbacks: bool,
}

/// A submission that keeps every rule.
pub(super) struct Checked {
    /// What is applied for.
    pub(super) kind: Kind,
    /// The applicant.
    pub(super) applicant: Applicant,
    /// The photo.
    pub(super) photo: Photo,
    /// Where changes of status are posted.
    pub(super) callback_url: Option<String>,
    /// The upstream system's own reference.
    pub(super) upstream_ref: Option<String>,
}

impl Submission {
    /// The upload that it names, if that is an id.
    pub(super) fn photo_id(&self) -> Option<PhotoId> {
        self.photo.photo_id.as_ref()?.parse().ok()
    }

    /// Checks every field.
    ///
    /// # Errors
    /// 422 with all wrong fields at once; `callback_not_allowed` when the callback is all that is wrong.
    pub(super) fn check(self, around: &Surroundings<'_>) -> Result<Checked, Problem> {
        let mut faults = Faults::default();
        let kind = faults.name::<Kind>("/kind", &self.kind);
        let applicant = self.applicant.check(&mut faults, around.today);
        let file_number = file_number(&mut faults, kind, self.licence);
        let photo = self.photo.check(&mut faults, kind, around);
        let face_token = faults.keep("/face_token", FaceToken::parse(&self.face_token));
        let consent = self.consent.check(&mut faults);
        let callback = self.callback_url.as_deref().map(|url| callback(url, around.allow_private_callbacks));
        let callback_url = callback.map(|url| faults.keep("/callback_url", url));
        let reference = self.upstream_ref.map(|text| visible(text, LONGEST_REFERENCE, true));
        let upstream_ref = reference.map(|text| faults.keep("/upstream_ref", text));
        faults.none()?;
        let checked = || {
            let (document, name, mobile, app_user) = applicant?;
            let (file_number, face_token, consent) = (file_number, face_token?, consent?);
            let applicant = Applicant { document, name, mobile, app_user, file_number, face_token, consent };
            let (callback_url, upstream_ref) = (callback_url.flatten(), upstream_ref.flatten());
            Some(Checked { kind: kind?, applicant, photo: photo?, callback_url, upstream_ref })
        };
        // Every absent part has left a fault, so this is never reached without one.
        checked().ok_or_else(|| Problem::invalid(Vec::new()))
    }
}

impl ApplicantBody {
    fn check(self, faults: &mut Faults, today: NaiveDate) -> Option<(DocumentNumber, PersonName, Mobile, AppUser)> {
        let document_type = faults.name::<DocumentType>("/applicant/document_type", &self.document_type);
        // The number means nothing without its type; its faults are told once the type is right.
        let document = document_type.and_then(|document_type| {
            let number = DocumentNumber::parse(document_type, &self.document_number, today);
            faults.keep("/applicant/document_number", number.map_err(FieldError::from))
        });
        let name = faults.keep("/applicant/name", PersonName::parse(&self.name));
        let mobile = faults.keep("/applicant/mobile", Mobile::parse(&self.mobile));
        let app_user = faults.keep("/applicant/app_user", AppUser::parse(&self.app_user));
        Some((document?, name?, mobile?, app_user?))
    }
}

impl NewPhotoBody {
    fn check(self, faults: &mut Faults, kind: Option<Kind>, around: &Surroundings<'_>) -> Option<Photo> {
        let source = faults.name::<PhotoSource>("/photo/source", &self.source)?;
        if kind.is_some_and(|kind| !source.allowed_for(kind)) {
            faults.add("/photo/source", "source_not_allowed", "is not allowed for this kind of application");
        }
        let photo_id = match (source.is_upload(), self.photo_id) {
            (false, None) => None,
            (false, Some(_)) => {
                faults.add("/photo/photo_id", "photo_not_expected", "is for `camera` and `album` only");
                None
            }
            (true, None) => {
                faults.add("/photo/photo_id", "missing", "is required for `camera` and `album`");
                None
            }
            (true, Some(_)) => match around.upload.filter(|upload| upload.owner == around.owner) {
                None => {
                    faults.add("/photo/photo_id", "photo_unknown", "must be the id of a photo that you uploaded");
                    None
                }
                Some(upload) if upload.source != source => {
                    faults.add(
                        "/photo/source",
                        "source_differs",
                        "must be the source that the photo was uploaded with",
                    );
                    None
                }
                Some(upload) => Some(upload.id),
            },
        };
        Some(Photo { source, photo_id })
    }
}

impl ConsentBody {
    fn check(self, faults: &mut Faults) -> Option<Consent> {
        let version = faults.keep("/consent/version", visible(self.version, LONGEST_VERSION, false));
        let given_at = Moment::try_from(self.given_at).map_err(|why| FieldError::new("time_invalid", why));
        let given_at = faults.keep("/consent/given_at", given_at);
        Some(Consent { version: version?, given_at: given_at?.0 })
    }
}

fn file_number(faults: &mut Faults, kind: Option<Kind>, licence: Option<LicenceBody>) -> Option<FileNumber> {
    let required = kind.is_some_and(|kind| kind != Kind::PhotoChange);
    let Some(licence) = licence else {
        if required {
            faults.add("/licence", "missing", "is required");
        }
        return None;
    };
    let Some(number) = licence.file_number else {
        if required {
            faults.add("/licence/file_number", "missing", "is required");
        }
        return None;
    };
    faults.keep("/licence/file_number", FileNumber::parse(&number))
}

fn callback(text: &str, allow_private: bool) -> Result<String, FieldError> {
    if text.len() > LONGEST_URL {
        return Err(FieldError::new("length_wrong", format!("must have at most {LONGEST_URL} bytes")));
    }
    let url = Url::parse(text).map_err(|_| FieldError::new("url_invalid", "must be an absolute URL"))?;
    egress::check_url(&url, allow_private).map_err(|error| FieldError::new(CALLBACK_NOT_ALLOWED, error.to_string()))?;
    Ok(url.into())
}

const CALLBACK_NOT_ALLOWED: &str = "callback_not_allowed";

/// A text without control characters.
fn visible(text: String, most: usize, spaces: bool) -> Result<String, FieldError> {
    if !(1..=most).contains(&text.chars().count()) {
        return Err(FieldError::new("length_wrong", format!("must have 1 to {most} characters")));
    }
    if text.chars().any(|letter| letter.is_control() || (letter.is_whitespace() && !(spaces && letter == ' '))) {
        return Err(FieldError::new("character_not_allowed", "visible characters only"));
    }
    Ok(text)
}

/// Collects what is wrong.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, pointer: &str, code: &'static str, detail: &str) {
        self.0.push(Fault::new(pointer, code, detail));
    }

    fn keep<T>(&mut self, pointer: &str, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|error| self.0.push(Fault::at(pointer, error))).ok()
    }

    /// One of an enum's wire names.
    fn name<T: std::str::FromStr>(&mut self, pointer: &str, text: &str) -> Option<T> {
        let unknown = |_| FieldError::new("unknown_value", "must be one of the documented values");
        self.keep(pointer, text.parse().map_err(unknown))
    }

    fn none(&self) -> Result<(), Problem> {
        let problem = Problem::invalid(self.0.clone());
        match self.0.as_slice() {
            [] => Ok(()),
            [only] if only.code == CALLBACK_NOT_ALLOWED => Err(problem.with_code(CALLBACK_NOT_ALLOWED)),
            _ => Err(problem),
        }
    }
}

impl Checked {
    /// The request in one spelling, to tell a repetition from another request: `x` or `X`, offset or not, it is the same.
    /// Personal data: only its keyed fingerprint is stored.
    pub(super) fn canonical(&self) -> Result<String, serde_json::Error> {
        #[derive(Serialize)]
        struct Canonical<'a> {
            kind: Kind,
            applicant: &'a Applicant,
            photo: &'a Photo,
            callback_url: Option<&'a str>,
            upstream_ref: Option<&'a str>,
        }
        let canonical = Canonical {
            kind: self.kind,
            applicant: &self.applicant,
            photo: &self.photo,
            callback_url: self.callback_url.as_deref(),
            upstream_ref: self.upstream_ref.as_deref(),
        };
        serde_json_canonicalizer::to_string(&json!(canonical))
    }
}

#[cfg(test)]
#[path = "submission_tests.rs"]
mod tests;
