
/* Paths that every server behind the proxy reads the same way. */

#ifndef _NGX_ENROLL_URI_H_INCLUDED_
#define _NGX_ENROLL_URI_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * 1 if the path of a raw request URI (what follows '?' does not matter) is
 * in the one form that nobody reads otherwise (RFC 3986, section 6.2.2):
 * begins with a slash; no empty or dot segments; no ';', backslash, control
 * or non-ASCII byte; percent-encoding well-formed, of valid UTF-8, and not
 * of a slash, backslash, semicolon, question mark, number sign, control,
 * unreserved character or another percent-encoding.
 */
ngx_uint_t ngx_enroll_uri_canonical(const ngx_str_t *uri);

/*
 * What a tolerant server may take a path for: percent-encoding decoded as
 * often as there is any; in lower case, also where only Unicode says so; a
 * backslash for a slash; without what any language calls a space or a control
 * (a plus in a form), and without bytes that are no UTF-8, while what is
 * encoded longer than it needs to be counts as what it means; without empty
 * segments, and without dots and slashes at its end. Servers differ in the
 * rest, so this is to be asked for each combination of
 */
#define NGX_ENROLL_URI_WHOLE     1    /* "?", "#" and NUL end nothing */
#define NGX_ENROLL_URI_PARAMS    2    /* parameters (";…") stay */
#define NGX_ENROLL_URI_DOTS      4    /* "." and ".." stay */
#define NGX_ENROLL_URI_SLASHES   8    /* encoded ones are no separators */
#define NGX_ENROLL_URI_READINGS  16   /* their number: 0 is none of them */

/*
 * Written to dst, of uri->len bytes at most; how many there are is returned.
 */
size_t ngx_enroll_uri_loose(const ngx_str_t *uri, ngx_uint_t reading,
    u_char *dst);

/*
 * 1 if the path begins as "//host/path" does, or "/\\host/path", which is
 * "/path" to whom resolves it as a reference (RFC 3986, section 5): then
 * *path is that, a part of uri.
 */
ngx_uint_t ngx_enroll_uri_behind_host(const ngx_str_t *uri, ngx_str_t *path);

/* 1 if there is one reading of it only: letters, digits and slashes, say. */
ngx_uint_t ngx_enroll_uri_plain(const ngx_str_t *uri);


#endif /* _NGX_ENROLL_URI_H_INCLUDED_ */
