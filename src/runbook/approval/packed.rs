//! The values of a request in as few bytes as hold them: whoever carries its code may have to type it.

use super::request::ApprovalRequest;
use crate::model::id::{RunId, StepId};
use chrono::DateTime;

/// The first byte; no text begins with it.
const FORM: u8 = 2;

/// Texts behind their lengths, the digest as the bytes it names, numbers in as many bytes as they need.
pub fn pack(request: &ApprovalRequest) -> Vec<u8> {
    let mut out = vec![FORM];
    let texts = [
        &request.estate,
        &request.environment,
        request.run.as_str(),
        &request.mode,
        request.step.as_str(),
        &request.title,
        &request.loss,
        &request.operator,
    ];
    for text in texts {
        number(&mut out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    let plan = hex::decode(&request.plan).unwrap_or_default();
    number(&mut out, plan.len() as u64);
    out.extend_from_slice(&plan);
    number(&mut out, request.question);
    number(&mut out, u64::try_from(request.expires.timestamp()).unwrap_or(0));
    out
}

/// `None` for anything that [`pack`] has not made.
pub fn unpack(bytes: &[u8]) -> Option<ApprovalRequest> {
    let mut rest = bytes.strip_prefix(&[FORM])?;
    let mut text = || String::from_utf8(piece(&mut rest)?.to_vec()).ok();
    let (estate, environment, run, mode) = (text()?, text()?, text()?, text()?);
    let (step, title, loss, operator) = (text()?, text()?, text()?, text()?);
    let plan = hex::encode(piece(&mut rest)?);
    let question = read(&mut rest)?;
    let expires = DateTime::from_timestamp(i64::try_from(read(&mut rest)?).ok()?, 0)?;
    let (run, step) = (RunId::new(run), StepId::new(step));
    let request =
        ApprovalRequest { estate, environment, run, mode, step, title, loss, plan, question, operator, expires };
    rest.is_empty().then_some(request)
}

/// Seven bits to a byte, the lowest first; the highest bit says that more follow.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..63).step_by(7) {
        let (first, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(read(rest)?).ok()?;
    let (piece, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(piece)
}
