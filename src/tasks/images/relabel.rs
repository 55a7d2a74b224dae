//! A saved archive on its way to an engine: every layer held to its digest, and the wanted images under another tag, so
//! that no live name moves.

use crate::model::images::retagged;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::proof::forms::images::{INDEX, Image, Images, LONGEST, MANIFEST};
use crate::proof::forms::tar::{Member as Passing, Visitor as _};
use crate::tasks::files::members::{Kind, Member, Visitor, content_failure};
use crate::tasks::outlet::Outlet;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Read};

/// Maps names to tags in the way of older engines; the list has the same.
const OLD_NAMES: &str = "repositories";
/// Under which the OCI layout keeps an image's name, and its tag.
const OCI_NAME: &str = "io.containerd.image.name";
const OCI_TAG: &str = "org.opencontainers.image.ref.name";

pub struct Relabel {
    out: tar::Builder<Outlet>,
    names: Vec<String>,
    tag: String,
    images: Images,
}

impl Relabel {
    /// Only these images come through under a name.
    pub fn new(outlet: Outlet, names: &[String], tag: &str) -> Self {
        Self { out: tar::Builder::new(outlet), names: names.to_vec(), tag: tag.to_owned(), images: Images::default() }
    }

    /// Everything was read: the wanted images, by name. The archive is ended only if all of them were whole.
    pub fn finish(self) -> Result<BTreeMap<String, Image>, Failure> {
        let refused = |what: String| {
            Failure::new(what)
                .means("the engine was not given the end of it, and keeps nothing under the live names")
                .next("choose another copy or an older backup")
        };
        let held = self.images.finish().map_err(|fault| refused(fault.to_string()))?;
        let held = held.ok_or_else(|| refused("the backup holds no container images".to_owned()))?;
        let mut wanted = BTreeMap::new();
        for name in self.names {
            let Some(image) = held.iter().find(|image| image.names.contains(&name)) else {
                let there = held.iter().flat_map(|image| &image.names).take(10);
                let failure = refused(format!("the backup does not hold image {name}"));
                return Err(
                    there.fold(failure, |failure, name| failure.evidence(format!("it holds {}", escaped(name))))
                );
            };
            wanted.insert(name, image.clone());
        }
        self.out.into_inner().and_then(Outlet::finish).map_err(content_failure)?;
        Ok(wanted)
    }

