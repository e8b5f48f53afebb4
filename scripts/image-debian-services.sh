#!/bin/sh
# Build a fuller Debian 12 image from the small one: what people run in a container as a whole
# machine. Services (cron, sshd, journald), FUSE, and container engines (podman, docker.io).
#
#   scripts/image-debian-services.sh [OUTDIR]
#
# Makes OUTDIR/debian-12-services.squashfs, the root file system; its metadata is the small image's.
# It also holds a repository of one small package in /opt/repository, for tests of apt without a
# network, and cloud-init, which does nothing until /etc/cloud/cloud-init.disabled is removed. OUTDIR defaults to ${XDG_CACHE_HOME:-~/.cache}/lightervisor. An image that is already
# there and was made by the same version of this script is kept.
#
# Needs root, unshare, squashfs-tools, and a Debian 12 whose apt finds its packages: this machine's
# own apt configuration is used and does not stay inside.
set -eu
out=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lightervisor}
base=$out/debian-12.squashfs
squashfs=$out/debian-12-services.squashfs
stamp=$out/debian-12-services.made-by
packages="cron openssh-server openssh-client netcat-openbsd squashfs-tools squashfuse fuse3 fuse-overlayfs \
sshfs uidmap podman docker.io nftables iptables systemd-container dnsmasq-base kmod acl curl python3-minimal procps cloud-init"

self=$(sha256sum "$0" | cut -d' ' -f1)
if [ -s "$squashfs" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$self" ]; then
    echo "== Debian 12 image with services: cached in $out"
    exit 0
fi
[ "$(id -u)" = 0 ] || { echo "image-debian-services.sh: root is needed" >&2; exit 1; }
[ -s "$base" ] || { echo "image-debian-services.sh: $base is missing (scripts/image-debian.sh)" >&2; exit 1; }
if ! (. /etc/os-release && [ "$ID" = debian ] && [ "$VERSION_CODENAME" = bookworm ]); then
    echo "image-debian-services.sh: this machine is no Debian 12, whose apt sources are needed" >&2
    exit 1
fi

umask 022
work=$(mktemp -d "$out/services.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/rootfs
unsquashfs -quiet -no-progress -dest "$root" "$base" >/dev/null

# A package of our own, which apt installs without a network.
mkdir -p "$work/package/DEBIAN" "$work/package/usr/share/lightervisor-example" "$root/opt/repository"
cat > "$work/package/DEBIAN/control" <<'CONTROL'
Package: lightervisor-example
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@localhost>
Description: A package to be installed by a test
CONTROL
echo installed > "$work/package/usr/share/lightervisor-example/state"
dpkg-deb --root-owner-group --build "$work/package" "$root/opt/repository/lightervisor-example_1.0_all.deb" >/dev/null
package=$root/opt/repository/lightervisor-example_1.0_all.deb
{
    dpkg-deb --field "$package"
    echo "Filename: ./${package##*/}"
    echo "Size: $(stat -c %s "$package")"
    echo "SHA256: $(sha256sum "$package" | cut -d' ' -f1)"
} > "$root/opt/repository/Packages"

echo "== Installing packages (a few minutes; kept in $out)"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$work/resolv.conf"
unshare --mount --propagation private sh -eu -c '
    root=$1 work=$2
    shift 2
    rm -f "$root/etc/resolv.conf"
    cp "$work/resolv.conf" "$root/etc/resolv.conf"
    mount --bind /dev "$root/dev"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --bind /etc/apt "$root/etc/apt"
    mkdir -p "$work/lists" "$work/sources"
    cp /etc/apt/sources.list.d/debian.sources "$work/sources/" 2>/dev/null || cp /etc/apt/sources.list "$work/sources/debian.list"
    mount --bind "$work/sources" "$root/etc/apt/sources.list.d"
    mount --bind "$work/lists" "$root/var/lib/apt/lists"
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C
    chroot "$root" apt-get -qq update
    chroot "$root" apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--path-exclude=/usr/share/doc/* \
        -o Dpkg::Options::=--path-exclude=/usr/share/man/* install "$@" > "$work/install.log" 2>&1 ||
        { tail -n 30 "$work/install.log" >&2; exit 1; }
' build "$root" "$work" $packages

echo "== Configuring it"
rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf" "$root"/etc/ssh/ssh_host_*
rm -rf "$root"/var/cache/apt/* "$root"/var/log/apt "$root"/var/log/*.log "$root"/var/cache/debconf/*-old \
    "$root"/var/lib/dpkg/*-old
mkdir -p "$root/var/cache/apt/archives/partial" "$root/var/log/apt"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
# Each container makes keys of its own when it first boots.
cat > "$root/etc/systemd/system/ssh-keys.service" <<'UNIT'
[Unit]
Description=Host keys of the ssh server
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl enable ssh-keys.service >/dev/null 2>&1
# Engines start when a test asks for them.
chroot "$root" systemctl disable docker.service docker.socket containerd.service podman.socket podman.service \
    podman-auto-update.timer podman-auto-update.service podman-restart.service nftables.service >/dev/null 2>&1 || true
mkdir -p "$root/etc/cloud"
: > "$root/etc/cloud/cloud-init.disabled"
chroot "$root" useradd --create-home --shell /bin/bash user
rm -rf "$root"/dev/* "$root"/run/* "$root"/tmp/*
: > "$root/etc/machine-id"

echo "== Packing it"
mksquashfs "$root" "$work/root.squashfs" -comp zstd -Xcompression-level 6 -noappend -no-progress -quiet \
    2> "$work/mksquashfs.err" || { cat "$work/mksquashfs.err" >&2; exit 1; }
mv "$work/root.squashfs" "$squashfs"
echo "$self" > "$stamp"
echo "== Debian 12 image with services: $(du -m "$squashfs" | cut -f1) MiB packed, in $out"
