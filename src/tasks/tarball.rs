//! A tar archive as a file of the run, in the form that the name of the backup promises.

use crate::catalog::decompress;
use crate::model::content::Wrapping;
use flate2::write::GzEncoder;
use serde::Deserialize;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    Tar,
    TarGzip,
    TarZstd,
}

impl Form {
    /// The plain archive in such a file.
    pub fn open(self, path: &Path) -> std::io::Result<Box<dyn Read>> {
        let file = Box::new(BufReader::with_capacity(1 << 18, File::open(path)?));
        Ok(match self {
            Form::Tar => file,
            Form::TarGzip => decompress::decoder(Wrapping::Gzip, file)?,
            Form::TarZstd => decompress::decoder(Wrapping::Zstd, file)?,
        })
    }
}

/// What compresses on the way into the file.
pub enum Packer {
    Plain(File),
    Gzip(GzEncoder<File>),
    Zstd(zstd::stream::write::Encoder<'static, File>),
}

impl Packer {
    pub fn new(form: Form, file: File) -> std::io::Result<Self> {
        Ok(match form {
            Form::Tar => Packer::Plain(file),
            Form::TarGzip => Packer::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Form::TarZstd => {
                let mut encoder = zstd::stream::write::Encoder::new(file, 0)?;
                encoder.include_checksum(true)?;
                Packer::Zstd(encoder)
            }
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self {
            Packer::Plain(file) => file.write_all(bytes),
            Packer::Gzip(encoder) => encoder.write_all(bytes),
            Packer::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    /// All of it on disk.
    pub fn finish(self) -> std::io::Result<()> {
        match self {
            Packer::Plain(file) => Ok(file),
            Packer::Gzip(encoder) => encoder.finish(),
            Packer::Zstd(encoder) => encoder.finish(),
        }
        .and_then(|file| file.sync_all())
    }
}
