//! 亮码: presenting a licence, and checking what is presented.
//!
//! A code is used up by the check that vouches for it or refuses it. The database decides which check that is, because it
//! has every one of them recorded before it is answered; Redis, where there is one, tells replays before the licence and
//! the registry are looked at.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fast_qr::{
    ECL, QRBuilder,
    convert::{Builder as _, Color, Shape, svg::SvgBuilder},
};
use serde_json::json;

use crate::{
    domain::{
        cause::Cause,
        event::{Actor, ActorKind},
        ids::LicenceId,
        licence_status::DisplayMode,
        presentation::{Claims, Purpose, Refused},
    },
    store::{
        licences::Verification,
        types::{Listed, OperatorAction, Page},
    },
    telemetry::metrics::{PRESENTATIONS, VERIFICATIONS},
};

use super::{
    desk::{Desk, DeskError, Shown},
    token,
};

/// How long beyond its time a used code is remembered: until no clock takes it any more.
const GRACE: Duration = Duration::from_secs(60);
/// The colour of an abnormal licence's code.
const RED: &str = "#c8102e";

/// A code to show.
#[derive(Debug, Clone)]
pub struct Presentation {
    /// The code's text.
    pub token: String,
    /// The code as a picture: black, or red while the status is abnormal.
    pub qr_svg: String,
    /// 生成时间.
    pub generated_at: DateTime<Utc>,
    /// It is good until before this moment.
    pub expires_at: DateTime<Utc>,
}

/// Who checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    /// Name of the key, or the person who is signed in.
    pub key: String,
    /// The public part of the key; none for a person.
    pub key_id: Option<String>,
    /// Owner of the key, or the person.
    pub owner: String,
}

/// How a check ended.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Why it is not good; none when it is.
    pub refused: Option<Refused>,
    /// The licence, where one was looked at that can be shown.
    pub licence: Option<Shown>,
    /// When it was checked.
    pub at: DateTime<Utc>,
}

impl Desk {
    /// A code for the licence; none while it is not one that can be presented.
    ///
    /// # Errors
    /// [`DeskError::Signature`], practically never.
    pub fn present(&self, shown: &Shown) -> Result<Option<Presentation>, DeskError> {
        if !shown.display.mode.is_shown() {
            return Ok(None);
        }
        let shared = &self.0.engine.shared;
        let (token, claims) =
            token::issue(&shared.secrets, shown.id, shared.clock.now(), self.0.settings.presentation)?;
        let colour = if shown.display.mode == DisplayMode::Valid { "#000000" } else { RED };
        metrics::counter!(PRESENTATIONS, "mode" => shown.display.mode.as_str()).increment(1);
        let Claims { issued_at: generated_at, expires_at, .. } = claims;
        Ok(Some(Presentation { qr_svg: qr_svg(&token, colour), token, generated_at, expires_at }))
    }

    /// Checks a code: whether it was made here, is in its time, is checked for the first time, and whether the licence is
    /// good now. Recorded before it is answered.
    ///
    /// # Errors
    /// [`DeskError`] when the check cannot be recorded: then nothing is vouched for.
    pub async fn verify(&self, text: &str, purpose: Purpose, by: &Verifier) -> Result<Checked, DeskError> {
        let checked = self.check(text, purpose, by).await?;
        let result = checked.refused.map_or("valid", Refused::as_str);
        metrics::counter!(VERIFICATIONS, "purpose" => purpose.as_str(), "result" => result).increment(1);
        Ok(checked)
    }

    async fn check(&self, text: &str, purpose: Purpose, by: &Verifier) -> Result<Checked, DeskError> {
        let shared = &self.0.engine.shared;
        let at = shared.clock.now();
        let refuse = |refused| Ok(Checked { refused: Some(refused), licence: None, at });
        let Some((claims, licence)) = token::read(&shared.secrets, text) else {
            self.record_forgery(purpose, by, at).await?;
            return refuse(Refused::Forged);
        };
        // The signature is ours, so there was such a licence; whatever is gone since cannot be vouched for.
        let early = if claims.is_timely(at) {
            shared.hints.remembers(&memory(&claims)).await.then_some(Refused::Replayed)
        } else {
            Some(Refused::Expired)
        };
        if let Some(refused) = early {
            self.record(licence, purpose, by, Some(refused), at).await?;
            return refuse(refused);
        }
        let Some(shown) = self.show(licence).await? else {
            self.record(licence, purpose, by, Some(Refused::StatusInvalid), at).await?;
            return refuse(Refused::StatusInvalid);
        };
        let at = shared.clock.now();
        // The registry took its time: the code may be over by now.
        if !claims.is_timely(at) {
            self.record(licence, purpose, by, Some(Refused::Expired), at).await?;
            return Ok(Checked { refused: Some(Refused::Expired), licence: None, at });
        }
        let refused = Refused::of(shown.state, &shown.display);
        // While nobody can vouch the code is not used up: the same one may be checked again in a moment.
        let uses_up = refused != Some(Refused::RegistryUnavailable);
        let verification = verification(licence, purpose, by, refused, at);
        let nonce = uses_up.then_some(claims.nonce);
        if !shared.store.record_verification(&verification, nonce).await? {
            self.record(licence, purpose, by, Some(Refused::Replayed), at).await?;
            return Ok(Checked { refused: Some(Refused::Replayed), licence: None, at });
        }
        if uses_up {
            let left = (claims.expires_at - at).to_std().unwrap_or_default();
            shared.hints.remember(&memory(&claims), left + GRACE).await;
        }
        self.log(&shown, purpose, by, refused).await?;
        let is_shown = matches!(refused, None | Some(Refused::StatusAbnormal));
        Ok(Checked { refused, licence: is_shown.then_some(shown), at })
    }

