
#include "ngx_enroll_keys.h"
#include "ngx_enroll_jwk.h"

#include <jose/b64.h>
#include <jose/jwk.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>


#define NGX_ENROLL_KEYS_SUBJECT  "subject"
#define NGX_ENROLL_KID_SHOWN     64        /* of a kid in an error's text */


/* A key of the set on its way in: how errors call it, and its bytes. */
typedef struct {
    char         name[NGX_ENROLL_KID_SHOWN + 32];
    const char  *kid;
    u_char      *data;
    size_t       len;
} ngx_enroll_keys_jwk_t;


static ngx_int_t ngx_enroll_keys_add_all(ngx_enroll_keys_t *keys,
    json_t *array, char *err);
static void ngx_enroll_keys_cleanse(json_t *array);
static ngx_int_t ngx_enroll_keys_add(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, json_t *object, char *err);
static ngx_int_t ngx_enroll_keys_name(ngx_enroll_keys_jwk_t *jwk, ngx_uint_t n,
    json_t *object, char *err);
static void ngx_enroll_keys_show(char *dst, const char *src);
static ngx_int_t ngx_enroll_keys_add_ec(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, json_t *object, char *err);
static ngx_int_t ngx_enroll_keys_add_public(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, json_t *public, char *err);
static ngx_int_t ngx_enroll_keys_add_oct(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, json_t *object, char *err);
static ngx_int_t ngx_enroll_keys_decode(ngx_enroll_keys_jwk_t *jwk, json_t *k,
    char *err);
static ngx_int_t ngx_enroll_keys_derive(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, char *err);
static ngx_int_t ngx_enroll_keys_derive_subject(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, char *err);
static EVP_MAC_CTX *ngx_enroll_hkdf_context(ngx_enroll_keys_jwk_t *jwk,
    const char *info);
static ngx_int_t ngx_enroll_hkdf(ngx_enroll_keys_jwk_t *jwk, const char *info,
    u_char *out, size_t len);


static const char  *ngx_enroll_key_infos[NGX_ENROLL_KEY_PURPOSES] = {
    "enroll tag",
    "enroll id",
    "enroll session",
    "enroll record"
};


ngx_int_t
ngx_enroll_keys_read(ngx_enroll_keys_t *keys, const u_char *json, size_t len,
    char err[NGX_ENROLL_ERR_LEN])
{
    json_t     *root, *array;
    ngx_int_t   rc;

    ngx_memzero(keys, sizeof(ngx_enroll_keys_t));

    root = ngx_enroll_jwk_set(json, len, err);

    if (root == NULL) {
        return NGX_ERROR;
    }

    array = json_object_get(root, "keys");
    keys->jwks = json_pack("{s:[]}", "keys");

    if (keys->jwks) {
        rc = ngx_enroll_keys_add_all(keys, array, err);

    } else {
        snprintf(err, NGX_ENROLL_ERR_LEN, "no memory for the set");
        rc = NGX_ERROR;
    }

    ngx_enroll_keys_cleanse(array);
    json_decref(root);

    if (rc != NGX_OK) {
        ngx_enroll_keys_free(keys);
    }

    return rc;
}


void
ngx_enroll_keys_free(ngx_enroll_keys_t *keys)
{
    ngx_uint_t  i, purpose;

    for (i = 0; i < NGX_ENROLL_KEYS_MAX; i++) {
        for (purpose = 0; purpose < NGX_ENROLL_KEY_PURPOSES; purpose++) {
            EVP_MAC_CTX_free(keys->keys[i].mac[purpose]);
        }
    }

    EVP_MAC_CTX_free(keys->subject);
    ngx_enroll_jwk_free(keys->signer);
    json_decref(keys->jwks);

    ngx_memzero(keys, sizeof(ngx_enroll_keys_t));
}


ngx_enroll_key_t *
ngx_enroll_key_find(ngx_enroll_keys_t *keys, u_char number)
{
    ngx_uint_t  i;

    for (i = 0; i < keys->nkeys; i++) {
        if (keys->keys[i].number == number) {
            return &keys->keys[i];
        }
    }

    return NULL;
}


