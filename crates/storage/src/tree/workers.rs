//! A stack of jobs that a few threads work on, each job adding more.
//!
//! It is a stack and not a queue so that a walk goes deep first: then few directories are open at
//! once, however large the tree.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Threads for one tree.
const MAX_THREADS: usize = 4;
/// Jobs that must wait before more threads are worth starting.
const ENOUGH_FOR_MORE: usize = 4;

struct State<J, E> {
    jobs: Vec<J>,
    running: usize,
    error: Option<E>,
}

/// Where jobs add jobs.
pub(super) struct Jobs<J, E> {
    state: Mutex<State<J, E>>,
    changed: Condvar,
}

impl<J, E> Jobs<J, E> {
    fn lock(&self) -> MutexGuard<'_, State<J, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job.
    pub(super) fn add(&self, job: J) {
        self.lock().jobs.push(job);
        self.changed.notify_one();
    }

    /// The next job; `None` when all are done or one has failed.
    fn next(&self) -> Option<J> {
        let mut state = self.lock();
        loop {
            if state.error.is_some() {
                return None;
            }
            if let Some(job) = state.jobs.pop() {
                state.running += 1;
                return Some(job);
            }
            if state.running == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, result: Result<(), E>) {
        let mut state = self.lock();
        state.running -= 1;
        if let Err(error) = result {
            state.error.get_or_insert(error);
        }
        if state.error.is_some() || state.running == 0 {
            self.changed.notify_all();
        }
    }
}

/// Works until no job is left. The first error stops everything and is returned.
pub(super) fn run<J: Send, E: Send>(
    first: J,
    work: impl Fn(J, &Jobs<J, E>) -> Result<(), E> + Sync,
) -> Result<(), E> {
    let jobs = Jobs {
        state: Mutex::new(State { jobs: vec![first], running: 0, error: None }),
        changed: Condvar::new(),
    };
    let one = || {
        while let Some(job) = jobs.next() {
            let result = work(job, &jobs);
            jobs.done(result);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().clamp(2, MAX_THREADS));
    std::thread::scope(|scope| {
        let mut started = 1;
        while let Some(job) = jobs.next() {
            let result = work(job, &jobs);
            if started < threads && jobs.lock().jobs.len() >= ENOUGH_FOR_MORE {
                // Small trees are done before a thread would have started.
                while started < threads {
                    started += 1;
                    scope.spawn(one);
                }
            }
            jobs.done(result);
        }
    });
    let error = jobs.lock().error.take();
    error.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_job_is_done_once() {
        let count = AtomicUsize::new(0);
        let result: Result<(), ()> = run(0u32, |depth, jobs| {
            count.fetch_add(1, Ordering::Relaxed);
            if depth < 10 {
                jobs.add(depth + 1);
                jobs.add(depth + 1);
            }
            Ok(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(count.into_inner(), (1 << 11) - 1);
    }

    #[test]
    fn the_first_error_ends_it() {
        let result = run(0u64, |number, jobs| {
            jobs.add(number + 1);
            jobs.add(number + 1);
            if number > 20 { Err(number) } else { Ok(()) }
        });
        assert_eq!(result, Err(21));
    }
}
