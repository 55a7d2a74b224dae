//! Container images as `docker save` writes them: every layer and configuration is held to the digest that names it.
//!
//! Layouts: the older one (`manifest.json`, `<digest>.json`, `<id>/layer.tar`), Podman's (`<digest>.tar`) and the one
//! of the Open Container Initiative (`blobs/sha256/<digest>`). Sources: the image specification v1.2 of Docker, and
//! the OCI image layout.

use super::tar::{Member, Visitor};
use crate::model::text::escaped;
use crate::proof::fault::Fault;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

pub const MANIFEST: &str = "manifest.json";
pub const INDEX: &str = "index.json";

/// Longest list or configuration that is kept, in bytes.
pub const LONGEST: u64 = 4 << 20;
/// Most bytes of such texts altogether.
const MOST_TEXT: u64 = 64 << 20;
/// Most members whose digests are kept.
const MOST_MEMBERS: usize = 20_000;

/// One image of an archive, found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Names under which it was saved; untrusted.
    pub names: Vec<String>,
    /// SHA-256 of its configuration, hexadecimal: what engines call the image's id.
    pub id: String,
    /// Digests of its layers' content, `sha256:…`, the lowest first.
    pub layers: Vec<String>,
}

/// One entry of `manifest.json`; what else it says is kept.
#[derive(Clone, Debug, Deserialize)]
struct Entry {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "RepoTags", default)]
    names: Option<Vec<String>>,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Configuration {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// Watches an archive pass by, whatever is in it; [`Images::finish`] tells whether it held images.
#[derive(Default)]
pub struct Images {
    sums: BTreeMap<String, String>,
    texts: BTreeMap<String, Vec<u8>>,
    /// Layers that are another layer's content under a second name.
    links: BTreeMap<String, String>,
    text_bytes: u64,
    now: Option<Passing>,
    /// Why not all of it could be watched.
    beyond: Option<&'static str>,
}

struct Passing {
    path: String,
    hasher: Sha256,
    text: Option<Vec<u8>>,
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The digest that a member's own name promises of its bytes.
fn promised(path: &str) -> Option<&str> {
    let digest = path.strip_prefix("blobs/sha256/").or_else(|| path.strip_suffix(".json"))?;
    is_digest(digest).then_some(digest)
}

fn is_part(path: &str) -> bool {
    matches!(path, MANIFEST | INDEX)
        || promised(path).is_some()
        || path.strip_suffix("/layer.tar").or_else(|| path.strip_suffix(".tar")).is_some_and(is_digest)
}

fn plain(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    Some(path.strip_prefix("./").unwrap_or(path).to_owned())
}

impl Visitor for Images {
    fn file(&mut self, member: &Member) {
        let Some(path) = plain(&member.path).filter(|path| is_part(path)) else { return };
        if self.sums.len() + self.links.len() >= MOST_MEMBERS {
            self.beyond = Some("more members than an image can have");
            return;
        }
        let is_text = matches!(path.as_str(), MANIFEST | INDEX) || promised(&path).is_some();
        let text = (is_text && member.size <= LONGEST).then(Vec::new);
        self.now = Some(Passing { path, hasher: Sha256::new(), text });
    }

    fn piece(&mut self, bytes: &[u8]) {
        let Some(now) = &mut self.now else { return };
        now.hasher.update(bytes);
        // A layer among the blobs is no text: configurations and lists begin with a bracket.
        let begins = now.text.as_ref().is_some_and(Vec::is_empty);
        if begins && !matches!(bytes.first(), None | Some(b'{' | b'[')) {
            now.text = None;
        }
        if let Some(text) = &mut now.text {
            text.extend_from_slice(bytes);
        }
    }

    fn done(&mut self) -> Result<(), Fault> {
        let Some(Passing { path, hasher, text }) = self.now.take() else { return Ok(()) };
        let sum = hex::encode(hasher.finalize());
        if let Some(text) = text {
            self.text_bytes += text.len() as u64;
            if self.text_bytes <= MOST_TEXT {
                self.texts.insert(path.clone(), text);
            } else {
                self.beyond = Some("more configuration than images can have");
            }
        }
        self.sums.insert(path, sum);
        Ok(())
    }

    fn link(&mut self, path: &[u8], to: &[u8]) {
        let (Some(path), Some(to)) = (plain(path), std::str::from_utf8(to).ok()) else { return };
        // Older engines write a layer that was there before as `../<id>/layer.tar`.
        let to = to.strip_prefix("../").unwrap_or(to).to_owned();
        if is_part(&path) && is_part(&to) && self.sums.len() + self.links.len() < MOST_MEMBERS {
            self.links.insert(path, to);
        }
    }
}

impl Images {
    /// The images of the archive, each found whole; `None` where it is an archive of anything else.
    pub fn finish(self) -> Result<Option<Vec<Image>>, Fault> {
        let Some(entries) = self.entries()? else { return Ok(None) };
        if let Some(why) = self.beyond {
            return Err(Fault::Limit(format!("it has {why}")));
        }
        let wrong = self.sums.iter().find(|(path, sum)| promised(path).is_some_and(|digest| digest != sum.as_str()));
        if let Some((path, _)) = wrong {
            return Err(Fault::bad(format!("`{path}` does not have the content that its name says")));
        }
        entries.iter().map(|entry| self.image(entry)).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// What the list names. Other archives may have a file of that name; beside parts of images it is theirs.
    fn entries(&self) -> Result<Option<Vec<Entry>>, Fault> {
        let Some(text) = self.texts.get(MANIFEST) else { return Ok(None) };
        let has_parts = self.sums.keys().any(|path| path != MANIFEST && path != INDEX);
        match serde_json::from_slice::<Vec<Entry>>(text) {
            Ok(entries) => Ok((!entries.is_empty()).then_some(entries)),
            Err(error) if has_parts => Err(Fault::bad(format!("the list of its images is damaged: {error}"))),
            Err(_) => Ok(None),
        }
    }

    fn image(&self, entry: &Entry) -> Result<Image, Fault> {
        let names = entry.names.clone().unwrap_or_default();
        let shown = names.first().unwrap_or(&entry.config);
        let broken = |what: String| Fault::bad(format!("image `{}`: {what}", escaped(shown)));
        let text = self.texts.get(&entry.config).ok_or_else(|| broken("its configuration is not there".to_owned()))?;
        let config: Configuration = serde_json::from_slice(text)
            .map_err(|error| broken(format!("its configuration cannot be understood: {error}")))?;
        let layers = config.rootfs.diff_ids;
        if layers.len() != entry.layers.len() {
            let what = format!("{} layers are there, its configuration names {}", entry.layers.len(), layers.len());
            return Err(broken(what));
        }
        for (path, wanted) in entry.layers.iter().zip(&layers) {
            let content = self.links.get(path).unwrap_or(path);
            let sum =
                self.sums.get(content).ok_or_else(|| broken(format!("layer `{}` is not there", escaped(content))))?;
            // A blob that is compressed is named by the digest of its compressed bytes, which held above.
            let holds = wanted.strip_prefix("sha256:") == Some(sum) || promised(content).is_some();
            if !holds {
                return Err(broken(format!("layer `{}` does not have the content of {wanted}", escaped(content))));
            }
        }
        let id = self.sums.get(&entry.config).cloned().unwrap_or_default();
        Ok(Image { names, id, layers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::forms::tar::walk;

    fn sum(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    fn archive(members: &[(&str, &[u8])], links: &[(&str, &str)]) -> Vec<u8> {
        let mut out = tar::Builder::new(Vec::new());
        for (path, bytes) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            out.append_data(&mut header, path, *bytes).unwrap();
        }
        for (path, to) in links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            out.append_link(&mut header, path, to).unwrap();
        }
        out.into_inner().unwrap()
    }

    fn look(bytes: &[u8]) -> Result<Option<Vec<Image>>, Fault> {
        let mut images = Images::default();
        walk(bytes, &mut images).unwrap();
        images.finish()
    }

    fn configuration(layers: &[&[u8]]) -> String {
        let layers: Vec<String> = layers.iter().map(|layer| format!("\"sha256:{}\"", sum(layer))).collect();
        format!(r#"{{"architecture":"amd64","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#, layers.join(","))
    }

    #[test]
    fn the_layers_of_a_saved_image_are_held_to_its_configuration() {
        let config = configuration(&[b"one", b"one"]);
        let id = sum(config.as_bytes());
        let (first, second) = ("1".repeat(64), "2".repeat(64));
        let list = format!(
            r#"[{{"Config":"{id}.json","RepoTags":["shop/api:latest"],"Layers":["{first}/layer.tar","{second}/layer.tar"]}}]"#
        );
        let (layer, again) = (format!("{first}/layer.tar"), format!("{second}/layer.tar"));
        let links = [(again.as_str(), format!("../{first}/layer.tar"))];
        let links: Vec<(&str, &str)> = links.iter().map(|(path, to)| (*path, to.as_str())).collect();
        let own = format!("{id}.json");
        let good: [(&str, &[u8]); 3] = [(&layer, b"one"), (&own, config.as_bytes()), (MANIFEST, list.as_bytes())];
        let found = look(&archive(&good, &links)).unwrap().unwrap();
        assert_eq!((found[0].id.as_str(), found[0].layers.len()), (id.as_str(), 2));
        assert_eq!(found[0].names, ["shop/api:latest"]);
        let changed: [(&str, &[u8]); 3] = [(&layer, b"two"), (&own, config.as_bytes()), (MANIFEST, list.as_bytes())];
        assert!(look(&archive(&changed, &links)).unwrap_err().to_string().contains("does not have the content"));
        assert!(look(&archive(&good, &[])).unwrap_err().to_string().contains("is not there"));
        let other = config.replace("amd64", "arm64");
        let swapped: [(&str, &[u8]); 3] = [(&layer, b"one"), (&own, other.as_bytes()), (MANIFEST, list.as_bytes())];
        assert!(look(&archive(&swapped, &links)).unwrap_err().to_string().contains("its name says"));
    }

    #[test]
    fn blobs_are_held_to_their_names_and_other_archives_are_none() {
        let config = configuration(&[b"one"]);
        let path = |bytes: &[u8]| format!("blobs/sha256/{}", sum(bytes));
        let (own, layer) = (path(config.as_bytes()), path(b"one"));
        let list = format!(r#"[{{"Config":"{own}","RepoTags":null,"Layers":["{layer}"]}}]"#);
        let good: [(&str, &[u8]); 3] = [(&own, config.as_bytes()), (&layer, b"one"), (MANIFEST, list.as_bytes())];
        assert_eq!(look(&archive(&good, &[])).unwrap().unwrap()[0].names, Vec::<String>::new());
        let bad: [(&str, &[u8]); 3] = [(&own, config.as_bytes()), (&layer, b"two"), (MANIFEST, list.as_bytes())];
        assert!(look(&archive(&bad, &[])).is_err());
        let cut: [(&str, &[u8]); 3] = [(&own, config.as_bytes()), (&layer, b"one"), (MANIFEST, b"[{")];
        assert!(look(&archive(&cut, &[])).unwrap_err().to_string().contains("list of its images is damaged"));
        assert_eq!(look(&archive(&[("etc/app.conf", b"x")], &[])).unwrap(), None);
        assert_eq!(look(&archive(&[(MANIFEST, b"{\"name\":\"an application\"}")], &[])).unwrap(), None);
    }
}
