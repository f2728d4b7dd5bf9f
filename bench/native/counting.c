/* Tells valgrind's callgrind what to count: what a thread executes between `count_begin` and `count_end`. */
#include <valgrind/callgrind.h>

void count_begin(void);
void count_end(const char *name);

void count_begin(void)
{
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

/* Writes what was counted to a file, under this name. */
void count_end(const char *name)
{
    CALLGRIND_DUMP_STATS_AT(name);
    CALLGRIND_STOP_INSTRUMENTATION;
}
