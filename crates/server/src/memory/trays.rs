//! An allocator for a process that has many small pieces which begin where a processor's lines begin: tokio has two of them for each
//! socket. The system's allocator cuts such a piece out of a larger one and leaves a hole beside it. Here they lie side by side, in
//! trays of one size of piece each; whatever is not such a piece is the system's affair.

#![expect(unsafe_code, reason = "an allocator hands out addresses")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The allocator. It is meant for pieces that live long and are asked for seldom: each size has one lock.
pub struct Trays([Mutex<Shelf>; SIZES]);

impl Trays {
    /// With nothing on it.
    #[must_use]
    pub const fn new() -> Self {
        Self([const { Mutex::new(Shelf { open: null_mut() }) }; SIZES])
    }

    /// Where such pieces are, and how large one is.
    #[inline]
    fn shelf(&self, layout: Layout) -> Option<(MutexGuard<'_, Shelf>, usize)> {
        let number = shelf_of(layout)?;
        // Nothing in here panics.
        let shelf = self.0.get(number)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some((shelf, (number + 1) * LINE))
    }
}

impl Default for Trays {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: a piece of a tray is aligned to a line, has the size that was asked for or more, and is handed out again only after it came
// back; everything else is passed on with the layout that came with it. Which of the two is up to the layout alone.
unsafe impl GlobalAlloc for Trays {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.shelf(layout) {
            Some((mut shelf, size)) => shelf.take(size),
            // SAFETY: as the caller promises.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        match self.shelf(layout) {
            // SAFETY: the caller has it from `alloc`, with this layout, and so from this shelf.
            Some((mut shelf, size)) => unsafe { shelf.give(piece, size) },
            // SAFETY: as the caller promises.
            None => unsafe { System.dealloc(piece, layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if shelf_of(layout).is_none() {
            // SAFETY: as the caller promises.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as the caller promises.
        let piece = unsafe { self.alloc(layout) };
        if !piece.is_null() {
            // SAFETY: it has that many bytes.
            unsafe { piece.write_bytes(0, layout.size()) };
        }
        piece
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that it is no more than any piece may have.
        let other = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if shelf_of(layout).is_none() && shelf_of(other).is_none() {
            // SAFETY: as the caller promises, and neither the old nor the new piece is one of ours.
            return unsafe { System.realloc(piece, layout, size) };
        }
        // SAFETY: as the caller promises.
        let moved = unsafe { self.alloc(other) };
        if !moved.is_null() {
            // SAFETY: both have that many bytes, one of them is new, and the caller gives the other up.
            unsafe {
                moved.copy_from_nonoverlapping(piece, layout.size().min(size));
                self.dealloc(piece, layout);
            }
        }
        moved
    }
}

/// The number of the shelf for such pieces, if there is one.
#[inline]
fn shelf_of(layout: Layout) -> Option<usize> {
    let is_ours = layout.align() == LINE && (1..=SIZES * LINE).contains(&layout.size());
    is_ours.then(|| (layout.size() - 1) / LINE)
}

/// To what such pieces are aligned.
const LINE: usize = 128;
/// Pieces of so many lines at most.
const SIZES: usize = 4;
/// A tray begins at a multiple of its size, so that each of its pieces tells by its address where it belongs.
const TRAY: usize = 16 << 10;

/// The trays with pieces of one size.
struct Shelf {
    /// Those that have room, the one that is filled first.
    open: *mut Tray,
}

/// What stands in the place of a tray's first piece.
struct Tray {
    before: *mut Tray,
    after: *mut Tray,
    /// The piece that came back last, in which stands the one before it.
    free: *mut Free,
    used: usize,
    /// How many were ever handed out, itself among them: those behind them were never touched.
    begun: usize,
}

struct Free {
    next: *mut Free,
}

// SAFETY: what it points to is touched by whoever holds its lock, whichever thread that is.
unsafe impl Send for Shelf {}

impl Shelf {
    fn take(&mut self, size: usize) -> *mut u8 {
        if self.open.is_null() {
            self.open = Tray::new();
        }
        let at = self.open;
        // SAFETY: what is on the shelf is a tray that nobody else knows, or nothing.
        let Some(tray) = (unsafe { at.as_mut() }) else { return null_mut() };
        let piece = match tray.free.is_null() {
            true => {
                tray.begun += 1;
                // SAFETY: it is not full, so this piece lies within it.
                unsafe { at.cast::<u8>().add((tray.begun - 1) * size) }
            }
            false => {
                let piece = tray.free;
                // SAFETY: it came back, and was written then.
                tray.free = unsafe { (*piece).next };
                piece.cast()
            }
        };
        tray.used += 1;
        if tray.is_full(size) {
            self.take_off(at);
        }
        piece
    }

    /// # Safety
    /// The piece is one that [`Shelf::take`] handed out for this size, and nobody uses it any more.
    unsafe fn give(&mut self, piece: *mut u8, size: usize) {
        let at = piece.map_addr(|address| address & !(TRAY - 1)).cast::<Tray>();
        // SAFETY: a tray lies where its pieces say, and stays until the last of them is back.
        let tray = unsafe { &mut *at };
        let was_full = tray.is_full(size);
        let free = piece.cast::<Free>();
        // SAFETY: it is large enough, aligned well enough, and ours again.
        unsafe { free.write(Free { next: tray.free }) };
        tray.free = free;
        tray.used -= 1;
        if was_full {
            tray.before = null_mut();
            tray.after = self.open;
            // SAFETY: what is on the shelf are trays.
            if let Some(next) = unsafe { self.open.as_mut() } {
                next.before = at;
            }
            self.open = at;
        }
        let is_only = tray.before.is_null() && tray.after.is_null();
        if tray.used == 0 && !is_only {
            self.take_off(at);
            // SAFETY: nothing is on it, and nobody knows it any more.
            unsafe { System.dealloc(at.cast(), Tray::LAYOUT) };
        }
    }

    /// Takes an open tray off the shelf.
    fn take_off(&mut self, at: *mut Tray) {
        // SAFETY: it is on the shelf, and so are those beside it.
        unsafe {
            let Tray { before, after, .. } = *at;
            match before.as_mut() {
                Some(before) => before.after = after,
                None => self.open = after,
            }
            if let Some(after) = after.as_mut() {
                after.before = before;
            }
        }
    }
}

impl Tray {
    const LAYOUT: Layout = match Layout::from_size_align(TRAY, TRAY) {
        Ok(layout) => layout,
        Err(_) => panic!("a tray is a power of two"),
    };

    /// An empty one; null where there is no memory.
    fn new() -> *mut Self {
        // SAFETY: its size is not zero.
        let tray = unsafe { System.alloc(Self::LAYOUT) }.cast::<Self>();
        if !tray.is_null() {
            let empty = Self { before: null_mut(), after: null_mut(), free: null_mut(), used: 0, begun: 1 };
            // SAFETY: it is large enough and new.
            unsafe { tray.write(empty) };
        }
        tray
    }

    fn is_full(&self, size: usize) -> bool {
        self.free.is_null() && (self.begun + 1) * size > TRAY
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;

    fn piece(size: usize) -> Layout {
        Layout::from_size_align(size, LINE).unwrap()
    }

    /// The trays of a shelf that have room.
    fn open(trays: &Trays, layout: Layout) -> usize {
        let shelf = trays.shelf(layout).unwrap().0;
        let mut at = shelf.open;
        std::iter::from_fn(|| {
            // SAFETY: what is on the shelf are trays, and its lock is held.
            let tray = unsafe { at.as_ref() }?;
            at = tray.after;
            Some(())
        })
        .count()
    }

    #[test]
    fn only_small_pieces_of_whole_lines_lie_on_trays() {
        for (size, align, ours) in [
            (128, 128, true),
            (200, 128, true),
            (512, 128, true),
            (513, 128, false),
            (0, 128, false),
            (256, 64, false),
            (256, 256, false),
            (usize::MAX / 2, 1, false),
        ] {
            let layout = Layout::from_size_align(size, align).unwrap();
            assert_eq!(shelf_of(layout).is_some(), ours, "{layout:?}");
        }
    }

    #[test]
    fn pieces_lie_side_by_side_and_are_handed_out_again() {
        let (trays, layout) = (Trays::new(), piece(250));
        // SAFETY: the layout is not empty, and each piece goes back once with the layout that it came with.
        unsafe {
            let first: Vec<*mut u8> = (0..63).map(|_| trays.alloc(layout)).collect();
            assert!(first.iter().all(|piece| piece.addr().is_multiple_of(LINE)));
            assert!(first.windows(2).all(|two| two[1].addr() - two[0].addr() == 256), "no hole between them");
            assert_eq!(open(&trays, layout), 0, "the tray is full");
            trays.dealloc(first[5], layout);
            assert_eq!((trays.alloc(layout), open(&trays, layout)), (first[5], 0));
            first.iter().for_each(|piece| trays.dealloc(*piece, layout));
        }
        assert_eq!(open(&trays, layout), 1, "one stays, for the next");
    }

    #[test]
    fn trays_with_nothing_on_them_are_given_back() {
        let (trays, layout) = (Trays::new(), piece(128));
        // SAFETY: as above.
        unsafe {
            let mut pieces: Vec<*mut u8> = (0..1_000).map(|_| trays.alloc(layout)).collect();
            // From the middle outwards, so that first, last and middle trays are emptied.
            pieces.sort_by_key(|piece| (piece.addr() / TRAY) % 3);
            pieces.iter().for_each(|piece| trays.dealloc(*piece, layout));
        }
        assert_eq!(open(&trays, layout), 1);
    }

    #[test]
    fn pieces_of_many_threads_and_sizes_keep_what_is_written_in_them() {
        let trays = Trays::new();
        std::thread::scope(|threads| {
            let (sender, receiver) = std::sync::mpsc::sync_channel::<(usize, usize, u8)>(100);
            for seed in 1..=3_u8 {
                let (trays, sender) = (&trays, sender.clone());
                threads.spawn(move || {
                    let mut mine = Vec::new();
                    for turn in 0..20_000_usize {
                        let size = 1 + (turn * 37 * usize::from(seed)) % 600;
                        // SAFETY: the layout is not empty, and so many bytes are written.
                        let at = unsafe {
                            let at = trays.alloc(piece(size));
                            at.write_bytes(seed, size);
                            at
                        };
                        mine.push((at.expose_provenance(), size, seed));
                        if turn % 3 == 0 {
                            let other = mine.swap_remove((turn * 7) % mine.len());
                            sender.send(other).unwrap();
                        }
                    }
                    mine.into_iter().for_each(|piece| sender.send(piece).unwrap());
                });
            }
            drop(sender);
            let mut there = HashSet::new();
            for (at, size, seed) in receiver {
                let at: *mut u8 = std::ptr::with_exposed_provenance_mut(at);
                // SAFETY: it was handed out with this size, written by the thread that sent it, and goes back once.
                unsafe {
                    assert!(std::slice::from_raw_parts(at, size).iter().all(|byte| *byte == seed));
                    trays.dealloc(at, piece(size));
                }
                there.insert(size);
            }
            assert_eq!(there.len(), 600);
        });
        for lines in 1..=SIZES {
            assert_eq!(open(&trays, piece(lines * LINE)), 1);
        }
    }

    #[test]
    fn a_piece_that_grows_or_shrinks_keeps_its_beginning() {
        let trays = Trays::new();
        // SAFETY: the layouts are not empty, and as many bytes are read and written as they say.
        unsafe {
            let mut at = trays.alloc_zeroed(piece(100));
            let mut size = 100;
            assert!(std::slice::from_raw_parts(at, size).iter().all(|byte| *byte == 0));
            at.write_bytes(7, 100);
            for next in [130, 5_000, 20_000, 300, 100] {
                at = trays.realloc(at, piece(size), next);
                size = next;
                assert!(at.addr().is_multiple_of(LINE));
                assert!(std::slice::from_raw_parts(at, 100).iter().all(|byte| *byte == 7), "at {size}");
            }
            trays.dealloc(at, piece(size));
        }
    }
}
