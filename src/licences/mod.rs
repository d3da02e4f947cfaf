//! The issued licence: its record (later its card and its presentation).
