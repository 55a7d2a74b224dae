//! Cells → SVG → PNG. Lines, blocks and braille are drawn as shapes, so that they join without seams;
//! every other glyph is one text element at its own place, so that columns cannot shift.

use color_eyre::eyre::{Result, eyre};
use resvg::{tiny_skia, usvg};
use std::fmt::Write as _;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

const CELL_W: f32 = 8.4;
const CELL_H: f32 = 18.0;
const FONT: f32 = 14.0;
const BASELINE: f32 = 13.4;
const MARGIN: f32 = 14.0;
/// Pixels per unit.
const SCALE: f32 = 2.0;
/// Widens backgrounds so that anti-aliasing leaves no hairline between two cells.
const OVERLAP: f32 = 0.05;

const FOREGROUND: [u8; 3] = [0xd6, 0xdb, 0xe5];
const BACKGROUND: [u8; 3] = [0x10, 0x14, 0x1c];

/// The sixteen named colours as a common dark terminal shows them.
const NAMED: [[u8; 3]; 16] = [
    [0x1b, 0x20, 0x2b],
    [0xe0, 0x6c, 0x75],
    [0x98, 0xc3, 0x79],
    [0xe5, 0xc0, 0x7b],
    [0x61, 0xaf, 0xef],
    [0xc6, 0x78, 0xdd],
    [0x56, 0xb6, 0xc2],
    [0xc8, 0xcc, 0xd4],
    [0x5c, 0x63, 0x70],
    [0xff, 0x7a, 0x85],
    [0xb5, 0xe8, 0x90],
    [0xff, 0xd6, 0x8a],
    [0x82, 0xc4, 0xff],
    [0xdd, 0x9b, 0xf5],
    [0x7a, 0xd8, 0xe4],
    [0xff, 0xff, 0xff],
];

pub struct Pen {
    options: usvg::Options<'static>,
}

impl Pen {
    pub fn new() -> Result<Self> {
        let mut options = usvg::Options::default();
        let fonts = Arc::get_mut(&mut options.fontdb).ok_or_else(|| eyre!("the font table is in use"))?;
        fonts.load_system_fonts();
        if fonts.faces().all(|face| face.families.iter().all(|(name, _)| name != "JetBrains Mono")) {
            return Err(eyre!(
                "the font JetBrains Mono is not installed; on Debian: apt-get install fonts-jetbrains-mono fonts-dejavu-core"
            ));
        }
        Ok(Self { options })
    }

    pub fn png(&self, screen: &vt100::Screen) -> Result<Vec<u8>> {
        let tree = usvg::Tree::from_str(&svg(screen)?, &self.options)?;
        let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(|| eyre!("the picture has no size"))?;
        let mut pixels =
            tiny_skia::Pixmap::new(size.width(), size.height()).ok_or_else(|| eyre!("the picture is too large"))?;
        resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
        Ok(pixels.encode_png()?)
    }
}

fn svg(screen: &vt100::Screen) -> Result<String> {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let (width, height) = (f32::from(columns) * CELL_W + 2.0 * MARGIN, f32::from(rows) * CELL_H + 2.0 * MARGIN);
    let page = ground(screen);
    let mut back = String::new();
    let mut front = String::new();
    for row in 0..rows {
        for column in 0..columns {
            let Some(cell) = screen.cell(row, column) else { continue };
            let (x, y) = (MARGIN + f32::from(column) * CELL_W, MARGIN + f32::from(row) * CELL_H);
            let (mut fg, mut bg) = (colour(cell.fgcolor(), FOREGROUND), colour(cell.bgcolor(), BACKGROUND));
            let under_cursor = !screen.hide_cursor() && screen.cursor_position() == (row, column);
            if cell.inverse() != under_cursor {
                std::mem::swap(&mut fg, &mut bg);
            }
            if cell.dim() {
                fg = mix(fg, bg);
            }
            if bg != page {
                rect(&mut back, [x - OVERLAP, y - OVERLAP, CELL_W + 2.0 * OVERLAP, CELL_H + 2.0 * OVERLAP], bg, 1.0)?;
            }
            if cell.underline() {
                rect(&mut front, [x, y + CELL_H - 2.0, CELL_W, 1.0], fg, 1.0)?;
            }
            let text = cell.contents();
            if !text.trim().is_empty() && !shape(&mut front, text, x, y, fg)? {
                glyph(&mut front, cell, text, [x, y], fg)?;
            }
        }
    }
    Ok(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"><rect width="{width}" height="{height}" rx="8" fill="{}"/><g shape-rendering="crispEdges">{back}</g>{front}</svg>"#,
        hex(page)
    ))
}

