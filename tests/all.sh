#!/usr/bin/env bash
# Everything that must hold: installs what the tests need, then formatting, lints, every test.
# Needs a Rust toolchain and Debian (or a derivative); root, or sudo, only if something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

missing=()
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
command -v sshd >/dev/null || [ -x /usr/sbin/sshd ] || missing+=(openssh-server)
command -v ip >/dev/null || missing+=(iproute2)
[ -x /lib/systemd/systemd ] || missing+=(systemd)
command -v crontab >/dev/null || missing+=(cron)
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3 python3-pip)
command -v gpg >/dev/null || missing+=(gnupg)
command -v age >/dev/null || missing+=(age)
command -v rsync >/dev/null || missing+=(rsync)
command -v named >/dev/null || [ -x /usr/sbin/named ] || missing+=(bind9)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
[ -x /usr/bin/docker-compose ] || missing+=(docker-compose)
[ -x /usr/sbin/dockerd ] && [ -x /usr/bin/docker ] || missing+=(docker.io)
if [ ${#missing[@]} -gt 0 ]; then
    # The tests start private servers; Debian's own cluster is neither needed nor wanted.
    as_root mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
    as_root apt-get update -qq
    # RUNLEVEL=1 keeps what is installed from being started as a service.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

# The S3 server that knows parts, archive classes and encryption; of the tests alone, below the build's folder.
moto="${CARGO_TARGET_DIR:-target}/tmp/moto"
if ! cmp -s tests/support/moto.txt "$moto/installed.txt"; then
    rm -rf "$moto"
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$moto" --requirement tests/support/moto.txt
    cp tests/support/moto.txt "$moto/installed.txt"
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets --quiet -- --deny warnings
# Of this package by name: asked for all, cargo also tests the examples of a library whose manifest says not to.
cargo test --doc --package relight
# The simulation of runs plays its full number of seeds here, which takes three to four minutes on two cores.
RELIGHT_SIM_SEEDS="${RELIGHT_SIM_SEEDS:-100000}" cargo test --lib --bins --tests --no-fail-fast
