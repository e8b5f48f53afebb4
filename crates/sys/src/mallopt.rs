//! `mallopt(3)` and `malloc_trim(3)`: how the C library keeps memory that was freed.

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

/// Gives memory that was freed back to the kernel, wherever it lies; by itself the C library gives back
/// only what lies at the end. Takes well under a millisecond for a few MiB. Nothing happens with another
/// C library than glibc.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: works inside the allocator under its own locks; what is in use stays where it is.
        unsafe { libc::malloc_trim(0) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_in_use_stays_when_the_rest_is_given_back() {
        let mut kept: Vec<_> = (0_usize..10_000).map(|n| n.to_string()).collect();
        kept.retain(|text| text.ends_with('7'));
        super::give_back();
        assert!(kept.iter().enumerate().all(|(n, text)| *text == (n * 10 + 7).to_string()));
    }

    #[test]
    fn memory_can_still_be_had_from_many_threads() {
        super::few_arenas();
        let threads: Vec<_> = (0..8).map(|n| std::thread::spawn(move || vec![n; 100_000].len())).collect();
        assert!(threads.into_iter().all(|thread| thread.join().is_ok_and(|length| length == 100_000)));
    }
}
