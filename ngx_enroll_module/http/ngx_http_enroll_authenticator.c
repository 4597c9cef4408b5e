
/*
 * What a finish brings to be bound: its body is read as the IdP will read it,
 * or not at all, and never altered.
 */

#include "ngx_http_enroll_module.h"


#define NGX_HTTP_ENROLL_FACTS       8
#define NGX_HTTP_ENROLL_PLACE_MAX   8         /* names */
#define NGX_HTTP_ENROLL_NAME_MAX    64        /* characters of one */


static const char *ngx_http_enroll_authenticator_encoded(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_enroll_authenticator_is_json(ngx_str_t *type);
static ngx_uint_t ngx_http_enroll_authenticator_vendor(ngx_str_t *media);
static ngx_uint_t ngx_http_enroll_authenticator_is(ngx_str_t *s,
    const char *lowcase);
static void ngx_http_enroll_authenticator_trim(ngx_str_t *s);
static const char *ngx_http_enroll_authenticator_body(ngx_http_request_t *r,
    ngx_str_t *body);


/* told apart by its address from what is wrong with the request */
static const char  ngx_http_enroll_no_memory[] = "no memory";


ngx_int_t
ngx_http_enroll_authenticator(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_http_enroll_loc_conf_t *elcf)
{
    ngx_int_t                    rc;
    ngx_str_t                    body;
    const char                  *wrong;
    ngx_enroll_authenticator_t  *authenticator;

    if (ctx->authenticator) {
        return NGX_OK;
    }

    authenticator = ngx_palloc(r->pool, sizeof(ngx_enroll_authenticator_t));
    if (authenticator == NULL) {
        return NGX_ERROR;
    }

    wrong = ngx_http_enroll_authenticator_encoded(r);

    if (wrong == NULL) {
        wrong = ngx_http_enroll_authenticator_body(r, &body);
    }

    if (wrong == ngx_http_enroll_no_memory) {
        return NGX_ERROR;
    }

    rc = NGX_DECLINED;

    if (wrong == NULL) {
        rc = ngx_enroll_authenticator_read(authenticator, &body,
                                           &elcf->authenticator, &wrong);
    }

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "the registration response was not read: %s", wrong);
        return NGX_ERROR;
    }

    if (rc == NGX_OK) {
        ctx->authenticator = authenticator;

    } else {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "the registration response cannot be read: %s", wrong);
    }

    return NGX_OK;
}


ngx_keyval_t *
ngx_http_enroll_authenticator_facts(ngx_http_request_t *r,
    ngx_http_enroll_ctx_t *ctx, ngx_uint_t *n)
{
    const char                  *values[NGX_HTTP_ENROLL_FACTS];
    ngx_uint_t                   i;
    ngx_keyval_t                *facts;
    ngx_enroll_authenticator_t  *a;

    static ngx_str_t  names[] = {
        ngx_string("authenticator"),
        ngx_string("authenticator_aaguid"),
        ngx_string("authenticator_attestation"),
        ngx_string("authenticator_user_verified"),
        ngx_string("authenticator_backup_eligible"),
        ngx_string("authenticator_backed_up"),
        ngx_string("authenticator_transports"),
        ngx_string("authenticator_origin")
    };

    facts = ngx_palloc(r->pool, NGX_HTTP_ENROLL_FACTS * sizeof(ngx_keyval_t));
    if (facts == NULL) {
        return NULL;
    }

    a = ctx->authenticator;
    *n = 0;

    if (a == NULL) {
        return facts;
    }

    values[0] = a->credential;
    values[1] = a->aaguid;
    values[2] = a->attestation;
    values[3] = a->user_verified ? "yes" : "no";
    values[4] = a->backup_eligible ? "yes" : "no";
    values[5] = a->backed_up ? "yes" : "no";
    values[6] = a->transports;
    values[7] = a->origin;

    for (i = 0; i < NGX_HTTP_ENROLL_FACTS; i++) {
        facts[i].key = names[i];
        facts[i].value.data = (u_char *) values[i];
        facts[i].value.len = ngx_strlen(values[i]);
    }

    *n = NGX_HTTP_ENROLL_FACTS;

    return facts;
}


/*
 * A body that the IdP takes for a form, inflates, or reads in another charset
 * (UTF-7 has quotes where UTF-8 has letters) would tell it something else.
 */

static const char *
ngx_http_enroll_authenticator_encoded(ngx_http_request_t *r)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *type;

    if (ngx_http_enroll_header_count(r, "content-encoding")) {
        return "the body is encoded";
    }

    type = ngx_http_enroll_header_find(r, "content-type", &n);

    if (n > 1 || ngx_http_enroll_header_count(r, "content-type") > n) {
        return "there are several content types";
    }

    if (type && !ngx_http_enroll_authenticator_is_json(&type->value)) {
        return "the content type is not that of JSON in UTF-8";
    }

    return NULL;
}


