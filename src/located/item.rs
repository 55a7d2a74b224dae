//! One value with its place, and what it can be read as.

use super::fields::Fields;
use super::nearest::nearest;
use super::place::{Located, Place};
use super::problem::Problem;
use super::read::Sink;
use crate::model::size::ByteCount;
use crate::model::task::Values;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::{DeInteger, DeValue};

/// A type that can be read from one value. It reports what is wrong and returns nothing then.
pub trait Read: Sized {
    fn read(item: &Item<'_>) -> Option<Self>;
}

/// A value of the file.
#[derive(Clone, Debug)]
pub struct Item<'d> {
    pub(super) value: &'d DeValue<'d>,
    pub place: Place,
    /// How messages call it: `` `path` ``, ``an entry of `kinds` ``.
    pub(super) name: String,
    pub(super) sink: &'d Sink,
}

impl<'d> Item<'d> {
    pub fn read<T: Read>(&self) -> Option<T> {
        T::read(self)
    }

    pub fn report(&self, problem: Problem) {
        self.sink.report(problem);
    }

    /// Reports that the value is none; `must` completes "`key` must …".
    pub fn refuse<T>(&self, must: &str) -> Option<T> {
        self.report(Problem::at(&self.place, format!("{} must {must}", self.name)));
        None
    }

    /// Reports that the value has the wrong type; `expected` is for example `a string`.
    pub fn wrong_type<T>(&self, expected: &str) -> Option<T> {
        self.refuse(&format!("be {expected}, not {}", type_words(self.value)))
    }

    pub fn is_string(&self) -> bool {
        self.value.is_str()
    }

    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// One of these names, with what it stands for.
    pub fn choice<T: Clone>(&self, of: &[(&str, T)]) -> Option<T> {
        let Some(text) = self.value.as_str() else {
            return self.wrong_type(&format!("one of {}", listed(of)));
        };
        if let Some((_, found)) = of.iter().find(|(name, _)| *name == text) {
            return Some(found.clone());
        }
        let near = nearest(text, of.iter().map(|(name, _)| *name));
        let problem = Problem::at(&self.place, format!("{} cannot be `{text}`", self.name));
        self.report(problem.suggest(near, format!("it can be {}", listed(of))));
        None
    }

    /// The value as a table; keys that `build` does not ask for are reported.
    pub fn table<T>(&self, build: impl FnOnce(&mut Fields<'d>) -> Option<T>) -> Option<T> {
        let DeValue::Table(table) = self.value else {
            return self.wrong_type("a table");
        };
        let mut fields = Fields::new(table, self.place, self.name.clone(), self.sink);
        let built = build(&mut fields);
        fields.finish();
        built
    }

    /// The entries of a list.
    pub fn list(&self) -> Option<Vec<Item<'d>>> {
        let DeValue::Array(array) = self.value else {
            return self.wrong_type("a list");
        };
        let name = format!("an entry of {}", self.name);
        let entry = |value: &'d toml::Spanned<DeValue<'d>>| Item {
            value: value.get_ref(),
            place: value.span().into(),
            name: name.clone(),
            sink: self.sink,
        };
        Some(array.iter().map(entry).collect())
    }

    /// The entries of a table with free names, in the order of the file.
    pub fn entries(&self) -> Option<Vec<(Located<String>, Item<'d>)>> {
        let DeValue::Table(table) = self.value else {
            return self.wrong_type("a table");
        };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&'d toml::Spanned<_>, &'d toml::Spanned<DeValue<'d>>)| {
            let key = Located { value: std::borrow::Cow::to_string(key.get_ref()), place: key.span().into() };
            let name = format!("`{}`", key.value);
            (key, Item { value: value.get_ref(), place: value.span().into(), name, sink: self.sink })
        };
        Some(entries.into_iter().map(entry).collect())
    }

    /// The place of the byte at `offset` of this string value, for errors that know their offset.
    pub fn inside(&self, offset: usize) -> Place {
        self.sink.inside(self.place, self.value.as_str().unwrap_or_default(), offset)
    }

    fn integer(&self) -> Option<i128> {
        match self.value {
            DeValue::Integer(integer) => match integer_value(integer) {
                Some(value) => Some(value),
                None => self.refuse("be an integer of at most 64 bits"),
            },
            _ => self.wrong_type("an integer"),
        }
    }

    fn json(&self) -> Option<Value> {
        Some(match self.value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Datetime(at) => Value::String(at.to_string()),
            DeValue::Integer(_) => match i64::read(self) {
                Some(number) => Value::from(number),
                None => return None,
            },
            DeValue::Float(float) => match float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
                Some(number) => Value::Number(number),
                None => return self.refuse("be a finite number"),
            },
            DeValue::Array(_) => self.list()?.iter().map(Item::json).collect::<Option<Vec<_>>>()?.into(),
            DeValue::Table(_) => Value::Object(Values::read(self)?),
        })
    }
}

