//! The issued licence: its record, the desk where it is shown, presented and checked, and its card.

pub mod card;
pub mod desk;
pub mod presentation;
pub mod record;
mod status;
mod token;

#[cfg(test)]
mod tests;
