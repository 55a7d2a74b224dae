//! Roles to styles: a screen says what a text means, the theme file says how that looks.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use std::collections::BTreeMap;

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// What a piece of the screen means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role { $($(#[$doc])* $variant,)* }

        impl Role {
            pub const ALL: &'static [Role] = &[$(Role::$variant,)*];

            /// Its key in a theme file.
            pub const fn name(self) -> &'static str {
                match self { $(Role::$variant => $name,)* }
            }
        }
    };
}

roles! {
    /// Ordinary text, and the ground it stands on.
    Base => "base",
    Strong => "strong",
    Dim => "dim",
    Faint => "faint",
    Heading => "heading",
    Accent => "accent",
    /// Identifiers, digests, paths.
    Code => "code",
    Ok => "ok",
    Warning => "warning",
    Unknown => "unknown",
    Critical => "critical",
    Info => "info",
    /// Values whose store is lost.
    Stale => "stale",
    /// Ground of the row under the cursor.
    Selected => "selected",
    /// The same in a list that does not have the keys.
    SelectedIdle => "selected-idle",
    TableHead => "table-head",
    Group => "group",
    Border => "border",
    BorderFocus => "border-focus",
    Title => "title",
    Band => "band",
    BandDim => "band-dim",
    Environment => "environment",
    Production => "production",
    ReadOnly => "read-only",
    Armed => "armed",
    ModeReal => "mode-real",
    ModeDrill => "mode-drill",
    ModeDry => "mode-dry",
    Tab => "tab",
    TabOn => "tab-on",
    Key => "key",
    KeyLabel => "key-label",
    Input => "input",
    Placeholder => "placeholder",
    Cursor => "cursor",
    Matched => "matched",
    BarFill => "bar-fill",
    BarWarn => "bar-warn",
    BarOver => "bar-over",
    BarRest => "bar-rest",
    Spark => "spark",
    Dialog => "dialog",
    DialogBorder => "dialog-border",
    DangerBorder => "danger-border",
    Button => "button",
    ButtonOn => "button-on",
    Danger => "danger",
    Status => "status",
    StatusError => "status-error",
    Frozen => "frozen",
}

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// No colour at all; weight and reversal stay.
    None,
    Sixteen,
    Palette,
    True,
}

impl Depth {
    /// Judged from the environment alone: the terminal is never asked.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if set("NO_COLOR").is_some() {
            return Depth::None;
        }
        let term = set("TERM").unwrap_or_default();
        let colour_term = set("COLORTERM").unwrap_or_default();
        match () {
            () if term == "dumb" => Depth::None,
            () if matches!(colour_term.as_str(), "truecolor" | "24bit") => Depth::True,
            () if term.contains("256color") || term.contains("direct") => Depth::Palette,
            () => Depth::Sixteen,
        }
    }
}

/// Names of the built-in themes, in the order in which the console cycles through them.
pub const NAMES: [&str; 5] = ["dark", "light", "high-contrast", "colour-blind", "mono"];

const FILES: [&str; 5] = [
    include_str!("../../themes/dark.toml"),
    include_str!("../../themes/light.toml"),
    include_str!("../../themes/high-contrast.toml"),
    include_str!("../../themes/colour-blind.toml"),
    include_str!("../../themes/mono.toml"),
];

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ThemeError {
    #[error("there is no theme `{name}`; choose one of {}", NAMES.join(", "))]
    Unknown { name: String },
    #[error("theme `{theme}`: {what}")]
    Bad { theme: String, what: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    pub name: String,
    styles: Vec<Style>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    colours: BTreeMap<String, Colour>,
    roles: BTreeMap<String, RoleStyle>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Colour {
    /// `#rrggbb`, or `default` for the terminal's own.
    rgb: String,
    /// One of the sixteen names, or `default`.
    ansi: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RoleStyle {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    reverse: bool,
}

impl Theme {
    /// A built-in theme, reduced to what the terminal shows. Without colours every name means `mono`.
    pub fn load(name: &str, depth: Depth) -> Result<Self, ThemeError> {
        let Some(at) = NAMES.iter().position(|known| *known == name) else {
            return Err(ThemeError::Unknown { name: name.to_owned() });
        };
        let text = if depth == Depth::None { FILES[4] } else { FILES[at] };
        Self::parse(name, text, depth)
    }

    pub fn parse(name: &str, text: &str, depth: Depth) -> Result<Self, ThemeError> {
        let bad = |what: String| ThemeError::Bad { theme: name.to_owned(), what };
        let file: File = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
        let mut styles = Vec::with_capacity(Role::ALL.len());
        for role in Role::ALL {
            let row = file.roles.get(role.name()).ok_or_else(|| bad(format!("role `{}` is missing", role.name())))?;
            styles.push(row.style(&file.colours, depth).map_err(bad)?);
        }
        if let Some(stray) = file.roles.keys().find(|key| Role::ALL.iter().all(|role| role.name() != *key)) {
            return Err(bad(format!("`{stray}` is not a role")));
        }
        Ok(Self { name: name.to_owned(), styles })
    }

    /// A theme in which each role has a colour number of its own, so that a picture of cells can be read
    /// back as roles. Grounds carry it as background too.
    pub fn numbered() -> Self {
        let styles = Role::ALL
            .iter()
            .enumerate()
            .map(|(number, role)| {
                let colour = Color::Indexed(number as u8 + 16);
                let style = Style::new().fg(colour);
                if role.is_ground() { style.bg(colour) } else { style }
            })
            .collect();
        Self { name: "numbered".to_owned(), styles }
    }

    /// The role whose number a colour of [`Theme::numbered`] is.
    pub fn numbered_role(colour: Color) -> Option<Role> {
        match colour {
            Color::Indexed(number) => Role::ALL.get(usize::from(number).checked_sub(16)?).copied(),
            _ => None,
        }
    }

    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role as usize).copied().unwrap_or_default()
    }

    /// The name of the theme after this one.
    pub fn next_name(&self) -> &'static str {
        let at = NAMES.iter().position(|name| *name == self.name).unwrap_or(NAMES.len() - 1);
        NAMES[(at + 1) % NAMES.len()]
    }
}

