//! Identifiers. All are UUIDv7 unless a doc comment says otherwise, so that they sort by creation.

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh identifier.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default identifier would be a hidden random value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// An application (申请).
    ApplicationId,
    /// An uploaded photo (照片).
    PhotoId,
    /// A photo review task (审核任务).
    ReviewId,
    /// An issued electronic licence (电子驾驶证).
    LicenceId,
    /// A webhook delivery; the `webhook-id` of every try.
    WebhookId,
    /// The lease of one process, new at every start; jobs are leased to it, never to a name.
    LeaseId,
    /// A bulk operation on stalled applications.
    BatchId,
}