/// The ground of the last corner, where nothing else ever stands: the page takes it, so that a theme reaches
/// its edge.
fn ground(screen: &vt100::Screen) -> [u8; 3] {
    let (rows, columns) = screen.size();
    let corner = screen.cell(rows.get() - 1, columns.get() - 1);
    corner.map_or(BACKGROUND, |cell| colour(cell.bgcolor(), BACKGROUND))
}

fn glyph(out: &mut String, cell: &vt100::Cell, text: &str, [x, y]: [f32; 2], fg: [u8; 3]) -> Result<()> {
    let centre = x + CELL_W * text.width().max(1) as f32 / 2.0;
    let weight = if cell.bold() { " font-weight=\"700\"" } else { "" };
    let slant = if cell.italic() { " font-style=\"italic\"" } else { "" };
    let safe = text.replace('&', "&amp;").replace('<', "&lt;");
    write!(
        out,
        r#"<text x="{centre}" y="{}" text-anchor="middle" font-family="JetBrains Mono, DejaVu Sans Mono, DejaVu Sans" font-size="{FONT}"{weight}{slant} fill="{}">{safe}</text>"#,
        y + BASELINE,
        hex(fg)
    )?;
    Ok(())
}

/// Draws line, block and braille characters; `false` for anything else.
fn shape(out: &mut String, text: &str, x: f32, y: f32, fg: [u8; 3]) -> Result<bool> {
    let Some(c) = text.chars().next().filter(|_| text.chars().count() == 1) else { return Ok(false) };
    match c {
        '\u{2581}'..='\u{2588}' => {
            let h = CELL_H * (c as u32 - 0x2580) as f32 / 8.0;
            rect(out, [x - OVERLAP, y + CELL_H - h, CELL_W + 2.0 * OVERLAP, h], fg, 1.0)?;
        }
        '\u{2589}'..='\u{258f}' => {
            let w = CELL_W * (0x2590 - c as u32) as f32 / 8.0;
            rect(out, [x - OVERLAP, y, w + OVERLAP, CELL_H], fg, 1.0)?;
        }
        '\u{2580}' => rect(out, [x, y, CELL_W, CELL_H / 2.0], fg, 1.0)?,
        '\u{2590}' => rect(out, [x + CELL_W / 2.0, y, CELL_W / 2.0, CELL_H], fg, 1.0)?,
        '\u{2591}'..='\u{2593}' => rect(out, [x, y, CELL_W, CELL_H], fg, (c as u32 - 0x2590) as f32 * 0.25)?,
        '\u{2800}'..='\u{28ff}' => braille(out, c as u32 - 0x2800, x, y, fg)?,
        '○' => write!(
            out,
            r#"<circle cx="{}" cy="{}" r="3" fill="none" stroke="{}" stroke-width="1.1"/>"#,
            x + CELL_W / 2.0,
            y + CELL_H / 2.0,
            hex(fg)
        )?,
        '╭' | '╮' | '╯' | '╰' => corner(out, c, x, y, fg)?,
        _ => match arms(c) {
            Some(arms) => lines(out, arms, x, y, fg)?,
            None => return Ok(false),
        },
    }
    Ok(true)
}

