#!/bin/sh
# Build a tiny image: one static busybox as init and as every program. About 1 MB.
#
#   scripts/image-busybox.sh OUT.tar.gz
#
# The result is a unified image (metadata.yaml, templates/ and rootfs/ in one tarball) and the same
# bytes every time. Init ends on SIGPWR and on what busybox's poweroff and
# halt send (SIGUSR2, SIGUSR1), reboots on SIGINT and on what reboot sends (SIGTERM), and asks for an address by
# DHCP on eth0 when there is one. Needs busybox-static; no network.
set -eu
out=${1:?usage: image-busybox.sh OUT.tar.gz}
busybox=$(command -v busybox) || { echo "image-busybox.sh: busybox is missing (package busybox-static)" >&2; exit 1; }
if ldd "$busybox" >/dev/null 2>&1; then
    echo "image-busybox.sh: $busybox needs shared libraries; install the package busybox-static" >&2
    exit 1
fi
case $(uname -m) in
    i?86) arch=i686 ;;
    arm*) arch=armv7l ;;
    *) arch=$(uname -m) ;;
esac

umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/rootfs
for d in bin sbin dev etc/udhcpc lib/empty mnt proc root run sys tmp usr/bin usr/sbin usr/lib var/log; do
    mkdir -p "$root/$d"
done
chmod 1777 "$root/tmp"
chmod 700 "$root/root"

install -m 755 "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
    case $applet in busybox|init|linuxrc|dpkg|dpkg-deb|rpm|rpm2cpio) continue ;; esac
    ln -s busybox "$root/bin/$applet"
done
# Something to list: programs look below /usr/lib, and so do people.
i=0
while [ $i -lt 300 ]; do
    : > "$root/usr/lib/libexample-$i.so.$((i % 7))"
    i=$((i + 1))
done

cat > "$root/sbin/init" <<'INIT'
#!/bin/sh
# Process 1: bring the network up, run /etc/rc.local, wait to be told to end.
trap 'poweroff -f' PWR USR1 USR2
trap 'reboot -f' INT TERM
export PATH=/sbin:/usr/sbin:/bin:/usr/bin
[ -r /etc/hostname ] && hostname -F /etc/hostname 2>/dev/null
ip link set lo up 2>/dev/null
if [ -d /sys/class/net/eth0 ]; then
    ip link set eth0 up
    udhcpc -b -S -t 5 -T 1 -A 2 -i eth0 -s /etc/udhcpc/script -p /run/udhcpc.pid >/dev/null 2>&1 &
fi
[ -x /etc/rc.local ] && /etc/rc.local
echo "init: ready"
while :; do
    sleep 86400 &
    wait $!
done
INIT
cat > "$root/etc/udhcpc/script" <<'DHCP'
#!/bin/sh
# What udhcpc calls when its lease changes.
case $1 in
    deconfig)
        ip addr flush dev "$interface" scope global
        ;;
    bound|renew)
        ip addr flush dev "$interface" scope global
        ip addr add "$ip/${mask:-24}" dev "$interface"
        for r in $router; do ip route replace default via "$r" dev "$interface"; done
        : > /etc/resolv.conf
        for s in $dns; do echo "nameserver $s" >> /etc/resolv.conf; done
        ;;
esac
DHCP
chmod 755 "$root/sbin/init" "$root/etc/udhcpc/script"

printf 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\ndaemon:x:1:\nuser:x:1000:\nnogroup:x:65534:\n' > "$root/etc/group"
printf '127.0.0.1 localhost\n::1 localhost\n' > "$root/etc/hosts"
echo busybox > "$root/etc/hostname"
cat > "$root/etc/os-release" <<'OS'
NAME="Busybox"
PRETTY_NAME="Busybox example image"
ID=busybox
OS

mkdir "$work/templates"
echo '{{ container.name }}' > "$work/templates/hostname.tpl"
cat > "$work/metadata.yaml" <<META
architecture: $arch
creation_date: 1704067200
properties:
  architecture: $arch
  description: Busybox example image
  os: Busybox
  release: "1"
templates:
  /etc/hostname:
    when:
      - create
      - copy
    template: hostname.tpl
META

mkdir -p "$(dirname "$out")"
tar -C "$work" --numeric-owner --owner=0 --group=0 --sort=name --mtime=@1704067200 \
    -cf - metadata.yaml templates rootfs | gzip -9n > "$out.$$"
mv "$out.$$" "$out"
