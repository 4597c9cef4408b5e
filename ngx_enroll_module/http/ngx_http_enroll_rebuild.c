
/*
 * Tombstones from the journal: what this host has seen spent stays spent
 * when nginx is started anew, whatever Redis knows by then.
 */

#include "ngx_http_enroll_journal.h"


#define NGX_HTTP_ENROLL_REBUILD_LINE  (128 * 1024)   /* longer: not ours */


typedef struct {
    ngx_http_enroll_zone_t  *zone;
    int64_t                  now;            /* ms since the epoch */
    ngx_uint_t               noted;
    ngx_uint_t               skipped;        /* lines */
} ngx_http_enroll_rebuild_t;


static void ngx_http_enroll_rebuild_file(ngx_cycle_t *cycle,
    ngx_http_enroll_zone_t *zone, u_char *name, u_char *buf);
static ngx_int_t ngx_http_enroll_rebuild_read(
    ngx_http_enroll_rebuild_t *rebuild, ngx_fd_t fd, u_char *buf);
static void ngx_http_enroll_rebuild_line(ngx_http_enroll_rebuild_t *rebuild,
    u_char *line, u_char *end);
static u_char *ngx_http_enroll_rebuild_begin(u_char *line, u_char *end);
static int64_t ngx_http_enroll_rebuild_until(u_char *line, u_char *end);
static ngx_int_t ngx_http_enroll_rebuild_note(
    ngx_http_enroll_rebuild_t *rebuild, json_t *json, int64_t until);
static ngx_str_t ngx_http_enroll_rebuild_member(json_t *json,
    const char *name);


void
ngx_http_enroll_rebuild(ngx_cycle_t *cycle, ngx_http_enroll_zone_t *zone,
    ngx_str_t *file)
{
    u_char  *name, *buf;

    name = ngx_alloc(file->len + sizeof(".1"), cycle->log);
    buf = ngx_alloc(NGX_HTTP_ENROLL_REBUILD_LINE, cycle->log);

    if (name && buf) {
        (void) ngx_sprintf(name, "%V.1%Z", file);
        ngx_http_enroll_rebuild_file(cycle, zone, name, buf);

        name[file->len] = '\0';
        ngx_http_enroll_rebuild_file(cycle, zone, name, buf);
    }

    ngx_free(name);
    ngx_free(buf);
}


static void
ngx_http_enroll_rebuild_file(ngx_cycle_t *cycle,
    ngx_http_enroll_zone_t *zone, u_char *name, u_char *buf)
{
    ngx_fd_t                    fd;
    ngx_int_t                   rc;
    ngx_time_t                 *tp;
    ngx_file_info_t             fi;
    ngx_http_enroll_rebuild_t   rebuild;

    fd = ngx_open_file(name, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                          "enroll: the journal \"%s\" cannot be read: no "
                          "tombstones are made of it", name);
        }

        return;
    }

    tp = ngx_timeofday();

    rebuild.zone = zone;
    rebuild.now = (int64_t) tp->sec * 1000 + tp->msec;
    rebuild.noted = 0;
    rebuild.skipped = 0;

    rc = NGX_OK;

    /* a pipe or a device has no past */

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && ngx_is_file(&fi)) {
        rc = ngx_http_enroll_rebuild_read(&rebuild, fd, buf);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, ngx_errno,
                      ngx_read_fd_n " \"%s\" failed", name);
    }

    if (rebuild.noted) {
        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                      "enroll: %ui tombstones from the journal \"%s\"",
                      rebuild.noted, name);
    }

    if (rebuild.skipped) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "enroll: %ui lines of the journal \"%s\" are torn or "
                      "not the journal's: skipped", rebuild.skipped, name);
    }

    (void) ngx_close_file(fd);
}


