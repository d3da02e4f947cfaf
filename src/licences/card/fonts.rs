//! The card's fonts: which glyphs there are, and how wide they are.
//!
//! The renderer leaves out what its font lacks, without a word. So every text is measured here first, and what no font
//! has is an error: a name is never shown with a gap.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use resvg::usvg::{
    FontResolver,
    fontdb::{Database, ID, Source},
};
use skrifa::{
    FontRef, MetadataProvider,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
};

/// Noto Sans CJK SC with the characters of GBK; `font/README.md` says how it was made.
static SHIPPED: &[u8] = include_bytes!("font/NotoSansCJKsc-GBK.otf");

/// Why the fonts cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FontError {
    /// The file of `licence.font` cannot be read.
    #[error("the font file `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no OpenType or TrueType font.
    #[error("`{}` is no OpenType or TrueType font with a Unicode character map", .0.display())]
    NotAFont(PathBuf),
}

/// No font has a glyph for a character of the card. Does not say which: it stands in somebody's name or address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no font of the card has a glyph for one of its characters")]
pub struct GlyphMissing;

/// The fonts, the preferred one first.
pub(super) struct Fonts {
    database: Arc<Database>,
    faces: Vec<Face>,
    /// The widths in ems of what was measured so far. Every licence's texts are measured at its issue, and a face tells
    /// whether it shows a character only by the bounds of its outline.
    measured: RwLock<HashMap<Form, Option<f64>>>,
}

struct Face {
    id: ID,
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    index: u32,
}

impl Fonts {
    /// The shipped font, and before it the one of a file. Of a collection (`.ttc`) the face for simplified Chinese is
    /// taken, else the first one.
    ///
    /// # Errors
    /// [`FontError`].
    pub(super) fn load(file: Option<&Path>) -> Result<Self, FontError> {
        let mut fonts = Self { database: Arc::default(), faces: Vec::new(), measured: RwLock::default() };
        if let Some(path) = file {
            let bytes =
                std::fs::read(path).map_err(|source| FontError::Unreadable { path: path.to_owned(), source })?;
            fonts.add(Arc::new(bytes)).ok_or_else(|| FontError::NotAFont(path.to_owned()))?;
        }
        fonts.add(Arc::new(SHIPPED)).ok_or_else(|| FontError::NotAFont("the shipped font".into()))?;
        Ok(fonts)
    }

    fn add(&mut self, bytes: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Option<()> {
        let database = Arc::make_mut(&mut self.database);
        let ids = database.load_font_source(Source::Binary(Arc::clone(&bytes)));
        let simplified = |id: &&ID| {
            database.face(**id).is_some_and(|face| {
                !face.monospaced
                    && face.families.iter().any(|(name, _)| name.ends_with(" SC") && !name.contains("Mono"))
            })
        };
        let id = *ids.iter().find(simplified).or(ids.first())?;
        for other in ids.iter().filter(|other| **other != id) {
            database.remove_face(*other);
        }
        let face = Face { id, index: database.face(id)?.index, bytes };
        face.measured().filter(|measured| measured.map.has_map())?;
        self.faces.push(face);
        Some(())
    }

    /// Measures texts.
    pub(super) fn ruler(&self) -> Ruler<'_> {
        Ruler { fonts: self, faces: OnceCell::new() }
    }

    /// For the renderer: every text in the preferred font, and in the next one what that lacks.
    pub(super) fn resolver(&self) -> (Arc<Database>, FontResolver<'_>) {
        let resolver = FontResolver {
            select_font: Box::new(|_, _| self.faces.first().map(|face| face.id)),
            select_fallback: Box::new(|_, tried, _| {
                self.faces.iter().map(|face| face.id).find(|id| !tried.contains(id))
            }),
        };
        (Arc::clone(&self.database), resolver)
    }
}

impl std::fmt::Debug for Fonts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fonts({})", self.faces.len())
    }
}

impl Face {
    fn measured(&self) -> Option<Measured<'_>> {
        let font = FontRef::from_index(self.bytes.as_ref().as_ref(), self.index).ok()?;
        let size = Size::unscaled();
        let units_per_em = font.metrics(size, LocationRef::default()).units_per_em;
        Some(Measured {
            map: font.charmap(),
            glyphs: font.glyph_metrics(size, LocationRef::default()),
            units_per_em: f64::from(units_per_em.max(1)),
        })
    }
}

/// A face that is ready for questions.
struct Measured<'a> {
    map: Charmap<'a>,
    glyphs: GlyphMetrics<'a>,
    units_per_em: f64,
}

