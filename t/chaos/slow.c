/*
 * Makes fsync and fdatasync slow, for the fault harness: preloaded into what
 * writes. The file CHAOS_SLOW holds two numbers of 64 bits, which it shares:
 * how many milliseconds a call takes, and how many have been delayed so far.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    _Atomic uint64_t  ms;
    _Atomic uint64_t  delayed;
} slow_t;


static slow_t  none;
static slow_t *slow = &none;


__attribute__((constructor))
static void
slow_init(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("CHAOS_SLOW");
    if (name == NULL) {
        return;
    }

    fd = open(name, O_RDWR | O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(slow_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p != MAP_FAILED) {
        slow = p;
    }

    close(fd);
}


static void
slow_down(void)
{
    uint64_t         ms;
    struct timespec  t;

    ms = atomic_load(&slow->ms);
    if (ms == 0) {
        return;
    }

    atomic_fetch_add(&slow->delayed, 1);

    t.tv_sec = (time_t) (ms / 1000);
    t.tv_nsec = (long) (ms % 1000) * 1000000;
    nanosleep(&t, NULL);
}


int
fsync(int fd)
{
    int (*next)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");

    slow_down();
    return next(fd);
}


int
fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

    slow_down();
    return next(fd);
}
