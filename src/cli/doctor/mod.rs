//! What must hold on this machine before anyone needs a restore; one kind of check per file.

mod buckets;
mod check;
mod clock;
mod engines;
mod secrets;
mod servers;
mod shared;
mod state;
mod stores;
mod tools;

pub use check::Check;

use crate::wiring::Setup;

/// All checks that need a readable configuration, in the order in which they are shown.
pub async fn all(setup: &Setup) -> Vec<Check> {
    let mut checks = vec![state::writable(&setup.state_dir)];
    checks.push(Check::good("identity", "user", setup.actor.to_string()));
    let (secrets, tools, stores, buckets, shared, skew, servers, engines) = futures::join!(
        secrets::all(setup),
        tools::all(setup),
        stores::all(setup),
        buckets::all(setup),
        shared::all(setup),
        clock::all(setup),
        servers::all(setup),
        engines::all(setup)
    );
    checks.extend([secrets, tools, stores, buckets, shared, skew, servers, engines].into_iter().flatten());
    checks
}
