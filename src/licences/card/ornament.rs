//! What adorns the card: the badge, the waves of the ground, the rosette. Our own design, no seal of anybody.

use std::fmt::Write;

use super::sheet::{Area, Sheet};

/// The colours of a card: green while it may be driven with, red accents while not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    /// The status and what goes with it.
    pub(super) accent: &'static str,
    /// Its light form, for grounds.
    pub(super) tint: &'static str,
    /// The dark modules of the QR code.
    pub(super) code: &'static str,
}

/// Text.
pub(super) const INK: &str = "#10241a";
/// Labels: 5.6 to 1 on the page's ground.
pub(super) const LABEL: &str = "#4a6a58";
/// The green of headings.
pub(super) const DEEP: &str = "#0b5a36";
/// Lines between fields.
pub(super) const RULE: &str = "#b9d8c6";

/// While the licence is valid.
pub(super) const VALID: Palette = Palette { accent: "#0f7a47", tint: "#dff1e6", code: "#000000" };
/// While it is abnormal.
pub(super) const ABNORMAL: Palette = Palette { accent: "#b3121b", tint: "#fbe6e6", code: "#c00d18" };

/// The colours that are used by name.
pub(super) fn definitions(sheet: &mut Sheet<'_>) {
    sheet.draw(format_args!(
        "<defs>\
         <linearGradient id=\"head\" x1=\"0\" y1=\"0\" x2=\"1\" y2=\"0.35\"><stop offset=\"0\" stop-color=\"#07452a\"/><stop offset=\"0.55\" stop-color=\"#0d6b40\"/><stop offset=\"1\" stop-color=\"#1a8a58\"/></linearGradient>\
         </defs>"
    ));
}

/// A page: a sheet of paper with waves and a rosette, cut to its rounded corners by a frame.
pub(super) fn page(sheet: &mut Sheet<'_>, id: &str, area: Area, rosette: (f64, f64)) {
    let Area { x, y, width, height } = area;
    sheet.draw(format_args!(
        "<clipPath id=\"{id}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"22\"/></clipPath>"
    ));
    sheet.draw(format_args!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"22\" fill=\"#f1f9f4\"/>"
    ));
    sheet.draw(format_args!(
        "<g clip-path=\"url(#{id})\" fill=\"none\" stroke=\"#2c9a66\"><path d=\"{}\" stroke-width=\"0.7\" opacity=\"0.2\"/><path d=\"{}\" stroke-width=\"0.8\" opacity=\"0.22\"/></g>",
        waves(area),
        petals(rosette.0, rosette.1, 150.0)
    ));
    sheet.draw(format_args!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"22\" fill=\"none\" stroke=\"#8fc3a6\" stroke-width=\"1.5\"/>"
    ));
}

/// Lines of waves over the whole page, each a little out of step with the one above.
fn waves(Area { x, y, width, height }: Area) -> String {
    const LENGTH: f64 = 56.0;
    const STEP: f64 = 17.0;
    let mut path = String::new();
    let count = (height / STEP).ceil() as u32;
    for number in 0..=count {
        let phase = LENGTH * 0.5 * f64::from(number % 7) / 3.5;
        let depth = 15.0 + 9.0 * (f64::from(number) * 0.55).sin();
        let _ = write!(
            path,
            "M{:.1} {:.1}q{:.1} -{depth:.1} {LENGTH} 0",
            x - LENGTH - phase,
            y + STEP * f64::from(number),
            LENGTH / 2.0
        );
        let mut drawn = -phase;
        while drawn < width {
            let _ = write!(path, "t{LENGTH} 0");
            drawn += LENGTH;
        }
    }
    path
}

/// A ring of crossing ellipses.
fn petals(x: f64, y: f64, radius: f64) -> String {
    const COUNT: u32 = 18;
    let mut path = String::new();
    for number in 0..COUNT {
        let turn = 180.0 * f64::from(number) / f64::from(COUNT);
        let (sin, cos) = turn.to_radians().sin_cos();
        let (dx, dy) = (radius * cos, radius * sin);
        let _ = write!(
            path,
            "M{:.1} {:.1}A{radius} {:.1} {turn:.0} 1 1 {:.1} {:.1}A{radius} {:.1} {turn:.0} 1 1 {:.1} {:.1}z",
            x - dx,
            y - dy,
            radius * 0.42,
            x + dx,
            y + dy,
            radius * 0.42,
            x - dx,
            y - dy
        );
    }
    path
}

/// The badge: a road that runs to the horizon under a rising sun, in a ring.
pub(super) fn badge(sheet: &mut Sheet<'_>, x: f64, y: f64, radius: f64) {
    let scale = radius / 32.0;
    sheet.draw(format_args!(
        "<g transform=\"translate({x} {y}) scale({scale})\">\
         <circle r=\"32\" fill=\"#f4fbf7\"/><circle r=\"29\" fill=\"none\" stroke=\"#0d6b40\" stroke-width=\"1.6\"/>\
         <path d=\"M-13 -1a13 13 0 0 1 26 0z\" fill=\"#e0a526\"/>\
         <path d=\"M0 -24v6M-17 -17l4.3 4.3M17 -17l-4.3 4.3\" stroke=\"#e0a526\" stroke-width=\"2.4\" stroke-linecap=\"round\"/>\
         <path d=\"M-24.5 2h49a24.5 24.5 0 0 1 -49 0z\" fill=\"#1a8a58\"/>\
         <path d=\"M-4 2h8l10 18.6a24.5 24.5 0 0 1 -28 0z\" fill=\"#123326\"/>\
         <path d=\"M-0.6 4h1.2l0.5 4h-2.2zM-1.3 10.5h2.6l0.6 4.5h-3.8zM-2.1 17.5h4.2l0.7 5.5h-5.6z\" fill=\"#f4fbf7\"/>\
         </g>"
    ));
}
