
#include "ngx_http_enroll_module.h"


static ngx_uint_t ngx_http_enroll_event_number(ngx_str_t *name);


json_t *
ngx_http_enroll_event_json(ngx_enroll_resp_t *event, ngx_uint_t partition)
{
    json_t      *json, *value;
    ngx_str_t   *name, *text;
    ngx_uint_t   i;

    json = json_pack("{s:I}", "partition", (json_int_t) partition);

    for (i = 0; i + 1 < event->nelts; i += 2) {
        name = &event->elts[i].str;
        text = &event->elts[i + 1].str;

        if (ngx_http_enroll_event_number(name)) {
            value = json_integer(ngx_atoof(text->data, text->len));

        } else {
            value = json_stringn((char *) text->data, text->len);
        }

        /* NUL-terminated: the reply's strings are */
        (void) json_object_set_new(json, (char *) name->data, value);
    }

    return json;
}


static ngx_uint_t
ngx_http_enroll_event_number(ngx_str_t *name)
{
    ngx_uint_t  i;

    static ngx_str_t  numbers[] = {
        ngx_string("seq"),
        ngx_string("at"),
        ngx_string("attempt"),
        ngx_string("count"),
        ngx_string("voided"),
        ngx_string("proof_at")
    };

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (name->len == numbers[i].len
            && ngx_memcmp(name->data, numbers[i].data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_enroll_event_write(ngx_http_enroll_loc_conf_t *elcf,
    ngx_uint_t level, json_t *event)
{
    char    *text;
    size_t   len;

    text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);

    if (text == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "enroll: no memory to log an event");
        return;
    }

    len = ngx_strlen(text);

    if (elcf->log == NULL) {
        ngx_log_error(level, ngx_cycle->log, 0, "enroll: %*s", len, text);

    } else if (elcf->log->fd != NGX_INVALID_FILE) {
        /* the NUL at the end makes room for the line's end */
        text[len] = '\n';

        if (ngx_write_fd(elcf->log->fd, text, len + 1)
            != (ssize_t) (len + 1))
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                          ngx_write_fd_n " to \"%V\" failed",
                          &elcf->log->name);
        }
    }

    free(text);
}


void
ngx_http_enroll_event_refused(ngx_http_request_t *r,
    ngx_enroll_reason_e reason, const char *step, ngx_uint_t status)
{
    json_t                       *event;
    ngx_time_t                   *tp;
    const ngx_str_t              *name;
    ngx_http_enroll_ctx_t        *ctx;
    ngx_http_enroll_loc_conf_t   *elcf;
    ngx_http_enroll_main_conf_t  *emcf;

    emcf = ngx_http_get_module_main_conf(r, ngx_http_enroll_module);
    elcf = ngx_http_get_module_loc_conf(r, ngx_http_enroll_module);
    ctx = ngx_http_enroll_ctx_find(r);

    ngx_http_enroll_zone_count_refused(emcf->zone, reason);

    if (ctx->told) {
        return;
    }

    tp = ngx_timeofday();
    name = ngx_enroll_reason_name(reason);

    event = json_pack("{s:I, s:s, s:s, s:s%, s:i, s:s%}",
                      "at", (json_int_t) tp->sec * 1000 + tp->msec,
                      "event", "refuse",
                      "step", step,
                      "reason", name->data, name->len,
                      "status", (int) status,
                      "client", r->connection->addr_text.data,
                      r->connection->addr_text.len);

    if (event && ctx->hex[0]) {
        (void) json_object_set_new(event, "id",
                                   json_stringn((char *) ctx->hex,
                                                NGX_ENROLL_HEX_LEN));
    }

    if (event && ctx->subject.len) {
        (void) json_object_set_new(event, "subject",
                                   json_stringn((char *) ctx->subject.data,
                                                ctx->subject.len));
    }

    ngx_http_enroll_event_write(elcf, NGX_LOG_WARN, event);
}
