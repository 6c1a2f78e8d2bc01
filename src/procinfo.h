/*
 * What the kernel tells of a process: what it waits for, how much memory it has, and
 * whether the control group ran out of memory.
 */
#ifndef PREFORKD_PROCINFO_H
#define PREFORKD_PROCINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the process does just now, in one line without control bytes: "read(2) on fd 5
 * (socket:[123]), in wait_woken".  As far as /proc shows it to us; it is not stopped.
 */
void procinfo_waits_for(pid_t pid, char *text, size_t size);

/*
 * A process and what descends from it, as far as /proc shows it: at most max process ids,
 * the process itself first.  Their number.
 */
size_t procinfo_family(pid_t root, pid_t *pids, size_t max);

/* Processor time of all threads of a process, in ns; 0 if it is gone. */
int64_t procinfo_cpu_ns(pid_t pid);

/*
 * Opens the record of what this process and those of its children that it has reaped read and
 * write; -1 if it is not shown.  Then: bytes that they have ever written by write(2) and the
 * like; 0 if unknown.
 */
int procinfo_io_open(void);
uint64_t procinfo_io_written(int fd);

/*
 * This process's memory in bytes, by descriptors that were opened before a change of
 * root: resident (cheap) and proportional (PSS, proc(5): smaps_rollup).  0 if unknown.
 */
struct procinfo_memory {
	int statm, smaps;
};
void procinfo_memory_open(struct procinfo_memory *memory);
uint64_t procinfo_resident(const struct procinfo_memory *memory);
uint64_t procinfo_proportional(const struct procinfo_memory *memory);

/* true when the out-of-memory killer was at work in our control group since the last call. */
bool procinfo_oom_killed(void);

#endif
