#!/bin/bash
# Inside the virtual machine: a Ceph cluster of one monitor, one manager and one OSD, in memory.
# Takes about 20 seconds when emulated (the manager, which counts space, is there after another 20).
set -euo pipefail
lib=/var/lib/ceph etc=/etc/ceph
mkdir -p "$etc" "$lib/mon/ceph-a" "$lib/mgr/ceph-a" "$lib/osd/ceph-0" /run/ceph /var/log/ceph
new_id() { cat /proc/sys/kernel/random/uuid; }
cluster=$(new_id) disk=$(new_id)

cat > "$etc/ceph.conf" <<CONF
[global]
    fsid = $cluster
    mon host = 127.0.0.1
    mon initial members = a
    # One copy of everything will do, and pools may go.
    osd pool default size = 1
    osd pool default min size = 1
    osd pool default pg num = 8
    osd crush chooseleaf type = 0
    mon allow pool size one = true
    mon allow pool delete = true
    mon warn on pool no redundancy = false
    auth allow insecure global id reclaim = false
    ms bind ipv6 = false
    osd objectstore = memstore
    memstore device bytes = 8589934592
    osd memory target = 939524096
CONF

# Keys: the monitor's, and the administrator's, which clients use.
everything=(--cap mon 'allow *' --cap osd 'allow *' --cap mds 'allow *' --cap mgr 'allow *')
ceph-authtool --create-keyring "$lib/mon.keyring" --gen-key -n mon. --cap mon 'allow *' > /dev/null
ceph-authtool --create-keyring "$etc/ceph.client.admin.keyring" --gen-key -n client.admin "${everything[@]}" > /dev/null
ceph-authtool "$lib/mon.keyring" --import-keyring "$etc/ceph.client.admin.keyring" > /dev/null

monmaptool --create --fsid "$cluster" --addv a '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]' "$lib/monmap" > /dev/null
ceph-mon -i a --mkfs --monmap "$lib/monmap" --keyring "$lib/mon.keyring"
ceph-mon -i a

ceph auth get-or-create mgr.a mon 'allow profile mgr' osd 'allow *' mds 'allow *' > "$lib/mgr/ceph-a/keyring"
ceph-mgr -i a

ceph-authtool --create-keyring "$lib/osd/ceph-0/keyring" --gen-key -n osd.0 > /dev/null
secret=$(ceph-authtool -p -n osd.0 "$lib/osd/ceph-0/keyring")
ceph osd new "$disk" -i - <<< "{\"cephx_secret\": \"$secret\"}" > /dev/null
ceph-osd -i 0 --mkfs --osd-uuid "$disk" 2> /dev/null
ceph-osd -i 0 > /dev/null
until ceph osd stat --format json | jq -e '.num_up_osds == 1' > /dev/null; do sleep 0.5; done