fn braille(out: &mut String, bits: u32, x: f32, y: f32, fg: [u8; 3]) -> Result<()> {
    const DOTS: [(f32, f32); 8] =
        [(0.0, 0.0), (0.0, 1.0), (0.0, 2.0), (1.0, 0.0), (1.0, 1.0), (1.0, 2.0), (0.0, 3.0), (1.0, 3.0)];
    for (bit, (column, row)) in DOTS.into_iter().enumerate() {
        if bits >> bit & 1 == 1 {
            let (cx, cy) = (x + CELL_W * (0.27 + 0.46 * column), y + CELL_H * (0.125 + 0.25 * row));
            write!(out, r#"<circle cx="{cx}" cy="{cy}" r="1.25" fill="{}"/>"#, hex(fg))?;
        }
    }
    Ok(())
}

fn corner(out: &mut String, c: char, x: f32, y: f32, fg: [u8; 3]) -> Result<()> {
    let (mx, my) = (x + CELL_W / 2.0, y + CELL_H / 2.0);
    let (side, end) = match c {
        '╭' => (x + CELL_W, y + CELL_H),
        '╮' => (x, y + CELL_H),
        '╯' => (x, y),
        _ => (x + CELL_W, y),
    };
    write!(
        out,
        r#"<path d="M{side} {my} Q{mx} {my} {mx} {end}" fill="none" stroke="{}" stroke-width="1.1"/>"#,
        hex(fg)
    )?;
    Ok(())
}

/// Weight of each arm of a line character: up, right, down, left; 1 light, 2 heavy, 3 double.
fn arms(c: char) -> Option<[u8; 4]> {
    Some(match c {
        '─' | '╌' | '┄' | '┈' => [0, 1, 0, 1],
        '│' | '╎' | '┆' | '┊' => [1, 0, 1, 0],
        '┌' => [0, 1, 1, 0],
        '┐' => [0, 0, 1, 1],
        '└' => [1, 1, 0, 0],
        '┘' => [1, 0, 0, 1],
        '├' => [1, 1, 1, 0],
        '┤' => [1, 0, 1, 1],
        '┬' => [0, 1, 1, 1],
        '┴' => [1, 1, 0, 1],
        '┼' => [1, 1, 1, 1],
        '━' => [0, 2, 0, 2],
        '┃' => [2, 0, 2, 0],
        '┏' => [0, 2, 2, 0],
        '┓' => [0, 0, 2, 2],
        '┗' => [2, 2, 0, 0],
        '┛' => [2, 0, 0, 2],
        '┣' => [2, 2, 2, 0],
        '┫' => [2, 0, 2, 2],
        '╸' => [0, 0, 0, 2],
        '╺' => [0, 2, 0, 0],
        '╴' => [0, 0, 0, 1],
        '╶' => [0, 1, 0, 0],
        '╵' => [1, 0, 0, 0],
        '╷' => [0, 0, 1, 0],
        '═' => [0, 3, 0, 3],
        '║' => [3, 0, 3, 0],
        '╔' => [0, 3, 3, 0],
        '╗' => [0, 0, 3, 3],
        '╚' => [3, 3, 0, 0],
        '╝' => [3, 0, 0, 3],
        _ => return None,
    })
}

fn lines(out: &mut String, arms: [u8; 4], x: f32, y: f32, fg: [u8; 3]) -> Result<()> {
    let (mx, my) = (x + CELL_W / 2.0, y + CELL_H / 2.0);
    for (arm, weight) in arms.into_iter().enumerate() {
        let offsets: &[(f32, f32)] = match weight {
            0 => continue,
            1 => &[(0.0, 1.1)],
            2 => &[(0.0, 2.4)],
            _ => &[(-1.4, 1.0), (1.4, 1.0)],
        };
        for (offset, thick) in offsets {
            let half = thick / 2.0;
            let area = match arm {
                0 => [mx + offset - half, y, *thick, CELL_H / 2.0 + half],
                1 => [mx - half, my + offset - half, CELL_W / 2.0 + half + OVERLAP, *thick],
                2 => [mx + offset - half, my - half, *thick, CELL_H / 2.0 + half],
                _ => [x - OVERLAP, my + offset - half, CELL_W / 2.0 + half + OVERLAP, *thick],
            };
            rect(out, area, fg, 1.0)?;
        }
    }
    Ok(())
}

fn rect(out: &mut String, [x, y, w, h]: [f32; 4], fill: [u8; 3], opacity: f32) -> Result<()> {
    write!(out, r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{}""#, hex(fill))?;
    if opacity < 1.0 {
        write!(out, r#" fill-opacity="{opacity}""#)?;
    }
    out.push_str("/>");
    Ok(())
}

fn colour(colour: vt100::Color, default: [u8; 3]) -> [u8; 3] {
    match colour {
        vt100::Color::Default => default,
        vt100::Color::Rgb(r, g, b) => [r, g, b],
        vt100::Color::Idx(n @ 0..=15) => NAMED[usize::from(n)],
        vt100::Color::Idx(n @ 16..=231) => {
            let level = |v: u8| if v == 0 { 0 } else { 55 + 40 * v };
            let n = n - 16;
            [level(n / 36), level(n / 6 % 6), level(n % 6)]
        }
        vt100::Color::Idx(n) => [8 + 10 * (n - 232); 3],
    }
}

fn mix(a: [u8; 3], b: [u8; 3]) -> [u8; 3] {
    std::array::from_fn(|i| ((u16::from(a[i]) * 3 + u16::from(b[i]) * 2) / 5) as u8)
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}
