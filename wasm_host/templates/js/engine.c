/* QuickJS with the exports of the contract terraphim-rule/1. The script runs once, when the rule is built: wizer keeps the
 * memory that it leaves behind, so that a call begins with the script loaded.
 *
 * What the C library would ask of a system is answered here (the clock stands at the request's time, there are no files),
 * so the module imports nothing. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

#include "json.h"
#include "quickjs.h"

#define EXPORT(name) __attribute__((export_name(name)))

enum { REQUEST_MAX = 256 * 1024, ANSWER_MAX = 16 * 1024, STACK_MAX = 160 * 1024, GC_THRESHOLD = 4 * 1024 * 1024 };

/* prelude.js and rule.js, each ending in a zero byte. */
static const char prelude[] = {
#include ".prelude.inc"
    0};
static const char script[] = {
#include ".script.inc"
    0};

static char request[REQUEST_MAX + 1], answer[ANSWER_MAX + 1];
static JSContext *context;
static JSValue route;
static int64_t now_ms;
/* What went wrong when the script was loaded; build.sh looks for it. */
static char failure[512];

static void keep_exception(char *text, size_t size) {
    JSValue exception = JS_GetException(context), stack = JS_GetPropertyStr(context, exception, "stack");
    const char *message = JS_ToCString(context, exception);
    const char *where = JS_IsString(stack) ? JS_ToCString(context, stack) : NULL;
    snprintf(text, size, "%s %s", message ? message : "unknown exception", where ? where : "");
}

static int load(const char *text, size_t length, const char *name) {
    return !JS_IsException(JS_Eval(context, text, length, name, JS_EVAL_TYPE_GLOBAL));
}

EXPORT("wizer-initialize") void initialize(void) {
    JSRuntime *runtime = JS_NewRuntime();
    JS_SetMaxStackSize(runtime, STACK_MAX);
    context = JS_NewContext(runtime);
    if (load(prelude, sizeof prelude - 1, "prelude.js") && load(script, sizeof script - 1, "rule.js")) {
        route = JS_GetPropertyStr(context, JS_GetGlobalObject(context), "__route");
    } else {
        memcpy(failure, "SCRIPT:", 7);
        failure[7] = ' ';
        keep_exception(failure + 8, sizeof failure - 8);
    }
    JS_RunGC(runtime);
    JS_SetGCThreshold(runtime, GC_THRESHOLD);
}

EXPORT("rule_v1_alloc") char *rule_alloc(uint32_t length) { return length <= REQUEST_MAX ? request : 0; }

static uint64_t pack(size_t length) { return (uint64_t)(uintptr_t)answer << 32 | length; }

/* {"error": …} with the exception as its message. */
static uint64_t failed(void) {
    char text[256];
    keep_exception(text, sizeof text);
    JSValue message = JS_NewString(context, text), quoted = JS_JSONStringify(context, message, JS_UNDEFINED, JS_UNDEFINED);
    const char *json_text = JS_ToCString(context, quoted);
    return pack(snprintf(answer, sizeof answer, "{\"error\":{\"code\":\"exception\",\"message\":%s}}",
                         json_text ? json_text : "\"\""));
}

EXPORT("rule_v1_route") uint64_t rule_route(const char *text, uint32_t length) {
    json view = json_parse(text, length);
    if (!view.at || !context) return 0;
    now_ms = json_int(json_get(view, "now_ms"), 0);
    JS_UpdateStackTop(JS_GetRuntime(context));
    JSValue argument = JS_NewStringLen(context, text, length);
    JSValue said = JS_Call(context, route, JS_UNDEFINED, 1, &argument);
    if (JS_IsException(said)) return failed();
    size_t count = 0;
    const char *json_text = JS_ToCStringLen(context, &count, said);
    if (!json_text || count == 0 || count > ANSWER_MAX) return 0;
    memcpy(answer, json_text, count);
    return pack(count);
}

/* What the C library asks of its system: the functions that it would import. */

#define WASI(name) __imported_wasi_snapshot_preview1_##name

int32_t WASI(clock_time_get)(int32_t clock, int64_t precision, int32_t time) {
    (void)clock, (void)precision;
    *(uint64_t *)(uintptr_t)time = (uint64_t)now_ms * 1000000;
    return __WASI_ERRNO_SUCCESS;
}
int32_t WASI(fd_write)(int32_t fd, int32_t parts, int32_t count, int32_t written) {
    (void)fd, (void)parts, (void)count, (void)written;
    return __WASI_ERRNO_BADF;
}
int32_t WASI(fd_seek)(int32_t fd, int64_t offset, int32_t whence, int32_t at) {
    (void)fd, (void)offset, (void)whence, (void)at;
    return __WASI_ERRNO_BADF;
}
int32_t WASI(fd_fdstat_get)(int32_t fd, int32_t status) {
    (void)fd, (void)status;
    return __WASI_ERRNO_BADF;
}
int32_t WASI(environ_get)(int32_t list, int32_t texts) { return (void)list, (void)texts, __WASI_ERRNO_SUCCESS; }
int32_t WASI(environ_sizes_get)(int32_t count, int32_t size) {
    *(uint32_t *)(uintptr_t)count = 0, *(uint32_t *)(uintptr_t)size = 0;
    return __WASI_ERRNO_SUCCESS;
}
_Noreturn void WASI(proc_exit)(int32_t status) {
    (void)status;
    __builtin_trap();
}
