//! Of the runner, what knows neither clock nor task nor socket.

#[path = "../../../src/runner/flight.rs"]
pub mod flight;
#[path = "../../../src/runner/ledger.rs"]
pub mod ledger;
