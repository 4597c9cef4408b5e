
/*
 * The only file that knows hiredis. hiredis accepts what no Redis would send
 * us (huge headers, RESP3, a body that does not end in CRLF) and its versions
 * differ in which; so every byte is scanned first, and hiredis is asked only
 * once a reply is known to be complete, well formed and within the limits.
 */

#include "ngx_enroll_resp.h"

#include <hiredis/hiredis.h>


/* hiredis 0.14 refuses more; nothing of ours answers with more than two */
#define NGX_ENROLL_RESP_DEPTH_MAX  7

/* "-9223372036854775808" */
#define NGX_ENROLL_RESP_DIGITS_MAX  20


typedef enum {
    sw_type = 0,
    sw_line,
    sw_line_lf,
    sw_bulk,
    sw_bulk_cr,
    sw_bulk_lf
} ngx_enroll_resp_state_e;


struct ngx_enroll_resp_reader_s {
    redisReader              *hiredis;
    ngx_uint_t                complete;  /* replies not yet taken */

    /* the scanner */
    ngx_enroll_resp_state_e   state;
    u_char                    type;
    size_t                    digits;
    ngx_flag_t                negative;
    size_t                    number;
    size_t                    bytes;     /* of the reply that is scanned */
    ngx_uint_t                elements;
    ngx_uint_t                depth;
    size_t                    left[NGX_ENROLL_RESP_DEPTH_MAX];

    unsigned                  broken:1;
};


static ngx_int_t ngx_enroll_resp_scan(ngx_enroll_resp_reader_t *reader,
    u_char ch);
static ngx_int_t ngx_enroll_resp_scan_line(ngx_enroll_resp_reader_t *reader,
    u_char ch);
static ngx_int_t ngx_enroll_resp_scan_digit(ngx_enroll_resp_reader_t *reader,
    u_char ch);
static ngx_int_t ngx_enroll_resp_scan_header(
    ngx_enroll_resp_reader_t *reader);
static ngx_int_t ngx_enroll_resp_scan_array(ngx_enroll_resp_reader_t *reader);
static ngx_int_t ngx_enroll_resp_scan_end(ngx_enroll_resp_reader_t *reader);
static ngx_int_t ngx_enroll_resp_copy(ngx_pool_t *pool, redisReply *from,
    ngx_enroll_resp_t *to);
static ngx_int_t ngx_enroll_resp_copy_str(ngx_pool_t *pool, redisReply *from,
    ngx_str_t *to);


ngx_int_t
ngx_enroll_resp_command(ngx_pool_t *pool, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_str_t *command)
{
    char         *target;
    size_t       *len;
    long long     n;
    ngx_uint_t    i;
    const char  **arg;

    arg = ngx_palloc(pool, argc * sizeof(char *));
    len = ngx_palloc(pool, argc * sizeof(size_t));
    if (arg == NULL || len == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < argc; i++) {
        arg[i] = (const char *) argv[i].data;
        len[i] = argv[i].len;
    }

    n = redisFormatCommandArgv(&target, (int) argc, arg, len);
    if (n < 0) {
        return NGX_ERROR;
    }

    command->len = (size_t) n;
    command->data = ngx_pnalloc(pool, command->len);

    if (command->data) {
        ngx_memcpy(command->data, target, command->len);
    }

    /* it may have been AUTH */
    ngx_explicit_memzero(target, (size_t) n);
    redisFreeCommand(target);

    return command->data ? NGX_OK : NGX_ERROR;
}


ngx_enroll_resp_reader_t *
ngx_enroll_resp_reader_create(void)
{
    ngx_enroll_resp_reader_t  *reader;

    reader = ngx_calloc(sizeof(ngx_enroll_resp_reader_t), ngx_cycle->log);
    if (reader == NULL) {
        return NULL;
    }

    reader->hiredis = redisReaderCreate();
    if (reader->hiredis == NULL) {
        ngx_free(reader);
        return NULL;
    }

    return reader;
}


