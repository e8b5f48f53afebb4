#!/bin/sh
# Stop what scripts/demo.sh started.
#
#   scripts/demo-stop.sh           stops the containers, the daemon and its bridge; data stay
#   scripts/demo-stop.sh --clean   also deletes containers, images and the whole directory
#                                  (the Debian image's build in ~/.cache stays)
set -eu
cd "$(dirname "$0")/.."
demo=${DEMO_DIR:-/var/tmp/lightervisor-demo}
clean=no
[ "${1:-}" = --clean ] && clean=yes
if [ ! -r "$demo/env" ]; then
    echo "There is no demo in $demo."
    exit 0
fi
. "$demo/env"

pid=$(cat "$demo/lxd.pid" 2>/dev/null || true)
alive() {
    [ -n "$pid" ] || return 1
    case $(readlink "/proc/$pid/exe" 2>/dev/null) in */lxd | */"lxd (deleted)") ;; *) return 1 ;; esac
}
if alive; then
    if [ $clean = yes ]; then
        for c in $(timeout 20 lxc list -c n --format csv); do
            echo "== Deleting $c"
            timeout 60 lxc delete --force "$c" || true
        done
    fi
    echo "== Stopping containers and daemon"
    timeout 90 lxd shutdown --timeout 60 || kill -TERM "$pid" 2>/dev/null || true
    i=0
    while alive && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
    if alive; then
        echo "== The daemon ($pid) does not end by itself: killing it"
        kill -KILL "$pid"
    fi
fi
rm -f "$demo/lxd.pid"

# Whatever still works for this directory: the keeper of containers that would not stop, dnsmasq.
for p in /proc/[0-9]*; do
    p=${p#/proc/}
    case $(tr '\0' ' ' < "/proc/$p/cmdline" 2>/dev/null || true) in
        *"$LXD_DIR"*)
            [ "$p" = $$ ] && continue
            case $(readlink "/proc/$p/exe" 2>/dev/null) in
                *lxd-keeper*|*/dnsmasq*) kill -TERM "$p" 2>/dev/null || true ;;
            esac ;;
    esac
done
grep " $LXD_DIR/" /proc/self/mounts | cut -d' ' -f2 | sort -r | while read -r m; do
    umount -l "$m" || true
done
for n in "$LXD_DIR"/networks/*; do
    n=${n##*/}
    [ -d "/sys/class/net/$n/bridge" ] && ip link delete "$n" type bridge || true
done
if [ $clean = yes ]; then
    rm -rf --one-file-system "$demo"
    echo "== Removed $demo"
else
    echo "== Stopped. \`make demo\` goes on where this ended; \`make demo-clean\` removes $demo."
fi
