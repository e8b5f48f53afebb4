#!/bin/bash
# The tests of storage inside the virtual machine, whose kernel has what this machine's may lack.
#
#   scripts/vm/test.sh [DRIVER...]        make test-vm, make test-vm ONLY="zfs lvm"
#
# DRIVER is dir, btrfs, lvm, zfs or ceph; without one: all but ceph, which takes longest. For each of
# them a machine is started and runs the driver's own tests and the suite that all drivers share
# (crates/storage/tests/conformance). Prints totals; SKIP and the reason where there is no machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- dir btrfs lvm zfs
skip() { echo "SKIP test-vm: $*"; exit 0; }

[ "$(uname -m)" = x86_64 ] || skip "the virtual machine is for x86_64"
[ "$(. /etc/os-release && echo "$ID")" = debian ] || skip "the virtual machine is made of this machine's own Debian packages"
[ "$(id -u)" = 0 ] || skip "root is needed to build the virtual machine"
scripts/packages.sh build vm || skip "QEMU and what builds its image could not be installed"

extras=()
for driver in "$@"; do
    case $driver in
        dir | btrfs | lvm) ;;
        zfs | ceph) extras+=("$driver") ;;
        *) echo "test.sh: unknown driver $driver (dir, btrfs, lvm, zfs, ceph)" >&2; exit 2 ;;
    esac
done
timeout 3600 scripts/vm/image.sh "${extras[@]}" || skip "its image could not be built (is a Debian mirror reachable?)"

. scripts/rust-path.sh
programs=$(cargo test --locked -p storage --lib --test conformance --no-run --message-format=json-render-diagnostics |
    sed -n 's/^.*"executable":"\([^"]*\)".*$/\1/p')
[ -n "$programs" ] || { echo "test.sh: cargo named no test programs" >&2; exit 1; }

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
# How much longer than on real hardware things may take.
export LIGHTERVISOR_TEST_SLOW=${LIGHTERVISOR_TEST_SLOW:-10}

# One driver in a machine of its own. One test after the other: an emulated machine has one processor,
# and time limits are for one test.
run() { # driver
    local before=: line program status=0
    local machine=(-t "${TIME_LIMIT:-3000}" -m 2048 -e LIGHTERVISOR_TEST_SLOW -e RUST_BACKTRACE)
    case $1 in
        zfs) before='modprobe zfs' ;;
        ceph) before=scripts/vm/ceph.sh machine+=(-c 2 -m 3072) ;;
    esac
    line="$before || exit 1; status=0"
    for program in $programs; do
        line+="; $program --test-threads=1 --nocapture $1 || status=1"
    done
    scripts/vm/run.sh "${machine[@]}" "$line; exit \$status" 2>&1 | sed -u "s/^/$1 | /" | tee "$logs/$1" || status=1
    echo "$status" > "$logs/$1.status"
}

# Two machines side by side where there is room for them.
most=1
[ "$(nproc)" -ge 2 ] && [ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -gt 7000000 ] && most=2
for driver in "$@"; do
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-$most}" ]; do wait -n || true; done
    run "$driver" &
done
wait
failed=()
for driver in "$@"; do
    [ "$(cat "$logs/$driver.status" 2>/dev/null)" = 0 ] || failed+=("$driver")
done

awk '
    / \| test result: / { for (i = 1; i < NF; i++) { if ($(i + 1) == "passed;") passed += $i; if ($(i + 1) == "failed;") failed += $i } }
    match($0, /SKIP [^ ]+: /) { skipped++; print substr($0, RSTART) }
    END { printf "\n%d passed, %d failed, %d skipped in the virtual machine\n", passed - skipped, failed, skipped }
' "$logs"/*
[ ${#failed[@]} = 0 ] || { echo "test.sh: not all is well with: ${failed[*]}" >&2; exit 1; }
