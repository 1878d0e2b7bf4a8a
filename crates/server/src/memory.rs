//! Gives memory that nobody uses back to the system.
//!
//! glibc gives back by itself only what lies at the end of a heap. After many sockets, or many large messages, a few small things lie there,
//! and everything below them stays resident although it is free. Other allocators have ways of their own, and none of this is built for them.

use std::time::Duration;

/// How often to look, where looking costs next to nothing.
const EVERY: Duration = Duration::from_millis(500);
/// How much longer to wait than the last look took, so that a heap in pieces costs no more than a hundredth of a processor.
const SHARE: u32 = 100;
/// The thread calls one function.
const STACK: usize = 64 << 10;

/// From now on, gives back what is free, from a thread of its own: whoever allocates meanwhile waits for a part of a look at most, and
/// others for nothing.
pub fn give_back() {
    join_at_once();
    let thread = std::thread::Builder::new().name("memory".to_owned()).stack_size(STACK);
    if let Err(error) = thread.spawn(run) {
        tracing::warn!(%error, "memory that is free will stay with this process");
    }
}

/// Small pieces that become free are joined with their neighbours at once. glibc would leave them as they are until somebody asks for as
/// much, and each of tokio's aligned pieces is cut out of a larger one of which two such pieces remain.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn join_at_once() {
    #[expect(unsafe_code, reason = "no safe function does it")]
    // SAFETY: it takes two numbers, and any thread may call it at any time.
    unsafe {
        libc::mallopt(libc::M_MXFAST, 0);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn join_at_once() {}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn run() {
    let mut wait = EVERY;
    loop {
        std::thread::sleep(wait);
        let begun = std::time::Instant::now();
        #[expect(unsafe_code, reason = "no safe function does it")]
        // SAFETY: it has no precondition, and any thread may call it at any time.
        unsafe {
            libc::malloc_trim(0);
        }
        wait = EVERY.max(begun.elapsed() * SHARE);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn run() {}
