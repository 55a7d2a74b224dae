//! Redis RDB files, version 10 (Redis 7.0), with their CRC-64.

use crate::model::time::Timestamp;
use crc_fast::CrcAlgorithm;

const OP_AUX: u8 = 0xfa;
const OP_RESIZE: u8 = 0xfb;
const OP_EXPIRE_MS: u8 = 0xfc;
const OP_SELECT: u8 = 0xfe;
const OP_END: u8 = 0xff;
const TYPE_STRING: u8 = 0;

/// A string key: name, value, and when it runs out.
#[derive(Clone, Debug)]
pub struct Key {
    pub name: String,
    pub value: String,
    pub expires: Option<Timestamp>,
}

/// The file as the server writes it at `at`.
pub fn file(keys: &[Key], at: Timestamp) -> Vec<u8> {
    let mut out = b"REDIS0010".to_vec();
    aux(&mut out, "redis-ver", b"7.0.15");
    aux(&mut out, "redis-bits", b"64");
    aux(&mut out, "ctime", at.timestamp().to_string().as_bytes());
    aux(&mut out, "used-mem", b"1843200");
    aux(&mut out, "aof-base", b"0");
    out.extend([OP_SELECT, 0, OP_RESIZE]);
    length(&mut out, keys.len());
    length(&mut out, keys.iter().filter(|key| key.expires.is_some()).count());
    for key in keys {
        if let Some(end) = key.expires {
            out.push(OP_EXPIRE_MS);
            out.extend(end.timestamp_millis().to_le_bytes());
        }
        out.push(TYPE_STRING);
        string(&mut out, key.name.as_bytes());
        string(&mut out, key.value.as_bytes());
    }
    out.push(OP_END);
    let sum = crc_fast::checksum(CrcAlgorithm::Crc64Redis, &out);
    out.extend(sum.to_le_bytes());
    out
}

fn aux(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.push(OP_AUX);
    string(out, name.as_bytes());
    string(out, value);
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend(bytes);
}

/// 6, 14 or 32 bits, told apart by the two highest bits of the first byte.
fn length(out: &mut Vec<u8>, value: usize) {
    match value {
        0..64 => out.push(value as u8),
        64..16_384 => out.extend([0x40 | (value >> 8) as u8, value as u8]),
        _ => {
            out.push(0x80);
            out.extend((value as u32).to_be_bytes());
        }
    }
}
