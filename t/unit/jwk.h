
/* Keys and JWSs for the unit tests, made by OpenSSL alone. */

#ifndef _JWK_H_INCLUDED_
#define _JWK_H_INCLUDED_


#include "fixture.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>


#define JWK_TEXT_MAX  4096
#define JWS_PART_MAX  16512
#define JWS_TEXT_MAX  (2 * JWS_PART_MAX + 2048)


/* What signs a JWS, whatever its header says. */
typedef enum {
    BY_ECDSA = 0,
    BY_PKCS1,
    BY_PSS,
    BY_HMAC,                               /* with the public key */
    BY_NOTHING
} jws_how_e;


static inline char *
b64url_encode(char *dst, const void *src, size_t len)
{
    size_t         i;
    uint32_t       v;
    const u_char  *p = src;

    static const char  map[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                               "uvwxyz0123456789-_";

    for (i = 0; i < len; i += 3) {
        v = (uint32_t) p[i] << 16;
        v |= (i + 1 < len) ? p[i + 1] << 8 : 0;
        v |= (i + 2 < len) ? p[i + 2] : 0;

        *dst++ = map[v >> 18];
        *dst++ = map[v >> 12 & 63];

        if (i + 1 < len) {
            *dst++ = map[v >> 6 & 63];
        }

        if (i + 2 < len) {
            *dst++ = map[v & 63];
        }
    }

    *dst = '\0';

    return dst;
}


static inline void
jwk_number(char *dst, EVP_PKEY *key, const char *name, int len)
{
    u_char   buf[2048];
    BIGNUM  *bn;

    bn = NULL;
    EVP_PKEY_get_bn_param(key, name, &bn);

    if (len == 0) {
        len = BN_num_bytes(bn);
    }

    BN_bn2binpad(bn, buf, len);
    b64url_encode(dst, buf, len);
    BN_clear_free(bn);
}


/* The members of a public key; those of a private one with secret. */

static inline void
jwk_members(char *dst, EVP_PKEY *key, int secret)
{
    int   len;
    char  a[2048], b[2048], d[2048];

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
        jwk_number(a, key, OSSL_PKEY_PARAM_RSA_N, 0);
        jwk_number(b, key, OSSL_PKEY_PARAM_RSA_E, 0);
        sprintf(dst, "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", a, b);
        return;
    }

    len = (EVP_PKEY_get_bits(key) + 7) / 8;
    jwk_number(a, key, OSSL_PKEY_PARAM_EC_PUB_X, len);
    jwk_number(b, key, OSSL_PKEY_PARAM_EC_PUB_Y, len);

    dst += sprintf(dst, "\"kty\":\"EC\",\"crv\":\"P-%d\",\"x\":\"%s\","
                   "\"y\":\"%s\"", EVP_PKEY_get_bits(key), a, b);

    if (secret) {
        jwk_number(d, key, OSSL_PKEY_PARAM_PRIV_KEY, len);
        sprintf(dst, ",\"d\":\"%s\"", d);
    }
}


/* ECDSA's two numbers, as JWS has them: side by side. */

static inline size_t
jws_flat(u_char *sig, size_t len, size_t half)
{
    const u_char  *p;
    ECDSA_SIG     *ecdsa;

    p = sig;
    ecdsa = d2i_ECDSA_SIG(NULL, &p, len);

    BN_bn2binpad(ECDSA_SIG_get0_r(ecdsa), sig, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(ecdsa), sig + half, half);
    ECDSA_SIG_free(ecdsa);

    return 2 * half;
}


static inline size_t
jws_signature(u_char *sig, size_t max, const char *text, EVP_PKEY *key,
    jws_how_e how, const EVP_MD *md)
{
    size_t         len;
    u_char        *der;
    unsigned int   n;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    if (how == BY_NOTHING) {
        return 0;
    }

    if (how == BY_HMAC) {
        der = NULL;
        len = i2d_PUBKEY(key, &der);
        HMAC(md, der, len, (const u_char *) text, strlen(text), sig, &n);
        OPENSSL_free(der);
        return n;
    }

    len = max;
    ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, &pctx, md, NULL, key);

    if (how == BY_PSS) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }

    if (EVP_DigestSign(ctx, sig, &len, (const u_char *) text, strlen(text))
        != 1)
    {
        printf("Bail out! OpenSSL does not sign\n");
        exit(1);
    }

    EVP_MD_CTX_free(ctx);

    if (how == BY_ECDSA) {
        len = jws_flat(sig, len, (EVP_PKEY_get_bits(key) + 7) / 8);
    }

    return len;
}


/* A compact JWS of two parts that are base64url already, or pretend to be. */

static inline void
jws_sign_parts(char *dst, const char *header, const char *payload,
    EVP_PKEY *key, jws_how_e how, const EVP_MD *md)
{
    u_char  sig[1100];
    size_t  len;

    len = sprintf(dst, "%s.%s", header, payload);
    dst[len] = '\0';

    b64url_encode(dst + len + 1, sig,
                  jws_signature(sig, sizeof(sig), dst, key, how, md));
    dst[len] = '.';
}


static inline void
jws_sign(char *dst, const char *header, const char *payload, EVP_PKEY *key,
    jws_how_e how, const EVP_MD *md)
{
    static char  h[JWS_PART_MAX], p[JWS_PART_MAX];

    b64url_encode(h, header, strlen(header));
    b64url_encode(p, payload, strlen(payload));

    jws_sign_parts(dst, h, p, key, how, md);
}


#endif /* _JWK_H_INCLUDED_ */
