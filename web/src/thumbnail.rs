//! Small pictures of pictures: decoded within bounds, a few at a time, the last ones kept.

use std::io::Cursor;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use lru::LruCache;
use storage::meta::Version;

use crate::App;
use crate::frame::Failure;
use crate::frame::asking::{self, Who};
use crate::turns::Turns;

/// Pictures decoded at once, two of them for one account.
const AT_ONCE: usize = 3;
/// The largest file that is looked at, bytes.
pub const MAX_SOURCE_BYTES: u64 = 32 << 20;
/// The largest side of a picture that is decoded, pixels.
const MAX_SIDE: u32 = 16_384;
/// The most memory one decoding may take, bytes.
const MAX_DECODED_BYTES: u64 = 192 << 20;
/// Thumbnails kept.
const KEPT: NonZeroUsize = NonZeroUsize::new(2_000).expect("not zero");
/// Thumbnails over this are not kept, bytes.
const MAX_KEPT_BYTES: usize = 32 << 10;
const JPEG_QUALITY: u8 = 82;
/// Endings of what can be decoded.
const ENDINGS: [&str; 6] = ["bmp", "gif", "jpeg", "jpg", "png", "webp"];

/// How a thumbnail is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Small; what is transparent becomes white.
    Jpeg,
    /// Exact.
    Png,
    /// Exact, and smaller.
    Webp,
}

/// What is wanted of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Width of the box it fits in, pixels.
    pub width: u32,
    /// Height of the box, pixels.
    pub height: u32,
    /// Whether the box is filled, and what is over cut off.
    pub fills: bool,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// Why there is no thumbnail.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoThumbnail {
    /// Damaged, or no picture, or over the bounds.
    #[error("the picture cannot be decoded: {0}")]
    Picture(String),
    /// Its small form could not be written.
    #[error("the thumbnail cannot be encoded: {0}")]
    Encoding(String),
}

/// Makes thumbnails.
pub struct Thumbnails {
    turns: Arc<Turns<Who>>,
    kept: Mutex<LruCache<([u8; 32], Wanted), Bytes>>,
}

impl Default for Thumbnails {
    fn default() -> Self {
        Thumbnails {
            turns: Turns::new("thumbnails", AT_ONCE),
            kept: Mutex::new(LruCache::new(KEPT)),
        }
    }
}

impl Encoding {
    /// Its media type.
    pub fn mime(self) -> &'static str {
        match self {
            Encoding::Jpeg => "image/jpeg",
            Encoding::Png => "image/png",
            Encoding::Webp => "image/webp",
        }
    }
}

/// Whether files with this ending may have thumbnails.
pub fn is_picture(extension: &str) -> bool {
    ENDINGS.contains(&extension)
}

/// A version's thumbnail, kept or made; the outer failure is the service's, the inner one the picture's.
pub async fn of(
    app: &App,
    version: &Version,
    wanted: Wanted,
) -> Result<Result<Bytes, NoThumbnail>, Failure> {
    let key = (version.content_hash, wanted);
    if let Some(bytes) = app.thumbnails().known(&key) {
        return Ok(Ok(bytes));
    }
    if version.size > MAX_SOURCE_BYTES {
        return Ok(Err(NoThumbnail::Picture("it is too large".into())));
    }
    let _turn = app.thumbnails().turns.wait(asking::who()).await;
    let blocks = version.blocks.clone();
    let made = app.blocking(move |app| {
        let mut bytes = Vec::new();
        for block in &blocks {
            bytes.extend(app.blocks().get(block)?);
        }
        storage::Result::Ok(make(&bytes, wanted).map(Bytes::from))
    });
    let made = made.await?.map_err(Failure::from_storage)?;
    if let Ok(bytes) = &made {
        app.thumbnails().keep(key, bytes);
    }
    Ok(made)
}

impl Thumbnails {
    fn known(&self, key: &([u8; 32], Wanted)) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(|e| e.into_inner());
        kept.get(key).cloned()
    }

    fn keep(&self, key: ([u8; 32], Wanted), bytes: &Bytes) {
        if bytes.len() <= MAX_KEPT_BYTES {
            let mut kept = self.kept.lock().unwrap_or_else(|e| e.into_inner());
            kept.put(key, bytes.clone());
        }
    }
}