    fn file(&mut self, path: &str, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        self.images.file(&Passing { path: path.as_bytes().to_vec(), size: member.size });
        if matches!(path, MANIFEST | INDEX) {
            let text = self.rewritten(path, member, content)?;
            self.append(path, text.len() as u64, &mut text.as_slice())?;
        } else {
            let Self { out, images, .. } = self;
            let mut watched = Watched { content, images, bytes: 0 };
            let mut header = header(member.size);
            out.append_data(&mut header, path, &mut watched).map_err(content_failure)?;
            if watched.bytes != member.size {
                return Err(content_failure(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.images.done().map_err(|fault| Failure::new(fault.to_string()))
    }

    fn append(&mut self, path: &str, size: u64, content: &mut dyn Read) -> Result<(), Failure> {
        self.out.append_data(&mut header(size), path, content).map_err(content_failure)
    }

    /// One of the lists of names, with the wanted ones alone, under the tag.
    fn rewritten(&mut self, path: &str, member: &Member, content: &mut dyn Read) -> Result<Vec<u8>, Failure> {
        let broken = |why: String| {
            Failure::new(format!("`{path}` of the backup cannot be understood: {why}"))
                .means("which images it holds is not known; nothing was given a name")
                .next("choose another copy or an older backup")
        };
        if member.size > LONGEST {
            return Err(broken(format!("it has {} bytes", member.size)));
        }
        let mut text = Vec::new();
        content.take(LONGEST).read_to_end(&mut text).map_err(content_failure)?;
        self.images.piece(&text);
        let mut list: Value = serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))?;
        let entries = if path == INDEX { list.get_mut("manifests") } else { Some(&mut list) };
        let entries = entries.and_then(Value::as_array_mut).ok_or_else(|| broken("it is no list".to_owned()))?;
        entries.retain_mut(|entry| if path == INDEX { self.oci_entry(entry) } else { self.entry(entry) });
        serde_json::to_vec(&list).map_err(|error| broken(error.to_string()))
    }

    fn side(&self, name: &str) -> Option<String> {
        self.names.iter().any(|wanted| wanted == name).then(|| retagged(name, &self.tag))
    }

    /// Whether an entry is of a wanted image, which then has its other tag.
    fn entry(&self, entry: &mut Value) -> bool {
        let Some(names) = entry.get_mut("RepoTags") else { return false };
        let old = names.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let new: Vec<Value> = old.filter_map(|name| self.side(name.as_str()?)).map(Value::from).collect();
        let wanted = !new.is_empty();
        *names = Value::from(new);
        wanted
    }

    /// The same in the OCI layout, whose names begin with their registry.
    fn oci_entry(&self, entry: &mut Value) -> bool {
        let Some(notes) = entry.get_mut("annotations").and_then(Value::as_object_mut) else { return false };
        let Some(full) = notes.get(OCI_NAME).and_then(Value::as_str) else { return false };
        let registries = ["docker.io/library/", "docker.io/", ""];
        let found = registries.iter().find_map(|registry| {
            let name = self.side(full.strip_prefix(registry)?)?;
            Some(format!("{registry}{name}"))
        });
        let Some(name) = found else { return false };
        notes.insert(OCI_NAME.to_owned(), Value::from(name));
        notes.insert(OCI_TAG.to_owned(), Value::from(self.tag.clone()));
        true
    }
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(0);
    header
}

impl Visitor for Relabel {
    fn member(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), Failure> {
        let Some(path) = member.path.to_str().map(str::to_owned) else {
            let shown = escaped(&member.path.to_string_lossy()).into_owned();
            return Err(Failure::new(format!("`{shown}` is no name that an engine gives"))
                .means("the backup was refused; nothing was given a name"));
        };
        match &member.kind {
            Kind::Folder if path.is_empty() => Ok(()),
            Kind::Folder => {
                let mut header = header(0);
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                self.out.append_data(&mut header, &path, io::empty()).map_err(content_failure)
            }
            Kind::File if path == OLD_NAMES => {
                io::copy(content, &mut io::sink()).map_err(content_failure)?;
                Ok(())
            }
            Kind::File => self.file(&path, member, content),
            Kind::Link(to) => {
                let target = to.to_str().unwrap_or_default().to_owned();
                self.images.link(path.as_bytes(), target.as_bytes());
                let mut header = header(0);
                header.set_entry_type(tar::EntryType::Symlink);
                self.out.append_link(&mut header, &path, to).map_err(content_failure)
            }
            Kind::Hard(_) => Err(Failure::new(format!("`{}` is a hard link, which no engine writes", escaped(&path)))
                .means("the backup was refused; nothing was given a name")),
        }
    }
}

/// Content that is looked at on its way.
struct Watched<'c> {
    content: &'c mut dyn Read,
    images: &'c mut Images,
    bytes: u64,
}

impl Read for Watched<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(into)?;
        self.images.piece(&into[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::outlet::pipe;

    fn relabel() -> Relabel {
        Relabel::new(pipe().0, &["shop/api:latest".to_owned()], "restore-20261122_141300")
    }

    #[test]
    fn only_the_wanted_names_come_through_and_under_the_other_tag() {
        let relabel = relabel();
        let mut entry =
            serde_json::json!({ "Config": "x", "RepoTags": ["shop/api:latest", "shop/api:7"], "Layers": [] });
        assert!(relabel.entry(&mut entry));
        assert_eq!(entry["RepoTags"], serde_json::json!(["shop/api:restore-20261122_141300"]));
        assert!(!relabel.entry(&mut serde_json::json!({ "Config": "x", "RepoTags": ["shop/web:latest"] })));
        assert!(!relabel.entry(&mut serde_json::json!({ "Config": "x", "RepoTags": null })));
    }

    #[test]
    fn names_with_their_registry_keep_it() {
        let relabel = relabel();
        let named = |name: &str| serde_json::json!({ "annotations": { OCI_NAME: name, OCI_TAG: "latest" } });
        let mut entry = named("docker.io/shop/api:latest");
        assert!(relabel.oci_entry(&mut entry));
        assert_eq!(entry["annotations"][OCI_NAME], "docker.io/shop/api:restore-20261122_141300");
        assert_eq!(entry["annotations"][OCI_TAG], "restore-20261122_141300");
        assert!(!relabel.oci_entry(&mut named("docker.io/shop/web:latest")));
        assert!(!relabel.oci_entry(&mut serde_json::json!({})));
    }
}
