/* Is an answer whole? Judged while its bytes come: status, framing, every numbered word in its order, the mark. */
#pragma once

#include "histogram.h"
#include "http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCERPT 240

enum verdict { WHOLE, WRONG_STATUS, WRONG_FRAMING, WRONG_WORDS, NO_MARK, CUT, VERDICTS };

/* What is expected of every answer. */
struct expected {
    uint32_t words;
    const char *mark; /* must be in the body; its first character is nowhere else in it. "" is in every body */
};

struct answer {
    struct http http;
    const struct expected *expected;
    struct histogram *delays;
    uint64_t read_at, first_word_at;
    uint32_t words, number;
    uint64_t stamp;
    unsigned word_at; /* characters of "wordNNNNN@SSSSSSSSSSSSSSSSSSS" that are there */
    size_t mark_at;
    bool wrong_word;
    char excerpt[EXCERPT + 1];
    size_t excerpt_length;
};

void answer_begin(struct answer *answer, const struct expected *expected);

/* The next bytes of a connection, read at that moment; `delays` (or NULL) gets those of its stamped words, from the
 * stamp to the moment. True if the answer's end is there, or cannot come any more. */
bool answer_feed(struct answer *answer, const char *data, size_t length, uint64_t read_at, struct histogram *delays);

/* After the end. */
enum verdict answer_verdict(const struct answer *answer);

/* The connection was closed: what the answer is now. */
enum verdict answer_cut(struct answer *answer);

/* As in the report. */
const char *verdict_name(enum verdict verdict);
