
/*
 * Tokens and session cookies have a prefix by which they can be found, and
 * masked, in any text: nginx itself writes whole request lines and, at debug
 * level, every header to its error log (I5).
 */

#ifndef _NGX_ENROLL_REDACT_H_INCLUDED_
#define _NGX_ENROLL_REDACT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Overwrites with '*', in place, all base64url characters that follow each
 * "enr_" or "ens_" (in any case, the underscore percent-encoded or not: a
 * mistyped token is most of a token) when
 * there are eight of them or more. With words, for text that others still
 * have to read: only where a word begins with it, and when there are 32 or
 * more; in the midst of somebody's base64url it is an accident. Returns how
 * many it masked.
 */
ngx_uint_t ngx_enroll_redact(u_char *text, size_t len, ngx_uint_t words);


#endif /* _NGX_ENROLL_REDACT_H_INCLUDED_ */
