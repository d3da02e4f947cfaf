//! Passwords of people: Argon2id, each with a salt of its own. Slow on purpose: never on a thread that answers others.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::key::fill_random;

/// A password could not be hashed: no randomness, practically never.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct PasswordError(#[from] argon2::password_hash::Error);

/// What a name that nobody has is held against, so that it takes as long as one that somebody has.
static NOBODYS: LazyLock<Option<String>> = LazyLock::new(|| hash(&SecretString::from("nobody has this one")).ok());

/// A fresh password: 22 letters, digits, `-` and `_`, of 128 random bits.
pub fn generate() -> SecretString {
    let mut bytes = Zeroizing::new([0; 16]);
    fill_random(bytes.as_mut_slice());
    URL_SAFE_NO_PAD.encode(*bytes).into()
}

/// The hash of a password as PHC text, with a fresh salt.
///
/// # Errors
/// [`PasswordError`].
pub fn hash(password: &SecretString) -> Result<String, PasswordError> {
    Ok(Argon2::default().hash_password(password.expose_secret().as_bytes())?.to_string())
}

/// Whether a password is the hashed one. Without a hash it takes as long and is false.
pub fn verify(password: &SecretString, hashed: Option<&str>) -> bool {
    let matches = |hashed: &str| {
        PasswordHash::new(hashed)
            .is_ok_and(|hashed| Argon2::default().verify_password(password.expose_secret().as_bytes(), &hashed).is_ok())
    };
    match hashed {
        Some(hashed) => matches(hashed),
        None => {
            let _as_long = NOBODYS.as_deref().is_some_and(matches);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_matches_and_no_two_hashes_are_alike() {
        let password = SecretString::from("correct horse battery staple");
        let (one, two) = (hash(&password).unwrap(), hash(&password).unwrap());
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$"), "{one}");
        assert!(verify(&password, Some(&one)) && verify(&password, Some(&two)));
        assert!(!verify(&SecretString::from("correct horse battery stapl"), Some(&one)));
        assert_ne!(generate().expose_secret(), generate().expose_secret());
        assert_eq!(generate().expose_secret().len(), 22);
        assert!(!verify(&password, Some("nonsense")) && !verify(&password, None));
    }
}