impl Measured<'_> {
    /// The width of a character in ems; none when the face cannot show it.
    fn width(&self, character: char) -> Option<f64> {
        let glyph = self.map.map(character).filter(|glyph| glyph.to_u32() != 0)?;
        if !character.is_whitespace() {
            self.glyphs.bounds(glyph).filter(|bounds| bounds.x_min < bounds.x_max && bounds.y_min < bounds.y_max)?;
        }
        self.glyphs.advance_width(glyph).map(|advance| f64::from(advance) / self.units_per_em)
    }
}

/// Measures texts by the fonts' own widths.
pub(super) struct Ruler<'a> {
    fonts: &'a Fonts,
    faces: OnceCell<Vec<Measured<'a>>>,
}

impl Ruler<'_> {
    /// The width of a text in ems.
    pub(super) fn width(&self, text: &str) -> Result<f64, GlyphMissing> {
        forms(text).map(|form| self.advance(form).ok_or(GlyphMissing)).sum()
    }

    /// The code points of what no font has, each once and in their own order, not in that of the text.
    pub(super) fn missing(&self, text: &str) -> BTreeSet<String> {
        let missing = forms(text).filter(|form| self.advance(*form).is_none());
        let point = |character: char| format!("U+{:04X}", u32::from(character));
        missing
            .map(|(character, selector)| {
                selector
                    .map_or_else(|| point(character), |selector| format!("{} {}", point(character), point(selector)))
            })
            .collect()
    }

    fn advance(&self, form: Form) -> Option<f64> {
        let known = self.fonts.measured.read().unwrap_or_else(PoisonError::into_inner).get(&form).copied();
        known.unwrap_or_else(|| {
            let advance = self.measure(form);
            self.fonts.measured.write().unwrap_or_else(PoisonError::into_inner).insert(form, advance);
            advance
        })
    }

    fn measure(&self, (character, selector): Form) -> Option<f64> {
        let faces = self.faces.get_or_init(|| self.fonts.faces.iter().filter_map(Face::measured).collect());
        let (face, advance) = faces.iter().find_map(|face| face.width(character).map(|advance| (face, advance)))?;
        if let Some(selector) = selector {
            face.map.map_variant(character, selector)?;
        }
        Some(advance)
    }
}

/// A character, and the selector that asks for another form of it: that form, or nothing.
type Form = (char, Option<char>);

fn forms(text: &str) -> impl Iterator<Item = Form> {
    let mut characters = text.chars().peekable();
    std::iter::from_fn(move || {
        let character = characters.next()?;
        Some((character, characters.next_if(|next| is_variation_selector(*next))))
    })
}

const fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian's package `fonts-noto-cjk`; a machine without it skips what needs it.
    const FULL: &str = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";

    #[test]
    fn the_shipped_font_has_gbk_and_tells_what_it_lacks() {
        let fonts = Fonts::load(None).unwrap();
        let ruler = fonts.ruler();
        for text in
            ["张三", "买买提·吐尔逊", "O'Neil-Smith Jr.", "José Zoë", "呼和浩特市，（蒙C）“暂扣”—長期", "喆镕堃祎"]
        {
            assert!(ruler.width(text).is_ok(), "{text}");
        }
        for text in [
            "𬭎",
            "㛃",
            "张𬭎",
            "葛\u{e0100}",
            "\u{202e}",
            "\u{fe00}",
            "Ω̈",
            "سەن",
            "😀",
            "\u{e000}",
            "\u{fffd}",
            "\u{2800}",
        ] {
            assert_eq!(ruler.width(text), Err(GlyphMissing), "{text:?}");
        }
        assert_eq!(ruler.width("中文"), Ok(2.0));
        assert_eq!(ruler.width(""), Ok(0.0));
        assert!((0.4..0.7).contains(&ruler.width("8").unwrap()));
    }

    #[test]
    fn a_fuller_font_is_asked_first() {
        if !Path::new(FULL).exists() {
            return;
        }
        let fonts = Fonts::load(Some(Path::new(FULL))).unwrap();
        assert_eq!(fonts.ruler().width("𬭎㛃张"), Ok(3.0));
        assert_eq!(fonts.ruler().width("凉\u{fe00}"), Ok(1.0));
        assert_eq!(fonts.ruler().width("葛\u{e0100}"), Err(GlyphMissing));
        let names: Vec<_> = fonts.database.faces().map(|face| face.families[0].0.clone()).collect();
        assert_eq!(names, ["Noto Sans CJK SC", "Noto Sans CJK SC"]);
    }

    #[test]
    fn a_font_that_is_none_is_refused() {
        let missing = Fonts::load(Some(Path::new("/nonexistent/font.otf"))).unwrap_err();
        assert!(matches!(missing, FontError::Unreadable { .. }), "{missing}");
        let wrong = Fonts::load(Some(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")))).unwrap_err();
        assert!(matches!(wrong, FontError::NotAFont(_)), "{wrong}");
    }
}
