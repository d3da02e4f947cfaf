//! Texts as outlines: what a viewer's fonts lack cannot be missing, and every viewer shows the same picture.

use resvg::usvg::{Indent, WriteOptions};

use super::{
    CardError,
    fonts::Fonts,
    png,
    sheet::{Escaped, FAMILIES},
};

/// Digits after the point: a hundredth of a unit is less than a pixel of any telephone.
const PLACES: u8 = 2;
/// The same for scales and turns.
const TRANSFORM_PLACES: u8 = 5;

/// The card with its texts drawn by the program's fonts. The texts stand over their outlines once more, unseen, so that
/// they can be read aloud, searched and copied.
///
/// # Errors
/// As [`png::draw`].
pub(super) fn draw(fonts: &Fonts, svg: &str, title: &str) -> Result<String, CardError> {
    let tree = png::tree(fonts, svg)?;
    let options = WriteOptions {
        coordinates_precision: PLACES,
        transforms_precision: TRANSFORM_PLACES,
        indent: Indent::None,
        ..WriteOptions::default()
    };
    let drawn = tree.to_string(&options);
    let (width, height) = (tree.size().width(), tree.size().height());
    // The layout writes each text on a line of its own.
    let texts: String = svg.lines().filter(|line| line.starts_with("<text ")).collect();
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         xml:lang=\"zh-CN\">\n<title>{}</title>\n<g aria-hidden=\"true\">{drawn}</g>\n\
         <g opacity=\"0\" font-family=\"{FAMILIES}\">{texts}</g>\n</svg>\n",
        Escaped(title)
    ))
}
