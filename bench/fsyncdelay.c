/* fsyncdelay: LD_PRELOAD library that adds FSYNC_US microseconds to fsync and fdatasync.
 * A laptop's disk syncs in 0.1 ms; a cloud volume needs 0.5 to 5 ms, and that is what a shop's server has. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void delay(void) {
    const char *text = getenv("FSYNC_US");
    long us = text ? atol(text) : 0;
    struct timespec wait = {us / 1000000, us % 1000000 * 1000};
    if (us > 0) nanosleep(&wait, NULL);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    delay();
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    delay();
    return real(fd);
}
