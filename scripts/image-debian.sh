#!/bin/sh
# Build a small Debian 12 system image: systemd, udev, D-Bus, networkd with DHCP on eth0.
#
#   scripts/image-debian.sh [OUTDIR]
#
# Makes OUTDIR/debian-12.tar.xz (metadata.yaml and templates) and OUTDIR/debian-12.squashfs (the
# root file system): a split image. OUTDIR defaults to ${XDG_CACHE_HOME:-~/.cache}/lightervisor.
# An image that is already there and was made by the same version of this script is kept.
#
# Needs root, and mmdebstrap or debootstrap. Packages come from where this machine's own apt looks
# if it is a Debian, else from deb.debian.org; the image itself only ever names deb.debian.org.
set -eu
suite=bookworm
out=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lightervisor}
meta=$out/debian-12.tar.xz
squashfs=$out/debian-12.squashfs
stamp=$out/debian-12.made-by

self=$(sha256sum "$0" | cut -d' ' -f1)
if [ -s "$meta" ] && [ -s "$squashfs" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$self" ]; then
    echo "== Debian 12 image: cached in $out"
    exit 0
fi
[ "$(id -u)" = 0 ] || { echo "image-debian.sh: root is needed" >&2; exit 1; }
deb_arch=$(dpkg --print-architecture)
case $deb_arch in
    amd64) arch=x86_64 ;;
    arm64) arch=aarch64 ;;
    i386) arch=i686 ;;
    armhf) arch=armv7l ;;
    ppc64el) arch=ppc64le ;;
    *) arch=$deb_arch ;;
esac
include=systemd-sysv,systemd-resolved,udev,dbus,iproute2,iputils-ping,netbase,less,nano-tiny

# The address that this machine's apt gets Debian's main archive from; empty if none.
# $1: a pattern that the address must match, $2: one that it must not.
own_mirror() {
    {
        sed -n 's/^URIs:[[:space:]]*//p' /etc/apt/sources.list.d/*.sources 2>/dev/null | tr ' ' '\n'
        sed -n 's/^deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' \
            /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null
    } | grep -E "$1" | grep -vE "$2" | head -n 1
}
mirror=
security=
if [ "$(. /etc/os-release && echo "$ID")" = debian ]; then
    mirror=$(own_mirror '/debian/?$|^mirror\+' 'security' || true)
    security=$(own_mirror 'debian-security/?$' 'snapshot' || true)
fi
: "${mirror:=http://deb.debian.org/debian}"

mkdir -p "$out"
umask 022
work=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/rootfs
echo "== Building a Debian 12 image (a minute or two; kept in $out)"
if command -v mmdebstrap >/dev/null 2>&1; then
    set -- "deb $mirror $suite main" "deb $mirror $suite-updates main"
    [ -n "$security" ] && set -- "$@" "deb $security $suite-security main"
    mmdebstrap --mode=root --variant=minbase --architectures="$deb_arch" --include="$include" \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$suite" "$root" "$@"
elif command -v debootstrap >/dev/null 2>&1; then
    debootstrap --variant=minbase --arch="$deb_arch" --include="$include" "$suite" "$root" "$mirror"
    rm -rf "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
else
    echo "image-debian.sh: neither mmdebstrap nor debootstrap is installed (apt-get install mmdebstrap)" >&2
    exit 1
fi

echo "== Configuring it"
cat > "$root/etc/systemd/network/eth0.network" <<'NET'
[Match]
Name=eth0

[Network]
DHCP=ipv4
LinkLocalAddressing=ipv6
IPv6AcceptRA=yes

[DHCPv4]
ClientIdentifier=mac
UseDomains=true
NET
chroot "$root" systemctl enable systemd-networkd.service systemd-resolved.service >/dev/null 2>&1
# Nothing in the image waits for the network, so DHCP does not hold up the boot.
chroot "$root" systemctl disable systemd-networkd-wait-online.service >/dev/null 2>&1 || true
chroot "$root" systemctl mask systemd-networkd-wait-online.service >/dev/null 2>&1 || true
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
chroot "$root" passwd -l root >/dev/null 2>&1 || true

# Only Debian's public address stays inside.
rm -rf "$root"/etc/apt/sources.list.d/* "$root"/etc/apt/apt.conf.d/*proxy* \
       "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/apt \
       "$root"/var/log/*.log "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old
mkdir -p "$root/var/lib/apt/lists/partial" "$root/var/cache/apt/archives/partial" "$root/var/log/apt"
cat > "$root/etc/apt/sources.list" <<APT
deb http://deb.debian.org/debian $suite main
deb http://deb.debian.org/debian $suite-updates main
deb http://deb.debian.org/debian-security $suite-security main
APT
for address in "$mirror" "$security"; do
    host=$(printf '%s' "$address" | sed -n 's#^[a-z+]*://\([^/:@]*@\)\{0,1\}\([^/:]*\).*#\2#p')
    case $host in ''|deb.debian.org) continue ;; esac
    if found=$(grep -rlF "$host" "$root/etc" "$root/var/lib/apt" "$root/var/log" 2>/dev/null); then
        echo "image-debian.sh: the name of this machine's mirror is left inside, in:" >&2
        echo "$found" | sed "s#^$root##" >&2
        exit 1
    fi
done

: > "$root/etc/machine-id"
rm -f "$root/etc/hostname" "$root/var/lib/dbus/machine-id"
echo debian > "$root/etc/hostname"
# Device nodes come from the daemon.
rm -rf "$root"/dev/* "$root"/run/* "$root"/tmp/*

mkdir -p "$work/meta/templates"
echo '{{ container.name }}' > "$work/meta/templates/hostname.tpl"
cat > "$work/meta/templates/hosts.tpl" <<'HOSTS'
127.0.0.1   localhost
127.0.1.1   {{ container.name }}
::1         localhost ip6-localhost ip6-loopback
HOSTS
now=$(date +%s)
cat > "$work/meta/metadata.yaml" <<META
architecture: $arch
creation_date: $now
properties:
  architecture: $arch
  description: Debian 12 bookworm $deb_arch ($(date -d "@$now" +%Y%m%d))
  name: debian-12
  os: Debian
  release: $suite
  serial: "$(date -d "@$now" +%Y%m%d)"
  variant: default
templates:
  /etc/hostname:
    when:
      - create
      - copy
    template: hostname.tpl
  /etc/hosts:
    when:
      - create
      - copy
    template: hosts.tpl
META

echo "== Packing it"
progress=-no-progress
[ -t 1 ] && progress=-progress
tar -C "$work/meta" --numeric-owner --owner=0 --group=0 --sort=name -cf - metadata.yaml templates |
    xz -6 > "$work/meta.tar.xz"
mksquashfs "$root" "$work/root.squashfs" -comp zstd -Xcompression-level 12 -noappend $progress -quiet \
    2> "$work/mksquashfs.err" || { cat "$work/mksquashfs.err" >&2; exit 1; }
mv "$work/meta.tar.xz" "$meta"
mv "$work/root.squashfs" "$squashfs"
echo "$self" > "$stamp"
echo "== Debian 12 image: $(du -m "$squashfs" | cut -f1) MiB packed, $(du -sm "$root" | cut -f1) MiB unpacked, in $out"
