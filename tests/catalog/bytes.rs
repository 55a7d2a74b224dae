//! Small real bytes of every form.

use std::io::Write;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn tar() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o640);
    header.set_cksum();
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_data(&mut header, "etc/app.conf", &b"a=1\n"[..]).unwrap();
    builder.into_inner().unwrap()
}

pub fn custom_dump() -> Vec<u8> {
    let mut bytes = b"PGDMP\x01\x0e\x00\x04\x08\x01\x01\x01".to_vec();
    bytes.extend([0; 400]);
    bytes
}

pub fn plain_sql() -> Vec<u8> {
    b"--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n--\n-- PostgreSQL database dump complete\n--\n"
        .to_vec()
}

pub fn rdb() -> Vec<u8> {
    b"REDIS0009\xfa\x09redis-ver\x057.0.1\xfe\x00\xff\x01\x02\x03\x04\x05\x06\x07\x08".to_vec()
}

pub fn aof() -> Vec<u8> {
    b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n".to_vec()
}

/// The first packet of `gpg --symmetric`: a session key of version 4, AES256, iterated and salted.
pub fn gpg() -> Vec<u8> {
    let mut bytes = vec![0x8c, 0x0d, 0x04, 0x09, 0x03, 0x0a];
    bytes.extend([7; 8]);
    bytes.extend([0xff, 0xd2, 0x40, 0x01]);
    bytes.extend([9; 63]);
    bytes
}

pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}
