
#include "ngx_enroll_token.h"
#include "ngx_enroll_wire.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>


static ngx_int_t ngx_enroll_token_tell(ngx_enroll_key_t *key,
    const u_char *raw, ngx_enroll_token_t *token);


static const ngx_enroll_wire_t  ngx_enroll_token_wire = {
    NGX_ENROLL_TOKEN_PREFIX,
    NGX_ENROLL_KEY_TAG,
    NGX_ENROLL_TOKEN_RAW_LEN,
    NGX_ENROLL_TOKEN_LEN
};


ngx_int_t
ngx_enroll_token_make(ngx_enroll_keys_t *keys, ngx_uint_t partition,
    ngx_enroll_token_t *token, u_char text[NGX_ENROLL_TOKEN_LEN])
{
    u_char             raw[NGX_ENROLL_TOKEN_RAW_LEN];
    ngx_int_t          rc;
    ngx_enroll_key_t  *key;

    rc = NGX_ERROR;
    key = &keys->keys[0];

    if (RAND_bytes(raw + NGX_ENROLL_WIRE_HEAD_LEN,
                   NGX_ENROLL_TOKEN_SECRET_LEN)
        == 1)
    {
        rc = ngx_enroll_wire_seal(&ngx_enroll_token_wire, key, partition,
                                  raw, text);
    }

    if (rc == NGX_OK) {
        rc = ngx_enroll_token_tell(key, raw, token);
    }

    OPENSSL_cleanse(raw, sizeof(raw));

    return rc;
}


ngx_int_t
ngx_enroll_token_read(ngx_enroll_keys_t *keys, const ngx_str_t *text,
    ngx_enroll_token_t *token)
{
    u_char             raw[NGX_ENROLL_TOKEN_RAW_LEN];
    ngx_int_t          rc;
    ngx_enroll_key_t  *key;

    rc = ngx_enroll_wire_open(&ngx_enroll_token_wire, keys, text, raw, &key);

    if (rc == NGX_OK) {
        rc = ngx_enroll_token_tell(key, raw, token);
    }

    OPENSSL_cleanse(raw, sizeof(raw));

    return rc;
}


static ngx_int_t
ngx_enroll_token_tell(ngx_enroll_key_t *key, const u_char *raw,
    ngx_enroll_token_t *token)
{
    const u_char  *secret;

    secret = raw + NGX_ENROLL_WIRE_HEAD_LEN;

    token->key = key->number;
    token->partition = ngx_enroll_wire_partition(raw);

    if (ngx_enroll_wire_digest(key->mac[NGX_ENROLL_KEY_ID], "", secret,
                               NGX_ENROLL_TOKEN_SECRET_LEN, token->id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    token->id[0] = (u_char) (token->partition >> 8);
    token->id[1] = (u_char) token->partition;

    return ngx_enroll_wire_digest(key->mac[NGX_ENROLL_KEY_SESSION], "token",
                                  secret, NGX_ENROLL_TOKEN_SECRET_LEN,
                                  token->session);
}
