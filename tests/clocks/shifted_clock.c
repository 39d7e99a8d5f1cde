/* Preloaded into every process: shifts the wall clock forward by SHIFT_S seconds. Other clocks are
 * not shifted, so durations and relative waits stay the same, and CLOCK_TAI gives the real time. A
 * wait until an absolute wall-clock time would take SHIFT_S longer, but no tested code does that.
 *
 * With SHIFT_FILE instead of SHIFT_S, the shift is the number of seconds in that file, a long, and
 * may change while the process runs.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#ifdef SHIFT_FILE
#include <fcntl.h>
#include <sys/mman.h>

static long shift_in_file(void) {
    static volatile long *shift;
    if (!shift) {
        int file = open(SHIFT_FILE, O_RDONLY);
        void *mapped = mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
        if (mapped == MAP_FAILED) return 0;
        shift = mapped;
    }
    return *shift;
}
#define SHIFT_S shift_in_file()
#endif

static int true_time(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return next(clock, now);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = true_time(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += SHIFT_S;
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &found)) return -1;
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME_COARSE, &found);
    if (result) *result = found.tv_sec;
    return found.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
    return base == TIME_UTC && !clock_gettime(CLOCK_REALTIME, now) ? base : 0;
}
