#include "answers.h"

#include "common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY_WORD "word00000@0000000000000000000 "
#define MESSAGE "\"id\":\"msg_mock\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\",\"stop_sequence\":null,"
#define CHUNK "data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock\",\"choices\":["
#define USAGE "\"usage\":{\"prompt_tokens\":50,\"completion_tokens\":40,\"total_tokens\":90}"

static struct dialect dialects[] = {{.path = "/chat/completions"}, {.path = "/messages"}};

static void add(struct bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct bytes *bytes, const char *format, ...)
{
    char *text;
    va_list words;
    va_start(words, format);
    int length = vasprintf(&text, format, words);
    va_end(words);
    char *whole = length < 0 ? NULL : realloc(bytes->data, bytes->length + (size_t)length + 1);
    if (!whole)
        die("no memory for an answer");
    memcpy(whole + bytes->length, text, (size_t)length + 1);
    free(text);
    bytes->data = whole;
    bytes->length += (size_t)length;
}

/* One event as one chunk: real providers flush each. */
static void add_event(struct bytes *bytes, const char *event)
{
    add(bytes, "%zx\r\n%s\r\n", strlen(event), event);
}

static void whole(struct dialect *dialect, const char *before, const char *after)
{
    struct bytes body = {0};
    add(&body, "%s", before);
    for (int word = 0; word < ANSWER_WORDS; word++)
        add(&body, "word%05d ", word);
    add(&body, "%s", after);
    add(&dialect->whole, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_mock\r\n"
                         "content-length: %zu\r\n\r\n%s", body.length, body.data);
    free(body.data);
}

static void streamed(struct dialect *dialect, const char *event)
{
    add_event(&dialect->event.chunk, event);
    const char *word = strstr(dialect->event.chunk.data, EMPTY_WORD);
    dialect->event.number_at = (size_t)(word - dialect->event.chunk.data) + 4;
    dialect->event.stamp_at = dialect->event.number_at + 6;
    add(&dialect->opening, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_mock\r\n"
                           "transfer-encoding: chunked\r\n\r\n");
}

static void chat(struct dialect *dialect)
{
    whole(dialect,
          "{\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"mock\",\"choices\":"
          "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"",
          "\"},\"finish_reason\":\"stop\"}]," USAGE "}");
    streamed(dialect, CHUNK "{\"index\":0,\"delta\":{\"content\":\"" EMPTY_WORD "\"},\"finish_reason\":null}]}\n\n");
    add_event(&dialect->opening,
              CHUNK "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n");
    add_event(&dialect->closing, CHUNK "{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
    add_event(&dialect->closing, CHUNK "]," USAGE "}\n\n");
    add_event(&dialect->closing, "data: [DONE]\n\n");
    add(&dialect->closing, "0\r\n\r\n");
}

static void messages(struct dialect *dialect)
{
    whole(dialect, "{" MESSAGE "\"stop_reason\":\"end_turn\",\"content\":[{\"type\":\"text\",\"text\":\"",
          "\"}],\"usage\":{\"input_tokens\":50,\"output_tokens\":40}}");
    streamed(dialect, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                      "\"delta\":{\"type\":\"text_delta\",\"text\":\"" EMPTY_WORD "\"}}\n\n");
    add_event(&dialect->opening, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{" MESSAGE
                                 "\"stop_reason\":null,\"content\":[],\"usage\":{\"input_tokens\":50,"
                                 "\"output_tokens\":1}}}\n\n");
    add_event(&dialect->opening, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                                 "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n");
    add_event(&dialect->closing,
              "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n");
    add_event(&dialect->closing, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                                 "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":40}}\n\n");
    add_event(&dialect->closing, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    add(&dialect->closing, "0\r\n\r\n");
}

void answers_make(void)
{
    chat(&dialects[0]);
    messages(&dialects[1]);
}

const struct dialect *answers_for(const char *target)
{
    for (size_t at = 0; at < sizeof dialects / sizeof *dialects; at++)
        if (strstr(target, dialects[at].path))
            return &dialects[at];
    return NULL;
}

static void digits(char *at, size_t count, uint64_t value)
{
    while (count--) {
        at[count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void answers_stamp(const struct event *event, char *copy, uint32_t number, uint64_t stamp)
{
    memcpy(copy, event->chunk.data, event->chunk.length);
    digits(copy + event->number_at, 5, number);
    digits(copy + event->stamp_at, 19, stamp);
}
