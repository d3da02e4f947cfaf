//! The issued licence: its record (later its card and its presentation).

pub mod card;
pub mod record;
