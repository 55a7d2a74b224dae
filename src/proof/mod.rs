//! Streaming readers that prove a backup in one pass, and the ledger of what was proven.