fn integer_value(integer: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn type_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn listed<T>(of: &[(&str, T)]) -> String {
    of.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Read for String {
    fn read(item: &Item<'_>) -> Option<Self> {
        match item.value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => item.wrong_type("a string"),
        }
    }
}

impl Read for bool {
    fn read(item: &Item<'_>) -> Option<Self> {
        match item.value.as_bool() {
            Some(flag) => Some(flag),
            None => item.wrong_type("true or false"),
        }
    }
}

macro_rules! read_integer {
    ($($type:ty),*) => {$(
        impl Read for $type {
            fn read(item: &Item<'_>) -> Option<Self> {
                let number = item.integer()?;
                match Self::try_from(number) {
                    Ok(number) => Some(number),
                    Err(_) => item.refuse(&format!("lie between {} and {}", Self::MIN, Self::MAX)),
                }
            }
        }
    )*};
}
read_integer!(i64, u64, u32, u16);

/// `"5m"`, `"24h"`, `"1h 30m"`; at most a hundred years.
impl Read for Duration {
    fn read(item: &Item<'_>) -> Option<Self> {
        const LONGEST: Duration = Duration::from_hours(100 * 366 * 24);
        let Some(text) = item.value.as_str() else {
            return item.wrong_type("a duration such as \"5m\" or \"24h\"");
        };
        match humantime::parse_duration(text) {
            Ok(span) if span <= LONGEST => Some(span),
            Ok(_) => item.refuse("be at most a hundred years"),
            Err(_) => item.refuse(&format!("be a duration such as \"30s\", \"5m\", \"24h\" or \"7d\", not \"{text}\"")),
        }
    }
}

/// `"16MiB"`, `"1.5GB"`, or a plain number of bytes.
impl Read for ByteCount {
    fn read(item: &Item<'_>) -> Option<Self> {
        if matches!(item.value, DeValue::Integer(_)) {
            return u64::read(item).map(ByteCount);
        }
        let Some(text) = item.value.as_str() else {
            return item.wrong_type("a size such as \"16MiB\" or \"1GB\"");
        };
        match text.parse() {
            Ok(size) => Some(size),
            Err(_) => item.refuse(&format!("be a size such as \"512MB\", \"16MiB\" or \"1.5GB\", not \"{text}\"")),
        }
    }
}

impl Read for PathBuf {
    fn read(item: &Item<'_>) -> Option<Self> {
        let text = String::read(item)?;
        if text.is_empty() || text.contains('\0') {
            return item.refuse("be a path");
        }
        Some(PathBuf::from(text))
    }
}

impl Read for crate::model::proof::Level {
    fn read(item: &Item<'_>) -> Option<Self> {
        match String::read(item)?.parse() {
            Ok(level) => Some(level),
            Err(_) => item.refuse("be a proof level from \"L0\" to \"L6\""),
        }
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(item: &Item<'_>) -> Option<Self> {
        // All entries are read before the first failure counts, so that each one is reported.
        let entries: Vec<Option<T>> = item.list()?.iter().map(T::read).collect();
        entries.into_iter().collect()
    }
}

impl<T: Read> Read for Located<T> {
    fn read(item: &Item<'_>) -> Option<Self> {
        T::read(item).map(|value| Self { value, place: item.place })
    }
}

/// Any TOML value as JSON; dates become strings, tables keep their order.
impl Read for Value {
    fn read(item: &Item<'_>) -> Option<Self> {
        item.json()
    }
}

/// A table with free names as JSON values, in the order of the file.
impl Read for Values {
    fn read(item: &Item<'_>) -> Option<Self> {
        item.entries()?.into_iter().map(|(key, entry)| entry.json().map(|value| (key.value, value))).collect()
    }
}
