//! Ranges put together in memory, piece by piece as they come: the connection's own buffer is free for the next bytes at
//! once. The memory is used again by the next range, since asking the system for new one takes longer than to fill it;
//! and it begins where disks want it, so that it can be written from there.

use crate::stores::Aligned;
use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of a piece of a range.
const PIECE: usize = 512 << 10;
/// Shorter ranges have memory of their own: whoever asks for them may keep them.
const SHORT: usize = 256 << 10;

/// Memory for ranges. What nobody uses is kept only while other ranges are in use.
#[derive(Debug, Default)]
pub(super) struct Rooms(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    idle: Vec<Aligned>,
    used: usize,
}

impl Rooms {
    /// Room for so many bytes.
    pub(super) fn take(self: &Arc<Self>, length: usize) -> Room {
        if length < SHORT {
            return Room { memory: Aligned::new(length), filled: 0, rooms: None };
        }
        let kept = self.with(|kept| {
            kept.used += 1;
            // Ranges of one reading grow: smaller room is not asked for again.
            kept.idle.pop().filter(|memory| memory.bytes().len() >= length)
        });
        let memory = kept.unwrap_or_else(|| Aligned::new(length));
        Room { memory, filled: 0, rooms: Some(Arc::clone(self)) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One range on its way.
#[derive(Debug)]
pub(super) struct Room {
    memory: Aligned,
    filled: usize,
    /// Where the memory came from, and goes back to.
    rooms: Option<Arc<Rooms>>,
}

impl Room {
    /// What comes next. Together not more than there is room for.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let end = self.filled + bytes.len();
        self.memory.bytes_mut()[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
    }

    /// All that came. Its memory is free again when the last piece is gone.
    pub(super) fn pieces(self) -> Vec<Bytes> {
        let mut rest = Bytes::from_owner(self);
        let mut pieces = Vec::with_capacity(rest.len().div_ceil(PIECE));
        while !rest.is_empty() {
            pieces.push(rest.split_to(rest.len().min(PIECE)));
        }
        pieces
    }
}

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        &self.memory.bytes()[..self.filled]
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let Some(rooms) = &self.rooms else { return };
        let memory = std::mem::take(&mut self.memory);
        let unused = rooms.with(|kept| {
            kept.used -= 1;
            kept.idle.push(memory);
            if kept.used == 0 { std::mem::take(&mut kept.idle) } else { Vec::new() }
        });
        drop(unused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores::DISK_BLOCK;

    fn filled(rooms: &Arc<Rooms>, bytes: &[u8]) -> Vec<Bytes> {
        let mut room = rooms.take(bytes.len());
        bytes.chunks(70_001).for_each(|piece| room.push(piece));
        room.pieces()
    }

    #[test]
    fn a_range_lies_in_memory_as_disks_want_it() {
        let whole: Vec<u8> = (0..3_000_000u32).map(|n| (n / 3) as u8).collect();
        let rooms = Arc::new(Rooms::default());
        let pieces = filled(&rooms, &whole);
        assert_eq!(pieces.concat(), whole);
        let (last, others) = pieces.split_last().unwrap();
        assert!(pieces.iter().all(|piece| piece.as_ptr().addr().is_multiple_of(DISK_BLOCK)));
        assert!(others.iter().all(|piece| piece.len() == PIECE) && last.len() < PIECE);
        assert!(rooms.take(0).pieces().is_empty());
        let short = filled(&rooms, b"short");
        drop(pieces);
        assert!(short.concat() == b"short" && rooms.with(|kept| kept.used) == 0, "it may be kept");
    }

    #[test]
    fn memory_is_used_again_once_its_last_piece_is_gone_and_given_back_at_the_end() {
        let rooms = Arc::new(Rooms::default());
        let (first, second) = (filled(&rooms, &vec![1; 2 * PIECE]), filled(&rooms, &vec![2; 2 * PIECE]));
        let (place, kept) = (first[0].as_ptr(), first[1].clone());
        drop(first);
        let third = filled(&rooms, &vec![3; 2 * PIECE]);
        assert!(third[0].as_ptr() != place && kept == vec![1; PIECE], "a piece of it was still held");
        drop(kept);
        let fourth = filled(&rooms, &vec![4; PIECE + 7]);
        assert!(
            fourth[0].as_ptr() == place
                && fourth.concat() == vec![4; PIECE + 7]
                && third.concat() == vec![3; 2 * PIECE]
        );
        assert!(second.concat() == vec![2; 2 * PIECE]);
        drop((second, third));
        assert_eq!(rooms.with(|kept| (kept.used, kept.idle.len())), (1, 2));
        assert!(filled(&rooms, &vec![5; 4 * PIECE]).concat() == vec![5; 4 * PIECE], "longer than what was kept");
        drop(fourth);
        assert_eq!(rooms.with(|kept| (kept.used, kept.idle.len())), (0, 0));
    }
}
