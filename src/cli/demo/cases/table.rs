//! The stories, most important first.

use crate::domain::{
    application::{Channel, Kind, OutcomeCode, PhotoSource},
    identity::DocumentType,
    photo_reason::PhotoReason,
};

use super::{Act, Case, Ends, Story};

/// A first issue with the retained photo, of which everything is in order.
pub(super) const PLAIN: Case = Case {
    family: "retained photo",
    kind: Kind::FirstIssue,
    photo: PhotoSource::Retained,
    face_token: "ft-ok",
    mobile: "13800138000",
    app_user: "u-demo",
    registry: None,
    act: Act::Nothing,
    ends: Ends::Issued,
    unsent: None,
};

const CAMERA: Case = Case { photo: PhotoSource::Camera, act: Act::Approve, ..PLAIN };
const ALBUM: Case = Case { photo: PhotoSource::Album, ..CAMERA };
const REISSUE: Case = Case { kind: Kind::Reissue, photo: PhotoSource::Previous, ..PLAIN };
const PHOTO_CHANGE: Case = Case { kind: Kind::PhotoChange, ..ALBUM };

const NOT_ELIGIBLE: Ends = Ends::Rejected(OutcomeCode::StatusNotEligible);
const MISMATCH: Ends = Ends::Rejected(OutcomeCode::IdentityMismatch);
const UNSUITABLE: Ends = Ends::Rejected(OutcomeCode::RetainedPhotoUnsuitable);
const FACE: Ends = Ends::Rejected(OutcomeCode::FaceNotVerified);
const PHOTO: Ends = Ends::Rejected(OutcomeCode::PhotoRejected);
const OPERATOR: Ends = Ends::Rejected(OutcomeCode::RejectedByOperator);

/// Sequences with which the registry has nothing to say.
const FINE: &[u16] = &[0, 42, 799];

const fn story(sequences: &'static [u16], cases: &'static [Case]) -> Story {
    Story { document: DocumentType::IdentityCard, sequences, batch: false, cases }
}

