
/* Files that hold secrets or public keys, read with the configuration. */

#ifndef _NGX_HTTP_ENROLL_SECRET_H_INCLUDED_
#define _NGX_HTTP_ENROLL_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Reads the file that the directive at hand names (name is made absolute)
 * into allocated memory, which the caller cleanses and frees with
 * ngx_http_enroll_secret_free(). NGX_CONF_ERROR, logged with what would be
 * right: not there, not a regular file, one that others may access, empty,
 * larger than max bytes. holds says what it should hold, for that error.
 */
char *ngx_http_enroll_secret_read(ngx_conf_t *cf, ngx_str_t *name,
    const char *holds, size_t max, ngx_str_t *text);

void ngx_http_enroll_secret_free(ngx_str_t *text);

/* The same of a file that others may read, though not write. */
char *ngx_http_enroll_public_read(ngx_conf_t *cf, ngx_str_t *name,
    const char *holds, size_t max, ngx_str_t *text);


#endif /* _NGX_HTTP_ENROLL_SECRET_H_INCLUDED_ */
