//! What a bucket does with objects by itself, whoever wrote them.

use crate::model::text::escaped;

/// `None` is what the server did not tell; [`untold`](Self::untold) says why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Whether what is deleted or replaced can be had back.
    pub versioned: Option<bool>,
    /// For how long nobody can delete a new object: `GOVERNANCE, 30 days`.
    pub lock: Told<String>,
    /// How it encrypts what nobody asks it to: `AES256`.
    pub encryption: Told<String>,
    /// Where it copies new objects to.
    pub copies_to: Option<Vec<String>>,
    /// The rules that are on, and that concern this store.
    pub rules: Option<Vec<LifecycleRule>>,
    pub untold: Vec<String>,
}

/// What a server says of a setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Told<T> {
    Is(T),
    /// There is none.
    Nothing,
    #[default]
    Untold,
}

impl<T> Told<T> {
    /// What `look` finds in it; what it does not find is not set.
    pub fn and_then<U>(self, look: impl FnOnce(T) -> Option<U>) -> Told<U> {
        match self {
            Told::Is(it) => look(it).map_or(Told::Nothing, Told::Is),
            Told::Nothing => Told::Nothing,
            Told::Untold => Told::Untold,
        }
    }

    /// With something in place of nothing; `None` is what was not told.
    pub fn into_option(self, nothing: T) -> Option<T> {
        match self {
            Told::Is(it) => Some(it),
            Told::Nothing => Some(nothing),
            Told::Untold => None,
        }
    }
}

/// What becomes of objects by their age, in days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecycleRule {
    pub name: String,
    /// Start of the names, within the store, that it concerns.
    pub below: String,
    /// It concerns only some of them, by tag or size.
    pub narrowed: bool,
    pub removes_after: Option<u32>,
    pub removes_old_versions_after: Option<u32>,
    /// Days and storage class.
    pub moves: Vec<(u32, String)>,
    pub clears_uploads_after: Option<u32>,
}

impl LifecycleRule {
    /// Whether objects whose names start with `prefix` can be among those that it concerns.
    pub fn concerns(&self, prefix: &str) -> bool {
        self.below.starts_with(prefix) || prefix.starts_with(&self.below)
    }

    /// `below \`daily/\`: moves to GLACIER after 90 days, removes after 365 days`.
    pub fn text(&self) -> String {
        let after = |what: &str, days: u32| format!("{what} after {days} day{}", if days == 1 { "" } else { "s" });
        let moves = self.moves.iter().map(|(days, class)| after(&format!("moves to {}", escaped(class)), *days));
        let mut acts: Vec<String> = moves.collect();
        acts.extend(self.removes_after.map(|days| after("removes", days)));
        acts.extend(self.removes_old_versions_after.map(|days| after("removes old versions", days)));
        acts.extend(self.clears_uploads_after.map(|days| after("clears broken uploads", days)));
        let what = if self.below.is_empty() { "all".to_owned() } else { format!("below `{}`", escaped(&self.below)) };
        format!("{what}{}: {}", if self.narrowed { ", some of it" } else { "" }, acts.join(", "))
    }
}
