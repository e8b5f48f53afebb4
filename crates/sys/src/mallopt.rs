//! `mallopt(3)`: how the C library keeps memory that was freed.

/// From now on all threads allocate from few arenas. With one for each thread, which is what the C
/// library does by itself, what a thread has freed is of use to no other, and a daemon with a pool
/// of threads keeps several times what it needs. Nothing happens with another C library than glibc.
///
/// To be called before there are other threads.
pub fn few_arenas() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: sets a number inside the allocator; no memory of ours is involved.
        unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn memory_can_still_be_had_from_many_threads() {
        super::few_arenas();
        let threads: Vec<_> = (0..8).map(|n| std::thread::spawn(move || vec![n; 100_000].len())).collect();
        assert!(threads.into_iter().all(|thread| thread.join().is_ok_and(|length| length == 100_000)));
    }
}
