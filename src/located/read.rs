//! The way in: text or file to value, or to all its problems.

use super::fields::Fields;
use super::place::Place;
use super::problem::{Problem, Problems};
use std::cell::RefCell;
use std::io::Read as _;
use std::path::Path;
use toml::de::DeTable;

/// Where problems gather while a file is read.
#[derive(Debug)]
pub(super) struct Sink {
    text: String,
    problems: RefCell<Vec<Problem>>,
}

impl Sink {
    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// `place` spans the token with its quotes. Only where the token is its value verbatim can an offset
    /// into the value be found in the file; elsewhere the token as a whole is shown.
    pub(super) fn inside(&self, place: Place, value: &str, offset: usize) -> Place {
        let token = self.text.get(place.start..place.end).unwrap_or_default();
        if token.len() == value.len() + 2 && token.get(1..=value.len()) == Some(value) && offset <= value.len() {
            let start = place.start + 1 + offset;
            let width = value.get(offset..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
            return Place { start, end: start + width };
        }
        place
    }
}

/// Largest file that is read: more than any configuration, little enough for memory.
const LARGEST: u64 = 4 << 20;

/// Reads `text`, called `file` in messages. `build` gets the root table; if it or anything below it
/// reported a problem, all of them come back, and only then.
pub fn read<T>(
    file: &str,
    text: &str,
    build: impl for<'d> FnOnce(&mut Fields<'d>) -> Option<T>,
) -> Result<T, Problems> {
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problem = |error: &toml::de::Error| {
            let place = error.span().map_or(Place::WHOLE, Place::from);
            Problem::at(&place, format!("not valid TOML: {}", error.message().trim_end().replace('\n', ", ")))
        };
        return Err(Problems::new(file, text, errors.iter().map(problem).collect()));
    }
    let sink = Sink { text: text.to_owned(), problems: RefCell::default() };
    let mut fields = Fields::new(root.get_ref(), Place::WHOLE, "the file".to_owned(), &sink);
    let built = build(&mut fields);
    fields.finish();
    let problems = sink.problems.into_inner();
    match built {
        Some(value) if problems.is_empty() => Ok(value),
        None if problems.is_empty() => Err(Problems::unreadable(
            file,
            "the file was refused without a stated reason",
            "this is a defect of Relight; please report it with the file",
        )),
        _ => Err(Problems::new(file, text, problems)),
    }
}

/// Reads the file at `path`; a file that cannot be read is a problem like any other.
pub fn read_file<T>(path: &Path, build: impl for<'d> FnOnce(&mut Fields<'d>) -> Option<T>) -> Result<T, Problems> {
    let file = path.display().to_string();
    let text = text_of(path).map_err(|(message, help)| Problems::unreadable(&file, message, help))?;
    read(&file, &text, build)
}

fn text_of(path: &Path) -> Result<String, (String, &'static str)> {
    let broken = |error: std::io::Error| {
        (format!("the file cannot be read: {error}"), "check the path and the rights of this user")
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(broken)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() as u64 > LARGEST {
        return Err(("the file is larger than 4 MiB".to_owned(), "name a TOML file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|b| *b == b'\n').count();
        (format!("line {line} is not UTF-8 text"), "save the file as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Located, Problem};
    use super::*;
    use std::time::Duration;

    fn shown(text: &str, build: impl for<'d> FnOnce(&mut Fields<'d>) -> Option<()>) -> String {
        read("x.toml", text, build).map_or_else(|problems| problems.to_string(), |()| String::new())
    }

    #[test]
    fn missing_unknown_and_wrong_come_together_with_lines_and_carets() {
        let text = "name = 3\n\n[[stores]]\nid = \"a\"\nbuckte = \"b\"\nevery = \"often\"\n[[stores]]\n";
        let out = shown(text, |root| {
            let name = root.required::<String>("name");
            root.tables("stores", |f| {
                f.required::<String>("id");
                f.required::<String>("bucket");
                f.optional::<Duration>("every");
                Some(())
            });
            name.map(|_| ())
        });
        insta::assert_snapshot!(out, @r#"
        error: `name` must be a string, not an integer
         --> x.toml:1:8
          |
        1 | name = 3
          |        ^

        error: [[stores]] lacks `bucket`
         --> x.toml:3:1
          |
        3 | [[stores]]
          | ^^^^^^^^^^

        error: [[stores]] has no key `buckte`
         --> x.toml:5:1
          |
        5 | buckte = "b"
          | ^^^^^^
          = help: did you mean `bucket`?

        error: `every` must be a duration such as "30s", "5m", "24h" or "7d", not "often"
         --> x.toml:6:9
          |
        6 | every = "often"
          |         ^^^^^^^

        error: [[stores]] lacks `id`
         --> x.toml:7:1
          |
        7 | [[stores]]
          | ^^^^^^^^^^

        error: [[stores]] lacks `bucket`
         --> x.toml:7:1
          |
        7 | [[stores]]
          | ^^^^^^^^^^
        "#);
    }

    #[test]
    fn hostile_text_is_escaped_and_carets_stay_below_what_they_mark() {
        let out = shown("\"ü\\u001b[2J\" = 1\n\tk\u{202e} = 2", |_| Some(()));
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'), "{out}");
        let out = shown("a = \"日本{x\"", |f| {
            let item = f.take("a")?;
            item.report(Problem::at(&item.inside("日本".len()), "no such field"));
            Some(())
        });
        insta::assert_snapshot!(out, @r#"
        error: no such field
         --> x.toml:1:8
          |
        1 | a = "日本{x"
          |          ^
        "#);
    }

    #[test]
    fn every_syntax_error_has_its_place() {
        let out = shown("a = \nb = [1,\n", |_| Some(()));
        assert!(out.contains("x.toml:1:"), "{out}");
    }

    #[test]
    fn entries_keep_the_order_of_the_file() {
        let read = read("x.toml", "[p.zeta]\na=1\n[p.alpha]\nb=2\n", |f| {
            let names: Vec<String> = f.entries("p").into_iter().map(|(key, _)| key.value).collect();
            Some(names)
        });
        assert_eq!(read.unwrap(), ["zeta", "alpha"]);
    }

    #[test]
    fn duplicates_point_at_both() {
        let out = shown("ids = [\"a\", \"a\"]", |f| {
            let ids: Vec<Located<String>> = f.required("ids")?;
            f.report(Problem::at(&ids[1].place, "twice").also(&ids[0].place, "first named here"));
            Some(())
        });
        assert!(out.contains("x.toml:1:13") && out.contains("first named here"), "{out}");
    }
}
