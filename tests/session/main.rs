//! The session's real loop over memory stores, watched through the view as a frontend does.

mod arming;
mod estate;
mod scans;
