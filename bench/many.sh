#!/bin/bash
# Many running containers on one daemon: how long they take to start, what they cost, and how quick
# `lxc list` is beside them.
#
#   bench/many.sh [--count N] [--step N] [--debug] [--keep-free MIB]
#
# Starts N (500) busybox containers in steps of S (50) and stops early when less than the given memory
# (4096 MiB) is free. Everything is in namespaces of its own and ends with it. Needs root and a
# release build (--debug: a debug build).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
count=500 step=50 build=release free=4096
while [ $# -gt 0 ]; do
    case $1 in
        --count) count=$2; shift ;;
        --step) step=$2; shift ;;
        --keep-free) free=$2; shift ;;
        --debug) build=debug ;;
        --inside) inside=$2; shift ;;
        *) sed -n '2,9s/^# \{0,1\}//p' "$here/many.sh"; exit 1 ;;
    esac
    shift
done
programs=$(realpath "${CARGO_TARGET_DIR:-target}/$build")
[ -x "$programs/lxd" ] || { echo "bench/many.sh: no $build build" >&2; exit 1; }

if [ -z "${inside:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "bench/many.sh: root is needed" >&2; exit 1; }
    image=${XDG_CACHE_HOME:-$HOME/.cache}/lightervisor/bench-busybox.tar.gz
    [ -f "$image" ] || scripts/image-busybox.sh "$image"
    work=$(mktemp -d /var/tmp/lv-many.XXXXXX)
    chmod 711 "$work"
    cp "$image" "$work/image.tar.gz"
    status=0
    unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
        "$here/many.sh" --inside "$work" --count "$count" --step "$step" --keep-free "$free" \
        $([ "$build" = debug ] && echo --debug) || status=$?
    for g in /sys/fs/cgroup /sys/fs/cgroup/*; do
        for d in "$g"/lxd-????????; do
            [ ! -d "$d" ] || find "$d" -depth -type d -exec rmdir {} \; 2>/dev/null || true
        done
    done
    rm -rf --one-file-system "$work"
    exit $status
fi

export LXD_DIR=$inside/lxd LXD_CONF=$inside/conf PATH=$programs:$PATH
# A /sys that shows this namespace's interfaces, with the control groups carried over.
mkdir "$inside/cgroup"
mount --rbind /sys/fs/cgroup "$inside/cgroup"
umount --lazy --recursive /sys
mount -t sysfs sysfs /sys
mount --rbind "$inside/cgroup" /sys/fs/cgroup
umount --lazy --recursive "$inside/cgroup"
ip link set lo up
lxd --group root --logfile "$inside/log" &
until lxc info >/dev/null 2>&1; do sleep 0.1; done
lxd init --preseed <<'YAML'
networks:
- name: lxdbr0
  type: bridge
  config: {ipv4.address: 10.190.0.1/16, ipv4.nat: "false", ipv6.address: none}
storage_pools:
- {name: default, driver: dir}
profiles:
- name: default
  devices:
    root: {type: disk, path: /, pool: default}
    eth0: {type: nic, nictype: bridged, parent: lxdbr0, name: eth0}
YAML
lxc image import "$inside/image.tar.gz" --alias busybox >/dev/null
daemon=$(pgrep -x lxd)
memory() { awk '/^Pss:/ { print int($2 / 1024 * 10) / 10 " MiB" }' "/proc/$1/smaps_rollup"; }
now() { date +%s%N; }
ms() { echo $(( ($(now) - $1) / 1000000 )); }

n=0
printf 'running  start of each  lxc list  list again  names only  memory of lxd  of lxd-keeper  of the host\n'
while [ $n -lt "$count" ]; do
    left=$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
    [ "$left" -ge "$free" ] || { echo "only $left MiB are free; ending at $n containers"; break; }
    began=$(now)
    last=$((n + step < count ? n + step : count))
    while [ $n -lt $last ]; do n=$((n + 1)); lxc launch busybox "c$n" >/dev/null </dev/null; done
    each=$(( $(ms "$began") / step ))
    # Addresses come by DHCP.
    until [ "$(lxc list -c 4 --format csv | grep -c eth0)" -ge $((n - 2)) ]; do sleep 0.5; done
    sleep 1
    began=$(now); lxc list >/dev/null; first=$(ms "$began")
    began=$(now); lxc list >/dev/null; second=$(ms "$began")
    began=$(now); lxc list -c ns >/dev/null; names=$(ms "$began")
    printf '%7d  %10d ms  %5d ms  %7d ms  %7d ms  %13s  %13s  %6d MiB\n' $n $each $first $second $names \
        "$(memory "$daemon")" "$(memory "$(pgrep -x lxd-keeper)")" "$left"
done
if command -v strace >/dev/null; then
    strace -f -c -o "$inside/calls" -p "$daemon" 2>/dev/null & tracer=$!
    sleep 2
    lxc list >/dev/null
    kill -INT $tracer; wait $tracer || true
    echo "What the daemon asks the kernel for during one lxc list of $n containers:"
    head -12 "$inside/calls"
    grep -E ' (execve|setns|clone3?|v?fork|unshare)$' "$inside/calls" || echo "(no program, no namespace entered)"
fi
began=$(now); lxd shutdown --timeout 600 || true
echo "lxd shutdown of all of them: $(ms "$began") ms"
