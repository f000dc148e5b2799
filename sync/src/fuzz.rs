//! Calls this crate's decoders with any bytes, for the fuzz targets.

use crate::bus::Event;
use crate::import::Rules;

/// A message of the broker.
pub fn messages(bytes: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<Event>(bytes) {
        event.topic();
    }
}

/// Lines: a pattern that leaves files out, and paths that it is asked about.
pub fn patterns(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let pattern = lines.next().unwrap_or_default().to_owned();
    if let Ok(rules) = Rules::new(&[pattern], false, &[]) {
        for path in lines {
            rules.excluded(path, false);
            rules.excluded_below(path, true);
        }
    }
}
