//! Inspection of uploaded photos: header checks, decoding limits, re-encoding, automatic checks.
