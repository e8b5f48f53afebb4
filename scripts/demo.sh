#!/bin/sh
# From a bare machine to a running system container.
#
#   scripts/demo.sh          (make demo)               Debian 12 with systemd
#   IMAGE=busybox scripts/demo.sh   (make demo IMAGE=busybox)   a tiny one, nothing downloaded for it
#
# Everything lives in DEMO_DIR (default /var/tmp/lightervisor-demo) and nothing else on this machine
# changes, but for: distribution packages, root's lines in /etc/subuid and /etc/subgid if there are
# none, and a bridge with address translation, which `make demo-stop` removes again.
set -eu
cd "$(dirname "$0")/.."
image=${IMAGE:-debian}
demo=${DEMO_DIR:-/var/tmp/lightervisor-demo}
say() { printf '\n== %s\n' "$*"; }

case $image in
    debian) alias=debian/12 name=first ;;
    busybox) alias=busybox name=tiny ;;
    *) echo "demo.sh: IMAGE is debian or busybox, not '$image'" >&2; exit 2 ;;
esac
if [ "$(id -u)" != 0 ]; then
    echo "demo.sh: containers need root: sudo make demo" >&2
    exit 1
fi

# --- packages, programs -------------------------------------------------------------------------
scripts/packages.sh build run "image-$image"
. scripts/rust-path.sh
target=$(cd "${CARGO_TARGET_DIR:-.}" && pwd)
[ -n "${CARGO_TARGET_DIR:-}" ] || target=$target/target
bin=$target/release
[ -x "$bin/lxd" ] || say "Building (a few minutes the first time)"
scripts/build-release.sh

# --- ids for unprivileged containers ------------------------------------------------------------
for f in /etc/subuid /etc/subgid; do
    if ! grep -q '^root:' "$f" 2>/dev/null; then
        # Above every range that is there, so that nobody's ids overlap.
        first=$(awk -F: '{ e = $2 + $3; if (e > m) m = e } END { if (m < 1000000) m = 1000000; print m }' "$f" 2>/dev/null || echo 1000000)
        say "Adding root:$first:1000000000 to $f"
        echo "root:$first:1000000000" >> "$f"
    fi
done

# --- the daemon ---------------------------------------------------------------------------------
# Control groups are used as they are found; only a machine without any gets version 2.
grep -q ' /sys/fs/cgroup[ /]' /proc/self/mounts || mount -t cgroup2 cgroup2 /sys/fs/cgroup

umask 077
mkdir -p "$demo" "$demo/conf"
chmod 711 "$demo"
export LXD_DIR="$demo/lxd" LXD_CONF="$demo/conf"
PATH=$bin:$PATH
mkdir -p "$LXD_DIR"
chmod 711 "$LXD_DIR"
cat > "$demo/env" <<ENV
export LXD_DIR=$LXD_DIR LXD_CONF=$LXD_CONF PATH=$bin:\$PATH
ENV
umask 022

pid=$(cat "$demo/lxd.pid" 2>/dev/null || true)
running=$(readlink "/proc/${pid:-none}/exe" 2>/dev/null || true)
case $running in
    "$bin/lxd (deleted)")
        say "Restarting the daemon, which was built anew; containers go on"
        kill -TERM "$pid"
        i=0
        while [ -d "/proc/$pid" ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
        running= ;;
esac
if [ "$running" != "$bin/lxd" ]; then
    say "Starting lxd in $LXD_DIR"
    setsid "$bin/lxd" --group root --logfile "$demo/lxd.log" >> "$demo/lxd.out" 2>&1 </dev/null &
    echo $! > "$demo/lxd.pid"
    if ! lxd waitready --timeout 60; then
        echo "demo.sh: the daemon did not come up; the end of its log:" >&2
        tail -n 20 "$demo/lxd.log" "$demo/lxd.out" >&2 || true
        exit 1
    fi
fi
# The first use of the client says on standard error what this script does next.
pools=$(lxc query /1.0/storage-pools 2>/dev/null | tr -d ' \n\t')
if [ -z "$pools" ] || [ "$pools" = "[]" ]; then
    say "lxd init --auto"
    lxd init --auto
fi

# --- the image ----------------------------------------------------------------------------------
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lightervisor
if ! lxc image info "$alias" >/dev/null 2>&1; then
    case $image in
        debian)
            scripts/image-debian.sh "$cache"
            say "lxc image import debian-12.tar.xz debian-12.squashfs --alias debian/12"
            lxc image import "$cache/debian-12.tar.xz" "$cache/debian-12.squashfs" --alias debian/12 ;;
        busybox)
            scripts/image-busybox.sh "$cache/busybox.tar.gz"
            say "lxc image import busybox.tar.gz --alias busybox"
            lxc image import "$cache/busybox.tar.gz" --alias busybox ;;
    esac
fi

# --- a container --------------------------------------------------------------------------------
case $(lxc list "^$name\$" -c s --format csv) in
    "") say "lxc launch $alias $name"; lxc launch "$alias" "$name" ;;
    STOPPED) say "lxc start $name"; lxc start "$name" ;;
    *) say "$name is already running" ;;
esac
i=0
while [ $i -lt 75 ] && [ -z "$(lxc list "^$name\$" -c 4 --format csv)" ]; do sleep 0.2; i=$((i + 1)); done

say "lxc list"
lxc list
say "lxc exec $name -- cat /etc/os-release"
lxc exec "$name" -- cat /etc/os-release </dev/null

cat <<NEXT

It works. To go on in this shell:

    . $demo/env

    lxc exec $name -- sh                   a shell inside
    lxc launch $alias second            another one
    lxc list                               what there is
    lxc file push README.md $name/root/    files in and out
    lxc stop $name && lxc delete $name     away with it
    lxc help                               everything else

The log is $demo/lxd.log. To stop the containers and the daemon:

    make demo-stop          (make demo-clean also removes everything that they made)
NEXT
