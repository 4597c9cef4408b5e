
/*
 * Tokens and session cookies have a prefix by which they can be found, and
 * masked, in any text: nginx itself writes whole request lines and, at debug
 * level, every header to its error log (I5).
 */

#ifndef _NGX_ENROLL_REDACT_H_INCLUDED_
#define _NGX_ENROLL_REDACT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_ENROLL_REDACT_LOG = 0,     /* eight characters or more, anywhere */
    NGX_ENROLL_REDACT_WORDS,       /* 32 or more, where a word begins */
    NGX_ENROLL_REDACT_WHOLE        /* words of a token's or cookie's length */
} ngx_enroll_redact_e;


/*
 * Overwrites with '*', in place, all base64url characters that follow each
 * "enr_" or "ens_" (in any case, the underscore percent-encoded or not: a
 * mistyped token is most of a token) when there are as many as how says. In
 * text that others still have to read it is only words that are masked: in
 * the midst of somebody's base64url it is an accident. Returns how many it
 * masked.
 */
ngx_uint_t ngx_enroll_redact(u_char *text, size_t len,
    ngx_enroll_redact_e how);


#endif /* _NGX_ENROLL_REDACT_H_INCLUDED_ */