static ngx_int_t
ngx_http_enroll_rebuild_read(ngx_http_enroll_rebuild_t *rebuild, ngx_fd_t fd,
    u_char *buf)
{
    u_char      *line, *end, *last;
    ssize_t      n;
    ngx_uint_t   over;

    last = buf;
    over = 0;                          /* in a line that is too long */

    for ( ;; ) {
        n = ngx_read_fd(fd, last, buf + NGX_HTTP_ENROLL_REBUILD_LINE - last);

        if (n <= 0) {
            break;
        }

        last += n;
        line = buf;

        while ((end = ngx_strlchr(line, last, '\n')) != NULL) {
            if (!over) {
                ngx_http_enroll_rebuild_line(rebuild, line, end);
            }

            over = 0;
            line = end + 1;
        }

        if (line == buf && last == buf + NGX_HTTP_ENROLL_REBUILD_LINE) {
            rebuild->skipped += !over;
            over = 1;
            line = last;
        }

        ngx_memmove(buf, line, last - line);
        last = buf + (last - line);
    }

    /* the last one, torn when the host went down */

    if (!over) {
        ngx_http_enroll_rebuild_line(rebuild, buf, last);
    }

    return n == 0 ? NGX_OK : NGX_ERROR;
}


/* what is over is not parsed: most lines are */

static void
ngx_http_enroll_rebuild_line(ngx_http_enroll_rebuild_t *rebuild, u_char *line,
    u_char *end)
{
    json_t   *json;
    u_char   *begin;
    int64_t   until;

    if (line == end) {
        return;
    }

    begin = ngx_http_enroll_rebuild_begin(line, end);

    if (begin == NULL || end[-1] != '}') {
        rebuild->skipped++;
        return;
    }

    /* a torn one before it, or another's line */
    rebuild->skipped += (begin != line);

    until = ngx_http_enroll_rebuild_until(begin, end);

    if (until <= rebuild->now) {
        return;
    }

    json = json_loadb((char *) begin, end - begin, JSON_REJECT_DUPLICATES,
                      NULL);

    if (ngx_http_enroll_rebuild_note(rebuild, json, until) != NGX_OK) {
        rebuild->skipped++;
    }

    json_decref(json);
}


/* a record begins at the last {" of its line: no string has one in it */

static u_char *
ngx_http_enroll_rebuild_begin(u_char *line, u_char *end)
{
    u_char  *p;

    for (p = end - 1; p > line; p--) {
        if (p[-1] == '{' && p[0] == '"') {
            return p - 1;
        }
    }

    return NULL;
}


/* 0: there is none, and nothing to note */

static int64_t
ngx_http_enroll_rebuild_until(u_char *line, u_char *end)
{
    u_char  *p, *last;

    static u_char  name[] = "\"keep_until\":\"";

    p = ngx_strnstr(line, (char *) name, end - line);

    if (p == NULL) {
        return 0;
    }

    p += sizeof(name) - 1;
    last = ngx_strlchr(p, end, '"');

    return last ? ngx_max(ngx_atoof(p, last - p), 0) : 0;
}


static ngx_int_t
ngx_http_enroll_rebuild_note(ngx_http_enroll_rebuild_t *rebuild, json_t *json,
    int64_t until)
{
    u_char               id[NGX_ENROLL_DIGEST_LEN],
                         session[NGX_ENROLL_DIGEST_LEN];
    ngx_str_t            text, to;
    ngx_enroll_reason_e  state;

    text = ngx_http_enroll_rebuild_member(json, "id");
    to = ngx_http_enroll_rebuild_member(json, "to");
    state = ngx_http_enroll_observe_spent(&to);

    if (state == NGX_ENROLL_OK
        || ngx_enroll_call_raw(text.data, text.len, id) != NGX_OK)
    {
        return NGX_ERROR;
    }

    text = ngx_http_enroll_rebuild_member(json, "session");

    if (state == NGX_ENROLL_REDEEMED
        && ngx_enroll_call_raw(text.data, text.len, session) != NGX_OK)
    {
        /* its session may be open, and would be shut out */
        return NGX_ERROR;
    }

    ngx_http_enroll_zone_note(rebuild->zone, id, state,
                              state == NGX_ENROLL_REDEEMED ? session : NULL,
                              (ngx_msec_t) (until - rebuild->now));
    rebuild->noted++;

    return NGX_OK;
}


static ngx_str_t
ngx_http_enroll_rebuild_member(json_t *json, const char *name)
{
    json_t     *value;
    ngx_str_t   text;

    value = json_object_get(json, name);

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    return text;
}
