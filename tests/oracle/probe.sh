#!/bin/sh
# What a container looks like from inside, one answer to a line: "question<TAB>answer".
# Runs with busybox alone.
say() { printf '%s\t%s\n' "$1" "$2"; }
lines() { tr '\n' ' '; }

# Mounts, by place: kind, options of the place, options of the file system, and what of it is shown.
while read -r _ _ _ root place options rest; do
    shared=
    while [ "${rest%% *}" != - ]; do shared="$shared ${rest%% *}"; rest=${rest#* }; done
    rest=${rest#- }
    kind=${rest%% *}; rest=${rest#* }; rest=${rest#* }
    case $shared in *shared:*) shared=shared ;; *master:*) shared=slave ;; *) shared=private ;; esac
    [ "$place" = / ] && kind=ext4
    case $kind in ext?|btrfs|xfs|overlay) root=/ rest=disk kind=disk ;; esac
    say "mount $place" "$kind $options of $(echo "$rest" | sed 's/inode64//; s/[ug]id=[0-9]*//g; s/size=[0-9]*[kmg]*//; s/nr_inodes=[0-9]*[kmg]*//; s/,,*/,/g') showing $root, $shared"
done < /proc/self/mountinfo

for who in self 1; do
    for field in Uid Gid Groups CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp SigQ SigPnd SigBlk SigIgn Cpus_allowed Mems_allowed Speculation_Store_Bypass Threads; do
        case $field in SigQ) continue ;; esac
        [ "$who$field" = 1Uid ] || [ "$who$field" = 1Gid ] || say "$who $field" "$(sed -n "s/^$field:[[:space:]]*//p" /proc/$who/status)"
    done
    while read -r line; do
        case $line in Limit*) continue ;; esac
        say "$who limit $(echo "$line" | sed 's/  .*//')" "$(echo "$line" | sed 's/^[A-Za-z ]*  *//')"
    done < /proc/$who/limits
    for file in oom_score_adj coredump_filter setgroups uid_map gid_map loginuid sessionid attr/current personality timerslack_ns; do
        say "$who $file" "$(cat /proc/$who/$file 2>&1 | tr -s ' ' | lines)"
    done
    say "$who cwd" "$(readlink /proc/$who/cwd)"
    say "$who root" "$(readlink /proc/$who/root)"
    say "$who environment" "$(tr '\0' '\n' < /proc/$who/environ | grep -v '^_=\|^SHLVL=\|^PWD=' | sort | lines)"
    for fd in 0 1 2 3 4 5 6 7 8 9; do
        [ $who = 1 ] && say "1 descriptor $fd" "$(readlink /proc/1/fd/$fd | sed 's/[0-9]*\]$/]/')"
    done
    say "$who groups" "$(sed 's/^[0-9]*://' /proc/$who/cgroup | sort | lines)"
    for ns in cgroup ipc mnt net pid time user uts; do
        eval "given=\$HOST_$ns"
        [ "$(readlink /proc/$who/ns/$ns)" = "$given" ] && own=no || own=yes
        say "$who namespace $ns of its own" $own
    done
done
say "priority" "$(nice)"
say umask "$(umask)"
say session "$(cut -d' ' -f6-8 /proc/1/stat)"
say hostname "$(hostname)"
say machine "$(uname -m)"
say "keys of init's session" "$(grep -c . /proc/keys 2>/dev/null)"

# Devices: kind, numbers, mode, owner; whether they work is asked below.
find /dev ! -type l ! -path '/dev/pts/[0-9]*' ! -path '/dev/lxd/*' | sort | while read -r path; do
    say "node $path" "$(stat -c '%F %t:%T %a %u:%g' "$path")"
done
find /dev -type l | sort | while read -r path; do say "link $path" "$(readlink "$path")"; done
for dev in null zero full random urandom tty ptmx fuse net/tun console; do
    (exec 3<>/dev/$dev) 2>/dev/null && say "open $dev" yes || say "open $dev" no
done
mknod /tmp/probe-node c 1 3 2>/dev/null && say "mknod null" "yes" || say "mknod null" no
mknod /tmp/probe-disk b 7 0 2>/dev/null && say "mknod loop" "yes" || say "mknod loop" no
(exec 3</tmp/probe-node) 2>/dev/null && say "open of an own null" yes || say "open of an own null" no
(exec 3</tmp/probe-disk) 2>/dev/null && say "open of an own loop" yes || say "open of an own loop" no
rm -f /tmp/probe-node /tmp/probe-disk

# What can be written below /proc/sys, and what is there.
find /proc/sys -type f 2>/dev/null | grep -v '/net/ipv[46]/\(conf\|neigh\)/\|binfmt_misc' | sort | while read -r path; do
    # Opened for adding, nothing is written: whether root may is asked of the kernel, not of the mode.
    if true >> "$path"; then mark=writable; else mark=fixed; fi 2>/dev/null
    say "sysctl $path" "$mark"
done
find /sys/kernel /sys/fs /sys/power /sys/module /sys/firmware /sys/bus -maxdepth 2 -type f 2>/dev/null | sort | while read -r path; do
    if true >> "$path"; then say "writable $path" yes; fi 2>/dev/null
