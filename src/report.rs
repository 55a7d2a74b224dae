//! The one edge that turns any error into kind, causes, hint and exit code.
