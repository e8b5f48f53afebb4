/* Asks the kernel for calls in ways that do nothing, and says how each is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result) {
    printf("call %s\t%s\n", name, result < 0 ? strerrorname_np(errno) : "works");
}

/* In a process of its own, because a policy may kill. */
#define TRY(name, ...) do { \
        fflush(stdout); \
        int status; pid_t child = fork(); \
        if (!child) { say(name, syscall(__VA_ARGS__)); fflush(stdout); _exit(0); } \
        waitpid(child, &status, 0); \
        if (WIFSIGNALED(status)) printf("call %s\tkilled by %d\n", name, WTERMSIG(status)); \
    } while (0)

int main(void) {
    const char *nowhere = "/no/such/place";
    TRY("kexec_load", SYS_kexec_load, 0, 0, 0, -1);
    TRY("kexec_file_load", SYS_kexec_file_load, -1, -1, 0, "", -1);
    TRY("init_module", SYS_init_module, "x", 1, "");
    TRY("finit_module", SYS_finit_module, -1, "", 0);
    TRY("delete_module", SYS_delete_module, "no-such-module", 0);
    TRY("open_by_handle_at", SYS_open_by_handle_at, -1, 0, 0);
    TRY("name_to_handle_at", SYS_name_to_handle_at, -1, nowhere, 0, 0, 0);
    TRY("umount2 with force", SYS_umount2, nowhere, MNT_FORCE);
    TRY("umount2 lazily", SYS_umount2, nowhere, MNT_DETACH);
    TRY("mount", SYS_mount, nowhere, nowhere, "tmpfs", 0, 0);
    TRY("pivot_root", SYS_pivot_root, nowhere, nowhere);
    TRY("chroot", SYS_chroot, nowhere);
    TRY("reboot with wrong magic", SYS_reboot, 0, 0, 0, 0);
    TRY("swapon", SYS_swapon, nowhere, 0);
    TRY("swapoff", SYS_swapoff, nowhere);
    TRY("acct", SYS_acct, nowhere);
    TRY("quotactl", SYS_quotactl, -1, nowhere, 0, 0);
    TRY("settimeofday", SYS_settimeofday, 0, 0);
    TRY("syslog", SYS_syslog, 10, 0, 0);
    TRY("bpf", SYS_bpf, 0, 0, 0);
    TRY("perf_event_open", SYS_perf_event_open, 0, 0, -1, -1, 0);
    TRY("userfaultfd", SYS_userfaultfd, 0);
    TRY("keyctl", SYS_keyctl, 0, -3, 0, 0, 0);
    TRY("add_key", SYS_add_key, 0, 0, 0, 0, 0);
    TRY("ptrace", SYS_ptrace, 16, 999999, 0, 0);
    TRY("process_vm_readv", SYS_process_vm_readv, 999999, 0, 0, 0, 0, 0);
    TRY("unshare a user namespace", SYS_unshare, 0x10000000);
    TRY("unshare control groups", SYS_unshare, 0x02000000);
    TRY("unshare time", SYS_unshare, 0x00000080);
    TRY("setns", SYS_setns, -1, 0);
    TRY("clone3", SYS_clone3, 0, 0);
    TRY("io_uring_setup", SYS_io_uring_setup, 0, 0);
    TRY("memfd_create", SYS_memfd_create, "x", 0);
    TRY("openat2", SYS_openat2, -1, nowhere, 0, 0);
    TRY("open_tree", SYS_open_tree, -100, nowhere, 0);
    TRY("fsopen", SYS_fsopen, "tmpfs", 0);
    TRY("fsopen of proc", SYS_fsopen, "proc", 0);
    TRY("mount_setattr", SYS_mount_setattr, -1, "", 0, 0, 0);
    TRY("mlockall", SYS_mlockall, 1);
    TRY("sched_setscheduler", SYS_sched_setscheduler, 0, 1, (int[]){1});
    TRY("ioprio_set", SYS_ioprio_set, 1, 0, (1 << 13) | 4);
    TRY("mknodat", SYS_mknodat, -100, "/no/such/place", 0020600, 0);
    TRY("move_pages", SYS_move_pages, 0, 0, 0, 0, 0, 0);
    TRY("fanotify_init", SYS_fanotify_init, 0, 0);
    TRY("lookup_dcookie", SYS_lookup_dcookie, 0, 0, 0);
    TRY("personality", SYS_personality, 0xffffffff);
    TRY("setgroups", SYS_setgroups, 0, 0);
#ifdef __x86_64__
    TRY("iopl", SYS_iopl, 3);
    TRY("ioperm", SYS_ioperm, 0x80, 1, 1);
    TRY("a call of the x32 convention", 0x40000000 + SYS_getpid);
    TRY("modify_ldt", SYS_modify_ldt, 0, 0, 0);
#endif
    printf("securebits\t%d\n", prctl(PR_GET_SECUREBITS));
    printf("dumpable\t%d\n", prctl(PR_GET_DUMPABLE));
    printf("personality\t%lx\n", syscall(SYS_personality, 0xffffffffUL));
    int signal = 0;
    prctl(PR_GET_PDEATHSIG, &signal);
    printf("signal at the parent's death\t%d\n", signal);
    printf("child subreaper\t%d\n", prctl(PR_GET_CHILD_SUBREAPER, 0));
    return 0;
}
