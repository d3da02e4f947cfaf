//! The card (驾驶证电子版): what the holder shows, as SVG and as PNG.
//!
//! Pure: [`CardData`] in, a picture out. A card is whole or it is not drawn: a character without a glyph, a broken
//! portrait, or a text that nobody could read is a [`CardError`].

mod fonts;
mod layout;
mod ornament;
mod outline;
mod png;
mod portrait;
mod qr;
mod sheet;
mod text;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use tokio::sync::Semaphore;

use crate::domain::{licence_status::LicenceStatus, licence_watch::CardProblem};

use fonts::Fonts;
pub use fonts::{FontError, GlyphMissing};

/// The PNG's width: three pixels for each of a usual phone's 360.
const PNG_WIDTH: u32 = 1080;

/// What a card shows. Personal data: `Debug` shows none of it.
#[derive(Clone)]
pub struct CardData {
    /// 姓名.
    pub name: String,
    /// 证号, in the form that may be shown.
    pub document_number: String,
    /// 性别, as the registry writes it; blank where unknown, as are the next ones.
    pub sex: Option<String>,
    /// 国籍.
    pub nationality: Option<String>,
    /// 住址; its place is left out where it is unknown.
    pub address: Option<String>,
    /// 出生日期.
    pub birth_date: Option<NaiveDate>,
    /// 初次领证日期.
    pub first_issued_on: Option<NaiveDate>,
    /// 准驾车型, e.g. `C1D`.
    pub classes: String,
    /// 有效期始.
    pub valid_from: Option<NaiveDate>,
    /// 有效期止; none for 长期.
    pub valid_until: Option<NaiveDate>,
    /// 发证机关, e.g. 蒙C.
    pub authority: String,
    /// 档案编号.
    pub file_number: String,
    /// JPEG or PNG.
    pub portrait: Vec<u8>,
    /// The status at this moment, which decides about colours and whether there is a card at all.
    pub status: LicenceStatus,
    /// A sentence for the holder, such as what an abnormal status means.
    pub notice: Option<String>,
    /// What the QR code says.
    pub code: String,
    /// 生成时间.
    pub generated_at: DateTime<Utc>,
}

impl std::fmt::Debug for CardData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CardData(status `{}`)", self.status)
    }
}

/// Why there is no card. Names nothing personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// The status allows no card.
    #[error("the licence is not shown in its present status")]
    NotShown,
    /// A character of the card has no glyph in any font: `licence.font` may name a fuller one.
    #[error("no font of the card has a glyph for one of its characters")]
    GlyphMissing,
    /// A text would have to be too small to be read.
    #[error("a text of the card is too long to be shown")]
    TextTooLong,
    /// The portrait is no picture.
    #[error("the portrait cannot be decoded")]
    PortraitUnusable,
    /// A fault of the program.
    #[error("the card could not be drawn")]
    Undrawable,
}

impl CardError {
    /// Stable, for problems.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotShown => "not_presentable",
            Self::GlyphMissing => CardProblem::GlyphMissing.as_str(),
            Self::TextTooLong => CardProblem::TextTooLong.as_str(),
            Self::PortraitUnusable => CardProblem::PortraitUnusable.as_str(),
            Self::Undrawable => "internal_error",
        }
    }

    /// What operators can mend.
    pub const fn problem(self) -> Option<CardProblem> {
        match self {
            Self::GlyphMissing => Some(CardProblem::GlyphMissing),
            Self::TextTooLong => Some(CardProblem::TextTooLong),
            Self::PortraitUnusable => Some(CardProblem::PortraitUnusable),
            Self::NotShown | Self::Undrawable => None,
        }
    }
}

impl From<GlyphMissing> for CardError {
    fn from(_: GlyphMissing) -> Self {
        Self::GlyphMissing
    }
}

/// Draws cards beside the async threads, so many at once as there are processors.
#[derive(Debug, Clone)]
pub struct CardPress {
    fonts: Arc<Fonts>,
    places: Arc<Semaphore>,
}

impl CardPress {
    /// With the shipped font, and before it the one of a file.
    ///
    /// # Errors
    /// [`FontError`].
    pub fn load(font: Option<&Path>) -> Result<Self, FontError> {
        let places = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { fonts: Arc::new(Fonts::load(font)?), places: Arc::new(Semaphore::new(places)) })
    }

    /// The code points (`U+2CB4E`) of what no font has a glyph for, in texts that a card prints. Draws nothing.
    pub fn missing<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let ruler = self.fonts.ruler();
        texts.into_iter().flat_map(|text| ruler.missing(&text::clean(text))).collect()
    }

    /// The card as SVG: texts are drawn as outlines, and can be read.
    ///
    /// # Errors
    /// [`CardError`].
    pub async fn svg(&self, data: CardData) -> Result<String, CardError> {
        self.draw(move |fonts| outline::draw(fonts, &layout::card(fonts, &data)?, layout::NAME)).await
    }

    /// The card as PNG, 1080 pixels wide.
    ///
    /// # Errors
    /// [`CardError`].
    pub async fn png(&self, data: CardData) -> Result<Vec<u8>, CardError> {
        self.draw(move |fonts| png::draw(fonts, &layout::card(fonts, &data)?, PNG_WIDTH)).await
    }

    async fn draw<T: Send + 'static>(
        &self,
        draw: impl FnOnce(&Fonts) -> Result<T, CardError> + Send + 'static,
    ) -> Result<T, CardError> {
        // The permit goes with the work: a caller who leaves does not make room for another one before it is done.
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| CardError::Undrawable)?;
        let fonts = Arc::clone(&self.fonts);
        let drawing = tokio::task::spawn_blocking(move || {
            let drawn = draw(&fonts);
            drop(place);
            drawn
        });
        drawing.await.map_err(|_| CardError::Undrawable)?
    }
}

#[cfg(test)]
mod tests;
