//! What takes longer than a request: one thread each, with progress that can be asked for, ended between two units.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use anyhow::{Result, bail};
use serde_json::{Value, json};

/// Tasks that have ended and are remembered for whoever asks.
const REMEMBERED: usize = 100;

/// The tasks of one process. Clones share them.
#[derive(Clone, Default)]
pub struct Tasks {
    state: Arc<Mutex<State>>,
    stopping: Arc<AtomicBool>,
}

#[derive(Default)]
struct State {
    last: u64,
    tasks: BTreeMap<u64, Task>,
    threads: Vec<JoinHandle<()>>,
}

struct Task {
    kind: &'static str,
    progress: Value,
    outcome: Option<std::result::Result<Value, String>>,
}

/// What a running task has of its surroundings.
pub struct Ticket {
    tasks: Tasks,
    id: u64,
}

impl Ticket {
    /// Tells how far the task is; false when it is to end.
    pub fn tell(&self, progress: Value) -> bool {
        if let Some(task) = self.tasks.lock().tasks.get_mut(&self.id) {
            task.progress = progress;
        }
        !self.tasks.stopping.load(Ordering::SeqCst)
    }
}

impl Tasks {
    /// Starts `work`, unless a task of this kind runs; returns `{"task": number}`.
    pub fn start(
        &self,
        kind: &'static str,
        work: impl FnOnce(&Ticket) -> Result<Value> + Send + 'static,
    ) -> Result<Value> {
        let mut state = self.lock();
        if let Some((id, _)) = state
            .tasks
            .iter()
            .find(|(_, task)| task.kind == kind && task.outcome.is_none())
        {
            bail!("a {kind} runs already (task {id})");
        }
        while state.tasks.len() >= REMEMBERED {
            state.tasks.pop_first();
        }
        state.last += 1;
        let id = state.last;
        let task = Task {
            kind,
            progress: Value::Null,
            outcome: None,
        };
        state.tasks.insert(id, task);
        let ticket = Ticket {
            tasks: self.clone(),
            id,
        };
        let thread = std::thread::Builder::new()
            .name(kind.into())
            .spawn(move || run(kind, &ticket, work))?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        Ok(json!({"task": id}))
    }

    /// `{"kind", "progress"}`, and when it has ended `"answer"` or `"error"`.
    pub fn status(&self, id: u64) -> Result<Value> {
        let state = self.lock();
        let Some(task) = state.tasks.get(&id) else {
            bail!("there is no task {id}");
        };
        let mut status = json!({"kind": task.kind, "progress": task.progress});
        match &task.outcome {
            Some(Ok(answer)) => status["answer"] = answer.clone(),
            Some(Err(error)) => status["error"] = json!(error),
            None => {}
        }
        Ok(status)
    }

    /// Asks all to end, and waits for them.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let threads = std::mem::take(&mut self.lock().threads);
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a task panicked");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(kind: &str, ticket: &Ticket, work: impl FnOnce(&Ticket) -> Result<Value>) {
    let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(ticket)));
    let outcome = match worked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(format!("{error:#}")),
        Err(_) => Err("it panicked".to_owned()),
    };
    if let Err(error) = &outcome {
        tracing::error!(kind, error, "a task has failed");
    }
    if let Some(task) = ticket.tasks.lock().tasks.get_mut(&ticket.id) {
        task.outcome = Some(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(tasks: &Tasks, id: u64) -> Value {
        loop {
            let status = tasks.status(id).unwrap();
            if !status["answer"].is_null() || !status["error"].is_null() {
                return status;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn one_of_a_kind_runs_and_tells_how_it_ended() {
        let tasks = Tasks::default();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let begun = tasks.start("copy", move |ticket| {
            ticket.tell(json!({"done": 1}));
            held.recv()?;
            Ok(json!("all"))
        });
        let id = begun.unwrap()["task"].as_u64().unwrap();
        assert!(tasks.start("copy", |_| Ok(Value::Null)).is_err());
        release.send(()).unwrap();
        let status = finished(&tasks, id);
        assert_eq!(
            (&status["answer"], &status["progress"]["done"]),
            (&json!("all"), &json!(1))
        );
        let failed = tasks.start("copy", |_| bail!("no room")).unwrap();
        let status = finished(&tasks, failed["task"].as_u64().unwrap());
        assert_eq!(status["error"], "no room");
        assert!(tasks.status(77).is_err());
    }

    #[test]
    fn stopping_ends_what_runs() {
        let tasks = Tasks::default();
        let begun = tasks.start("copy", |ticket| {
            while ticket.tell(Value::Null) {
                std::thread::yield_now();
            }
            Ok(json!("stopped"))
        });
        tasks.stop();
        let id = begun.unwrap()["task"].as_u64().unwrap();
        assert_eq!(tasks.status(id).unwrap()["answer"], "stopped");
    }
}
