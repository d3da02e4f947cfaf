//! The table, proven: arrow by arrow against the documentation, rule by rule, and by random lives.

mod arrows;
mod diagram;
mod explore;
mod invariants;
mod licences;
mod lives;
mod notices;
mod outside;
mod promise;
mod reviews;
mod runs;
mod way_out;
mod world;
