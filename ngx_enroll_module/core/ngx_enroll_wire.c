
#include "ngx_enroll_wire.h"

#include <jose/b64.h>
#include <openssl/crypto.h>


static ngx_int_t ngx_enroll_wire_decode(const ngx_enroll_wire_t *wire,
    const ngx_str_t *text, u_char *raw);
static ngx_int_t ngx_enroll_wire_encode(const ngx_enroll_wire_t *wire,
    const u_char *raw, u_char *text);
static ngx_int_t ngx_enroll_wire_tag(const ngx_enroll_wire_t *wire,
    ngx_enroll_key_t *key, u_char *raw, u_char tag[NGX_ENROLL_MAC_LEN]);


ngx_int_t
ngx_enroll_wire_seal(const ngx_enroll_wire_t *wire, ngx_enroll_key_t *key,
    ngx_uint_t partition, u_char *raw, u_char *text)
{
    u_char     tag[NGX_ENROLL_MAC_LEN];
    ngx_int_t  rc;

    if (partition > 0xffff) {
        return NGX_ERROR;
    }

    raw[0] = NGX_ENROLL_WIRE_VERSION;
    raw[1] = key->number;
    raw[2] = (u_char) (partition >> 8);
    raw[3] = (u_char) partition;

    rc = ngx_enroll_wire_tag(wire, key, raw, tag);

    if (rc == NGX_OK) {
        ngx_memcpy(raw + wire->raw_len - NGX_ENROLL_WIRE_TAG_LEN, tag,
                   NGX_ENROLL_WIRE_TAG_LEN);

        rc = ngx_enroll_wire_encode(wire, raw, text);
    }

    OPENSSL_cleanse(tag, sizeof(tag));

    return rc;
}


ngx_int_t
ngx_enroll_wire_open(const ngx_enroll_wire_t *wire, ngx_enroll_keys_t *keys,
    const ngx_str_t *text, u_char *raw, ngx_enroll_key_t **key)
{
    u_char     tag[NGX_ENROLL_MAC_LEN];
    ngx_int_t  rc;

    if (ngx_enroll_wire_decode(wire, text, raw) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (raw[0] != NGX_ENROLL_WIRE_VERSION) {
        return NGX_DECLINED;
    }

    *key = ngx_enroll_key_find(keys, raw[1]);

    if (*key == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_enroll_wire_tag(wire, *key, raw, tag);

    if (rc == NGX_OK
        && CRYPTO_memcmp(tag, raw + wire->raw_len - NGX_ENROLL_WIRE_TAG_LEN,
                         NGX_ENROLL_WIRE_TAG_LEN)
           != 0)
    {
        rc = NGX_DECLINED;
    }

    /* for a forgery this is the tag that would have been right */

    OPENSSL_cleanse(tag, sizeof(tag));

    return rc;
}


ngx_uint_t
ngx_enroll_wire_partition(const u_char *raw)
{
    return ((ngx_uint_t) raw[2] << 8) | raw[3];
}


ngx_int_t
ngx_enroll_wire_digest(EVP_MAC_CTX *mac, const char *label,
    const u_char *secret, size_t len, u_char digest[NGX_ENROLL_DIGEST_LEN])
{
    u_char     out[NGX_ENROLL_MAC_LEN];
    ngx_str_t  parts[2];

    parts[0].data = (u_char *) label;
    parts[0].len = ngx_strlen(label);
    parts[1].data = (u_char *) secret;
    parts[1].len = len;

    if (ngx_enroll_hmac(mac, parts, 2, out) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(digest, out, NGX_ENROLL_DIGEST_LEN);

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_wire_decode(const ngx_enroll_wire_t *wire, const ngx_str_t *text,
    u_char *raw)
{
    int     differs;
    u_char  again[NGX_ENROLL_WIRE_TEXT_MAX];

    if (text->len != wire->text_len
        || ngx_memcmp(text->data, wire->prefix, NGX_ENROLL_WIRE_PREFIX_LEN)
           != 0)
    {
        return NGX_DECLINED;
    }

    if (jose_b64_dec_buf(text->data + NGX_ENROLL_WIRE_PREFIX_LEN,
                         text->len - NGX_ENROLL_WIRE_PREFIX_LEN,
                         raw, wire->raw_len)
        != wire->raw_len)
    {
        return NGX_DECLINED;
    }

    /*
     * One credential, one text: whatever the decoder lets pass, only what
     * the encoder would have written is taken.
     */

    if (ngx_enroll_wire_encode(wire, raw, again) != NGX_OK) {
        return NGX_DECLINED;
    }

    differs = CRYPTO_memcmp(again, text->data, wire->text_len);

    OPENSSL_cleanse(again, sizeof(again));

    return differs ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_enroll_wire_encode(const ngx_enroll_wire_t *wire, const u_char *raw,
    u_char *text)
{
    size_t  len;

    len = wire->text_len - NGX_ENROLL_WIRE_PREFIX_LEN;

    text = ngx_cpymem(text, wire->prefix, NGX_ENROLL_WIRE_PREFIX_LEN);

    if (jose_b64_enc_buf(raw, wire->raw_len, text, len) != len) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_wire_tag(const ngx_enroll_wire_t *wire, ngx_enroll_key_t *key,
    u_char *raw, u_char tag[NGX_ENROLL_MAC_LEN])
{
    ngx_str_t  parts[2];

    parts[0].data = (u_char *) wire->prefix;
    parts[0].len = NGX_ENROLL_WIRE_PREFIX_LEN;
    parts[1].data = raw;
    parts[1].len = wire->raw_len - NGX_ENROLL_WIRE_TAG_LEN;

    return ngx_enroll_hmac(key->mac[wire->purpose], parts, 2, tag);
}
