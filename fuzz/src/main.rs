//! `fuzz/run` builds and starts this: libFuzzer on the target that `FUZZ_TARGET` names.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<fuzz::Target> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        if name == "formats" {
            // A panic in a format's reader is caught by `extract`, which says that the file is damaged: not a finding here. One
            // that is not caught still ends the program.
            std::panic::set_hook(Box::new(|_| {}));
        }
        let found = fuzz::TARGETS.iter().find(|(known, _)| *known == name);
        found.map_or_else(|| panic!("FUZZ_TARGET is {name:?}"), |(_, target)| *target)
    });
    target(bytes);
});
