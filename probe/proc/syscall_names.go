package proc

import "runtime"

// SyscallName names a system call of this machine's architecture, "" when it is none that a thread blocks in.
// Numbers are from arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
func SyscallName(n int) string {
	if runtime.GOARCH == "arm64" {
		return syscallsARM64[n]
	}
	return syscallsAMD64[n]
}

var syscallsAMD64 = map[int]string{
	0: "read", 1: "write", 2: "open", 3: "close", 4: "stat", 5: "fstat", 6: "lstat", 7: "poll", 8: "lseek", 16: "ioctl", 17: "pread64", 18: "pwrite64",
	19: "readv", 20: "writev", 21: "access", 22: "pipe", 23: "select", 24: "sched_yield", 25: "mremap", 26: "msync", 27: "mincore", 28: "madvise",
	9: "mmap", 10: "mprotect", 11: "munmap", 12: "brk", 33: "dup2", 34: "pause", 35: "nanosleep", 40: "sendfile", 42: "connect", 43: "accept",
	44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 48: "shutdown", 54: "setsockopt", 56: "clone", 57: "fork", 58: "vfork", 59: "execve",
	60: "exit", 61: "wait4", 62: "kill", 65: "semop", 68: "msgget", 69: "msgsnd", 70: "msgrcv", 72: "fcntl", 73: "flock", 74: "fsync", 75: "fdatasync",
	76: "truncate", 77: "ftruncate", 78: "getdents", 79: "getcwd", 80: "chdir", 82: "rename", 83: "mkdir", 84: "rmdir", 87: "unlink", 89: "readlink",
	101: "ptrace", 128: "rt_sigtimedwait", 130: "rt_sigsuspend", 137: "statfs", 162: "sync", 202: "futex", 208: "io_getevents", 217: "getdents64",
	219: "restart_syscall", 220: "semtimedop", 230: "clock_nanosleep", 231: "exit_group", 232: "epoll_wait", 242: "mq_timedsend", 243: "mq_timedreceive",
	247: "waitid", 257: "openat", 258: "mkdirat", 262: "newfstatat", 263: "unlinkat", 264: "renameat", 267: "readlinkat", 269: "faccessat",
	270: "pselect6", 271: "ppoll", 275: "splice", 276: "tee", 277: "sync_file_range", 278: "vmsplice", 281: "epoll_pwait", 285: "fallocate", 288: "accept4",
	295: "preadv", 296: "pwritev", 299: "recvmmsg", 306: "syncfs", 307: "sendmmsg", 310: "process_vm_readv", 316: "renameat2", 318: "getrandom",
	322: "execveat", 326: "copy_file_range", 327: "preadv2", 328: "pwritev2", 332: "statx", 426: "io_uring_enter", 435: "clone3", 437: "openat2",
	439: "faccessat2", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}

var syscallsARM64 = map[int]string{
	22: "epoll_pwait", 25: "fcntl", 29: "ioctl", 32: "flock", 34: "mkdirat", 35: "unlinkat", 38: "renameat", 43: "statfs", 45: "truncate", 46: "ftruncate",
	47: "fallocate", 48: "faccessat", 49: "chdir", 56: "openat", 57: "close", 61: "getdents64", 62: "lseek", 63: "read", 64: "write", 65: "readv", 66: "writev",
	67: "pread64", 68: "pwrite64", 69: "preadv", 70: "pwritev", 71: "sendfile", 72: "pselect6", 73: "ppoll", 75: "vmsplice", 76: "splice", 77: "tee",
	78: "readlinkat", 79: "newfstatat", 80: "fstat", 81: "sync", 82: "fsync", 83: "fdatasync", 93: "exit", 94: "exit_group", 95: "waitid", 98: "futex",
	101: "nanosleep", 115: "clock_nanosleep", 117: "ptrace", 124: "sched_yield", 128: "restart_syscall", 129: "kill", 133: "rt_sigsuspend", 137: "rt_sigtimedwait",
	202: "accept", 203: "connect", 206: "sendto", 207: "recvfrom", 211: "sendmsg", 212: "recvmsg", 214: "brk", 215: "munmap", 216: "mremap", 220: "clone",
	221: "execve", 222: "mmap", 226: "mprotect", 227: "msync", 233: "madvise", 242: "accept4", 243: "recvmmsg", 260: "wait4", 267: "syncfs", 269: "sendmmsg",
	270: "process_vm_readv", 276: "renameat2", 278: "getrandom", 285: "copy_file_range", 286: "preadv2", 287: "pwritev2", 291: "statx", 426: "io_uring_enter",
	435: "clone3", 437: "openat2", 439: "faccessat2", 441: "epoll_pwait2", 449: "futex_waitv", 455: "futex_wait",
}
