
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
 * of a slash, backslash, semicolon, control, unreserved character or another
 * percent-encoding.
 */
ngx_uint_t ngx_enroll_uri_canonical(const ngx_str_t *uri);

/*
 * What the most tolerant of servers may take a decoded path for: in lower
 * case, a backslash for a slash, without the parameters of a segment (";…"),
 * decoded once more, without what any language calls a space or a control,
 * without empty and dot segments, without dots and slashes at its end, and
 * ended by a decoded "?" or "#". Written to dst, of uri->len bytes; how many
 * there are is returned.
 */
size_t ngx_enroll_uri_loose(const ngx_str_t *uri, u_char *dst);


#endif /* _NGX_ENROLL_URI_H_INCLUDED_ */
