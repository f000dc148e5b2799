//! The character table of an embedded TrueType font, read backwards: which character a glyph number shows.

use std::collections::HashMap;

/// Glyphs that are kept.
const MAX_GLYPHS: usize = 70_000;

/// Glyph number -> character, from the font's best Unicode table.
pub(super) fn characters(font: &[u8]) -> HashMap<u32, char> {
    subtable(font).map(read).unwrap_or_default()
}

/// Code -> glyph number, from a symbolic font's one-byte table (Macintosh or symbol).
pub(super) fn symbols(font: &[u8]) -> HashMap<u32, u32> {
    let mut symbols = HashMap::new();
    for (platform, encoding, table) in subtables(font).unwrap_or_default() {
        if (platform, encoding) == (3, 0) || (platform == 1 && symbols.is_empty()) {
            each(table, |code, glyph| {
                symbols.insert(code & 0xFF, glyph);
            });
        }
    }
    symbols
}

fn subtables(font: &[u8]) -> Option<Vec<(u16, u16, &[u8])>> {
    let count = u16_at(font, 4)?;
    let directory = (0..usize::from(count)).map(|index| 12 + index * 16);
    let entry = directory
        .clone()
        .find(|at| font.get(*at..at + 4) == Some(b"cmap"))?;
    let cmap = font.get(u32_at(font, entry + 8)? as usize..)?;
    let tables = (0..usize::from(u16_at(cmap, 2)?.min(64))).filter_map(|index| {
        let at = 4 + index * 8;
        Some((
            u16_at(cmap, at)?,
            u16_at(cmap, at + 2)?,
            cmap.get(u32_at(cmap, at + 4)? as usize..)?,
        ))
    });
    Some(tables.collect())
}

fn subtable(font: &[u8]) -> Option<&[u8]> {
    let rank = |platform, encoding| match (platform, encoding) {
        (3, 10) | (0, 4..) => 3,
        (3, 1) => 2,
        (0, _) => 1,
        _ => 0,
    };
    let tables = subtables(font)?;
    let best = tables
        .into_iter()
        .max_by_key(|(platform, encoding, _)| rank(*platform, *encoding))?;
    (rank(best.0, best.1) > 0).then_some(best.2)
}

fn read(table: &[u8]) -> HashMap<u32, char> {
    let mut characters = HashMap::new();
    each(table, |code, glyph| {
        if let Some(character) = char::from_u32(code)
            && characters.len() < MAX_GLYPHS
        {
            characters.entry(glyph).or_insert(character);
        }
    });
    characters
}

fn each(table: &[u8], mut visit: impl FnMut(u32, u32)) {
    let done = match u16_at(table, 0) {
        Some(0) => bytes(table, &mut visit),
        Some(4) => segments(table, &mut visit),
        Some(6) => trimmed(table, &mut visit),
        Some(12) => groups(table, &mut visit),
        _ => None,
    };
    // A cut table gives what it has.
    done.unwrap_or_default();
}

fn bytes(table: &[u8], visit: &mut impl FnMut(u32, u32)) -> Option<()> {
    for code in 0..256 {
        visit(code, u32::from(*table.get(6 + code as usize)?));
    }
    Some(())
}

fn trimmed(table: &[u8], visit: &mut impl FnMut(u32, u32)) -> Option<()> {
    let (first, count) = (u16_at(table, 6)?, u16_at(table, 8)?);
    for index in 0..u32::from(count) {
        visit(
            u32::from(first) + index,
            u32::from(u16_at(table, 10 + index as usize * 2)?),
        );
    }
    Some(())
}

fn segments(table: &[u8], visit: &mut impl FnMut(u32, u32)) -> Option<()> {
    let count = usize::from(u16_at(table, 6)? / 2);
    for segment in 0..count {
        let at = |part: usize| 14 + part * count * 2 + segment * 2 + if part > 0 { 2 } else { 0 };
        let (end, start) = (u16_at(table, at(0))?, u16_at(table, at(1))?);
        let (delta, offset) = (u16_at(table, at(2))?, u16_at(table, at(3))?);
        for code in start..=end.min(0xFFFE) {
            let glyph = if offset == 0 {
                code.wrapping_add(delta)
            } else {
                match u16_at(
                    table,
                    at(3) + usize::from(offset) + usize::from(code - start) * 2,
                )? {
                    0 => continue,
                    glyph => glyph.wrapping_add(delta),
                }
            };
            visit(u32::from(code), u32::from(glyph));
        }
    }
    Some(())
}

fn groups(table: &[u8], visit: &mut impl FnMut(u32, u32)) -> Option<()> {
    let count = u32_at(table, 12)?.min(MAX_GLYPHS as u32) as usize;
    for group in 0..count {
        let at = 16 + group * 12;
        let (start, end, glyph) = (
            u32_at(table, at)?,
            u32_at(table, at + 4)?,
            u32_at(table, at + 8)?,
        );
        for (step, code) in (start..=end.min(start.saturating_add(MAX_GLYPHS as u32))).enumerate() {
            visit(code, glyph.wrapping_add(step as u32));
        }
    }
    Some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
