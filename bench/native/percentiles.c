/* The histogram by itself, for its test: reads numbers (ns), a line each, and prints what it says of them. */
#include "histogram.h"

#include <inttypes.h>
#include <stdio.h>

int main(void)
{
    static struct histogram histogram;
    uint64_t value;
    while (scanf("%" SCNu64, &value) == 1)
        histogram_add(&histogram, value);
    putchar('{');
    histogram_print("all", &histogram);
    puts("}");
    return 0;
}
