//! Writes SVG. Every text goes through [`Sheet::text`] or [`Sheet::block`], which measure it first and escape it.

use std::fmt::{self, Write};

use super::{CardError, fonts::Ruler, text};

/// For texts that are not seen; the picture is drawn with the program's own fonts.
pub(super) const FAMILIES: &str = "'Noto Sans CJK SC','Source Han Sans SC','PingFang SC','Microsoft YaHei',sans-serif";

/// A place: left, top, width, height.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) const fn new(x: f64, y: f64, width: f64, height: f64) -> Self {
        Self { x, y, width, height }
    }
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) size: f64,
    pub(super) colour: &'static str,
    /// Drawn with an outline: one font file has one weight.
    pub(super) bold: bool,
}

impl Look {
    pub(super) const fn plain(size: f64, colour: &'static str) -> Self {
        Self { size, colour, bold: false }
    }

    pub(super) const fn bold(size: f64, colour: &'static str) -> Self {
        Self { size, colour, bold: true }
    }
}

/// Which point of a line of text is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The picture so far.
pub(super) struct Sheet<'a> {
    ruler: Ruler<'a>,
    body: String,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(ruler: Ruler<'a>) -> Self {
        Self { ruler, body: String::with_capacity(64 * 1024) }
    }

    /// An element as it is; nothing from outside may be in it.
    pub(super) fn draw(&mut self, element: fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }

    /// The width that a text would have.
    pub(super) fn width(&self, text: &str, size: f64) -> Result<f64, CardError> {
        Ok(self.ruler.width(text)? * size)
    }

    /// One line at a point of its baseline.
    pub(super) fn text(&mut self, x: f64, y: f64, anchor: Anchor, look: Look, text: &str) -> Result<(), CardError> {
        let width = self.width(text, look.size)?;
        self.line(x, y, anchor, look, text, width);
        Ok(())
    }

    /// A text of any length within a place: at its top, as large as `look` says or as it fits.
    pub(super) fn block(&mut self, area: Area, look: Look, text: &str) -> Result<(), CardError> {
        let fitted = text::fit(&self.ruler, text, area.width, area.height, look.size)?;
        let look = Look { size: fitted.size, ..look };
        let mut y = area.y + fitted.size;
        for (line, width) in &fitted.lines {
            self.line(area.x, y, Anchor::Start, look, line.trim_end(), *width);
            y += fitted.leading();
        }
        Ok(())
    }

    fn line(&mut self, x: f64, y: f64, anchor: Anchor, look: Look, text: &str, width: f64) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let Look { size, colour, bold } = look;
        let stroke =
            if bold { format!(" stroke=\"{colour}\" stroke-width=\"{:.2}\"", size * 0.028) } else { String::new() };
        // What a browser marks as chosen stands where the outlines are, whatever its font.
        let length = if width > 300.0 {
            format!(" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\"")
        } else {
            String::new()
        };
        self.draw(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size:.1}\" fill=\"{colour}\"{anchor}{stroke}{length}>{}</text>",
            Escaped(text)
        ));
    }

    /// The whole document.
    pub(super) fn finish(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
             stroke-linejoin=\"round\">\n{}</svg>\n",
            self.body
        )
    }
}

/// A text as it stands in XML.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            other => f.write_char(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text() {
        let text = Escaped("<script>alert('1')</script>&amp;\"").to_string();
        assert_eq!(text, "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;&quot;");
    }
}
