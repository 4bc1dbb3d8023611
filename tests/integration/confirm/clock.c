/* SPDX-FileCopyrightText: 2026 multihome.linux contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gives a process another time of day, by as many seconds as the file SECONDS_OFF says whenever it is asked. The other
 * clocks are left alone, as when somebody sets the time of day. It needs no header, so that any compiler is enough. */

struct timespec { long seconds, nanoseconds; };
struct timeval { long seconds, microseconds; };

extern void *dlsym(void *, const char *);
extern char *getenv(const char *);
extern int open(const char *, int, ...);
extern long read(int, void *, unsigned long);
extern int close(int);
extern long strtol(const char *, char **, int);

static long off(void)
{
    char text[32];
    const char *path = getenv("SECONDS_OFF");
    int file = path ? open(path, 02000000) : -1; /* O_RDONLY | O_CLOEXEC */
    long length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    if (length <= 0)
        return 0;
    text[length] = 0;
    return strtol(text, 0, 10);
}

int clock_gettime(int clock, struct timespec *found)
{
    static int (*real)(int, struct timespec *);
    if (!real)
        real = dlsym((void *)-1, "clock_gettime"); /* RTLD_NEXT */
    int status = real(clock, found);
    if (!status && (clock == 0 || clock == 5)) /* CLOCK_REALTIME, CLOCK_REALTIME_COARSE */
        found->seconds += off();
    return status;
}

int gettimeofday(struct timeval *found, void *zone)
{
    struct timespec now;
    int status = clock_gettime(0, &now);
    found->seconds = now.seconds;
    found->microseconds = now.nanoseconds / 1000;
    return status;
}

long time(long *where)
{
    struct timespec now;
    clock_gettime(0, &now);
    if (where)
        *where = now.seconds;
    return now.seconds;
}
