//! What an asset's owner asks for.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The 3-2-1 rule as numbers: how many copies, on how many media, how many off site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRule {
    pub total: u32,
    pub media: u32,
    pub off_site: u32,
}

/// How many of each class to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
}

/// How deep and how often the newest backup of an asset must be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofRule {
    pub level: super::proof::Level,
    #[serde(with = "seconds")]
    pub every: Duration,
}

/// Objectives of one asset. Absent values are not judged, and shown as "none set".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objectives {
    #[serde(with = "optional_seconds", default)]
    pub rpo: Option<Duration>,
    #[serde(with = "optional_seconds", default)]
    pub rto: Option<Duration>,
    pub copies: Option<CopyRule>,
    pub proof: Option<ProofRule>,
}

/// Durations travel as whole seconds.
pub mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(d.as_secs())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_secs)
    }
}

/// The same for a duration that may be absent.
pub mod optional_seconds {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => s.serialize_some(&d.as_secs()),
            None => s.serialize_none(),
        }
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        Option::<u64>::deserialize(d).map(|d| d.map(Duration::from_secs))
    }
}
