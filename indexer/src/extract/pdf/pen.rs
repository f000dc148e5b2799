//! Where the last glyph ended: the distance from there tells a new word or line.

use super::super::sink::Sink;
use super::matrix::Matrix;

/// A gap of this part of the font size separates words.
const WORD_GAP: f64 = 0.15;
/// A step back of this part of the font size starts another word.
const BACK_STEP: f64 = 0.5;
/// A step off the line of this part of the font size starts another line.
const LINE_STEP: f64 = 0.5;

/// The end of the last glyph, its direction and its size, in the page's space.
#[derive(Default)]
pub(super) struct Pen {
    last: Option<Last>,
}

struct Last {
    end: (f64, f64),
    direction: (f64, f64),
    size: f64,
}

impl Pen {
    /// Notes that a glyph stands here, and separates it from the last one if need be. `glyph` maps the unit square of the
    /// glyph to the page, `width` is a part of the font size, `loose` the letter spacing of this text.
    pub fn place(
        &mut self,
        glyph: Matrix,
        width: f64,
        loose: f64,
        vertical: bool,
        sink: &mut Sink,
    ) {
        let [a, b, c, d, ..] = glyph.0;
        let along = if vertical { (-c, -d) } else { (a, b) };
        let size = along.0.hypot(along.1);
        if !size.is_finite() || size < 1e-9 {
            return;
        }
        let direction = (along.0 / size, along.1 / size);
        let start = glyph.origin();
        if let Some(last) = &self.last {
            last.separate(start, direction, size, loose, sink);
        }
        let end = (start.0 + along.0 * width, start.1 + along.1 * width);
        self.last = Some(Last {
            end,
            direction,
            size,
        });
    }
}

impl Last {
    fn separate(
        &self,
        start: (f64, f64),
        direction: (f64, f64),
        size: f64,
        loose: f64,
        sink: &mut Sink,
    ) {
        let (x, y) = (start.0 - self.end.0, start.1 - self.end.1);
        let ahead = x * self.direction.0 + y * self.direction.1;
        let aside = (x * self.direction.1 - y * self.direction.0).abs();
        let turned = self.direction.0 * direction.0 + self.direction.1 * direction.1 < 0.9;
        let size = self.size.max(size * 0.5);
        if turned || aside > size * LINE_STEP {
            sink.line();
        } else if ahead > size * (WORD_GAP + loose.clamp(0.0, 0.6)) || ahead < -size * BACK_STEP {
            sink.gap();
        }
    }
}
