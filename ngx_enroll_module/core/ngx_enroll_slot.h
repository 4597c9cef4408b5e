
/*
 * The slots of a Redis cluster: which one a key is in, and what a node says
 * that does not have it.
 */

#ifndef _NGX_ENROLL_SLOT_H_INCLUDED_
#define _NGX_ENROLL_SLOT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_ENROLL_SLOTS     16384
#define NGX_ENROLL_SLOT_ANY  NGX_ENROLL_SLOTS   /* there is no key */


typedef struct {
    ngx_uint_t   ask;            /* 1: ASK, 0: MOVED */
    ngx_uint_t   slot;
    ngx_str_t    host;           /* of the error's text; empty: that of the
                                    node that says so */
    ngx_uint_t   port;
} ngx_enroll_redirect_t;


/* CRC16 of the hash tag, the first non-empty {…}, or else of all the key. */
ngx_uint_t ngx_enroll_slot(const ngx_str_t *key);

/*
 * Takes "MOVED 3999 127.0.0.1:6381" apart, or the same with ASK.
 * NGX_OK, or NGX_DECLINED: it is something else.
 */
ngx_int_t ngx_enroll_redirect(const ngx_str_t *error,
    ngx_enroll_redirect_t *redirect);


#endif /* _NGX_ENROLL_SLOT_H_INCLUDED_ */
