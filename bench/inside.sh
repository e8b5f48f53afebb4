#!/bin/sh
# The part of bench/run that runs in its own namespaces; process 1 of them.
set -eu
here=$1 work=$2 cache=$3
shift 3
# A /sys that shows this namespace's interfaces, with the control groups carried over.
mkdir "$work/cgroup"
mount --rbind /sys/fs/cgroup "$work/cgroup"
umount --lazy --recursive /sys
mount -t sysfs sysfs /sys
mount --rbind "$work/cgroup" /sys/fs/cgroup
umount --lazy --recursive "$work/cgroup"
ip link set lo up
# Id ranges for root, whatever the machine has.
echo root:1000000:1000000000 > "$work/subid"
for f in /etc/subuid /etc/subgid; do
    [ -e $f ] || : > $f
    mount --bind "$work/subid" $f
done
# Both daemons keep everything on one XFS: ext4 searches past all recently deleted inodes, so that
# making trees again and again gets slower all the time.
mkdir "$work/fs"
if command -v mkfs.xfs >/dev/null 2>&1 && truncate -s 24G "$work/fs.img" && mkfs.xfs -q "$work/fs.img" 2>/dev/null &&
        mount -o loop "$work/fs.img" "$work/fs" 2>/dev/null; then
    echo "file system: XFS on a loop device"
else
    echo "file system: that of $work (no XFS here; times of making and deleting trees mean little)"
fi
chmod 711 "$work/fs"
status=0
python3 "$here/main.py" --work "$work" --cache "$cache" "$@" || status=$?
exit $status
