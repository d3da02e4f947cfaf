//! SVG to PNG.

use image::{
    ExtendedColorType, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{Group, ImageHrefResolver, Node, Options, Tree},
};

use super::{CardError, fonts::Fonts};

/// Draws a card `width` pixels wide.
///
/// # Errors
/// [`CardError::Undrawable`]: a fault of the program, never of the data. [`CardError::GlyphMissing`] as a second net, for
/// what only shows when letters are joined.
pub(super) fn draw(fonts: &Fonts, svg: &str, width: u32) -> Result<Vec<u8>, CardError> {
    let tree = tree(fonts, svg)?;
    let scale = width as f32 / tree.size().width();
    let height = (tree.size().height() * scale).round() as u32;
    let mut pixels = Pixmap::new(width, height).ok_or(CardError::Undrawable)?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    // The card covers its whole ground: there is nothing transparent to keep.
    let rgb: Vec<u8> = pixels.data().chunks_exact(4).flat_map(|pixel| pixel.iter().take(3)).copied().collect();
    // Mostly plain colours: filters make the file larger.
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::NoFilter)
        .write_image(&rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(|_| CardError::Undrawable)?;
    Ok(png)
}

/// A card with its texts laid out by the program's fonts.
///
/// # Errors
/// As [`draw`].
pub(super) fn tree(fonts: &Fonts, svg: &str) -> Result<Tree, CardError> {
    let (fontdb, font_resolver) = fonts.resolver();
    // A card names no file: whatever looks like one is not opened.
    let image_href_resolver = ImageHrefResolver { resolve_string: Box::new(|_, _| None), ..Default::default() };
    let options = Options { fontdb, font_resolver, image_href_resolver, ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|_| CardError::Undrawable)?;
    if is_whole(tree.root()) { Ok(tree) } else { Err(CardError::GlyphMissing) }
}

/// Whether every glyph is one.
fn is_whole(group: &Group) -> bool {
    group.children().iter().all(|node| match node {
        Node::Group(group) => is_whole(group),
        Node::Text(text) => {
            text.layouted().iter().flat_map(|span| &span.positioned_glyphs).all(|glyph| glyph.id.0 != 0)
        }
        Node::Path(_) | Node::Image(_) => true,
    })
}