void
ngx_enroll_resp_reader_free(ngx_enroll_resp_reader_t *reader)
{
    redisReaderFree(reader->hiredis);
    ngx_free(reader);
}


ngx_int_t
ngx_enroll_resp_feed(ngx_enroll_resp_reader_t *reader, const u_char *data,
    size_t len)
{
    size_t  i;

    if (reader->broken) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        if (ngx_enroll_resp_scan(reader, data[i]) != NGX_OK) {
            reader->broken = 1;
            break;
        }
    }

    if (redisReaderFeed(reader->hiredis, (const char *) data, i)
        != REDIS_OK)
    {
        reader->broken = 1;
        reader->complete = 0;
    }

    /* the replies before what is wrong still answer their operations */
    return (reader->broken && reader->complete == 0) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_enroll_resp_next(ngx_enroll_resp_reader_t *reader, ngx_pool_t *pool,
    ngx_enroll_resp_t *reply)
{
    void       *from;
    ngx_int_t   rc;

    if (reader->complete == 0) {
        return reader->broken ? NGX_ERROR : NGX_AGAIN;
    }

    reader->complete--;

    if (redisReaderGetReply(reader->hiredis, &from) != REDIS_OK
        || from == NULL)
    {
        reader->broken = 1;
        reader->complete = 0;
        return NGX_ERROR;
    }

    rc = ngx_enroll_resp_copy(pool, from, reply);

    freeReplyObject(from);

    return rc;
}


ngx_uint_t
ngx_enroll_resp_empty(ngx_enroll_resp_reader_t *reader)
{
    return !reader->broken && reader->complete == 0 && reader->bytes == 0;
}


