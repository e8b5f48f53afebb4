#!/bin/bash
# Build the virtual machine that `make test-vm` starts: Debian's kernel, with what a development
# machine's kernel may lack (device mapper, ZFS, RBD, project quotas), and a small Debian around it.
#
#   scripts/vm/image.sh [zfs] [ceph] [PACKAGE...]
#
#   zfs      the tools of ZFS, and its kernel modules, which take some minutes to compile
#   ceph     what a cluster on one machine consists of
#   PACKAGE  any other Debian package
#
# Makes kernel, initrd.cpio and root.img in ${XDG_CACHE_HOME:-~/.cache}/lightervisor/vm. What was asked
# for once stays in; nothing is done while it is all there. Compiled modules are kept as zfs-*.tar:
# a machine that starts afresh every time (CI) does well to keep that file.
#
# Needs root on a Debian for x86_64. Packages come from where this machine's own apt gets them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lightervisor/vm
say() { echo "== vm image: $*"; }
die() { echo "image.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "root is needed to unpack a Debian with its owners"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9

# --- what goes in -----------------------------------------------------------------------------------
extras=$({ cat "$cache/extras" 2>/dev/null || true; printf '%s\n' "$@"; } | sed '/^$/d' | sort -u)
packages=(
    # The system.
    udev kmod iproute2 procps psmisc busybox-static util-linux strace
    # What the daemon calls and what tests call; see scripts/packages.sh.
    libseccomp2 dnsmasq-base nftables rsync squashfs-tools xz-utils zstd bzip2 gzip tar acl attr
    bsdutils uidmap apparmor jq
    # File systems and volumes.
    e2fsprogs xfsprogs btrfs-progs quota lvm2 thin-provisioning-tools
)
zfs=no
for extra in $extras; do
    case $extra in
        zfs) packages+=(zfsutils-linux); zfs=yes ;;
        ceph) packages+=(ceph-mon ceph-mgr ceph-osd ceph-common) ;;
        *) packages+=("$extra") ;;
    esac
done