    /// The checks of a licence, newest first.
    ///
    /// # Errors
    /// [`DeskError::Store`].
    pub async fn verifications(&self, licence: LicenceId, page: &Page) -> Result<Listed<Verification>, DeskError> {
        Ok(self.0.engine.shared.store.verifications(licence, page).await?)
    }

    /// Records a check that used up nothing, for the holder and in the audit log.
    async fn record(
        &self,
        licence: LicenceId,
        purpose: Purpose,
        by: &Verifier,
        refused: Option<Refused>,
        at: DateTime<Utc>,
    ) -> Result<(), DeskError> {
        let store = &self.0.engine.shared.store;
        store.record_verification(&verification(licence, purpose, by, refused, at), None).await?;
        if let Some(record) = store.licence(licence).await? {
            let cause = verified(purpose, by, refused);
            self.0.engine.committer.apply(record.application_id, cause, None).await?;
        }
        Ok(())
    }

    async fn log(
        &self,
        shown: &Shown,
        purpose: Purpose,
        by: &Verifier,
        refused: Option<Refused>,
    ) -> Result<(), DeskError> {
        self.0.engine.committer.apply(shown.application_id, verified(purpose, by, refused), None).await?;
        Ok(())
    }

    /// What was not made here belongs to no licence, so it stands among the acts that belong to no application.
    async fn record_forgery(&self, purpose: Purpose, by: &Verifier, at: DateTime<Utc>) -> Result<(), DeskError> {
        let data = json!({ "verifier": by.owner, "key_id": by.key_id, "purpose": purpose, "valid": false, "reason": Refused::Forged });
        let action = OperatorAction { at, actor: actor(by), kind: "presentation_refused".to_owned(), data };
        Ok(self.0.engine.shared.store.record_action(&action).await?)
    }
}

/// A verifier with a key is an outside system, like those that submit applications; a person who is signed in is not.
fn actor(by: &Verifier) -> Actor {
    let kind = if by.key_id.is_some() { ActorKind::Upstream } else { ActorKind::Operator };
    Actor::new(kind, by.key.as_str())
}

fn verified(purpose: Purpose, by: &Verifier, refused: Option<Refused>) -> Cause {
    Cause::Verified { actor: actor(by), key_id: by.key_id.clone(), verifier: by.owner.clone(), purpose, refused }
}

fn verification(
    licence_id: LicenceId,
    purpose: Purpose,
    by: &Verifier,
    refused: Option<Refused>,
    at: DateTime<Utc>,
) -> Verification {
    let (key, key_id, verifier) = (by.key.clone(), by.key_id.clone(), by.owner.clone());
    Verification { id: uuid::Uuid::now_v7(), licence_id, at, key, key_id, verifier, purpose, refused }
}

/// The name under which a used code is remembered.
fn memory(claims: &Claims) -> String {
    format!("presentation:{}", hex::encode(claims.nonce))
}

/// Empty if the text fits no code, which a token of ours always does.
fn qr_svg(text: &str, colour: &str) -> String {
    let code = QRBuilder::new(text).ecl(ECL::M).build();
    code.map_or_else(
        |_| String::new(),
        |code| {
            let mut svg = SvgBuilder::default();
            svg.shape(Shape::Square).module_color(Color::from(colour));
            svg.to_str(&code)
        },
    )
}

#[cfg(test)]
mod tests {
    use resvg::{tiny_skia, usvg};

    use super::*;

    #[test]
    fn the_picture_reads_back_as_the_code() {
        let token = "Aa0_-".repeat(40);
        for colour in ["#000000", RED] {
            let svg = qr_svg(&token, colour);
            assert!(svg.contains(colour), "{colour}");
            let tree = usvg::Tree::from_str(&svg, &usvg::Options::default()).unwrap();
            let mut picture = tiny_skia::Pixmap::new(400, 400).unwrap();
            let scale = tiny_skia::Transform::from_scale(400.0 / tree.size().width(), 400.0 / tree.size().height());
            resvg::render(&tree, scale, &mut picture.as_mut());
            // The red is dark enough for whatever reads grey.
            let grey = |x: usize, y: usize| {
                picture.pixel((x as u32).min(399), (y as u32).min(399)).map_or(255, |p| {
                    let sum = u32::from(p.red()) * 30 + u32::from(p.green()) * 59 + u32::from(p.blue()) * 11;
                    (sum / 100) as u8
                })
            };
            let mut read = rqrr::PreparedImage::prepare_from_greyscale(400, 400, grey);
            let found: Vec<String> = read.detect_grids().iter().map(|grid| grid.decode().unwrap().1).collect();
            assert_eq!(found, [token.as_str()], "{colour}");
        }
    }
}