impl Role {
    /// Whether it fills an area rather than colours a text.
    pub const fn is_ground(self) -> bool {
        use Role as R;
        matches!(
            self,
            R::Base
                | R::Selected
                | R::SelectedIdle
                | R::Band
                | R::Environment
                | R::Production
                | R::ReadOnly
                | R::Armed
                | R::ModeReal
                | R::ModeDrill
                | R::ModeDry
                | R::TabOn
                | R::Input
                | R::Cursor
                | R::Dialog
                | R::Button
                | R::ButtonOn
                | R::Danger
                | R::StatusError
                | R::Frozen
        )
    }
}

impl RoleStyle {
    fn style(&self, colours: &BTreeMap<String, Colour>, depth: Depth) -> Result<Style, String> {
        let mut style = Style::new();
        let named = |name: &String| {
            let colour = colours.get(name).ok_or_else(|| format!("colour `{name}` is not defined"))?;
            colour.at(depth)
        };
        if depth != Depth::None {
            if let Some(name) = &self.fg {
                style = style.fg(named(name)?);
            }
            if let Some(name) = &self.bg {
                style = style.bg(named(name)?);
            }
        }
        let marks = [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.italic, Modifier::ITALIC),
            (self.underline, Modifier::UNDERLINED),
            (self.reverse, Modifier::REVERSED),
        ];
        Ok(marks.iter().filter(|(on, _)| *on).fold(style, |style, (_, mark)| style.add_modifier(*mark)))
    }
}

impl Colour {
    fn at(&self, depth: Depth) -> Result<Color, String> {
        let text = if depth == Depth::Sixteen { &self.ansi } else { &self.rgb };
        if text == "default" {
            return Ok(Color::Reset);
        }
        let colour: Color = text.parse().map_err(|_| format!("`{text}` is not a colour"))?;
        Ok(match (colour, depth) {
            (Color::Rgb(r, g, b), Depth::Palette) => Color::Indexed(nearest_of_256(r, g, b)),
            (colour, _) => colour,
        })
    }
}

/// The nearest entry of the fixed part of the 256-colour palette: the 6×6×6 cube or the grey ramp.
fn nearest_of_256(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let near = |v: u8| (0..6u8).min_by_key(|i| STEPS[usize::from(*i)].abs_diff(v)).unwrap_or(0);
    let distance = |x: (u8, u8, u8)| {
        let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        square(x.0, r) + square(x.1, g) + square(x.2, b)
    };
    let (cr, cg, cb) = (near(r), near(g), near(b));
    let cube = (STEPS[usize::from(cr)], STEPS[usize::from(cg)], STEPS[usize::from(cb)]);
    let mean = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let grey_step = (mean.saturating_sub(3) / 10).min(23) as u8;
    let grey = 8 + grey_step * 10;
    if distance((grey, grey, grey)) < distance(cube) { 232 + grey_step } else { 16 + 36 * cr + 6 * cg + cb }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_knows_every_role_at_every_depth() {
        for name in NAMES {
            for depth in [Depth::None, Depth::Sixteen, Depth::Palette, Depth::True] {
                Theme::load(name, depth).unwrap();
            }
        }
        assert!(Theme::load("pink", Depth::True).unwrap_err().to_string().contains("colour-blind"));
    }

    #[test]
    fn without_colour_selection_and_danger_still_stand_out() {
        let theme = Theme::load("dark", Depth::None).unwrap();
        for role in [Role::Selected, Role::Danger, Role::Production, Role::Armed, Role::ButtonOn] {
            assert!(!theme.style(role).add_modifier.is_empty(), "{}", role.name());
            assert_eq!((theme.style(role).fg, theme.style(role).bg), (None, None));
        }
    }

    #[test]
    fn depth_comes_from_the_environment() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: BTreeMap<String, String> =
                pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Depth::from_environment(|name| pairs.get(name).cloned())
        };
        assert_eq!(with(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]), Depth::True);
        assert_eq!(with(&[("TERM", "screen-256color")]), Depth::Palette);
        assert_eq!(with(&[("TERM", "linux")]), Depth::Sixteen);
        assert_eq!(with(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")]), Depth::None);
    }

    #[test]
    fn palette_colours_are_near() {
        assert_eq!(nearest_of_256(255, 0, 0), 196);
        assert_eq!(nearest_of_256(128, 128, 128), 244);
    }
}
