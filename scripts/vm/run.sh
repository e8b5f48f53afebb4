#!/bin/bash
# Run a command in a virtual machine that is thrown away afterwards.
#
#   scripts/vm/run.sh [OPTION...] COMMAND [ARGUMENT...]
#
#   -c NUMBER  processors (1)            -m MIB   memory (2048)
#   -d SIZE    an empty disk, such as 4G: /dev/vdb, /dev/vdc, ... (repeatable)
#   -e NAME    pass this environment variable on (repeatable)
#   -s DIR     show this directory, read-only, at the same path (repeatable)
#   -t SECONDS time limit (900)          -l FILE  keep the kernel's messages
#
# The repository and cargo's target directory are shown read-only at their own paths; the command runs
# in the current directory if it is in one of them. A single word is a line for bash.
# Output and status are the command's; 124 when the time is up, 125 when the machine itself fails.
# Needs the image of scripts/vm/image.sh, and qemu-system-x86_64; uses KVM where the processor has it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/lightervisor/vm
target=${CARGO_TARGET_DIR:-$repository/target}
usage() { sed -n '2,/^set/{/^set/d; s/^# \{0,1\}//; p}' "$0" >&2; exit 125; }
die() { echo "run.sh: $*" >&2; exit 125; }

cpus=1 memory=2048 limit=900 log='' disks=() names=() shares=("$repository" "$target")
while getopts c:m:d:e:s:t:l: option; do
    case $option in
        c) cpus=$OPTARG ;;
        m) memory=$OPTARG ;;
        d) disks+=("$OPTARG") ;;
        e) names+=("$OPTARG") ;;
        s) shares+=("$OPTARG") ;;
        t) limit=$OPTARG ;;
        l) log=$OPTARG ;;
        *) usage ;;
    esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || usage
[ -s "$cache/root.img" ] || die "there is no image yet; run scripts/vm/image.sh"
command -v qemu-system-x86_64 > /dev/null || die "qemu-system-x86_64 is missing (package qemu-system-x86)"

# Everything that the machine writes goes below here.
work=$(mktemp -d "${TMPDIR:-/var/tmp}/lightervisor-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/vm"
install -m 755 "$here/init" "$work/vm/init"
{
    for name in "${names[@]}"; do
        [ -z "${!name+set}" ] || printf 'export %s=%q\n' "$name" "${!name}"
    done
    printf 'cd %q 2> /dev/null || cd /\n' "$PWD"
    if [ $# = 1 ]; then printf '%s\n' "$1"; else printf '%q ' "$@"; fi
} > "$work/vm/command"

# An emulated processor translates a program anew at every address, so addresses stay the same; and
# a busy host's late timers are no broken hardware.
kernel="console=ttyS0 quiet panic=-1 norandmaps nokaslr mitigations=off audit=0 init_on_alloc=0"
kernel+=" apparmor=1 security=apparmor nowatchdog no_timer_check tsc=reliable"
kernel+=" rcupdate.rcu_expedited=1 rcupdate.rcu_cpu_stall_suppress=1"
if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then
    accelerator=(-accel kvm -cpu host)
else
    # Also where KVM is there without these: it then runs no ordinary kernel.
    accelerator=(-accel 'tcg,thread=multi' -cpu max)
fi
machine=(qemu-system-x86_64 -M q35 "${accelerator[@]}" -smp "$cpus" -m "$memory"
    -nodefaults -no-user-config -display none -no-reboot -nic none
    -kernel "$cache/kernel" -initrd "$cache/initrd.cpio" -append "$kernel"
    -drive "file=$cache/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe"
    -serial "file:$work/console"
    -device virtio-serial-pci -chardev "file,id=output,path=$work/output"
    -device 'virtserialport,chardev=output,name=output'
    -virtfs "local,path=$work/vm,mount_tag=vm,security_model=none")
number=0
for disk in "${disks[@]}"; do
    number=$((number + 1))
    truncate -s "$disk" "$work/disk$number"
    machine+=(-drive "file=$work/disk$number,format=raw,if=virtio,cache=unsafe,discard=unmap")
done
: > "$work/vm/shares"
number=0
for share in "${shares[@]}"; do
    path=$(realpath -e "$share" 2> /dev/null) || continue
    case " $(cut -d' ' -f2 "$work/vm/shares" | tr '\n' ' ')" in *" $path "*) continue ;; esac
    number=$((number + 1))
    echo "share$number $path" >> "$work/vm/shares"
    machine+=(-virtfs "local,path=$path,mount_tag=share$number,security_model=none,readonly=on,multidevs=remap")
done

# A FIFO, so that output is seen while it is made.
mkfifo "$work/output"
# Held open here until the machine has ended, also when that is before it opens it.
exec 8<> "$work/output"
cat "$work/output" 8>&- &
reader=$!
status=0
TMPDIR=$work timeout --foreground -k 10 "$limit" "${machine[@]}" < /dev/null 8>&- || status=$?
exec 8>&-
wait "$reader"
[ -z "$log" ] || cp "$work/console" "$log"
if [ $status = 124 ] || [ $status = 137 ]; then
    echo "run.sh: the time limit of $limit seconds was reached" >&2
    exit 124
fi
if [ ! -s "$work/vm/status" ]; then
    tail -n 40 "$work/console" >&2 || true
    die "the machine ended without a status (QEMU's: $status); its last messages are above"
fi
exit "$(cat "$work/vm/status")"
