#include "procinfo.h"

#include "util.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK_FRAMES 4

/* The calls that a process stays in; fd: its first argument is a descriptor. */
static const struct {
	long number;
	const char *name;
	bool fd;
} calls[] = {
	{ SYS_read, "read", true },
	{ SYS_readv, "readv", true },
	{ SYS_pread64, "pread", true },
	{ SYS_write, "write", true },
	{ SYS_writev, "writev", true },
	{ SYS_pwrite64, "pwrite", true },
	{ SYS_sendfile, "sendfile", true },
	{ SYS_recvfrom, "recv", true },
	{ SYS_recvmsg, "recvmsg", true },
	{ SYS_sendto, "send", true },
	{ SYS_sendmsg, "sendmsg", true },
	{ SYS_connect, "connect", true },
	{ SYS_accept, "accept", true },
	{ SYS_accept4, "accept", true },
	{ SYS_fsync, "fsync", true },
	{ SYS_fdatasync, "fdatasync", true },
	{ SYS_flock, "flock", true },
	{ SYS_fcntl, "fcntl", true },
	{ SYS_ioctl, "ioctl", true },
	{ SYS_epoll_pwait, "epoll_wait", true },
	{ SYS_openat, "open", false },
	{ SYS_ppoll, "poll", false },
	{ SYS_pselect6, "select", false },
	{ SYS_futex, "futex", false },
	{ SYS_wait4, "wait", false },
	{ SYS_waitid, "waitid", false },
	{ SYS_nanosleep, "nanosleep", false },
	{ SYS_clock_nanosleep, "nanosleep", false },
	{ SYS_rt_sigsuspend, "sigsuspend", false },
	{ SYS_rt_sigtimedwait, "sigtimedwait", false },
#ifdef SYS_poll
	{ SYS_poll, "poll", false },
	{ SYS_select, "select", false },
	{ SYS_epoll_wait, "epoll_wait", true },
	{ SYS_pause, "pause", false },
	{ SYS_open, "open", false },
#endif
};

/* A file of /proc/PID, cut; its length, 0 if it cannot be read. */
static size_t
read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* "socket:[123]", "/a/file", or "" */
static void
name_descriptor(pid_t pid, long fd, char *text, size_t size)
{
	char path[64], link[160];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%ld", (int)pid, fd);
	n = readlink(path, link, sizeof(link));
	text[0] = '\0';
	if (n > 0)
		util_escape(text, size, link, (size_t)n);
}

static void
describe_call(pid_t pid, char *text, size_t size)
{
	char line[256], target[160];
	long number;
	unsigned long first = 0;

	if (read_proc(pid, "syscall", line, sizeof(line)) == 0) {
		snprintf(text, size, "its system call is not shown to us");
		return;
	}
	if (sscanf(line, "%ld %lx", &number, &first) < 1) {
		snprintf(text, size, "running, in no system call");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (calls[i].number != number)
			continue;
		if (!calls[i].fd) {
			snprintf(text, size, "%s(2)", calls[i].name);
			return;
		}
		name_descriptor(pid, (int)first, target, sizeof(target));
		snprintf(text, size, "%s(2) on fd %d%s%s%s", calls[i].name, (int)first,
			 target[0] ? " (" : "", target, target[0] ? ")" : "");
		return;
	}
	snprintf(text, size, number < 0 ? "stopped, in no system call" : "system call %ld", number);
}

/* The way into the kernel is the same for everybody. */
static bool
is_entry(const char *name)
{
	static const char *const entries[] = { "__x64_sys_", "__arm64_sys_", "__se_sys_",
					       "do_syscall", "entry_",       "el0" };

	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		if (strncmp(name, entries[i], strlen(entries[i])) == 0)
			return true;
	return false;
}

/* The innermost functions of the kernel's stack: "a < b < c". */
static void
describe_stack(pid_t pid, char *text, size_t size)
{
	char stack[1024], *save = NULL;
	size_t len = 0;
	int frames = 0;

	text[0] = '\0';
	if (read_proc(pid, "stack", stack, sizeof(stack)) == 0)
		return;
	for (char *line = strtok_r(stack, "\n", &save); line && frames < STACK_FRAMES;
	     line = strtok_r(NULL, "\n", &save)) {
		char *name = strstr(line, "] ");
		int n;

		if (!name)
			continue;
		name += 2;
		name[strcspn(name, "+. ")] = '\0';
		if (is_entry(name))
			return;
		n = snprintf(text + len, size - len, "%s%s", frames++ ? " < " : "", name);
		if (n < 0 || (size_t)n >= size - len)
			return;
		len += (size_t)n;
	}
}

