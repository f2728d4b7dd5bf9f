#include "histogram.h"

#include <math.h>
#include <stdio.h>

#define LONGEST ((UINT64_C(1) << HISTOGRAM_POWERS) - 1)

static unsigned power(uint64_t value)
{
    return 63 - (unsigned)__builtin_clzll(value);
}

/* Below 128 each value has a bucket; above, the highest eight bits say which. */
static unsigned bucket_of(uint64_t value)
{
    if (value < HISTOGRAM_PART)
        return (unsigned)value;
    unsigned shift = power(value) - 7;
    return shift * HISTOGRAM_PART + (unsigned)(value >> shift);
}

static uint64_t middle_of(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_PART)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_PART - 1;
    uint64_t low = (uint64_t)(bucket - shift * HISTOGRAM_PART) << shift;
    return low + (UINT64_C(1) << shift) / 2;
}

void histogram_add(struct histogram *histogram, uint64_t nanoseconds)
{
    histogram->count++;
    histogram->sum += nanoseconds;
    if (nanoseconds > histogram->highest)
        histogram->highest = nanoseconds;
    histogram->buckets[bucket_of(nanoseconds < LONGEST ? nanoseconds : LONGEST)]++;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    uint64_t rank = (uint64_t)ceil((double)histogram->count * percent / 100), seen = 0;
    if (rank >= histogram->count)
        return histogram->highest;
    for (unsigned bucket = 0; bucket < sizeof histogram->buckets / sizeof *histogram->buckets; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen && seen >= rank) {
            uint64_t middle = middle_of(bucket);
            return middle < histogram->highest ? middle : histogram->highest;
        }
    }
    return histogram->highest;
}

void histogram_print(const char *name, const struct histogram *histogram)
{
    double mean = histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
    printf("\"%s\":{\"count\":%llu,\"mean\":%.3f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name,
           (unsigned long long)histogram->count, mean / 1000,
           (double)histogram_percentile(histogram, 50) / 1000, (double)histogram_percentile(histogram, 90) / 1000,
           (double)histogram_percentile(histogram, 99) / 1000, (double)histogram->highest / 1000);
}
