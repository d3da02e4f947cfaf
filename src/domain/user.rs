//! People who sign in: roles, and what makes a name and a password.

use super::{applicant::FieldError, wire::wire_enum};

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;
/// The shortest password, in characters: long ones are good ones, whatever they are made of.
const SHORTEST_PASSWORD: usize = 12;
/// The longest one, so that hashing it stays cheap.
const LONGEST_PASSWORD: usize = 256;

wire_enum! {
    /// What a person is here for. One person has one role: whoever decides does not operate, whoever operates does
    /// not decide.
    pub enum Role as "role" {
        /// 审核员: decides on photos.
        Reviewer = "reviewer",
        /// 审核主管: decides, and settles what reviewers pass on or disagree about.
        Supervisor = "supervisor",
        /// 核验员: checks the codes (亮码) that drivers show, at the roadside or a counter.
        Verifier = "verifier",
        /// 运维: keeps the work flowing.
        Operator = "operator",
        /// 审计员: sees everything, changes nothing.
        Auditor = "auditor",
        /// 管理员: operates, and keeps users and keys.
        Admin = "admin",
    }
}

/// Checks a name: 1 to 64 characters, no control characters, no space at its ends.
///
/// # Errors
/// What would be right.
pub fn check_name(name: &str) -> Result<(), FieldError> {
    let count = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&count) {
        return Err(FieldError::new("length_wrong", format!("must have 1 to {LONGEST_NAME} characters")));
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        return Err(FieldError::new("character_not_allowed", "no control characters, no space at its ends"));
    }
    Ok(())
}

/// Checks a new password of a person: 12 to 256 characters, and not the name.
///
/// # Errors
/// What would be right. Never repeats what was given.
pub fn check_password(password: &str, name: &str) -> Result<(), FieldError> {
    let count = password.chars().count();
    if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&count) {
        let detail = format!("must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters");
        return Err(FieldError::new("length_wrong", detail));
    }
    if password.to_lowercase().contains(&name.to_lowercase()) && name.chars().count() * 2 > count {
        return Err(FieldError::new("password_is_name", "must not be the name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["wang", "王五", "li.na-2"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for (name, code) in
            [("", "length_wrong"), (" wang", "character_not_allowed"), ("wa\nng", "character_not_allowed")]
        {
            assert_eq!(check_name(name).unwrap_err().code, code, "{name}");
        }
        assert_eq!(check_name(&"王".repeat(65)).unwrap_err().code, "length_wrong");
    }

    #[test]
    fn passwords() {
        assert_eq!(check_password("correct horse battery staple", "wang"), Ok(()));
        assert_eq!(check_password("正确的马电池订书钉一二三", "王五"), Ok(()));
        for (password, code) in
            [("", "length_wrong"), ("short", "length_wrong"), ("Wang-Xiaoming-1", "password_is_name")]
        {
            assert_eq!(check_password(password, "wang-xiaoming").unwrap_err().code, code, "{password}");
        }
        assert_eq!(check_password(&"x".repeat(257), "wang").unwrap_err().code, "length_wrong");
    }
}
