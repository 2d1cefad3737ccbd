//! How the process asks the system for memory.

/// Arenas of the allocator. By itself glibc makes up to eight for each core, and what is freed in one serves no other: a
/// process whose records come by the threads of Kafka's clients and end in those of the runtime would keep all of them.
#[cfg(target_env = "gnu")]
const ARENAS: i32 = 2;

/// Bounds what the allocator keeps; to be called before there are threads.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the setting of the C library has no other door")]
pub(super) fn bound() {
    // SAFETY: glibc's mallopt reads two numbers and takes the allocator's own lock (mallopt(3): MT-Unsafe only while
    // other threads set it too, and there are none yet).
    let set = unsafe { libc::mallopt(libc::M_ARENA_MAX, ARENAS) };
    if set != 1 {
        tracing::debug!("the allocator does not take a bound of its arenas");
    }
}

/// Other C libraries are left as they are.
#[cfg(not(target_env = "gnu"))]
pub(super) fn bound() {}
