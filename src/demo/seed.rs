//! Repeatable chance: the same seed gives the same estate.

/// SplitMix64: small, even enough for made-up names and amounts, never for secrets.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// One stream per subject, so that adding one asset does not change the others.
    pub fn of(subject: &str) -> Self {
        let start = subject
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self(start)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.draw() % bound }
    }

    pub fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        let index = self.below(of.len() as u64) as usize;
        of.get(index).copied().unwrap_or_default()
    }

    /// Bytes that no compressor shrinks.
    pub fn noise(&mut self, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length + 8);
        while out.len() < length {
            out.extend_from_slice(&self.draw().to_le_bytes());
        }
        out.truncate(length);
        out
    }
}
