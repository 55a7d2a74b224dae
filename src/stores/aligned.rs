//! Memory that a disk can be given directly.

/// What disks ask of addresses in memory, places in files and lengths that they are given directly; some ask less.
pub const DISK_BLOCK: usize = 4096;

/// So many bytes, the first of which lies at a multiple of [`DISK_BLOCK`].
#[derive(Debug, Default)]
pub struct Aligned {
    memory: Vec<u8>,
    begin: usize,
}

impl Aligned {
    pub fn new(length: usize) -> Self {
        let memory = vec![0; length + DISK_BLOCK];
        let begin = memory.as_ptr().align_offset(DISK_BLOCK).min(DISK_BLOCK);
        Self { memory, begin }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.begin..]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.begin..]
    }
}
