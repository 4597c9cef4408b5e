
/*
 * What a path may be taken for: by nginx, by the IdP behind it, and by what
 * stands between them.
 */

#include "ngx_http_enroll_module.h"
#include "ngx_enroll_uri.h"


static ngx_uint_t ngx_http_enroll_path_readings(ngx_http_request_t *r,
    ngx_str_t *path, u_char *buf);
static ngx_uint_t ngx_http_enroll_path_resembles(ngx_http_request_t *r,
    ngx_str_t *loose);
static ngx_uint_t ngx_http_enroll_path_is_like(ngx_str_t *uri,
    ngx_str_t *loose, ngx_http_enroll_place_t *place);
#if (NGX_PCRE)
static ngx_uint_t ngx_http_enroll_path_matches(ngx_regex_t *regex,
    ngx_str_t *loose);
#endif
static ngx_uint_t ngx_http_enroll_path_begins(ngx_str_t *uri,
    ngx_str_t *prefix);


/* nginx decodes what is in $uri and in captures: it would end a line */

ngx_uint_t
ngx_http_enroll_path_controls(ngx_http_request_t *r)
{
    size_t  i;

    for (i = 0; i < r->uri.len; i++) {
        if (r->uri.data[i] < 0x20 || r->uri.data[i] == 0x7f) {
            return 1;
        }
    }

    return 0;
}


/*
 * "location /assets { proxy_pass http://idp/static/; }" makes "/assets../x"
 * to "/static/../x", and alias does the like.
 */

ngx_uint_t
ngx_http_enroll_path_climbs(ngx_http_request_t *r)
{
    u_char                    *p;
    size_t                     len;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    len = clcf->name.len;

    if (clcf->named || clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex
#endif
        || len == 0 || clcf->name.data[len - 1] == '/'
        || r->uri.len < len + 2
        || !ngx_http_enroll_path_begins(&r->uri, &clcf->name))
    {
        return 0;
    }

    p = r->uri.data + len;

    return p[0] == '.' && p[1] == '.' && (r->uri.len == len + 2
                                          || p[2] == '/');
}


ngx_uint_t
ngx_http_enroll_path_disguised(ngx_http_request_t *r)
{
    u_char                      *p, *buf;
    ngx_str_t                    raw, path;
    ngx_http_enroll_srv_conf_t  *escf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_enroll_module);

    if (escf->closed.nelts == 0) {
        return 0;
    }

    /* what is passed on, and by what it has become of it */

    raw = r->unparsed_uri;
    p = ngx_strlchr(raw.data, raw.data + raw.len, '?');

    if (p) {
        raw.len = p - raw.data;
    }

    /* room for a slash at its end */
    buf = ngx_pnalloc(r->pool, ngx_max(r->uri.len, raw.len) + 1);
    if (buf == NULL) {
        return 1;
    }

    if (ngx_http_enroll_path_readings(r, &r->uri, buf)
        || (ngx_enroll_uri_behind_host(&r->uri, &path)
            && ngx_http_enroll_path_readings(r, &path, buf)))
    {
        return 1;
    }

    /* an endpoint that was rewritten to something else is that */

    if (!r->valid_unparsed_uri && ngx_enroll_uri_canonical(&raw)) {
        return 0;
    }

    return ngx_http_enroll_path_readings(r, &raw, buf)
           || (ngx_enroll_uri_behind_host(&raw, &path)
               && ngx_http_enroll_path_readings(r, &path, buf));
}


static ngx_uint_t
ngx_http_enroll_path_readings(ngx_http_request_t *r, ngx_str_t *path,
    u_char *buf)
{
    ngx_str_t   loose;
    ngx_uint_t  i, n;

    n = ngx_enroll_uri_plain(path) ? 1 : NGX_ENROLL_URI_READINGS;
    loose.data = buf;

    for (i = 0; i < n; i++) {
        loose.len = ngx_enroll_uri_loose(path, i, buf);

        if (ngx_http_enroll_path_resembles(r, &loose)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_enroll_path_resembles(ngx_http_request_t *r, ngx_str_t *loose)
{
    ngx_uint_t                   i;
    ngx_http_enroll_place_t     *place;
    ngx_http_enroll_srv_conf_t  *escf;

    escf = ngx_http_get_module_srv_conf(r, ngx_http_enroll_module);
    place = escf->closed.elts;

    for (i = 0; i < escf->closed.nelts; i++) {
        if (ngx_http_enroll_path_is_like(&r->uri, loose, &place[i])) {
            return 1;
        }
    }

    return 0;
}


/* where it matched as it is, another location was meant to come before */

static ngx_uint_t
ngx_http_enroll_path_is_like(ngx_str_t *uri, ngx_str_t *loose,
    ngx_http_enroll_place_t *place)
{
#if (NGX_PCRE)

    if (place->regex) {
        return ngx_http_enroll_path_matches(place->caseless, loose)
               && ngx_regex_exec(place->regex, uri, NULL, 0) < 0;
    }

#endif

    if (!ngx_http_enroll_path_begins(loose, &place->loose)) {
        return 0;
    }

    if (loose->len == place->loose.len) {
        return place->exact || !ngx_http_enroll_path_begins(uri,
                                                            &place->name);
    }

    /* "/register/" is no prefix of "/registered" */

    return !place->exact
           && (!place->folder || loose->data[place->loose.len] == '/')
           && !ngx_http_enroll_path_begins(uri, &place->name);
}


#if (NGX_PCRE)

static ngx_uint_t
ngx_http_enroll_path_matches(ngx_regex_t *regex, ngx_str_t *loose)
{
    ngx_str_t  folder;

    if (ngx_regex_exec(regex, loose, NULL, 0) >= 0) {
        return 1;
    }

    folder.data = loose->data;
    folder.len = loose->len + 1;
    folder.data[loose->len] = '/';

    return ngx_regex_exec(regex, &folder, NULL, 0) >= 0;
}

#endif


static ngx_uint_t
ngx_http_enroll_path_begins(ngx_str_t *uri, ngx_str_t *prefix)
{
    return uri->len >= prefix->len
           && ngx_memcmp(uri->data, prefix->data, prefix->len) == 0;
}


ngx_uint_t
ngx_http_enroll_path_is(ngx_http_request_t *r, ngx_array_t *places)
{
    ngx_uint_t                i;
    ngx_http_enroll_place_t  *place;

    place = places->elts;

    for (i = 0; i < places->nelts; i++) {

#if (NGX_PCRE)

        if (place[i].regex) {
            if (ngx_regex_exec(place[i].regex, &r->uri, NULL, 0) >= 0) {
                return 1;
            }

            continue;
        }

#endif

        if (ngx_http_enroll_path_begins(&r->uri, &place[i].name)
            && (!place[i].exact || r->uri.len == place[i].name.len))
        {
            return 1;
        }
    }

    return 0;
}


/* an error page of a named location would be asked for by the path refused */

void
ngx_http_enroll_path_forget(ngx_http_request_t *r)
{
    ngx_str_set(&r->uri, "/");
    ngx_str_set(&r->unparsed_uri, "/");
    ngx_str_null(&r->args);
    ngx_str_null(&r->exten);
}
