//! The QR code (二维码) as one path.

use std::fmt::Write;

use fast_qr::{ECL, QRBuilder};

use super::CardError;

/// Light modules around the code, by the standard.
const QUIET: usize = 4;

/// A QR code, measured in modules.
#[derive(Debug)]
pub(super) struct Code {
    /// Modules of a side, with the quiet zone.
    pub(super) side: usize,
    /// SVG path data of the dark modules, the quiet zone included in its coordinates.
    pub(super) path: String,
}

/// Encodes a text, so that 15 % of the picture may be damaged.
///
/// # Errors
/// The text is longer than a code can hold.
pub(super) fn encode(text: &str) -> Result<Code, CardError> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().map_err(|_| CardError::TextTooLong)?;
    let mut path = String::new();
    for row in 0..code.size {
        let mut column = 0;
        for run in code[row].chunk_by(|a, b| a.value() == b.value()) {
            if run.first().is_some_and(|module| module.value()) {
                // Writing to a string cannot fail.
                let _ = write!(path, "M{} {}h{}v1h-{}z", QUIET + column, QUIET + row, run.len(), run.len());
            }
            column += run.len();
        }
    }
    Ok(Code { side: code.size + 2 * QUIET, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_finders_and_a_limit() {
        let code = encode("https://example.org/verify").unwrap();
        assert_eq!(code.side, 29 + 8 - 4);
        assert!(code.path.starts_with("M4 4h7v1h-7z"), "{}", code.path);
        assert_eq!(encode(&"x".repeat(3000)).unwrap_err(), CardError::TextTooLong);
    }
}
