
/*
 * RESP2, the protocol of Redis. ngx_enroll_resp.c is the one file that knows
 * hiredis; nothing of it shows here.
 */

#ifndef _NGX_ENROLL_RESP_H_INCLUDED_
#define _NGX_ENROLL_RESP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_ENROLL_RESP_BYTES_MAX     (1024 * 1024)  /* of one reply */
#define NGX_ENROLL_RESP_ELEMENTS_MAX  4096           /* of one reply */


typedef enum {
    NGX_ENROLL_RESP_NIL = 0,
    NGX_ENROLL_RESP_STRING,              /* bulk and simple strings */
    NGX_ENROLL_RESP_ERROR,
    NGX_ENROLL_RESP_INTEGER,
    NGX_ENROLL_RESP_ARRAY
} ngx_enroll_resp_type_e;


typedef struct ngx_enroll_resp_s  ngx_enroll_resp_t;

struct ngx_enroll_resp_s {
    ngx_enroll_resp_type_e   type;
    ngx_str_t                str;        /* string, error */
    int64_t                  integer;
    ngx_uint_t               nelts;
    ngx_enroll_resp_t       *elts;       /* array */
};


typedef struct ngx_enroll_resp_reader_s  ngx_enroll_resp_reader_t;


/* Formats a command into pool. NGX_OK or NGX_ERROR (no memory). */
ngx_int_t ngx_enroll_resp_command(ngx_pool_t *pool, ngx_uint_t argc,
    const ngx_str_t *argv, ngx_str_t *command);

/* A new reader, one a connection, or NULL. */
ngx_enroll_resp_reader_t *ngx_enroll_resp_reader_create(void);
void ngx_enroll_resp_reader_free(ngx_enroll_resp_reader_t *reader);

/*
 * Feeds len bytes as they came from the wire.
 * NGX_OK, or NGX_ERROR: a limit was passed, or it is not RESP; the
 * connection is to be closed. Where complete replies came before what is
 * wrong it is NGX_OK: they are to be taken first, then
 * ngx_enroll_resp_next() says NGX_ERROR.
 */
ngx_int_t ngx_enroll_resp_feed(ngx_enroll_resp_reader_t *reader,
    const u_char *data, size_t len);

/*
 * Takes the next complete reply, copied into pool.
 * NGX_OK; NGX_AGAIN: none is complete yet; NGX_ERROR: not RESP, or past a
 * limit, or no memory: the connection is to be closed.
 */
ngx_int_t ngx_enroll_resp_next(ngx_enroll_resp_reader_t *reader,
    ngx_pool_t *pool, ngx_enroll_resp_t *reply);

/* Nothing is left to take, and no reply has begun. */
ngx_uint_t ngx_enroll_resp_empty(ngx_enroll_resp_reader_t *reader);


#endif /* _NGX_ENROLL_RESP_H_INCLUDED_ */
