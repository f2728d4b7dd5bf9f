#include "answer.h"

#include <string.h>

#define NUMBER_AT 4
#define STAMP_SIGN_AT 9
#define STAMP_AT 10
#define STAMP_END 29

static void on_body(void *owner, const char *data, size_t length);

void answer_begin(struct answer *answer, const struct expected *expected)
{
    http_begin(&answer->http, true, on_body, answer);
    answer->expected = expected;
    answer->first_word_at = 0;
    answer->words = 0;
    answer->word_at = 0;
    answer->mark_at = 0;
    answer->wrong_word = false;
    answer->excerpt_length = 0;
}

static void word_is_whole(struct answer *answer)
{
    if (!answer->words)
        answer->first_word_at = answer->read_at;
    answer->wrong_word |= answer->number != answer->words;
    answer->words++;
}

static void stamp_is_whole(struct answer *answer)
{
    if (answer->delays && answer->read_at >= answer->stamp)
        histogram_add(answer->delays, answer->read_at - answer->stamp);
    answer->word_at = 0;
}

/* The next character of something that has begun like a word. */
static void follow(struct answer *answer, char next)
{
    unsigned at = answer->word_at;
    bool digit = next >= '0' && next <= '9';
    bool fits = at < NUMBER_AT ? next == "word"[at] : at == STAMP_SIGN_AT ? next == '@' : digit;
    if (!fits) {
        answer->word_at = next == 'w';
        return;
    }
    if (at < NUMBER_AT)
        answer->number = 0;
    else if (at < STAMP_SIGN_AT)
        answer->number = answer->number * 10 + (uint32_t)(next - '0');
    else
        answer->stamp = at == STAMP_SIGN_AT ? 0 : answer->stamp * 10 + (uint64_t)(next - '0');
    answer->word_at++;
    if (answer->word_at == STAMP_SIGN_AT)
        word_is_whole(answer);
    else if (answer->word_at == STAMP_END)
        stamp_is_whole(answer);
}

static void find_words(struct answer *answer, const char *data, size_t length)
{
    const char *end = data + length;
    while (data < end) {
        if (!answer->word_at && !(data = memchr(data, 'w', (size_t)(end - data))))
            return;
        follow(answer, *data++);
    }
}

static void find_mark(struct answer *answer, const char *data, size_t length)
{
    const char *mark = answer->expected->mark, *end = data + length;
    while (data < end && mark[answer->mark_at]) {
        if (!answer->mark_at && !(data = memchr(data, *mark, (size_t)(end - data))))
            return;
        answer->mark_at = *data == mark[answer->mark_at] ? answer->mark_at + 1 : *data == *mark;
        data++;
    }
}

static void on_body(void *owner, const char *data, size_t length)
{
    struct answer *answer = owner;
    size_t room = EXCERPT - answer->excerpt_length, kept = length < room ? length : room;
    memcpy(answer->excerpt + answer->excerpt_length, data, kept);
    answer->excerpt_length += kept;
    find_words(answer, data, length);
    find_mark(answer, data, length);
}

bool answer_feed(struct answer *answer, const char *data, size_t length, uint64_t read_at, struct histogram *delays)
{
    answer->delays = delays;
    answer->read_at = read_at;
    size_t taken = http_feed(&answer->http, data, length);
    if (taken < length)
        answer->http.state = HTTP_BROKEN; /* bytes that nobody asked for */
    return answer->http.state >= HTTP_DONE;
}

enum verdict answer_verdict(const struct answer *answer)
{
    if (answer->http.state != HTTP_DONE)
        return WRONG_FRAMING;
    if (answer->http.status != 200)
        return WRONG_STATUS;
    if (answer->wrong_word || answer->words != answer->expected->words)
        return WRONG_WORDS;
    return answer->expected->mark[answer->mark_at] ? NO_MARK : WHOLE;
}

enum verdict answer_cut(struct answer *answer)
{
    return http_closed(&answer->http) ? answer_verdict(answer) : CUT;
}

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[VERDICTS] = {"whole", "status", "framing", "words", "mark", "cut"};
    return names[verdict];
}