/* plain text is what browsers call JSON that a page does not give a name */

static ngx_uint_t
ngx_http_enroll_authenticator_is_json(ngx_str_t *type)
{
    u_char     *p;
    ngx_str_t   media, charset;

    media = *type;
    ngx_str_null(&charset);

    p = ngx_strlchr(media.data, media.data + media.len, ';');

    if (p) {
        charset.data = p + 1;
        charset.len = media.data + media.len - charset.data;
        media.len = p - media.data;

        ngx_http_enroll_authenticator_trim(&charset);

        if (!ngx_http_enroll_authenticator_is(&charset, "charset=utf-8")
            && !ngx_http_enroll_authenticator_is(&charset,
                                                 "charset=\"utf-8\""))
        {
            return 0;
        }
    }

    ngx_http_enroll_authenticator_trim(&media);

    return ngx_http_enroll_authenticator_is(&media, "application/json")
           || ngx_http_enroll_authenticator_is(&media, "text/json")
           || ngx_http_enroll_authenticator_is(&media, "text/plain")
           || ngx_http_enroll_authenticator_vendor(&media);
}


/* of those with "+json": one that begins as a form's is a form to some */

static ngx_uint_t
ngx_http_enroll_authenticator_vendor(ngx_str_t *media)
{
    size_t  i, head, tail;

    head = sizeof("application/vnd.") - 1;
    tail = sizeof("+json") - 1;

    if (media->len <= head + tail
        || ngx_strncasecmp(media->data, (u_char *) "application/vnd.", head)
           != 0
        || ngx_strncasecmp(media->data + media->len - tail,
                           (u_char *) "+json", tail)
           != 0)
    {
        return 0;
    }

    for (i = head; i < media->len - tail; i++) {
        if (!isalnum(media->data[i])
            && media->data[i] != '.' && media->data[i] != '-')
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_enroll_authenticator_is(ngx_str_t *s, const char *lowcase)
{
    return s->len == ngx_strlen(lowcase)
           && ngx_strncasecmp(s->data, (u_char *) lowcase, s->len) == 0;
}


static void
ngx_http_enroll_authenticator_trim(ngx_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t')) {
        s->data++;
        s->len--;
    }

    while (s->len && (s->data[s->len - 1] == ' '
                      || s->data[s->len - 1] == '\t'))
    {
        s->len--;
    }
}


/* a body in a file is not read: that would block */

static const char *
ngx_http_enroll_authenticator_body(ngx_http_request_t *r, ngx_str_t *body)
{
    size_t        len, size;
    u_char       *p;
    ngx_chain_t  *cl;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return "there is no body";
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (cl->buf->in_file) {
            return "the body is in a file";
        }

        len += cl->buf->last - cl->buf->pos;
    }

    if (len > NGX_ENROLL_RESPONSE_MAX) {
        return "the body is too large";
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return ngx_http_enroll_no_memory;
    }

    body->data = p;
    body->len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size = cl->buf->last - cl->buf->pos;

        if (size) {
            p = ngx_cpymem(p, cl->buf->pos, size);
        }
    }

    return NULL;
}


/* "data.credential": names of members, from the body inwards */

char *
ngx_http_enroll_authenticator_place(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_enroll_loc_conf_t  *elcf = conf;

    size_t       i, len;
    ngx_str_t   *value;
    ngx_uint_t   names;

    if (elcf->authenticator.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    names = 1;
    len = 0;

    for (i = 0; i < value[1].len; i++) {

        if (value[1].data[i] == '.' && len > 0) {
            names++;
            len = 0;
            continue;
        }

        if (value[1].data[i] == '.'
            || value[1].data[i] <= ' '
            || value[1].data[i] > '~'
            || ++len > NGX_HTTP_ENROLL_NAME_MAX)
        {
            names = NGX_HTTP_ENROLL_PLACE_MAX + 1;
            break;
        }
    }

    if (names > NGX_HTTP_ENROLL_PLACE_MAX || (len == 0 && value[1].len)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid place \"%V\": it is 1 to %d names of "
                           "members with a dot between them, each of 1 to "
                           "%d printable characters, or empty for the body "
                           "itself", &value[1], NGX_HTTP_ENROLL_PLACE_MAX,
                           NGX_HTTP_ENROLL_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    elcf->authenticator = value[1];

    return NGX_CONF_OK;
}
