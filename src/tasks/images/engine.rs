//! One container engine on one host, spoken with by its own program.

use crate::model::estate::{Asset, Host};
use crate::model::id::AssetId;
use crate::model::images::LiveImages;
use crate::model::task::Failure;
use crate::model::text::escaped;
use crate::tasks::context::TaskContext;
use crate::tasks::host::{self, Command, Said};
use crate::tasks::input::Stop;
use crate::tasks::process::Feed;
use serde::Deserialize;
use std::time::Duration;

/// For answers that need no work.
const ANSWER: Duration = Duration::from_mins(2);
/// The step has its own limit.
const WORK: Duration = Duration::from_hours(24);
/// What engines say of a name that no image has: Docker's words, and Podman's.
const ABSENT: [&str; 2] = ["no such image", "image not known"];

pub struct Engine<'a> {
    pub cx: &'a TaskContext,
    pub live: &'a LiveImages,
    pub host: &'a Host,
}

/// An image that an engine has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Image {
    pub id: String,
    #[serde(default)]
    pub created: String,
    #[serde(default)]
    pub size: u64,
    #[serde(rename = "RootFS")]
    root: RootFs,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RootFs {
    #[serde(default)]
    layers: Vec<String>,
}

impl Image {
    /// Digests of its layers' content, the lowest first.
    pub fn layers(&self) -> &[String] {
        &self.root.layers
    }
}

/// A container, and how it stands in its engine's own word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub state: String,
}

/// An id as people compare it.
pub fn short(id: &str) -> String {
    escaped(id.strip_prefix("sha256:").unwrap_or(id)).chars().take(12).collect()
}

impl<'a> Engine<'a> {
    pub fn of(cx: &'a TaskContext, id: &AssetId) -> Result<Self, Failure> {
        let live = cx.estate.asset(id).and_then(|asset: &Asset| asset.images.as_ref()).ok_or_else(|| {
            Failure::new(format!("asset `{}` has no [assets.images] in the configuration", escaped(id.as_str())))
                .means("nobody knows which images it is, and in which engine they live; nothing was done")
                .next("add it with `host` and `names`, and make a new plan")
        })?;
        Ok(Self { cx, live, host: host::find(cx, &live.host)? })
    }

    pub fn title(&self) -> String {
        format!("{} on host {}", escaped(&self.live.engine.join(" ")), self.host.id)
    }

    fn command(&self, words: &[&str]) -> Command {
        let argv = ["env", "LC_ALL=C"].into_iter().chain(self.live.engine.iter().map(String::as_str));
        let mut command = Command::new(argv.chain(words.iter().copied())).within(ANSWER).quiet();
        command.name = self.live.engine.first().map_or_else(String::new, |program| escaped(program).into_owned());
        command
    }

    async fn ask(&self, words: &[&str]) -> Result<Said, Stop> {
        host::run(self.cx, self.host, self.command(words)).await
    }

    /// An order or a question that the engine must not refuse.
    pub async fn must(&self, doing: &str, words: &[&str]) -> Result<String, Stop> {
        let said = self.ask(words).await?.success(doing, self.host).map_err(|failure| {
            failure
                .means("what the engine has, and does, is not known")
                .next("see whether the engine runs on that host, and whether the account may use it")
        })?;
        Ok(said.text())
    }

    /// The image that has this name or id.
    pub async fn image(&self, name: &str) -> Result<Option<Image>, Stop> {
        let said = self.ask(&["image", "inspect", name]).await?;
        let absent = |line: &String| ABSENT.iter().any(|words| line.to_ascii_lowercase().contains(words));
        if said.status != 0 && said.stderr.iter().any(absent) {
            return Ok(None);
        }
        let text = said
            .success("asking for an image", self.host)
            .map_err(|failure| {
                failure
                    .means("which images the engine has is not known")
                    .next("see whether the engine runs on that host, and whether the account may use it")
            })?
            .text();
        let images: Vec<Image> = serde_json::from_str(&text).map_err(|error| {
            Failure::new(format!("{} answered in a way that is not understood: {error}", self.title()))
                .means("which images it has is not known")
        })?;
        Ok(images.into_iter().next())
    }

    /// Its containers that were made from an image, running or not.
    pub async fn containers(&self, id: &str) -> Result<Vec<Container>, Stop> {
        let of = format!("ancestor={id}");
        let words = ["ps", "--all", "--no-trunc", "--filter", &of, "--format", "{{.Names}}\t{{.State}}"];
        let text = self.must("asking for containers", &words).await?;
        let rows = text.lines().filter_map(|line| line.split_once('\t'));
        let shown = |text: &str| escaped(text.trim()).into_owned();
        Ok(rows.map(|(name, state)| Container { name: shown(name), state: shown(state) }).collect())
    }

    /// Gives an image one more name, and looks that it has it.
    pub async fn name(&self, id: &str, name: &str) -> Result<(), Stop> {
        self.must("naming an image", &["tag", id, name]).await?;
        match self.image(name).await? {
            Some(image) if image.id == id => Ok(()),
            _ => Err(Stop::Unknown(
                Failure::new(format!("{} was given the name {name}, and does not have it", short(id)))
                    .means("somebody else names images there, or the engine did not do it")
                    .next("look at `image ls` on that host"),
            )),
        }
    }

    /// Takes one name away from an image that has another one, too; so no image goes with it.
    pub async fn unname(&self, name: &str) -> Result<(), Stop> {
        self.must("taking a name from an image", &["image", "rm", name]).await?;
        Ok(())
    }

    /// Hands the engine an archive of images.
    pub async fn load(&self, archive: Feed) -> Result<Said, Stop> {
        host::run(self.cx, self.host, self.command(&["load"]).feed(archive).within(WORK)).await
    }

    /// The archive of these images, to `sink` while it comes.
    pub async fn save(&self, names: &[String], sink: host::command::Sink<'_>) -> Result<Said, Stop> {
        let words: Vec<&str> = ["save"].into_iter().chain(names.iter().map(String::as_str)).collect();
        host::stream(self.cx, self.host, self.command(&words).within(WORK), sink).await
    }

    /// The machine behind the host's name.
    pub async fn machine(&self) -> Result<String, Stop> {
        let said = host::run(self.cx, self.host, Command::new(["cat", "--", "/etc/machine-id"])).await?;
        Ok(said.success("reading the machine's id", self.host)?.text().trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_answer_is_read_by_what_is_needed_of_it() {
        let text = r#"[{"Id":"sha256:00ff","RepoTags":["a:b"],"Created":"2026-11-22T14:13:00Z","Size":9,
            "RootFS":{"Type":"layers","Layers":["sha256:aa"]},"Metadata":{}}]"#;
        let images: Vec<Image> = serde_json::from_str(text).unwrap();
        assert_eq!((images[0].id.as_str(), images[0].layers()), ("sha256:00ff", &["sha256:aa".to_owned()][..]));
        assert_eq!(short("sha256:0123456789abcdef"), "0123456789ab");
    }
}