# --- an apt of our own: the same sources, with contrib for ZFS ---------------------------------------
apt=$cache/apt
rm -rf "$apt/sources"
mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/archives/partial"
for file in /etc/apt/sources.list.d/*.sources; do
    if grep -q "^Suites:.*$suite" "$file" 2>/dev/null; then
        sed 's/^\(Components:.*\)$/\1 contrib/' "$file" > "$apt/sources/$(basename "$file")"
    fi
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if grep -q "^deb .*$suite" "$file" 2>/dev/null; then
        sed -n "/^deb .*$suite/s/\$/ contrib/p" "$file" > "$apt/sources/$(basename "$file" .list).list"
    fi
done
cat > "$apt/apt.conf" <<CONF
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$apt/sources";
Dir::State::Lists "$apt/lists";
Dir::Cache::Archives "$apt/archives";
APT::Sandbox::User "root";
CONF
export APT_CONFIG=$apt/apt.conf DEBIAN_FRONTEND=noninteractive

# Whatever this is built of is in the stamp; an image without network is as good as its stamp.
stamp_of() { { echo "$1" "${packages[@]}"; cat "$0"; } | sha256sum | cut -d' ' -f1; }
apt-get -q update > "$apt/update.log" 2>&1 || say "apt-get update failed; going on with what is here"
release=$(apt-cache depends linux-image-amd64 2>/dev/null |
    sed -n 's/^ *Depends: linux-image-\([0-9].*\)$/\1/p' | sort -V | tail -n 1)
stamp=$(stamp_of "$release")
if [ -s "$cache/root.img" ]; then
    if [ -z "$release" ] || [ "$stamp" = "$(cat "$cache/stamp" 2>/dev/null)" ]; then
        have=$(cat "$cache/extras" 2>/dev/null | sed '/^$/d' | sort -u)
        [ "$have" = "$extras" ] || die "the image lacks one of: ${extras//$'\n'/ }; and apt finds no kernel package"
        say "cached in $cache"
        exit 0
    fi
fi
[ -n "$release" ] || die "apt knows no package linux-image-amd64"

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
unpack() { # package directory
    (cd "$work" && apt-get -q download "$1" > "$work/download.log" 2>&1) || { cat "$work/download.log" >&2; exit 1; }
    dpkg-deb -x "$work/$1"_*.deb "$2"
    rm "$work/$1"_*.deb
}

# --- kernel -------------------------------------------------------------------------------------------
say "kernel $release"
unpack "linux-image-$release" "$work/linux"
# Unpacked here rather than by the machine, which takes seconds for it when it is emulated. QEMU
# starts the bare kernel at the entry that it has for this.
bare() {
    local at
    at=$(LC_ALL=C grep -aobP '\xfd7zXZ\x00' "$1" | head -n 1 | cut -d: -f1)
    # What follows the compressed kernel in the file makes xz complain at the end.
    [ -z "$at" ] || tail -c "+$((at + 1))" "$1" | xz -dcq --single-stream > "$2" 2>/dev/null || true
    [ "$(head -c 4 "$2" 2>/dev/null | od -An -c | tr -d ' ')" = '177ELF' ]
}
bare "$work/linux/boot/vmlinuz-$release" "$work/kernel" ||
    cp "$work/linux/boot/vmlinuz-$release" "$work/kernel"

# --- root file system ---------------------------------------------------------------------------------
say "root file system with ${#packages[@]} packages and what they need"
(IFS=,; mmdebstrap --quiet --mode=root --variant=minbase --include="${packages[*]}" \
    --aptopt='APT::Sandbox::User "root"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$suite" "$root" "$apt"/sources/*)
modules=$root/lib/modules/$release
mkdir -p "$root/lib/modules"
cp -a "$work/linux/lib/modules/$release" "$modules"
# Hardware that this machine does not have.
for directory in sound drivers/gpu drivers/media drivers/staging drivers/iio drivers/net/wireless \
    drivers/net/ethernet drivers/infiniband drivers/isdn; do
    rm -rf "$modules/kernel/${directory:?}"
done

# --- modules of ZFS -----------------------------------------------------------------------------------
if [ $zfs = yes ]; then
    unpack zfs-dkms "$work/dkms"
    source=$(echo "$work"/dkms/usr/src/zfs-*)
    compiled=$cache/$(basename "$source")-$release.tar
    if [ ! -s "$compiled" ]; then
        say "compiling the modules of $(basename "$source") (minutes)"
        apt-get -qy install --no-install-recommends gcc make "linux-headers-$release" > "$cache/zfs.log" 2>&1 ||
            { tail -n 20 "$cache/zfs.log" >&2; die "cannot install what compiles modules"; }
        (
            cd "$source"
            ./configure --with-config=kernel --with-linux-obj="/usr/src/linux-headers-$release" \
                --with-linux="/usr/src/linux-headers-${release%-amd64}-common"
            make -j"$(nproc)"
            mkdir "$work/ko"
            find module -name '*.ko' -exec cp -t "$work/ko" {} +
            strip --strip-debug "$work"/ko/*.ko
        ) >> "$cache/zfs.log" 2>&1 || { tail -n 30 "$cache/zfs.log" >&2; die "compiling failed: $cache/zfs.log"; }
        tar -C "$work/ko" -cf "$work/zfs.tar" .
        mv "$work/zfs.tar" "$compiled"
    fi
    mkdir "$modules/extra"
    tar -C "$modules/extra" -xf "$compiled"
fi
depmod -b "$root" "$release"

# --- settings -----------------------------------------------------------------------------------------
echo vm > "$root/etc/hostname"
echo '127.0.0.1 localhost vm' > "$root/etc/hosts"
tr -d - < /proc/sys/kernel/random/uuid > "$root/etc/machine-id"
echo root:1000000:1000000000 | tee "$root/etc/subuid" > "$root/etc/subgid"
mkdir -p "$root/vm"
rm -rf "$root"/etc/apt/sources.list* "$root"/etc/apt/apt.conf.d/*proxy* "$root"/var/cache/apt/* \
    "$root"/var/lib/apt/lists/* "$root"/var/log/*.log

# --- initrd: what leads to the root file system and to the shared directories --------------------------
early=$work/initrd
mkdir -p "$early/bin" "$early/dev" "$early/modules" "$early/root"
cp "$root/bin/busybox" "$early/bin/"
for module in virtio_pci virtio_blk virtio_console ext4 9p 9pnet_virtio; do
    modprobe -d "$root" -S "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r path; do
    cp "$path" "$early/modules/"
    basename "$path" >> "$early/modules/order"
done
cp "$here/initrd-init" "$early/init"
(cd "$early" && find . | sort | cpio -o -H newc --quiet) > "$work/initrd.cpio"

# --- done ---------------------------------------------------------------------------------------------
mke2fs -q -t ext4 -O ^has_journal -d "$root" "$work/root.img" 16G
rm -f "$cache/stamp"
mv "$work/kernel" "$work/initrd.cpio" "$work/root.img" "$cache/"
printf '%s\n' "$extras" > "$cache/extras"
echo "$stamp" > "$cache/stamp"
rm -rf "$apt/archives"
say "$(du -m "$cache/root.img" | cut -f1) MiB in $cache"
