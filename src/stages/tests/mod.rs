//! The stages against an outside that a test controls, and a real database for what they read.

mod bench;
mod eligibility;
mod errors;
mod face_verification;
mod generation;
mod notification;
mod outside;
mod photo_review;
mod repeat;
