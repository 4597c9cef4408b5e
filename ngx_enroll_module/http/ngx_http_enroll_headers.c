
#include "ngx_http_enroll_module.h"


static void ngx_http_enroll_headers_moved(ngx_http_request_t *r,
    ngx_table_elt_t *from, ngx_table_elt_t *to);
#if (nginx_version < 1023000)
static void ngx_http_enroll_headers_array(ngx_array_t *array,
    ngx_table_elt_t *from, ngx_table_elt_t *to);
#endif


/*
 * nginx has no way to remove a request header: what follows a removed one in
 * the list is moved down, and whatever in headers_in points at it, with it.
 */

void
ngx_http_enroll_headers_remove(ngx_http_request_t *r,
    ngx_http_enroll_header_match_pt match)
{
    ngx_uint_t        i, j, n;
    ngx_list_t       *list;
    ngx_list_part_t  *from, *to;
    ngx_table_elt_t  *src, *dst;

    list = &r->headers_in.headers;
    to = &list->part;
    j = 0;
    n = 0;

    for (from = &list->part; from; from = from->next) {
        src = from->elts;

        for (i = 0; i < from->nelts; i++) {

            if (match(&src[i])) {
                ngx_http_enroll_headers_moved(r, &src[i], NULL);
                n++;
                continue;
            }

            if (j == list->nalloc) {
                to = to->next;
                j = 0;
            }

            dst = to->elts;
            dst += j++;

            if (dst != &src[i]) {
                *dst = src[i];
                ngx_http_enroll_headers_moved(r, &src[i], dst);
            }
        }
    }

    if (n) {
        to->nelts = j;
        to->next = NULL;
        list->last = to;
    }
}


static void
ngx_http_enroll_headers_moved(ngx_http_request_t *r, ngx_table_elt_t *from,
    ngx_table_elt_t *to)
{
    ngx_table_elt_t    **h;
    ngx_http_header_t   *hh;

    for (hh = ngx_http_headers_in; hh->name.len; hh++) {

#if (nginx_version < 1023000)

        if (hh->offset == offsetof(ngx_http_headers_in_t, cookies)
#if (NGX_HTTP_X_FORWARDED_FOR)
            || hh->offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)
#endif
           )
        {
            ngx_http_enroll_headers_array((ngx_array_t *)
                               ((char *) &r->headers_in + hh->offset),
                               from, to);
            continue;
        }

        h = (ngx_table_elt_t **) ((char *) &r->headers_in + hh->offset);

        if (*h == from) {
            *h = to;
        }

#else

        h = (ngx_table_elt_t **) ((char *) &r->headers_in + hh->offset);

        while (*h) {
            if (*h == from) {
                *h = to ? to : from->next;
                break;
            }

            h = &(*h)->next;
        }

#endif
    }
}


#if (nginx_version < 1023000)

static void
ngx_http_enroll_headers_array(ngx_array_t *array, ngx_table_elt_t *from,
    ngx_table_elt_t *to)
{
    ngx_uint_t         i, n;
    ngx_table_elt_t  **h;

    h = array->elts;
    n = 0;

    for (i = 0; i < array->nelts; i++) {

        if (h[i] == from) {
            if (to == NULL) {
                continue;
            }

            h[i] = to;
        }

        h[n++] = h[i];
    }

    array->nelts = n;
}

#endif


/* those that read headers as CGI variables see '_' and '.' as '-' */

ngx_uint_t
ngx_http_enroll_header_alike(ngx_table_elt_t *h, const char *lowcase,
    size_t len)
{
    size_t  i;

    if (h->key.len < len) {
        return 0;
    }

    for (i = 0; i < len; i++) {

        if (lowcase[i] == '-') {
            if (isalnum(h->key.data[i])) {
                return 0;
            }

        } else if (ngx_tolower(h->key.data[i]) != (u_char) lowcase[i]) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_enroll_header_count(ngx_http_request_t *r, const char *lowcase)
{
    size_t            len;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    len = ngx_strlen(lowcase);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            n += (h[i].key.len == len
                  && ngx_http_enroll_header_alike(&h[i], lowcase, len));
        }
    }

    return n;
}


ngx_table_elt_t *
ngx_http_enroll_header_find(ngx_http_request_t *r, const char *lowcase,
    ngx_uint_t *n)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *found;

    *n = 0;
    found = NULL;
    len = ngx_strlen(lowcase);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) lowcase, len)
                   == 0
                && (*n)++ == 0)
            {
                found = &h[i];
            }
        }
    }

    return found;
}


ngx_int_t
ngx_http_enroll_header_add(ngx_http_request_t *r, const char *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.len = ngx_strlen(key);
    h->key.data = (u_char *) key;
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


ngx_uint_t
ngx_http_enroll_is_type(ngx_http_request_t *r, const char *type)
{
    size_t            len;
    ngx_table_elt_t  *h;

    h = r->headers_in.content_type;
    len = ngx_strlen(type);

    return h
           && h->value.len >= len
           && ngx_strncasecmp(h->value.data, (u_char *) type, len) == 0
           && (h->value.len == len
               || h->value.data[len] == ';' || h->value.data[len] == ' ');
}
