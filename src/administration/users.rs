//! People who sign in: made, changed, disabled, given another password.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{Administrator, Refused};
use crate::{
    domain::{
        authority::IssuingAuthority,
        identity::{DocumentNumber, DocumentType},
        personal::{HOLDER_INDEX, holder_key},
        user::{Role, check_name, check_password},
    },
    secrets::{KeyMaterial, password},
    store::users::{Assignment, Changed, User},
};

/// Where the number of a document stands.
pub const DOCUMENT_NUMBER: &str = "document/document_number";

/// A user to be.
pub struct NewUser {
    /// The name to sign in with.
    pub name: String,
    /// What the person is here for.
    pub role: Role,
    /// 发证机关 whose tasks come first.
    pub authority: Option<String>,
    /// Whether the tasks of other authorities follow.
    pub other_authorities: bool,
    /// The person's own document.
    pub document: Option<OwnDocument>,
    /// The password.
    pub password: SecretString,
}

/// The document of a user, whose own application the user does not review. Only its blind index is stored.
pub struct OwnDocument {
    /// 证件类型.
    pub kind: DocumentType,
    /// 证件号码.
    pub number: SecretString,
}

/// What is to be another; what is `None` stays as it is.
#[derive(Default)]
pub struct Changes {
    /// Another role.
    pub role: Option<Role>,
    /// Another authority, or none.
    pub authority: Option<Option<String>>,
    /// Whether the tasks of other authorities follow.
    pub other_authorities: Option<bool>,
    /// Another document, or none.
    pub document: Option<Option<OwnDocument>>,
}

impl Administrator<'_> {
    /// Makes a user.
    ///
    /// # Errors
    /// [`Refused`]: something is wrong, or the name is taken.
    pub async fn create_user(&self, secrets: &KeyMaterial, new: NewUser) -> Result<User, Refused> {
        check_name(&new.name).map_err(|error| Refused::wrong("name", error))?;
        check_password(new.password.expose_secret(), &new.name).map_err(|error| Refused::wrong("password", error))?;
        let document = match new.document {
            Some(document) => Some(self.index(secrets, &document).await?),
            None => None,
        };
        let assignment = checked(Assignment {
            role: new.role,
            authority: new.authority,
            other_authorities: new.other_authorities,
            document,
        })?;
        let user = User {
            name: new.name,
            password: hash(new.password).await?,
            role: assignment.role,
            authority: assignment.authority,
            other_authorities: assignment.other_authorities,
            document: assignment.document,
            epoch: 0,
            created_at: self.store.now().await?,
            disabled_at: None,
        };
        if !self.store.create_user(&user).await? {
            return Err(Refused::NameTaken(user.name));
        }
        let data = json!({ "name": user.name, "role": user.role, "authority": user.authority });
        self.record("user_created", data).await?;
        Ok(user)
    }

    /// Changes what a user is here for; sessions go on, with the new role.
    ///
    /// # Errors
    /// [`Refused`]: something is wrong, nobody has the name, one's own role, or the last administrator's.
    pub async fn change_user(&self, secrets: &KeyMaterial, name: &str, changes: Changes) -> Result<User, Refused> {
        let mut user = self.store.user(name).await?.ok_or_else(|| nobody(name))?;
        if changes.role.is_some_and(|role| role != user.role) {
            self.refuse_oneself(name)?;
        }
        let document = match changes.document {
            None => user.document,
            Some(None) => None,
            Some(Some(document)) => Some(self.index(secrets, &document).await?),
        };
        let assignment = checked(Assignment {
            role: changes.role.unwrap_or(user.role),
            authority: changes.authority.unwrap_or(user.authority),
            other_authorities: changes.other_authorities.unwrap_or(user.other_authorities),
            document,
        })?;
        done(self.store.assign_user(name, &assignment, self.keeps_an_admin()).await?, name)?;
        let Assignment { role, authority, other_authorities, document } = assignment;
        let data = json!({
            "name": name, "role": role, "authority": authority, "other_authorities": other_authorities,
            "has_document": document.is_some(),
        });
        self.record("user_changed", data).await?;
        (user.role, user.authority) = (role, authority);
        (user.other_authorities, user.document) = (other_authorities, document);
        Ok(user)
    }

    /// Lets a user sign in no more, and ends the user's sessions.
    ///
    /// # Errors
    /// [`Refused`]: nobody who may sign in has the name, oneself, or the last administrator.
    pub async fn disable_user(&self, name: &str) -> Result<(), Refused> {
        self.refuse_oneself(name)?;
        done(self.store.disable_user(name, self.keeps_an_admin()).await?, name)?;
        Ok(self.record("user_disabled", json!({ "name": name })).await?)
    }

    /// Lets a disabled user sign in again.
    ///
    /// # Errors
    /// [`Refused`]: nobody who is disabled has the name.
    pub async fn enable_user(&self, name: &str) -> Result<(), Refused> {
        if !self.store.enable_user(name).await? {
            return Err(Refused::Nothing(format!("disabled user `{name}`")));
        }
        Ok(self.record("user_enabled", json!({ "name": name })).await?)
    }

    /// Gives a user another password, and ends the user's sessions. One's own needs the present one, elsewhere.
    ///
    /// # Errors
    /// [`Refused`]: the password is not good enough, nobody has the name, or it is oneself.
    pub async fn set_password(&self, name: &str, password: SecretString) -> Result<(), Refused> {
        self.refuse_oneself(name)?;
        check_password(password.expose_secret(), name).map_err(|error| Refused::wrong("password", error))?;
        let hashed = hash(password).await?;
        self.store.set_password(name, &hashed).await?.ok_or_else(|| nobody(name))?;
        Ok(self.record("user_password_set", json!({ "name": name })).await?)
    }

    async fn index(&self, secrets: &KeyMaterial, document: &OwnDocument) -> Result<String, Refused> {
        let today = self.store.now().await?.date_naive();
        let number = document.number.expose_secret().trim();
        let number = DocumentNumber::parse(document.kind, number, today)
            .map_err(|error| Refused::wrong(DOCUMENT_NUMBER, error.into()))?;
        Ok(secrets.blind_index_hex(HOLDER_INDEX, &holder_key(&number)))
    }
}

fn checked(mut assignment: Assignment) -> Result<Assignment, Refused> {
    if let Some(authority) = assignment.authority {
        let authority = IssuingAuthority::parse(&authority).map_err(|error| Refused::wrong("authority", error))?;
        assignment.authority = Some(authority.into());
    } else {
        // Whoever has no authority of their own gets all tasks anyway.
        assignment.other_authorities = false;
    }
    Ok(assignment)
}

fn done(changed: Changed, name: &str) -> Result<(), Refused> {
    match changed {
        Changed::Done => Ok(()),
        Changed::Nobody => Err(nobody(name)),
        Changed::LastAdmin => Err(Refused::LastAdmin),
    }
}

fn nobody(name: &str) -> Refused {
    Refused::Nothing(format!("such user: `{name}`"))
}

async fn hash(password: SecretString) -> Result<String, Refused> {
    let hashed = tokio::task::spawn_blocking(move || password::hash(&password)).await;
    hashed.map_err(|error| Refused::Failed(error.into()))?.map_err(|error| Refused::Failed(error.into()))
}