/// Everything that is shown.
pub(in super::super) const STORIES: &[Story] = &[
    story(FINE, &[PLAIN]),
    story(FINE, &[Case { family: "camera photo, approved", ..CAMERA }]),
    story(
        FINE,
        &[Case { family: "camera photo, rejected", act: Act::Reject(&[PhotoReason::HatWorn]), ends: PHOTO, ..CAMERA }],
    ),
    story(
        &[804, 805, 806, 807, 808, 809],
        &[Case { family: "licence withheld or overdue (B D K U M S)", ends: NOT_ELIGIBLE, ..PLAIN }],
    ),
    story(FINE, &[Case { family: "face is another one", face_token: "ft-fail", ends: FACE, ..PLAIN }]),
    story(&[901], &[Case { family: "licence not filed", ends: Ends::Rejected(OutcomeCode::NotFiled), ..PLAIN }]),
    story(&[900], &[Case { family: "no licence", ends: Ends::Rejected(OutcomeCode::LicenceNotFound), ..PLAIN }]),
    story(&[902], &[Case { family: "holder has another name", ends: MISMATCH, ..PLAIN }]),
    story(&[903], &[Case { family: "another file number", ends: MISMATCH, ..PLAIN }]),
    story(&[904], &[Case { family: "no retained photo", ends: UNSUITABLE, ..PLAIN }]),
    story(&[905], &[Case { family: "retained photo unsuitable", ends: UNSUITABLE, ..PLAIN }]),
    story(&[801, 802, 803], &[Case { family: "violation or accident open (H I)", ..PLAIN }]),
    story(&[810, 811, 812], &[Case { family: "licence revoked or cancelled (E F G)", ends: NOT_ELIGIBLE, ..PLAIN }]),
    story(&[813, 814], &[Case { family: "licence locked or stopped (L J)", ends: NOT_ELIGIBLE, ..PLAIN }]),
    story(&[815, 816], &[Case { family: "licence restorable or transferred out (R C)", ends: NOT_ELIGIBLE, ..PLAIN }]),
    story(&[817, 818, 819], &[Case { family: "renewal extended (N P T)", ..PLAIN }]),
    story(&[820, 822], &[Case { family: "status other or empty (Z)", ends: NOT_ELIGIBLE, ..PLAIN }]),
    story(&[821], &[Case { family: "several statuses, one forbids (SH)", ends: NOT_ELIGIBLE, ..PLAIN }]),
    story(&[910], &[Case { family: "registry down twice, then well", ..PLAIN }]),
    story(
        FINE,
        &[Case {
            family: "registry data wrong: stalls, corrected, resumed",
            registry: Some(r#"{"valid_from": "unreadable"}"#),
            act: Act::Correct,
            ..PLAIN
        }],
    ),
    story(&[911], &[Case { family: "registry stays down", ends: Ends::Stalled, ..PLAIN }]),
    story(
        FINE,
        &[Case { family: "face unclear, accepted at the counter", face_token: "ft-manual", act: Act::Accept, ..PLAIN }],
    ),
    story(
        FINE,
        &[Case {
            family: "face unclear, rejected at the counter",
            face_token: "ft-manual",
            act: Act::OperatorReject,
            ends: FACE,
            ..PLAIN
        }],
    ),
    story(FINE, &[Case { family: "face result pending twice", face_token: "ft-pending-2", ..PLAIN }]),
    story(FINE, &[Case { family: "face service down twice", face_token: "ft-flaky-2", ..PLAIN }]),
    story(
        FINE,
        &[Case {
            family: "face service stays down, operator rejects",
            face_token: "ft-503",
            act: Act::OperatorReject,
            ends: OPERATOR,
            ..PLAIN
        }],
    ),
    story(
        &[913],
        &[Case {
            family: "registry answers garbage, operator rejects",
            act: Act::OperatorReject,
            ends: OPERATOR,
            ..PLAIN
        }],
    ),
    story(
        FINE,
        &[Case { family: "SMS gateway stays down", mobile: "13800130500", unsent: Some(Channel::Sms), ..PLAIN }],
    ),
    story(FINE, &[Case { family: "SMS gateway down twice", mobile: "13800130501", ..PLAIN }]),
    story(FINE, &[Case { family: "SMS sent, reply lost", mobile: "13800130502", ..PLAIN }]),
    story(FINE, &[Case { family: "SMS gateway busy (429)", mobile: "13800130429", ..PLAIN }]),
    story(FINE, &[Case { family: "no app on the telephone", app_user: "u-gone", unsent: Some(Channel::App), ..PLAIN }]),
    story(
        FINE,
        &[
            PLAIN,
            Case { family: "reissue, nothing changed", ends: Ends::Rejected(OutcomeCode::Unchanged), ..REISSUE },
            Case { family: "reissue, previous photo", registry: Some(r#"{"classes": "C1D"}"#), ..REISSUE },
            Case {
                family: "reissue, retained photo",
                registry: Some(r#"{"classes": "C1D", "valid_until": "2033-06-01"}"#),
                photo: PhotoSource::Retained,
                ..REISSUE
            },
            Case {
                family: "reissue, camera photo, approved",
                registry: Some(r#"{"classes": "C1D", "valid_until": "2033-06-01", "issuing_authority": "蒙B"}"#),
                kind: Kind::Reissue,
                ..CAMERA
            },
        ],
    ),
    story(
        FINE,
        &[Case { family: "previous photo without a licence", ends: Ends::Rejected(OutcomeCode::NotIssued), ..REISSUE }],
    ),
    story(
        FINE,
        &[
            PLAIN,
            Case {
                family: "photo change, rejected",
                act: Act::Reject(&[PhotoReason::EyesClosed, PhotoReason::FaceRetouched]),
                ends: PHOTO,
                ..PHOTO_CHANGE
            },
            Case { family: "photo change, approved", ..PHOTO_CHANGE },
            Case {
                family: "photo change again within six months",
                act: Act::Nothing,
                ends: Ends::Rejected(OutcomeCode::PhotoChangeTooSoon),
                ..PHOTO_CHANGE
            },
        ],
    ),
    story(
        FINE,
        &[Case {
            family: "photo change without a licence",
            act: Act::Nothing,
            ends: Ends::Rejected(OutcomeCode::NotIssued),
            ..PHOTO_CHANGE
        }],
    ),
    story(FINE, &[Case { family: "album photo, approved", ..ALBUM }]),
    story(
        FINE,
        &[Case {
            family: "album photo, rejected for several reasons",
            act: Act::Reject(&[
                PhotoReason::EarsNotVisible,
                PhotoReason::SunglassesWorn,
                PhotoReason::SubjectOffCentre,
            ]),
            ends: PHOTO,
            ..ALBUM
        }],
    ),
    story(FINE, &[Case { family: "rejected, taken back, approved", act: Act::Reconsider, ..CAMERA }]),
    story(
        FINE,
        &[Case { family: "licence suspended during the review", act: Act::Suspend, ends: NOT_ELIGIBLE, ..CAMERA }],
    ),
    story(FINE, &[Case { family: "withdrawn during the review", act: Act::Cancel, ends: Ends::Cancelled, ..CAMERA }]),
    story(
        FINE,
        &[Case {
            family: "face blocked for today, withdrawn",
            face_token: "ft-blocked",
            act: Act::Cancel,
            ends: Ends::Cancelled,
            ..PLAIN
        }],
    ),
    story(FINE, &[Case { family: "applied twice: the second is refused (409)", act: Act::ApplyTwice, ..ALBUM }]),
    story(FINE, &[Case { family: "same request again: the same application", act: Act::Replay, ..PLAIN }]),
    Story { batch: true, ..story(FINE, &[BATCH, BATCH, BATCH]) },
    Story { document: DocumentType::SoldierCard, ..story(FINE, &[Case { family: "soldier's card", ..PLAIN }]) },
    story(
        &[912],
        &[Case { family: "registry too slow, operator rejects", act: Act::OperatorReject, ends: OPERATOR, ..PLAIN }],
    ),
    story(&[904, 905], &[Case { family: "no retained photo, camera photo instead", ..CAMERA }]),
];

const BATCH: Case = Case { family: "sent in a batch", ..PLAIN };
