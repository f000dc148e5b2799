//! Calls what reads the answers of extraction's child processes, for the fuzz targets: a file may have taken such a process over.

use super::{Extraction, Limits, Sandbox, Unopened, pool, wire};
use crate::late::ocr;
use crate::payload::{self, Payload};
use crate::stage::page_ends;

/// Any bytes as each kind of answer, with the length before them that fits.
pub fn answers(bytes: &[u8]) {
    let Ok(length) = u32::try_from(bytes.len()) else {
        return;
    };
    let frame = [&length.to_le_bytes(), bytes].concat();
    drop(wire::receive::<Sandbox>(&mut frame.as_slice()));
    drop(wire::receive::<Result<u32, Unopened>>(
        &mut frame.as_slice(),
    ));
    drop(wire::receive::<Extraction>(&mut &*bytes));
    if let Ok(Some(given)) = wire::receive::<Extraction>(&mut frame.as_slice()) {
        let given = pool::restore(given, bytes, &Limits::default());
        let ends = page_ends(&given.text, &given.pages);
        assert!(
            ends.iter()
                .all(|&end| given.text.is_char_boundary(end as usize))
        );
    }
}

/// Tesseract's table of words.
pub fn tables(bytes: &[u8]) {
    drop(ocr::words(&String::from_utf8_lossy(bytes)));
}

/// What a commit says about itself: an index may come from elsewhere.
pub fn commits(bytes: &[u8]) {
    for text in [
        hex::encode(bytes),
        String::from_utf8_lossy(bytes).into_owned(),
    ] {
        if let Some(payload) = Payload::decode(&text) {
            payload.fits(1, 8);
            let owned = payload::owned(payload.shard, payload.shards);
            owned.zip(payload.checkpoint).for_each(drop);
        }
    }
}
