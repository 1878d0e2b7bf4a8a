//! How events become frames. One voice per dialect; the native one writes each event as JSON.

use std::cell::Cell;

use bytes::Bytes;
use serde_json::value::RawValue;
use smallvec::SmallVec;
use wigwag_wire::event::Member;
use wigwag_wire::request::Mode;
use wigwag_wire::{Event, PeerId, RoomName};

use crate::ids::Party;
use crate::time::Wall;

/// What one event becomes: mostly one frame; none where the dialect has no such notion.
pub type Frames = SmallVec<[Bytes; 1]>;

/// Writes events for the sessions of one dialect.
pub trait Voice: Send + Sync {
    /// The frames for an event. `to` is whom it is for; frames of an event that goes to many are written once per dialect, so they
    /// must not depend on `to` beyond the dialect. Called while locks are held, so it must not ask the hub anything.
    fn frames(&self, event: &Event<'_>, to: &Party, scene: Scene<'_>) -> Frames;

    /// Appends what [`frames`](Voice::frames) answers, where that is one frame, to memory that is there already. `false`: nothing was
    /// written, for the event is one that is not worth it.
    fn write(&self, _event: &Event<'_>, _to: &Party, _out: &mut Vec<u8>) -> bool {
        false
    }
}

/// What an event does not say itself, for dialects that tell more.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The time.
    pub now: Wall,
    /// For an event about a room: the room as it is now.
    pub room: Option<&'a dyn RoomView>,
}

/// A room, for dialects that show all of it with every change.
pub trait RoomView {
    /// Its name.
    fn name(&self) -> &RoomName;
    /// Its host; nobody while it is empty.
    fn host(&self) -> Option<&PeerId>;
    /// The host's term.
    fn term(&self) -> u64;
    /// Who may act.
    fn mode(&self) -> Mode;
    /// Its metadata.
    fn meta(&self) -> Option<&RawValue>;
    /// When it was made.
    fn made(&self) -> Wall;
    /// When somebody last came, went or asked something of it.
    fn active(&self) -> Wall;
    /// Its members, longest-standing first.
    fn members(&self, each: &mut dyn FnMut(Member<'_>));
}

/// The native protocol: every event as one JSON object.
pub struct Native;

impl Voice for Native {
    fn frames(&self, event: &Event<'_>, _to: &Party, _scene: Scene<'_>) -> Frames {
        with_scratch(|scratch| {
            event.write(scratch);
            Frames::from_buf([Bytes::copy_from_slice(scratch)])
        })
    }

    fn write(&self, event: &Event<'_>, _to: &Party, out: &mut Vec<u8>) -> bool {
        event.write(out);
        true
    }
}

/// Lends empty memory of this thread to write a frame into: one that is kept is then copied into memory of its own size, allocated once.
pub(crate) fn with_scratch<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    // Taken and not borrowed: whoever writes another frame meanwhile finds none, and makes do.
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let written = write(&mut scratch);
    if scratch.capacity() <= SCRATCH_MAX {
        SCRATCH.set(scratch);
    }
    written
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What is kept of it.
const SCRATCH_MAX: usize = 64 * 1024;