/// A picture's small form.
pub(crate) fn make(bytes: &[u8], wanted: Wanted) -> Result<Vec<u8>, NoThumbnail> {
    let picture = decode(bytes).map_err(|e| NoThumbnail::Picture(e.to_string()))?;
    let (width, height) = (wanted.width, wanted.height);
    let is_small = picture.width() <= width && picture.height() <= height;
    let small = match wanted.fills {
        true => picture.resize_to_fill(width, height, image::imageops::FilterType::Triangle),
        false if is_small => picture,
        false => picture.thumbnail(width, height),
    };
    encode(small, wanted.encoding).map_err(|e| NoThumbnail::Encoding(e.to_string()))
}

fn decode(bytes: &[u8]) -> image::ImageResult<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        let kind = image::error::LimitErrorKind::InsufficientMemory;
        return Err(image::ImageError::Limits(
            image::error::LimitError::from_kind(kind),
        ));
    }
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn encode(picture: DynamicImage, encoding: Encoding) -> image::ImageResult<Vec<u8>> {
    let mut out = Cursor::new(Vec::new());
    match encoding {
        Encoding::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY);
            on_white(&picture).write_with_encoder(encoder)?;
        }
        Encoding::Png => {
            DynamicImage::from(picture.to_rgba8()).write_to(&mut out, ImageFormat::Png)?
        }
        Encoding::Webp => {
            DynamicImage::from(picture.to_rgba8()).write_to(&mut out, ImageFormat::WebP)?
        }
    }
    Ok(out.into_inner())
}

/// Without transparency: JPEG has none.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0.map(u16::from);
        let over_white = |c: u16| ((c * a + 255 * (255 - a)) / 255) as u8;
        image::Rgb([over_white(r), over_white(g), over_white(b)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Wanted = Wanted {
        width: 64,
        height: 64,
        fills: false,
        encoding: Encoding::Png,
    };

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        let picture = DynamicImage::new_rgba8(width, height);
        picture
            .write_to(&mut out, ImageFormat::Png)
            .expect("a picture");
        out.into_inner()
    }

    fn size(bytes: &[u8]) -> (u32, u32) {
        let picture = image::load_from_memory(bytes).expect("a picture");
        (picture.width(), picture.height())
    }

    #[test]
    fn pictures_fit_the_box_or_fill_it_and_are_never_blown_up() {
        let wide = png(200, 100);
        assert_eq!(size(&make(&wide, SMALL).expect("fits")), (64, 32));
        let fills = Wanted {
            fills: true,
            ..SMALL
        };
        assert_eq!(size(&make(&wide, fills).expect("fills")), (64, 64));
        assert_eq!(size(&make(&png(8, 4), SMALL).expect("small")), (8, 4));
    }

    #[test]
    fn what_is_transparent_is_white_in_a_jpeg() {
        let wanted = Wanted {
            encoding: Encoding::Jpeg,
            ..SMALL
        };
        let small = make(&png(8, 8), wanted).expect("a jpeg");
        let picture = image::load_from_memory(&small)
            .expect("a picture")
            .to_rgb8();
        assert!(picture.get_pixel(4, 4).0.iter().all(|c| *c > 250));
    }

    #[test]
    fn bombs_and_rubbish_are_refused() {
        // A PNG that says it is 100,000 pixels wide and high.
        let mut bomb = png(1, 1);
        bomb[16..24].copy_from_slice(&[0, 1, 0x86, 0xa0, 0, 1, 0x86, 0xa0]);
        assert!(matches!(make(&bomb, SMALL), Err(NoThumbnail::Picture(_))));
        assert!(matches!(
            make(b"<svg/>", SMALL),
            Err(NoThumbnail::Picture(_))
        ));
        assert!(matches!(
            make(&png(40, 40)[..60], SMALL),
            Err(NoThumbnail::Picture(_))
        ));
    }
}