static ngx_int_t
ngx_enroll_resp_scan(ngx_enroll_resp_reader_t *reader, u_char ch)
{
    if (++reader->bytes > NGX_ENROLL_RESP_BYTES_MAX) {
        return NGX_ERROR;
    }

    switch (reader->state) {

    case sw_type:
        if (ch != '+' && ch != '-' && ch != ':' && ch != '$' && ch != '*') {
            return NGX_ERROR;
        }

        reader->type = ch;
        reader->digits = 0;
        reader->negative = 0;
        reader->number = 0;
        reader->state = sw_line;
        return NGX_OK;

    case sw_line:
        return ngx_enroll_resp_scan_line(reader, ch);

    case sw_line_lf:
        return (ch == LF) ? ngx_enroll_resp_scan_header(reader) : NGX_ERROR;

    case sw_bulk:
        if (--reader->number == 0) {
            reader->state = sw_bulk_cr;
        }

        return NGX_OK;

    case sw_bulk_cr:
        reader->state = sw_bulk_lf;
        return (ch == CR) ? NGX_OK : NGX_ERROR;

    case sw_bulk_lf:
        return (ch == LF) ? ngx_enroll_resp_scan_end(reader) : NGX_ERROR;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_enroll_resp_scan_line(ngx_enroll_resp_reader_t *reader, u_char ch)
{
    if (ch == CR) {
        reader->state = sw_line_lf;
        return NGX_OK;
    }

    if (ch == LF) {
        return NGX_ERROR;
    }

    switch (reader->type) {

    case '$':
    case '*':
        return ngx_enroll_resp_scan_digit(reader, ch);

    case ':':
        return (++reader->digits > NGX_ENROLL_RESP_DIGITS_MAX) ? NGX_ERROR
                                                               : NGX_OK;
    default:
        return NGX_OK;
    }
}


/* A length that is too large is refused before its line has even ended. */

static ngx_int_t
ngx_enroll_resp_scan_digit(ngx_enroll_resp_reader_t *reader, u_char ch)
{
    if (ch == '-' && reader->digits == 0 && !reader->negative) {
        reader->negative = 1;
        return NGX_OK;
    }

    if (ch < '0' || ch > '9') {
        return NGX_ERROR;
    }

    if (reader->digits > 0 && reader->number == 0) {
        /* a leading zero */
        return NGX_ERROR;
    }

    reader->digits++;
    reader->number = reader->number * 10 + (ch - '0');

    return (reader->number > NGX_ENROLL_RESP_BYTES_MAX) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_enroll_resp_scan_header(ngx_enroll_resp_reader_t *reader)
{
    if (reader->type == '+' || reader->type == '-' || reader->type == ':') {
        return ngx_enroll_resp_scan_end(reader);
    }

    if (reader->digits == 0) {
        return NGX_ERROR;
    }

    if (reader->negative) {
        /* nil */
        return (reader->number == 1) ? ngx_enroll_resp_scan_end(reader)
                                     : NGX_ERROR;
    }

    if (reader->type == '*') {
        return ngx_enroll_resp_scan_array(reader);
    }

    if (reader->number > NGX_ENROLL_RESP_BYTES_MAX - reader->bytes) {
        return NGX_ERROR;
    }

    reader->state = reader->number ? sw_bulk : sw_bulk_cr;

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_resp_scan_array(ngx_enroll_resp_reader_t *reader)
{
    if (reader->number > NGX_ENROLL_RESP_ELEMENTS_MAX - reader->elements) {
        return NGX_ERROR;
    }

    reader->elements += reader->number;

    if (reader->depth == NGX_ENROLL_RESP_DEPTH_MAX) {
        return NGX_ERROR;
    }

    if (reader->number == 0) {
        return ngx_enroll_resp_scan_end(reader);
    }

    reader->left[reader->depth++] = reader->number;
    reader->state = sw_type;

    return NGX_OK;
}


/* An item ends, and with it the arrays of which it was the last. */

static ngx_int_t
ngx_enroll_resp_scan_end(ngx_enroll_resp_reader_t *reader)
{
    reader->state = sw_type;

    while (reader->depth) {
        if (--reader->left[reader->depth - 1]) {
            return NGX_OK;
        }

        reader->depth--;
    }

    reader->complete++;
    reader->bytes = 0;
    reader->elements = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_resp_copy(ngx_pool_t *pool, redisReply *from,
    ngx_enroll_resp_t *to)
{
    size_t  i;

    ngx_memzero(to, sizeof(ngx_enroll_resp_t));

    switch (from->type) {

    case REDIS_REPLY_NIL:
        to->type = NGX_ENROLL_RESP_NIL;
        return NGX_OK;

    case REDIS_REPLY_INTEGER:
        to->type = NGX_ENROLL_RESP_INTEGER;
        to->integer = from->integer;
        return NGX_OK;

    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        to->type = NGX_ENROLL_RESP_STRING;
        return ngx_enroll_resp_copy_str(pool, from, &to->str);

    case REDIS_REPLY_ERROR:
        to->type = NGX_ENROLL_RESP_ERROR;
        return ngx_enroll_resp_copy_str(pool, from, &to->str);

    case REDIS_REPLY_ARRAY:
        break;

    default:
        return NGX_ERROR;
    }

    to->type = NGX_ENROLL_RESP_ARRAY;
    to->nelts = from->elements;
    to->elts = ngx_palloc(pool, (from->elements + 1)
                                * sizeof(ngx_enroll_resp_t));
    if (to->elts == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < from->elements; i++) {
        if (ngx_enroll_resp_copy(pool, from->element[i], &to->elts[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_resp_copy_str(ngx_pool_t *pool, redisReply *from, ngx_str_t *to)
{
    to->data = ngx_pnalloc(pool, from->len + 1);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    to->len = from->len;
    ngx_memcpy(to->data, from->str, from->len);

    /* for the debugger only: a string may hold NULs */
    to->data[to->len] = '\0';

    return NGX_OK;
}
