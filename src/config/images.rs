//! `[assets.images]`: the container images that an asset protects.

use super::asset::Scope;
use super::names::Line;
use crate::located::{Fields, Item, Problem};
use crate::model::estate::AssetKind;
use crate::model::id::HostId;
use crate::model::images::{LiveImages, repository_and_tag};

/// Longest name of an image; a tag alone may have 128 letters.
const LONGEST: usize = 384;

pub(super) fn images(fields: &mut Fields<'_>, kind: Option<AssetKind>, scope: &Scope<'_>) -> Option<LiveImages> {
    if !matches!(kind, None | Some(AssetKind::Images)) {
        fields.forbid(&["images"], "only an asset of kind `images` lives in a container engine");
        return None;
    }
    fields.table("images", |fields| {
        let host = fields.need("host").and_then(|item| scope.hosts.refer(&item));
        let engine = fields.take("engine").map_or_else(|| Some(vec!["docker".to_owned()]), |item| words(&item));
        let place = fields.place;
        let names = fields.need("names").and_then(|item| item.list()).unwrap_or_default();
        let listed = names.len();
        let names: Vec<String> = names.iter().filter_map(name).collect();
        if listed == 0 {
            fields.report(Problem::at(&place, "`names` must list at least one image, such as \"shop/api:latest\""));
        }
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            fields.report(Problem::at(&place, format!("image `{}` is listed twice", twice.1)));
        }
        Some(LiveImages { host: HostId::new(host?), engine: engine?, names })
    })
}

/// Words that begin a command of a container engine.
pub(super) fn words(item: &Item<'_>) -> Option<Vec<String>> {
    let words: Vec<String> = item.list()?.iter().filter_map(Item::read::<Line>).map(|word| word.0).collect();
    if words.first().is_none_or(|program| program.starts_with('-')) {
        return item.refuse("begin with a program, such as [\"docker\"] or [\"podman\"]");
    }
    Some(words)
}

/// A name with a tag, in the letters that engines allow: it becomes an argument.
fn name(item: &Item<'_>) -> Option<String> {
    let text = item.read::<Line>()?.0;
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | ':' | '.' | '_' | '-');
    let fits = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.len() <= LONGEST
        && text.chars().all(letters)
        && repository_and_tag(&text).is_some();
    if !fits {
        return item.refuse("be an image with its tag, such as `shop/api:latest`");
    }
    Some(text)
}
