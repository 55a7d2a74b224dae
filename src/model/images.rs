//! Container images that an asset protects, and where they live.

use super::id::HostId;
use serde::{Deserialize, Serialize};

/// Images of one container engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveImages {
    pub host: HostId,
    /// Words that speak with the engine there: `docker`, or `docker --host unix:///run/other.sock`.
    pub engine: Vec<String>,
    /// Each with its tag, for example `shop/api:latest`.
    pub names: Vec<String>,
}

/// Repository and tag of an image's name; `None` where it has no tag, or is fixed to a digest.
pub fn repository_and_tag(name: &str) -> Option<(&str, &str)> {
    let (repository, tag) = name.rsplit_once(':')?;
    // A colon before the last slash is that of a registry's port.
    let whole = !repository.is_empty() && !tag.is_empty() && !tag.contains('/') && !name.contains('@');
    whole.then_some((repository, tag))
}

/// The same image under another tag.
pub fn retagged(name: &str, tag: &str) -> String {
    let repository = repository_and_tag(name).map_or(name, |(repository, _)| repository);
    format!("{repository}:{tag}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(repository_and_tag("shop/api:latest"), Some(("shop/api", "latest")));
        assert_eq!(repository_and_tag("registry:5000/shop/api:1.2"), Some(("registry:5000/shop/api", "1.2")));
        for bare in ["shop/api", "registry:5000/shop/api", "shop/api@sha256:00", ":latest", "shop/api:"] {
            assert_eq!(repository_and_tag(bare), None, "{bare}");
        }
        assert_eq!(retagged("registry:5000/shop/api:1.2", "before"), "registry:5000/shop/api:before");
    }
}
