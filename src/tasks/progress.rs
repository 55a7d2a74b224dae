//! Progress that is told while work goes on.

use super::context::TaskContext;
use crate::model::task::Progress;
use std::time::Duration;

const BEAT: Duration = Duration::from_millis(250);

/// Awaits `work` and tells `look()` as progress four times a second, and once more at its end.
pub async fn telling<T>(cx: &TaskContext, look: impl Fn() -> Progress, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    let mut beat = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            done = &mut work => {
                cx.feed.progress(look());
                return done;
            }
            _ = beat.tick() => cx.feed.progress(look()),
        }
    }
}
