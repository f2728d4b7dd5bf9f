#include "wanted.h"

#include <string.h>

#define KEY "\"stream\""
#define KEY_LENGTH (sizeof KEY - 1)

void wanted_begin(struct wanted *wanted)
{
    wanted->streamed = -1;
    wanted->carried = 0;
}

/* The key with a boolean after it: a tool's schema may have a property of that name, and in a string its quotes are
 * escaped. */
static void look(struct wanted *wanted, const char *data, size_t length)
{
    const char *end = data + length;
    while (wanted->streamed < 0 && (data = memmem(data, (size_t)(end - data), KEY, KEY_LENGTH))) {
        data += KEY_LENGTH;
        const char *value = data;
        while (value < end && (*value == ':' || *value == ' '))
            value++;
        if (end - value >= 4 && !memcmp(value, "true", 4))
            wanted->streamed = 1;
        else if (end - value >= 5 && !memcmp(value, "false", 5))
            wanted->streamed = 0;
    }
}

/* The key may lie across two pieces, so the last bytes are looked at again with the first ones of the next. */
void wanted_feed(struct wanted *wanted, const char *data, size_t length)
{
    if (wanted->streamed >= 0)
        return;
    size_t first = length < WANTED_CARRY ? length : WANTED_CARRY;
    memcpy(wanted->carry + wanted->carried, data, first);
    size_t joint = wanted->carried + first;
    look(wanted, wanted->carry, joint);
    if (length > first) {
        look(wanted, data, length);
        memcpy(wanted->carry, data + length - WANTED_CARRY, WANTED_CARRY);
        wanted->carried = WANTED_CARRY;
    } else {
        wanted->carried = joint < WANTED_CARRY ? joint : WANTED_CARRY;
        memmove(wanted->carry, wanted->carry + joint - wanted->carried, wanted->carried);
    }
}
