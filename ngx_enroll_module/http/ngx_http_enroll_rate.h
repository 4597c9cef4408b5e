
/* How often an issuer may call, on this host. */

#ifndef _NGX_HTTP_ENROLL_RATE_H_INCLUDED_
#define _NGX_HTTP_ENROLL_RATE_H_INCLUDED_


#include "ngx_http_enroll_module.h"


/*
 * Counts a call that has proved to be the issuer's. NGX_OK; or NGX_BUSY: he
 * is above his rate, a refusal was sent, and the request is to be finalized
 * with *rc. Such a call is not counted.
 */
ngx_int_t ngx_http_enroll_rate(ngx_http_request_t *r,
    ngx_http_enroll_issuer_t *issuer, const char *step, ngx_int_t *rc);


#endif /* _NGX_HTTP_ENROLL_RATE_H_INCLUDED_ */
