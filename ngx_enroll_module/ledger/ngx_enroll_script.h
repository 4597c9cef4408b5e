
/* The Lua scripts, embedded when the module is built. */

#ifndef _NGX_ENROLL_SCRIPT_H_INCLUDED_
#define _NGX_ENROLL_SCRIPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef enum {
    NGX_ENROLL_SCRIPT_ISSUE = 0,
    NGX_ENROLL_SCRIPT_REDEEM,
    NGX_ENROLL_SCRIPT_BEGIN,
    NGX_ENROLL_SCRIPT_CLAIM,
    NGX_ENROLL_SCRIPT_SETTLE,
    NGX_ENROLL_SCRIPT_REVOKE,
    NGX_ENROLL_SCRIPT_SHOW,
    NGX_ENROLL_SCRIPT_DELIVER,
    NGX_ENROLL_SCRIPT_UNDO,
    NGX_ENROLL_SCRIPT_REFUSE,
    NGX_ENROLL_SCRIPT_PROVE,
    NGX_ENROLL_SCRIPT_APPROVE,
    NGX_ENROLL_SCRIPT_NOTIFY,
    NGX_ENROLL_SCRIPTS
} ngx_enroll_script_e;


typedef struct {
    ngx_str_t   name;
    ngx_str_t   text;
    u_char      sha1[40];              /* hex: what EVALSHA takes */
} ngx_enroll_script_t;


/* The script with its digest, computed on first use; NULL: OpenSSL failed. */
const ngx_enroll_script_t *ngx_enroll_script(ngx_enroll_script_e script);

/* What a server is asked before it is used: whether it allows the others. */
extern const ngx_str_t  ngx_enroll_script_probe;


#endif /* _NGX_ENROLL_SCRIPT_H_INCLUDED_ */
