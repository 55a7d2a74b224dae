//! The append-only, hash-chained record of a run; the run *is* its journal.
