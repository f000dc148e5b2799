//! What extraction leans on: the sandbox of its workers, and the programs for pictures and scans.

use indexer::extract::{Limits, Sandbox, WorkerCommand, WorkerPool};
use indexer::late::Ocr;

use super::Finding;
use crate::config::Config;

/// Tries out a worker, and looks for the programs.
pub fn examine(config: &Config) -> Vec<Finding> {
    let worker = match WorkerCommand::current_exe() {
        Ok(worker) => worker,
        Err(error) => return vec![no_worker(&error)],
    };
    let pool = WorkerPool::new(worker.clone(), 1, Limits::default());
    let mut findings = vec![match pool.sandbox() {
        Ok(sandbox) => closed(&sandbox),
        Err(error) => no_worker(&error),
    }];
    if let Some(languages) = &config.helpers.ocr_languages {
        findings.push(match Ocr::find(languages, &worker) {
            Ok(_) => Finding::ok(format!("Tesseract reads pictures and scans ({languages})")),
            Err(missing) => Finding::warning(
                format!("words in pictures and scans are not found: {missing}"),
                "apt install tesseract-ocr poppler-utils and the languages' data, or set ocr_languages to what is there or to off",
            ),
        });
    }
    findings
}

fn no_worker(error: &std::io::Error) -> Finding {
    Finding::broken(
        format!("no extraction worker starts: {error}"),
        "files are found by their names only until it does: may this user start processes, and is there memory?",
    )
}

fn closed(sandbox: &Sandbox) -> Finding {
    if sandbox.is_closed() {
        return Finding::ok("extraction workers reach no file, no network and no program");
    }
    let on = |is_on| if is_on { "on" } else { "off" };
    Finding::warning(
        format!(
            "extraction workers are not shut in (seccomp {}, Landlock {})",
            on(sandbox.seccomp),
            on(sandbox.landlock)
        ),
        "use a kernel with seccomp and Landlock (Linux 5.13 or newer), and let the container or unit allow them",
    )
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn an_open_worker_is_told() {
        let mut sandbox = Sandbox {
            landlock: false,
            seccomp: true,
            opens_files: false,
            opens_sockets: false,
            starts_programs: false,
        };
        assert_eq!(closed(&sandbox).level, Level::Ok);
        sandbox.opens_sockets = true;
        assert_eq!(closed(&sandbox).level, Level::Warning);
    }
}