done
for key in kernel/hostname kernel/domainname net/ipv4/ip_forward net/ipv4/ping_group_range net/ipv4/ip_unprivileged_port_start \
    kernel/msgmax kernel/shmmax kernel/sem fs/mqueue/queues_max net/core/somaxconn user/max_user_namespaces net/ipv6/conf/all/disable_ipv6; do
    say "value $key" "$(cat /proc/sys/$key 2>&1 | tr -s '[:space:]' ' ')"
done

# Files of the kernel that are hidden, fixed or not.
for path in /proc/kcore /proc/keys /proc/key-users /proc/timer_list /proc/sched_debug /proc/sysrq-trigger /proc/kmsg /proc/kallsyms \
    /proc/latency_stats /proc/kpagecount /proc/kpageflags /proc/interrupts /proc/irq /proc/bus /proc/acpi /proc/scsi /proc/asound /proc/fs /proc/uptime /proc/meminfo \
    /proc/config.gz /proc/modules /proc/mtrr /proc/slabinfo /proc/vmallocinfo /proc/pagetypeinfo /proc/swaps /proc/diskstats \
    /sys/firmware /sys/kernel/debug /sys/kernel/tracing /sys/kernel/security /sys/kernel/uevent_helper /sys/kernel/uevent_seqnum /sys/kernel/mm/ksm/run \
    /sys/power/state /sys/power/disk /sys/module /sys/class/net /sys/class/net/lo/mtu /sys/devices/virtual/net/lo/mtu \
    /sys/fs/cgroup /sys/fs/fuse/connections /sys/fs/pstore /sys/fs/bpf /sys/bus/pci/rescan /sys/devices/system/cpu/online /sys/block /sys/kernel/vmcoreinfo /sys/kernel/notes; do
    if [ -d $path ]; then
        kind="directory of $(ls $path 2>/dev/null | wc -l)"
        # What has as many entries as there are groups or devices is not counted.
        case $path in /proc/irq|/sys/module|/sys/block) kind=directory ;; esac
        [ -w $path ] && kind="$kind, writable"
    elif [ -e $path ]; then
        kind=file
        { head -c 1 $path | grep -q . ; } 2>/dev/null && kind="$kind, readable"
        ( : >> $path ) 2>/dev/null && kind="$kind, writable"
    else
        kind=absent
    fi
    say "kernel $path" "$kind"
done

# Control groups: what is mounted, and which files can be written.
find /sys/fs/cgroup -maxdepth 2 2>/dev/null | grep -v '/\(init.scope\|system.slice\|\.lxc\)' | sort | while read -r path; do
    mark=
    [ -d "$path" ] || if true >> "$path"; then mark=writable; else mark=fixed; fi 2>/dev/null
    say "group $path" "$mark $(stat -c '%a %u:%g' "$path")"
done

# Network.
for link in /sys/class/net/*; do
    say "interface ${link##*/}" "$(cat $link/flags) $(cat $link/mtu) $(cat $link/type)"
done

# What root may do: each is undone, or harmless.
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then say "root may $name" yes; else say "root may $name" no; fi; }
mkdir -p /tmp/m
try "mount a tmpfs" sh -c 'mount -t tmpfs none /tmp/m && umount /tmp/m'
try "mount another proc" sh -c 'mount -t proc proc /tmp/m && umount /tmp/m'
try "mount another sysfs" sh -c 'mount -t sysfs sysfs /tmp/m && umount /tmp/m'
try "mount a group tree" sh -c 'mount -t cgroup2 none /tmp/m && umount /tmp/m'
try "mount a devpts" sh -c 'mount -t devpts -o newinstance none /tmp/m && umount /tmp/m'
try "mount a mqueue" sh -c 'mount -t mqueue none /tmp/m && umount /tmp/m'
try "mount debugfs" sh -c 'mount -t debugfs none /tmp/m && umount /tmp/m'
try "mount securityfs" sh -c 'mount -t securityfs none /tmp/m && umount /tmp/m'
try "mount binfmt_misc" sh -c 'mount -t binfmt_misc none /tmp/m && umount /tmp/m'
try "mount bpf" sh -c 'mount -t bpf none /tmp/m && umount /tmp/m'
try "bind a directory" sh -c 'mount --bind /etc /tmp/m && umount /tmp/m'
try "make / read-only and writable again" sh -c 'mount -o remount,ro,bind / && mount -o remount,rw,bind /'
try "unmount /proc/sys" umount /proc/sys
try "change the host name" sh -c 'h=$(hostname); hostname other && hostname $h'
try "make a user namespace" unshare -U true
try "make a mount namespace" unshare -m true
try "make a network namespace" unshare -n true
try "chroot" chroot / /bin/true
try "raise its priority" nice -n -5 true
try "own a file of another" sh -c 'touch /tmp/f && chown 1000:1000 /tmp/f && rm /tmp/f'
try "give an id it has not" sh -c 'touch /tmp/f && chown 70000 /tmp/f'
rm -f /tmp/f; rmdir /tmp/m
try "add an address" sh -c 'ip addr add 127.0.0.9/8 dev lo && ip addr del 127.0.0.9/8 dev lo'
try "add a dummy interface" sh -c 'ip link add d0 type dummy && ip link del d0'
[ ! -x /calls ] || /calls
