//! Why something is held: a fixed list, for people, metrics and the record alike.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $remedy:literal;)*) => {
        /// Why a bucket or a link is held.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Reason {
            $($(#[$doc])* $name,)*
            /// A reason of a newer release.
            #[serde(other)]
            Unknown,
        }

        impl Reason {
            /// Every reason that this release gives.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Unknown => "unknown",
                }
            }

            /// What a person does about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)*
                    Self::Unknown => "a newer release gave this reason: look there, or upgrade this one",
                }
            }
        }
    };
}

reasons! {
    /// Versioning is suspended or was never on at the target.
    TargetVersioningOff = "target-versioning-off", "enable versioning of the bucket at the target";
    /// Likewise at the source.
    SourceVersioningOff = "source-versioning-off", "enable versioning of the bucket at the source";
    /// The source has object lock, the target not.
    ObjectLockMissing = "object-lock-missing", "make the target's bucket anew with object lock, then release";
    /// The target has object lock, the source not.
    ObjectLockMissingAtSource = "object-lock-missing-at-source", "make both buckets alike: object lock is on at the target only";
    /// The default retentions differ.
    DefaultRetentionDiffers = "default-retention-differs", "set the same default retention at both ends";
    /// The bucket at the target is another one than before.
    TargetRecreated = "target-recreated", "what the old bucket had is gone at the target: fill it (sweep), then `twinlog bucket release`";
    /// The bucket at the source is another one than before.
    SourceRecreated = "source-recreated", "what the log still tells of the old bucket cannot be read: look at the target, then `twinlog bucket release`";
    /// The bucket does not exist at one end.
    NoSuchBucket = "no-such-bucket", "make the bucket, or disable it";
    /// Access to the bucket is refused.
    AccessDenied = "access-denied", "give Twinlog's principal its policy again; `twinlog doctor` names what is missing";
    /// The store refuses because of the bucket's state.
    BucketState = "bucket-state", "look at the bucket's versioning and lock; `twinlog doctor` compares them";
    /// The store's own replication is on for this bucket.
    OwnReplicationOn = "own-replication-on", "switch the store's own replication of this bucket off";
    /// Clients removed unusually much.
    DeleteStorm = "delete-storm", "find out who removes; `twinlog bucket release` lets the removals through";
    /// An unusual share of changes became dead letters.
    TooManyDeadLetters = "too-many-dead-letters", "look at the dead letters' reason, mend it, then `twinlog bucket release`";
    /// A newer release wrote a record.
    UnknownSchema = "unknown-schema", "upgrade this process";
    /// The credentials are refused.
    Credentials = "credentials", "correct the credentials of the site in the configuration";
    /// The clocks differ too much.
    ClockSkew = "clock-skew", "set the clocks of this machine and of the store";
    /// A topic's partitions cannot be shared among the lanes.
    PartitionsUnfit = "partitions-unfit", "raise the topic's partitions to a multiple of the lanes (`twinlog doctor` names it); they cannot be lowered";
    /// A person paused it.
    Paused = "paused", "`twinlog bucket resume` when it may go on";
}

impl Reason {
    /// Whether only a person ends it.
    #[must_use]
    pub const fn needs_release(self) -> bool {
        matches!(self, Self::TargetRecreated | Self::SourceRecreated | Self::DeleteStorm | Self::TooManyDeadLetters)
    }

    /// Whether it concerns a link rather than one of its buckets.
    #[must_use]
    pub const fn of_link(self) -> bool {
        matches!(self, Self::UnknownSchema | Self::Credentials | Self::ClockSkew)
    }

    /// Whether nothing is applied while it lasts. A record that cannot be read stands in the way by itself.
    #[must_use]
    pub const fn stops(self) -> bool {
        !matches!(self, Self::UnknownSchema)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_reason_is_written_as_its_word_and_a_newer_one_is_survived() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{reason}\""));
        }
        assert_eq!(serde_json::from_str::<Reason>("\"full-moon\"").unwrap(), Reason::Unknown);
    }
}
