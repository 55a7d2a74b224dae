//! Decoders for every compression, each read to the very end of its stream: all members one after another,
//! and no other bytes after the last. What would take too much memory is refused before it is taken.

use crate::model::content::Wrapping;
use flate2::bufread::GzDecoder;
use lz4_flex::frame::FrameDecoder;
use std::io::{self, BufRead, ErrorKind, Read};

/// Largest zstd window that is opened, as a power of two: what the `zstd` program opens by default.
const ZSTD_WINDOW: u32 = 27;

/// Most memory for an xz dictionary, in KiB: twice what the strongest preset of the `xz` program takes.
const XZ_MEMORY: u32 = 130 << 10;

/// The content inside one compression. Errors of the kind [`ErrorKind::OutOfMemory`] and
/// [`ErrorKind::Unsupported`] say nothing against the bytes; errors of `reader` come through unchanged.
/// After an error it must not be read again.
pub fn decoder<'a>(wrapping: Wrapping, reader: Box<dyn BufRead + 'a>) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match wrapping {
        Wrapping::Gzip => Box::new(Gzip { member: Some(GzDecoder::new(reader)) }),
        Wrapping::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(reader)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(Zstd(decoder))
        }
        Wrapping::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(reader)),
        Wrapping::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(reader, true, XZ_MEMORY)),
        Wrapping::Lz4 => Box::new(Lz4 { at: Lz4Place::Between(reader) }),
        Wrapping::OpenPgp | Wrapping::Age => {
            return Err(io::Error::new(ErrorKind::Unsupported, "it is encrypted, and no compression"));
        }
    })
}

fn foreign(wrapping: Wrapping) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("other bytes follow after the end of the {wrapping} stream"))
}

struct Zstd<'a>(zstd::stream::read::Decoder<'static, Box<dyn BufRead + 'a>>);

impl Read for Zstd<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(|error| {
            // The library gives only the words of its own errors, and those of `reader` as they are.
            if error.get_ref().is_some_and(|e| e.to_string().contains("too much memory")) {
                let what =
                    format!("it was made with a window over {} MiB, which is not opened", 1 << (ZSTD_WINDOW - 20));
                return io::Error::new(ErrorKind::OutOfMemory, what);
            }
            error
        })
    }
}

/// All members of a gzip file, one after the other; zero padding after the last is allowed.
struct Gzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let n = member.read(out)?;
            if n > 0 {
                return Ok(n);
            }
            let Some(done) = self.member.take() else { break };
            let mut rest = done.into_inner();
            if another_member(&mut rest)? {
                self.member = Some(GzDecoder::new(rest));
            }
        }
        Ok(0)
    }
}

fn another_member(rest: &mut impl BufRead) -> io::Result<bool> {
    let mut padded = false;
    loop {
        let ahead = rest.fill_buf()?;
        match ahead.iter().position(|b| *b != 0) {
            _ if ahead.is_empty() => return Ok(false),
            Some(0) if ahead[0] == 0x1f && !padded => return Ok(true),
            Some(_) => return Err(foreign(Wrapping::Gzip)),
            None => {
                padded = true;
                let n = ahead.len();
                rest.consume(n);
            }
        }
    }
}

/// LZ4 frames one after the other, with frames of other programs' data between them left out. Each frame
/// has a decoder of its own, which is asked whether it met the frame's end or the end of the bytes.
struct Lz4<R: BufRead> {
    at: Lz4Place<R>,
}

enum Lz4Place<R: BufRead> {
    Between(R),
    Within(Box<FrameDecoder<Frame<R>>>),
    End,
}

/// The bytes of a frame: its magic number, which was read to know it, and the rest.
struct Frame<R> {
    magic: io::Cursor<[u8; 4]>,
    rest: R,
    /// More bytes were asked for than there are.
    missed: bool,
}

impl<R: BufRead> Read for Frame<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = match self.magic.read(out)? {
            0 => self.rest.read(out)?,
            n => n,
        };
        self.missed |= n == 0 && !out.is_empty();
        Ok(n)
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            self.at = match std::mem::replace(&mut self.at, Lz4Place::End) {
                Lz4Place::End => return Ok(0),
                Lz4Place::Between(rest) => next_frame(rest)?,
                Lz4Place::Within(mut frame) => {
                    let n = frame.read(out).map_err(lz4_error)?;
                    if n > 0 {
                        self.at = Lz4Place::Within(frame);
                        return Ok(n);
                    }
                    if frame.get_ref().missed {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                    Lz4Place::Between(frame.into_inner().rest)
                }
            };
        }
    }
}

fn next_frame<R: BufRead>(mut rest: R) -> io::Result<Lz4Place<R>> {
    const FRAME: u32 = 0x184D_2204;
    const SKIPPABLE: u32 = 0x184D_2A50;
    loop {
        if rest.fill_buf()?.is_empty() {
            return Ok(Lz4Place::End);
        }
        let mut magic = [0; 4];
        rest.read_exact(&mut magic)?;
        match u32::from_le_bytes(magic) {
            FRAME => {
                let frame = Frame { magic: io::Cursor::new(magic), rest, missed: false };
                return Ok(Lz4Place::Within(Box::new(FrameDecoder::new(frame))));
            }
            other if other & 0xFFFF_FFF0 == SKIPPABLE => {
                let mut length = [0; 4];
                rest.read_exact(&mut length)?;
                let length = u64::from(u32::from_le_bytes(length));
                if io::copy(&mut rest.by_ref().take(length), &mut io::sink())? < length {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            _ => return Err(foreign(Wrapping::Lz4)),
        }
    }
}

fn lz4_error(error: io::Error) -> io::Error {
    use lz4_flex::frame::Error;
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::DictionaryNotSupported) => {
            io::Error::new(ErrorKind::Unsupported, "it needs a dictionary that lies elsewhere")
        }
        _ => error,
    }
}

