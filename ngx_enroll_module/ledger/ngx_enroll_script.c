
#include "ngx_enroll_script.h"
#include "ngx_enroll_scripts.h"

#include <openssl/evp.h>


#define ngx_enroll_lua(name, body)                                            \
    { ngx_string(name), ngx_string(NGX_ENROLL_LUA_PRELUDE body), { 0 } }


static ngx_enroll_script_t  ngx_enroll_scripts[NGX_ENROLL_SCRIPTS] = {
    ngx_enroll_lua("issue", NGX_ENROLL_LUA_ISSUE),
    ngx_enroll_lua("redeem", NGX_ENROLL_LUA_REDEEM),
    ngx_enroll_lua("begin", NGX_ENROLL_LUA_BEGIN),
    ngx_enroll_lua("claim", NGX_ENROLL_LUA_CLAIM),
    ngx_enroll_lua("settle", NGX_ENROLL_LUA_SETTLE),
    ngx_enroll_lua("revoke", NGX_ENROLL_LUA_REVOKE),
    ngx_enroll_lua("show", NGX_ENROLL_LUA_SHOW),
    ngx_enroll_lua("deliver", NGX_ENROLL_LUA_DELIVER),
    ngx_enroll_lua("undo", NGX_ENROLL_LUA_UNDO),
    ngx_enroll_lua("refuse", NGX_ENROLL_LUA_REFUSE),
    ngx_enroll_lua("prove", NGX_ENROLL_LUA_PROVE),
    ngx_enroll_lua("approve", NGX_ENROLL_LUA_APPROVE),
    ngx_enroll_lua("notify", NGX_ENROLL_LUA_NOTIFY)
};


const ngx_str_t  ngx_enroll_script_probe = ngx_string(NGX_ENROLL_LUA_PROBE);


const ngx_enroll_script_t *
ngx_enroll_script(ngx_enroll_script_e script)
{
    u_char                digest[EVP_MAX_MD_SIZE];
    unsigned int          len;
    ngx_enroll_script_t  *s;

    s = &ngx_enroll_scripts[script];

    if (s->sha1[0] == '\0') {
        if (EVP_Digest(s->text.data, s->text.len, digest, &len, EVP_sha1(),
                       NULL) != 1)
        {
            return NULL;
        }

        (void) ngx_hex_dump(s->sha1, digest, 20);
    }

    return s;
}
