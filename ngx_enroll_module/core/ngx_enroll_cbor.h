
/*
 * CBOR (RFC 8949) in the form that authenticators write (CTAP2's canonical
 * one: definite lengths, no tags): a walk over the items of a text that may
 * be hostile, which allocates nothing. The one file that knows libcbor.
 */

#ifndef _NGX_ENROLL_CBOR_H_INCLUDED_
#define _NGX_ENROLL_CBOR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_ENROLL_CBOR_DEPTH  8         /* items within items, at most */


typedef enum {
    NGX_ENROLL_CBOR_NUMBER = 0,          /* an integer */
    NGX_ENROLL_CBOR_BYTES,
    NGX_ENROLL_CBOR_TEXT,                /* not known to be UTF-8 */
    NGX_ENROLL_CBOR_ARRAY,
    NGX_ENROLL_CBOR_MAP,
    NGX_ENROLL_CBOR_OTHER                /* true, null, a fraction … */
} ngx_enroll_cbor_e;


typedef struct {
    ngx_enroll_cbor_e  type;
    ngx_str_t          data;             /* bytes and text, where they are */
    size_t             n;                /* array: items; map: pairs */
} ngx_enroll_cbor_t;


/*
 * The next item: a number or a text as a whole, of an array or a map the
 * head, its items following. *from is moved behind what was read. An array
 * or a map for whose items there are too few bytes is refused at once.
 *
 * NGX_OK; NGX_DECLINED: cut short, malformed, indefinite, a tag.
 */
ngx_int_t ngx_enroll_cbor_next(ngx_str_t *from, ngx_enroll_cbor_t *item);

/* Moves *from behind the next item and all that is in it. Returns likewise. */
ngx_int_t ngx_enroll_cbor_skip(ngx_str_t *from);


#endif /* _NGX_ENROLL_CBOR_H_INCLUDED_ */