/// Bytes of an object's beginning with which the first of its content comes out, by what its own header
/// says of the size of its blocks; hardly more than 4 MiB.
pub fn first_block(wrapping: Wrapping, head: &[u8]) -> usize {
    const SLACK: usize = 64 << 10;
    match wrapping {
        Wrapping::Gzip | Wrapping::OpenPgp | Wrapping::Age => SLACK,
        // One block of the largest size that the format knows.
        Wrapping::Zstd => (128 << 10) + SLACK,
        // One chunk, after the headers.
        Wrapping::Xz => 2 * SLACK,
        Wrapping::Bzip2 => {
            let level = head.get(3).filter(|b| b.is_ascii_digit()).map_or(9, |b| usize::from(b - b'0'));
            level * 101_000 + SLACK
        }
        Wrapping::Lz4 => {
            let largest = head.get(5).map_or(7, |b| b >> 4 & 7);
            (256_usize << (2 * largest.clamp(4, 7))) + SLACK
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn packed(wrapping: Wrapping, bytes: &[u8]) -> Vec<u8> {
        match wrapping {
            Wrapping::Gzip => {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Wrapping::Zstd => zstd::encode_all(bytes, 3).unwrap(),
            Wrapping::Bzip2 => {
                let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Wrapping::Xz => {
                let mut out = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Wrapping::OpenPgp | Wrapping::Age => panic!("{wrapping} is encryption, not compression"),
            Wrapping::Lz4 => {
                let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
                let mut out = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
        }
    }

    fn opened(wrapping: Wrapping, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut decoder = decoder(wrapping, Box::new(bytes))?;
        // No input of these tests has more inside.
        decoder.by_ref().take(64 << 20).read_to_end(&mut out)?;
        Ok(out)
    }

    const ALL: [Wrapping; 5] = [Wrapping::Gzip, Wrapping::Zstd, Wrapping::Bzip2, Wrapping::Xz, Wrapping::Lz4];

    fn text() -> Vec<u8> {
        (0..9_000_u32).flat_map(|n| format!("line {n} {}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect()
    }

    #[test]
    fn streams_follow_one_another_and_nothing_else_follows() {
        let text = text();
        let (first, second) = text.split_at(70_000);
        for wrapping in ALL {
            let two = [packed(wrapping, first), packed(wrapping, second)].concat();
            assert_eq!(opened(wrapping, &two).unwrap(), text, "{wrapping}");
            assert!(opened(wrapping, &[two.as_slice(), b"tail"].concat()).is_err(), "{wrapping}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let text = text();
        for wrapping in ALL {
            let whole = packed(wrapping, &text);
            let near_ends = (1..60).chain(whole.len() - 60..whole.len());
            for cut in near_ends.chain((60..whole.len() - 60).step_by(whole.len() / 80)) {
                assert!(opened(wrapping, &whole[..cut]).is_err(), "{wrapping} cut at {cut} of {}", whole.len());
            }
        }
    }

    #[test]
    fn frames_of_other_data_between_lz4_frames_are_left_out() {
        let skippable = [&0x184D_2A5A_u32.to_le_bytes()[..], &3_u32.to_le_bytes(), b"abc"].concat();
        let one = packed(Wrapping::Lz4, b"one ");
        let two = packed(Wrapping::Lz4, b"two");
        let all = [one.as_slice(), &skippable, &two, &skippable].concat();
        assert_eq!(opened(Wrapping::Lz4, &all).unwrap(), b"one two");
        assert!(opened(Wrapping::Lz4, &all[..all.len() - 1]).is_err());
    }

    #[test]
    fn what_needs_too_much_memory_is_refused_and_not_called_bad() {
        let mut options = lzma_rust2::XzOptions::with_preset(0);
        options.lzma_options.dict_size = 512 << 20;
        let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        out.write_all(b"hello").unwrap();
        let xz = out.finish().unwrap();
        assert_eq!(opened(Wrapping::Xz, &xz).unwrap_err().kind(), ErrorKind::OutOfMemory);
        // A frame header that asks for a window of 2 GiB.
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
        assert_eq!(opened(Wrapping::Zstd, &zstd).unwrap_err().kind(), ErrorKind::OutOfMemory);
    }

    #[test]
    fn the_first_block_is_enough_to_see_inside() {
        // Nothing in it can be made smaller, so that blocks are as large as they get.
        let mut seed = 7_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        })
        .take(6 << 20)
        .collect();
        for wrapping in ALL {
            let whole = packed(wrapping, &noise);
            let head = &whole[..first_block(wrapping, &whole).min(whole.len())];
            let mut out = [0; 1000];
            decoder(wrapping, Box::new(head))
                .unwrap()
                .read_exact(&mut out)
                .unwrap_or_else(|e| panic!("{wrapping}: {e}"));
            assert_eq!(out, noise[..1000]);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_can_break_a_decoder(
            which in 0_usize..5,
            flips in proptest::collection::vec((0_usize..4_000, 0_u8..255), 1..6),
            tail in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = packed(ALL[which], &text()[..9_000]);
            for (at, with) in flips {
                let at = at % bytes.len();
                bytes[at] ^= with;
            }
            bytes.extend(tail);
            let _ = opened(ALL[which], &bytes);
        }
    }
}