void
procinfo_waits_for(pid_t pid, char *text, size_t size)
{
	char call[256], stack[160], wchan[64];

	describe_call(pid, call, sizeof(call));
	describe_stack(pid, stack, sizeof(stack));
	if (!stack[0] && read_proc(pid, "wchan", wchan, sizeof(wchan)) > 0 && wchan[0] != '0')
		util_escape(stack, sizeof(stack), wchan, strlen(wchan));
	snprintf(text, size, "%s%s%s", call, stack[0] ? ", in " : "", stack);
}

/* Adds the children that one thread of a process has forked. */
static size_t
add_children(const char *tasks, const char *tid, pid_t *pids, size_t n, size_t max)
{
	char path[96];
	FILE *in;

	snprintf(path, sizeof(path), "%s/%.20s/children", tasks, tid);
	in = fopen(path, "re");
	while (in && n < max && fscanf(in, "%d", &pids[n]) == 1)
		n++;
	if (in)
		fclose(in);
	return n;
}

size_t
procinfo_family(pid_t root, pid_t *pids, size_t max)
{
	size_t n = 1;

	pids[0] = root;
	for (size_t i = 0; i < n && n < max; i++) {
		struct dirent *entry;
		char tasks[32];
		DIR *dir;

		snprintf(tasks, sizeof(tasks), "/proc/%d/task", (int)pids[i]);
		dir = opendir(tasks);
		while (dir && (entry = readdir(dir)))
			if (isdigit((unsigned char)entry->d_name[0]))
				n = add_children(tasks, entry->d_name, pids, n, max);
		if (dir)
			closedir(dir);
	}
	return n;
}

int64_t
procinfo_cpu_ns(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		return 0;
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

int
procinfo_io_open(void)
{
	return open("/proc/self/io", O_RDONLY | O_CLOEXEC);
}

void
procinfo_memory_open(struct procinfo_memory *memory)
{
	memory->statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	memory->smaps = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
}

static bool
read_again(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

uint64_t
procinfo_resident(const struct procinfo_memory *memory)
{
	char text[128];
	unsigned long long pages;

	if (!read_again(memory->statm, text, sizeof(text)) || sscanf(text, "%*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t
procinfo_proportional(const struct procinfo_memory *memory)
{
	char text[2048], *at;
	unsigned long long kilobytes;

	if (!read_again(memory->smaps, text, sizeof(text)))
		return 0;
	at = strstr(text, "\nPss:");
	return at && sscanf(at, "\nPss: %llu", &kilobytes) == 1 ? kilobytes * 1024 : 0;
}

uint64_t
procinfo_io_written(int fd)
{
	char text[512], *at;
	unsigned long long bytes;

	if (!read_again(fd, text, sizeof(text)))
		return 0;
	at = strstr(text, "wchar: ");
	return at && sscanf(at, "wchar: %llu", &bytes) == 1 ? bytes : 0;
}

/* The file with the counter: of cgroup v2, else of v1's memory controller. */
static FILE *
open_oom_counter(void)
{
	char line[512], path[600];
	FILE *in = fopen("/proc/self/cgroup", "re"), *found = NULL;

	while (in && !found && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::", 3) == 0)
			snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.events", line + 3);
		else if (strstr(line, ":memory:"))
			snprintf(path, sizeof(path), "/sys/fs/cgroup/memory%s/memory.oom_control",
				 strstr(line, ":memory:") + strlen(":memory:"));
		else
			continue;
		found = fopen(path, "re");
	}
	if (in)
		fclose(in);
	return found;
}

bool
procinfo_oom_killed(void)
{
	static unsigned long long last;
	unsigned long long now = last;
	FILE *in = open_oom_counter();
	bool rose;
	char line[64];

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "oom_kill %llu", &now) == 1)
			break;
	if (in)
		fclose(in);
	rose = now > last;
	last = now;
	return rose;
}
