#!/usr/bin/env bash
# Makes every picture of this folder from the real program. Takes the names of scenes to make only those.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "$(fc-list 'JetBrains Mono' 2>/dev/null)" ]; then
    echo 'The font JetBrains Mono is needed; on Debian: apt-get install fonts-jetbrains-mono fonts-dejavu-core' >&2
    exit 1
fi
cargo build --release --quiet
cargo run --release --quiet -p relight-screenshots -- "${CARGO_TARGET_DIR:-target}/release/relight" screenshots "$@"
