/*
 * A disk to order, preloaded: what Enroll::Disk says is done at each
 * fdatasync(), and told.
 *
 * In the folder ENROLL_FDATASYNC: while there is a file "hold" it does not
 * return, or not for the file whose inode stands there; with "fail" it says
 * EIO; "told" gets a line for its begin and one for its end, each with the
 * process and the file's inode.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


static char  hold[256], fail[256], told[256];


__attribute__((constructor)) static void
fdatasync_init(void)
{
    const char  *dir;

    dir = getenv("ENROLL_FDATASYNC");

    if (dir) {
        snprintf(hold, sizeof(hold), "%s/hold", dir);
        snprintf(fail, sizeof(fail), "%s/fail", dir);
        snprintf(told, sizeof(told), "%s/told", dir);
    }
}


static void
fdatasync_tell(const char *what, int fd)
{
    int          to, n;
    char         line[128];
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        st.st_ino = 0;
    }

    n = snprintf(line, sizeof(line), "%s %d %lu\n", what, (int) getpid(),
                 (unsigned long) st.st_ino);
    to = open(told, O_WRONLY|O_APPEND|O_CREAT, 0666);

    if (to != -1) {
        if (write(to, line, n) != n) {
            abort();
        }

        close(to);
    }
}


static int
fdatasync_held(int fd)
{
    int            from, n;
    char           text[32];
    struct stat    st;

    from = open(hold, O_RDONLY);

    if (from == -1) {
        return 0;
    }

    n = read(from, text, sizeof(text) - 1);
    close(from);

    if (n <= 0) {
        return 1;
    }

    text[n] = '\0';

    return fstat(fd, &st) == 0 && strtoul(text, NULL, 10) == st.st_ino;
}


int
fdatasync(int fd)
{
    int    rc;
    int  (*next)(int);

    next = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

    fdatasync_tell("begin", fd);

    while (fdatasync_held(fd)) {
        usleep(1000);
    }

    rc = next(fd);

    if (access(fail, F_OK) == 0) {
        errno = EIO;
        rc = -1;
    }

    fdatasync_tell("end", fd);

    return rc;
}
