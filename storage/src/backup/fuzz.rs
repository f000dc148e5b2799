//! Calls this module's decoders with any bytes, for the fuzz targets.

use sha2::{Digest, Sha256};

use super::point::{Chunk, Point};
use super::{open, restore, rows, seal, segment};
use crate::block::ExtentId;

/// The first byte says what the rest is; hashes are made to fit, since whoever writes a backup can do that too.
pub(crate) fn decode(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else {
        return;
    };
    match kind % 4 {
        0 => manifest(rest),
        3 => seal::decode(rest),
        1 => {
            let chunk = Chunk {
                sha256: hex::encode(Sha256::digest(rest)),
                first: String::new(),
                rows: 1,
            };
            if let Ok(pairs) = rows::unpack("chunk", rest, &chunk) {
                drop(open::numbers(pairs));
            }
        }
        _ => {
            let object = [rest, &Sha256::digest(rest)].concat();
            let place = (0, 1 << 20);
            let visit = &mut |_, _: &[u8]| Ok(());
            drop(segment::records(
                "segment",
                &object,
                ExtentId(1),
                place,
                visit,
            ));
            segment::parse(&String::from_utf8_lossy(rest));
        }
    }
}

fn manifest(text: &[u8]) {
    let hash = hex::encode(Sha256::digest(text.trim_ascii_end()));
    let Ok(point) = Point::parse("point", &[hash.as_bytes(), b"\n", text].concat()) else {
        return;
    };
    point.block_bytes();
    drop(restore::name(&point));
    for id in point.extents.keys() {
        drop(restore::extent(id));
    }
}
