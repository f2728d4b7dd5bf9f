/* A log-linear histogram of nanoseconds: 128 buckets for each power of two, so a value is known to 0.4 %
 * (Gil Tene's HdrHistogram has the same shape). */
#pragma once

#include <stdint.h>

#define HISTOGRAM_POWERS 41 /* up to 2^41 ns, 36 minutes; longer ones count as that */
#define HISTOGRAM_PART 128

struct histogram {
    uint64_t count, sum, highest;
    uint32_t buckets[(HISTOGRAM_POWERS - 7 + 1) * HISTOGRAM_PART];
};

void histogram_add(struct histogram *histogram, uint64_t nanoseconds);

/* The nearest-rank percentile in nanoseconds: the middle of its bucket, the true highest for the last one; 0 if empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* {"count", "mean", "p50", "p90", "p99", "max"}, in microseconds. */
void histogram_print(const char *name, const struct histogram *histogram);