EVP_MAC_CTX *
ngx_enroll_hmac_context(const u_char *key, size_t len)
{
    EVP_MAC      *mac;
    OSSL_PARAM    params[2];
    EVP_MAC_CTX  *ctx;

    mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);

    if (mac == NULL) {
        return NULL;
    }

    ctx = EVP_MAC_CTX_new(mac);

    EVP_MAC_free(mac);

    if (ctx == NULL) {
        return NULL;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 OSSL_DIGEST_NAME_SHA2_256, 0);
    params[1] = OSSL_PARAM_construct_end();

    if (EVP_MAC_init(ctx, key, len, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }

    return ctx;
}


ngx_int_t
ngx_enroll_hmac(EVP_MAC_CTX *mac, const ngx_str_t *parts, ngx_uint_t n,
    u_char out[NGX_ENROLL_MAC_LEN])
{
    size_t      len;
    ngx_uint_t  i;

    /* without a key it starts anew under the one it has */

    if (EVP_MAC_init(mac, NULL, 0, NULL) != 1) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (parts[i].len == 0) {
            continue;
        }

        if (EVP_MAC_update(mac, parts[i].data, parts[i].len) != 1) {
            return NGX_ERROR;
        }
    }

    if (EVP_MAC_final(mac, out, &len, NGX_ENROLL_MAC_LEN) != 1
        || len != NGX_ENROLL_MAC_LEN)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_enroll_subject_digest(ngx_enroll_keys_t *keys, const ngx_str_t *subject,
    ngx_uint_t partitions, u_char digest[NGX_ENROLL_DIGEST_LEN],
    ngx_uint_t *partition)
{
    u_char      out[NGX_ENROLL_MAC_LEN];
    uint64_t    n;
    ngx_uint_t  i;

    if (partitions == 0
        || ngx_enroll_hmac(keys->subject, subject, 1, out) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(digest, out, NGX_ENROLL_DIGEST_LEN);

    /* of the bytes that the digest leaves over */

    n = 0;

    for (i = NGX_ENROLL_DIGEST_LEN; i < NGX_ENROLL_DIGEST_LEN + 8; i++) {
        n = (n << 8) | out[i];
    }

    *partition = (ngx_uint_t) (n % partitions);

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_keys_add_all(ngx_enroll_keys_t *keys, json_t *array, char *err)
{
    size_t                  i;
    json_t                 *object;
    ngx_enroll_keys_jwk_t   jwk;

    ngx_memzero(&jwk, sizeof(ngx_enroll_keys_jwk_t));

    json_array_foreach(array, i, object) {

        if (ngx_enroll_keys_name(&jwk, i + 1, object, err) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_enroll_keys_add(keys, &jwk, object, err) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (keys->nkeys == 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "no \"oct\" key to make tokens with");
        return NGX_ERROR;
    }

    if (keys->subject == NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "no \"oct\" key with the kid \"" NGX_ENROLL_KEYS_SUBJECT "\"");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_enroll_keys_cleanse(json_t *array)
{
    size_t       i;
    json_t      *object, *value;
    const char  *name;

    /* the private members of all types of key have names of one or two */

    json_array_foreach(array, i, object) {
        json_object_foreach(object, name, value) {

            if (json_is_string(value) && ngx_strlen(name) <= 2) {
                OPENSSL_cleanse((char *) json_string_value(value),
                                json_string_length(value));
            }
        }
    }
}


static ngx_int_t
ngx_enroll_keys_add(ngx_enroll_keys_t *keys, ngx_enroll_keys_jwk_t *jwk,
    json_t *object, char *err)
{
    char         shown[NGX_ENROLL_KID_SHOWN + 1];
    const char  *kty;

    kty = json_string_value(json_object_get(object, "kty"));

    if (kty == NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has no kty", jwk->name);
        return NGX_ERROR;
    }

    if (ngx_strcmp(kty, "oct") == 0) {
        return ngx_enroll_keys_add_oct(keys, jwk, object, err);
    }

    if (ngx_strcmp(kty, "EC") == 0) {
        return ngx_enroll_keys_add_ec(keys, jwk, object, err);
    }

    ngx_enroll_keys_show(shown, kty);

    snprintf(err, NGX_ENROLL_ERR_LEN,
             "%s has the kty \"%s\", \"oct\" or \"EC\" is needed",
             jwk->name, shown);

    return NGX_ERROR;
}


static ngx_int_t
ngx_enroll_keys_name(ngx_enroll_keys_jwk_t *jwk, ngx_uint_t n, json_t *object,
    char *err)
{
    char     shown[NGX_ENROLL_KID_SHOWN + 1];
    json_t  *kid;

    snprintf(jwk->name, sizeof(jwk->name), "key %lu", (unsigned long) n);

    if (!json_is_object(object)) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s is not an object", jwk->name);
        return NGX_ERROR;
    }

    kid = json_object_get(object, "kid");
    jwk->kid = json_string_value(kid);

    if (jwk->kid != NULL) {
        ngx_enroll_keys_show(shown, jwk->kid);

        snprintf(jwk->name, sizeof(jwk->name), "key %lu (\"%s\")",
                 (unsigned long) n, shown);

    } else if (kid != NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has a kid that is not a string",
                 jwk->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* what a log line can hold of it */

static void
ngx_enroll_keys_show(char *dst, const char *src)
{
    size_t  n;

    for (n = 0; n < NGX_ENROLL_KID_SHOWN && *src; n++) {
        *dst++ = (*src < ' ' || *src > '~') ? '?' : *src;
        src++;
    }

    *dst = '\0';
}


/* all are shown to those who verify, and the first one that can signs */

static ngx_int_t
ngx_enroll_keys_add_ec(ngx_enroll_keys_t *keys, ngx_enroll_keys_jwk_t *jwk,
    json_t *object, char *err)
{
    json_t      *public, *private;
    const char  *crv;

    crv = ngx_enroll_jwk_member(object, "crv");

    if (crv == NULL || ngx_strcmp(crv, "P-256") != 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "%s is not on the curve \"P-256\"", jwk->name);
        return NGX_ERROR;
    }

    public = ngx_enroll_jwk_public(object, jwk->name, err);

    if (public == NULL) {
        return NGX_ERROR;
    }

    if (ngx_enroll_keys_add_public(keys, jwk, public, err) != NGX_OK) {
        return NGX_ERROR;
    }

    if (json_object_get(object, "d") == NULL) {
        return NGX_OK;
    }

    private = ngx_enroll_jwk_private(object, public, jwk->name, err);

    if (private == NULL) {
        return NGX_ERROR;
    }

    if (keys->signer == NULL) {
        keys->signer = private;

    } else {
        ngx_enroll_jwk_free(private);
    }

    return NGX_OK;
}


/* public goes to the set, or is released */

static ngx_int_t
ngx_enroll_keys_add_public(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, json_t *public, char *err)
{
    size_t   i;
    json_t  *set, *kid, *other;

    set = json_object_get(keys->jwks, "keys");
    kid = json_object_get(public, "kid");

    if (kid == NULL) {
        kid = jose_jwk_thp(NULL, public, "S256");

        if (json_object_set_new(public, "kid", kid) != 0) {
            json_decref(public);
            goto failed;
        }
    }

    json_array_foreach(set, i, other) {

        if (json_equal(json_object_get(other, "kid"), kid)) {
            snprintf(err, NGX_ENROLL_ERR_LEN,
                     "%s is the second \"EC\" key of that kid", jwk->name);
            json_decref(public);
            return NGX_ERROR;
        }
    }

    if (json_array_append_new(set, public) == 0) {
        return NGX_OK;
    }

failed:

    snprintf(err, NGX_ENROLL_ERR_LEN, "no memory for %s", jwk->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_enroll_keys_add_oct(ngx_enroll_keys_t *keys, ngx_enroll_keys_jwk_t *jwk,
    json_t *object, char *err)
{
    ngx_int_t  rc;

    rc = ngx_enroll_keys_decode(jwk, json_object_get(object, "k"), err);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (jwk->len < NGX_ENROLL_KEY_MIN) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "%s has %lu bytes, at least %d are needed", jwk->name,
                 (unsigned long) jwk->len, NGX_ENROLL_KEY_MIN);
        rc = NGX_ERROR;

    } else if (jwk->kid != NULL
               && ngx_strcmp(jwk->kid, NGX_ENROLL_KEYS_SUBJECT) == 0)
    {
        rc = ngx_enroll_keys_derive_subject(keys, jwk, err);

    } else {
        rc = ngx_enroll_keys_derive(keys, jwk, err);
    }

    OPENSSL_clear_free(jwk->data, jwk->len);

    return rc;
}


static ngx_int_t
ngx_enroll_keys_decode(ngx_enroll_keys_jwk_t *jwk, json_t *k, char *err)
{
    size_t       len;
    const char  *text;

    text = json_string_value(k);
    len = json_string_length(k);

    if (len == 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has no k", jwk->name);
        return NGX_ERROR;
    }

    /* the encoded form's length, which is more than it will need */

    jwk->data = OPENSSL_malloc(len);

    if (jwk->data == NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "no memory for %s", jwk->name);
        return NGX_ERROR;
    }

    jwk->len = jose_b64_dec_buf(text, len, jwk->data, len);

    if (jwk->len == SIZE_MAX) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has a k that is not base64url",
                 jwk->name);
        OPENSSL_clear_free(jwk->data, len);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_keys_derive(ngx_enroll_keys_t *keys, ngx_enroll_keys_jwk_t *jwk,
    char *err)
{
    u_char             number;
    ngx_uint_t         i;
    ngx_enroll_key_t  *key;

    if (keys->nkeys == NGX_ENROLL_KEYS_MAX) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s is one too many, at most %d "
                 "\"oct\" keys beside \"" NGX_ENROLL_KEYS_SUBJECT
                 "\" are allowed", jwk->name, NGX_ENROLL_KEYS_MAX);
        return NGX_ERROR;
    }

    if (ngx_enroll_hkdf(jwk, "enroll number", &number, 1) != NGX_OK) {
        goto failed;
    }

    if (ngx_enroll_key_find(keys, number) != NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has the same number (%d) as "
                 "another key, generate a new one", jwk->name, number);
        return NGX_ERROR;
    }

    key = &keys->keys[keys->nkeys++];
    key->number = number;

    for (i = 0; i < NGX_ENROLL_KEY_PURPOSES; i++) {
        key->mac[i] = ngx_enroll_hkdf_context(jwk, ngx_enroll_key_infos[i]);

        if (key->mac[i] == NULL) {
            goto failed;
        }
    }

    return NGX_OK;

failed:

    snprintf(err, NGX_ENROLL_ERR_LEN, "OpenSSL cannot derive keys from %s",
             jwk->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_enroll_keys_derive_subject(ngx_enroll_keys_t *keys,
    ngx_enroll_keys_jwk_t *jwk, char *err)
{
    if (keys->subject != NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s is the second one of that kid",
                 jwk->name);
        return NGX_ERROR;
    }

    keys->subject = ngx_enroll_hkdf_context(jwk, "enroll subject");

    if (keys->subject == NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "OpenSSL cannot derive keys from %s",
                 jwk->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static EVP_MAC_CTX *
ngx_enroll_hkdf_context(ngx_enroll_keys_jwk_t *jwk, const char *info)
{
    u_char        derived[NGX_ENROLL_MAC_LEN];
    EVP_MAC_CTX  *mac;

    mac = NULL;

    if (ngx_enroll_hkdf(jwk, info, derived, sizeof(derived)) == NGX_OK) {
        mac = ngx_enroll_hmac_context(derived, sizeof(derived));
    }

    OPENSSL_cleanse(derived, sizeof(derived));

    return mac;
}


static ngx_int_t
ngx_enroll_hkdf(ngx_enroll_keys_jwk_t *jwk, const char *info, u_char *out,
    size_t len)
{
    int           rc;
    EVP_KDF      *kdf;
    OSSL_PARAM    params[4];
    EVP_KDF_CTX  *ctx;

    kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    ctx = EVP_KDF_CTX_new(kdf);

    EVP_KDF_free(kdf);

    if (ctx == NULL) {
        return NGX_ERROR;
    }

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                 OSSL_DIGEST_NAME_SHA2_256, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                                  jwk->data, jwk->len);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                                  (char *) info,
                                                  ngx_strlen(info));
    params[3] = OSSL_PARAM_construct_end();

    rc = EVP_KDF_derive(ctx, out, len, params);

    EVP_KDF_CTX_free(ctx);

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}
