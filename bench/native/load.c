/* The load generator: `load OPTION… PORT`, prints one JSON object. Every connection sends its next request when the
 * answer to the last one is whole; whether it is whole is judged by answer.h. Times are in microseconds.
 *
 *   --path PATH  --header "name: value"…  --body FILE…   the requests; several bodies take turns
 *   --words N  --mark TEXT                               what every answer must hold
 *   --connections N  --stagger SECONDS                   how many at once; begun at even distances in so much time
 *   --warm S  --seconds S  --least N  --longest S        the window begins after the warm-up, and lasts `seconds`; then
 *                                                        until it has `least` answers, at most `longest`
 *   --patience S                                         for answers that are under way when it ends
 */
#include "common.h"
#include "run.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODIES_MAX 256
#define HEADERS_MAX 4096

struct wishes {
    const char *path;
    const char *bodies[BODIES_MAX];
    size_t body_count;
    char headers[HEADERS_MAX];
};

static uint64_t nanoseconds(const char *text, const char *what)
{
    char *end;
    errno = 0;
    double seconds = strtod(text, &end);
    if (end == text || *end || errno || !(seconds >= 0) || seconds > 3600)
        die("%s is a number of seconds up to 3600, not \"%s\"", what, text);
    return (uint64_t)(seconds * 1e9);
}

static struct request read_request(const struct wishes *wishes, const char *file, uint16_t port)
{
    FILE *body = fopen(file, "rb");
    if (!body || fseek(body, 0, SEEK_END))
        die("cannot read %s: %m", file);
    size_t size = (size_t)ftell(body);
    rewind(body);
    struct request request = {.data = grab(size + HEADERS_MAX + 1024)};
    int head = snprintf(request.data, HEADERS_MAX + 1024,
                        "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%u\r\ncontent-type: application/json\r\n"
                        "user-agent: bench/1\r\n%scontent-length: %zu\r\n\r\n",
                        wishes->path, port, wishes->headers, size);
    if (head >= HEADERS_MAX + 1024 || fread(request.data + head, 1, size, body) != size)
        die("cannot make a request of %s", file);
    request.length = (size_t)head + size;
    fclose(body);
    return request;
}

static void add_header(struct wishes *wishes, const char *header)
{
    size_t length = strlen(wishes->headers);
    int added = snprintf(wishes->headers + length, HEADERS_MAX - length, "%s\r\n", header);
    if ((size_t)added >= HEADERS_MAX - length)
        die("the headers are longer than %d bytes", HEADERS_MAX);
}

static void add_body(struct wishes *wishes, const char *file)
{
    if (wishes->body_count == BODIES_MAX)
        die("at most %d bodies", BODIES_MAX);
    wishes->bodies[wishes->body_count++] = file;
}

static void understand(int option, const char *value, struct plan *plan, struct wishes *wishes)
{
    switch (option) {
    case 'p': wishes->path = value; break;
    case 'h': add_header(wishes, value); break;
    case 'b': add_body(wishes, value); break;
    case 'w': plan->expected.words = (uint32_t)number(value, 0, 99999, "--words"); break;
    case 'm': plan->expected.mark = value; break;
    case 'c': plan->connections = (unsigned)number(value, 1, 100000, "--connections"); break;
    case 'g': plan->stagger_ns = nanoseconds(value, "--stagger"); break;
    case 'W': plan->warm_ns = nanoseconds(value, "--warm"); break;
    case 's': plan->window_ns = nanoseconds(value, "--seconds"); break;
    case 'l': plan->least = number(value, 0, UINT32_MAX, "--least"); break;
    case 'L': plan->longest_ns = nanoseconds(value, "--longest"); break;
    case 'P': plan->patience_ns = nanoseconds(value, "--patience"); break;
    default: die("see the head of load.c");
    }
}

static void read_options(int count, char **words, struct plan *plan, struct wishes *wishes)
{
    static const struct option options[] = {
        {"path", 1, 0, 'p'}, {"header", 1, 0, 'h'}, {"body", 1, 0, 'b'}, {"words", 1, 0, 'w'},
        {"mark", 1, 0, 'm'}, {"connections", 1, 0, 'c'}, {"stagger", 1, 0, 'g'}, {"warm", 1, 0, 'W'},
        {"seconds", 1, 0, 's'}, {"least", 1, 0, 'l'}, {"longest", 1, 0, 'L'}, {"patience", 1, 0, 'P'}, {0, 0, 0, 0}};
    int option;
    while ((option = getopt_long(count, words, "", options, NULL)) != -1)
        understand(option, optarg, plan, wishes);
    if (optind != count - 1)
        die("one PORT comes after the options");
    plan->port = (uint16_t)number(words[optind], 1, 65535, "PORT");
    if (!wishes->body_count)
        die("at least one --body");
    const char *mark = plan->expected.mark;
    if (*mark && strchr(mark + 1, *mark))
        die("the first character of --mark must not come again in it");
    if (plan->longest_ns < plan->window_ns)
        plan->longest_ns = plan->window_ns;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            printf("\\u%04x", (unsigned char)*text);
        else
            printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    putchar('"');
}

static void print(const struct outcome *outcome)
{
    uint64_t whole = outcome->verdicts[WHOLE];
    double seconds = (double)outcome->window_ns / 1e9;
    printf("{\"answers\":%" PRIu64 ",\"seconds\":%.6f,\"rate\":%.3f,\"broken\":{", whole, seconds,
           seconds > 0 ? (double)whole / seconds : 0);
    for (enum verdict verdict = WHOLE + 1; verdict < VERDICTS; verdict++)
        printf("%s\"%s\":%" PRIu64, verdict > WHOLE + 1 ? "," : "", verdict_name(verdict), outcome->verdicts[verdict]);
    printf("},\"all\":%" PRIu64 ",\"all_broken\":%" PRIu64 ",\"unfinished\":%" PRIu64 ",\"reconnected\":%" PRIu64 ",",
           outcome->all, outcome->all_broken, outcome->unfinished, outcome->reconnected);
    printf("\"example\":");
    if (outcome->all_broken) {
        printf("{\"verdict\":\"%s\",\"status\":%d,\"body\":", verdict_name(outcome->example_verdict),
               outcome->example_status);
        print_text(outcome->example);
        putchar('}');
    } else {
        printf("null");
    }
    putchar(',');
    histogram_print("latency", &outcome->latency);
    putchar(',');
    histogram_print("first_byte", &outcome->first_byte);
    putchar(',');
    histogram_print("first_word", &outcome->first_word);
    putchar(',');
    histogram_print("delay", &outcome->delays);
    puts("}");
}

int main(int count, char **words)
{
    static struct outcome outcome;
    static struct wishes wishes = {.path = "/v1/messages"};
    struct plan plan = {.connections = 1,
                        .expected = {.words = 20, .mark = ""},
                        .window_ns = 1000000000u,
                        .patience_ns = 10000000000u};
    read_options(count, words, &plan, &wishes);
    raise_descriptors();
    struct request *requests = grab(wishes.body_count * sizeof *requests);
    for (size_t at = 0; at < wishes.body_count; at++)
        requests[at] = read_request(&wishes, wishes.bodies[at], plan.port);
    plan.requests = requests;
    plan.request_count = wishes.body_count;
    run(&plan, &outcome);
    print(&outcome);
    for (size_t at = 0; at < plan.request_count; at++)
        free(requests[at].data);
    free(requests);
    return 0;
}
