//! API keys: made, shown once, revoked.

use secrecy::SecretString;
use serde_json::json;

use super::{Administrator, Refused};
use crate::{
    domain::{applicant::FieldError, scope::Scope},
    secrets::ApiKey,
    store::types::ApiKeyRecord,
};

/// The longest name of a key or an owner, in characters.
const LONGEST: usize = 200;

impl Administrator<'_> {
    /// Makes a key: what is stored of it, and the key itself, which nobody sees again.
    ///
    /// # Errors
    /// [`Refused`]: a name cannot be one, or there is no scope.
    pub async fn create_key(
        &self,
        name: &str,
        owner: &str,
        scopes: &[Scope],
    ) -> Result<(ApiKeyRecord, SecretString), Refused> {
        for (what, text) in [("name", name), ("owner", owner)] {
            check(text).map_err(|error| Refused::wrong(what, error))?;
        }
        if scopes.is_empty() {
            return Err(Refused::wrong("scopes", FieldError::new("missing", "must name at least one")));
        }
        let key = ApiKey::generate();
        let mut scopes: Vec<String> = scopes.iter().map(Scope::to_string).collect();
        scopes.sort_unstable();
        scopes.dedup();
        let stored = ApiKeyRecord {
            id: key.id,
            digest: hex::encode(key.digest),
            name: name.to_owned(),
            owner: owner.to_owned(),
            scopes,
            created_at: self.store.now().await?,
            revoked_at: None,
        };
        self.store.create_key(&stored).await?;
        let ApiKeyRecord { id, name, owner, scopes, .. } = &stored;
        let data = json!({ "id": id, "name": name, "owner": owner, "scopes": scopes });
        self.record("key_created", data).await?;
        Ok((stored, key.plain))
    }

    /// Revokes a key for good.
    ///
    /// # Errors
    /// [`Refused`]: no key that works has the id.
    pub async fn revoke_key(&self, id: &str) -> Result<(), Refused> {
        if !self.store.revoke_key(id).await? {
            return Err(Refused::Nothing(format!("working key with the id `{id}`")));
        }
        Ok(self.record("key_revoked", json!({ "id": id })).await?)
    }
}

fn check(text: &str) -> Result<(), FieldError> {
    if text.trim().is_empty() || text.chars().count() > LONGEST {
        return Err(FieldError::new("length_wrong", format!("must have 1 to {LONGEST} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(FieldError::new("character_not_allowed", "must not contain control characters"));
    }
    Ok(())
}
