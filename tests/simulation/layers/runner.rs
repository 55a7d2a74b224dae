//! Of the runner, what knows neither clock nor folder nor socket.

#[path = "../../../src/runner/bond.rs"]
pub mod bond;
#[path = "../../../src/runner/flight.rs"]
pub mod flight;
#[path = "../../../src/runner/inherit.rs"]
pub mod inherit;
#[path = "../../../src/runner/keeper.rs"]
pub mod keeper;
#[path = "../../../src/runner/ledger.rs"]
pub mod ledger;
#[path = "../../../src/runner/mirror.rs"]
pub mod mirror;
