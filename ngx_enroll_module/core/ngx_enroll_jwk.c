
#include "ngx_enroll_jwk.h"

#include <jose/openssl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>


#define NGX_ENROLL_JWK_ALGS  6

/* the length of n bytes in base64url */
#define ngx_enroll_base64url_len(n)  (((n) * 4 + 2) / 3)


typedef struct {
    const char  *kty;
    const char  *crv;
    size_t       len;                    /* bytes of a coordinate; 0: any */
    const char  *members[2];
    const char  *algs[NGX_ENROLL_JWK_ALGS + 1];
} ngx_enroll_jwk_type_t;


static ngx_int_t ngx_enroll_jwk_type(const json_t *jwk,
    const ngx_enroll_jwk_type_t **type, const char *name, char *err);
static const char *ngx_enroll_jwk_alg(const json_t *jwk,
    const ngx_enroll_jwk_type_t *type, const char *name, char *err);
static ngx_int_t ngx_enroll_jwk_use(const json_t *jwk, const char *name,
    char *err);
static json_t *ngx_enroll_jwk_make(const json_t *jwk,
    const ngx_enroll_jwk_type_t *type, const char *alg, const char *name,
    char *err);
static ngx_uint_t ngx_enroll_jwk_fits(const json_t *jwk, const char *member,
    size_t len);
static ngx_int_t ngx_enroll_jwk_copy(json_t *to, const json_t *from,
    const char *member);
static ngx_int_t ngx_enroll_jwk_check(const json_t *key,
    const ngx_enroll_jwk_type_t *type, const char *name, char *err);
static ngx_uint_t ngx_enroll_jwk_valid(EVP_PKEY *pkey, ngx_uint_t private);


/* the alg of a key that names none comes first */

static const ngx_enroll_jwk_type_t  ngx_enroll_jwk_types[] = {
    { "EC", "P-256", 32, { "x", "y" }, { "ES256", NULL } },
    { "EC", "P-384", 48, { "x", "y" }, { "ES384", NULL } },
    { "RSA", NULL, 0, { "n", "e" }, { "RS256", "RS384", "RS512",
                                      "PS256", "PS384", "PS512", NULL } },
    { NULL, NULL, 0, { NULL, NULL }, { NULL } }
};


json_t *
ngx_enroll_jwk_set(const u_char *json, size_t len,
    char err[NGX_ENROLL_ERR_LEN])
{
    json_t        *root;
    json_error_t   error;

    root = json_loadb((const char *) json, len, JSON_REJECT_DUPLICATES,
                      &error);

    if (root == NULL) {

        /* jansson's own text would quote what is near, which may be a key */

        if (json_error_code(&error) == json_error_duplicate_key) {
            snprintf(err, NGX_ENROLL_ERR_LEN, "duplicate member in line %d",
                     error.line);

        } else {
            snprintf(err, NGX_ENROLL_ERR_LEN, "not JSON in line %d",
                     error.line);
        }

        return NULL;
    }

    if (!json_is_array(json_object_get(root, "keys"))) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "not a JWK Set, {\"keys\":[...]} is needed");
        json_decref(root);
        return NULL;
    }

    return root;
}


json_t *
ngx_enroll_jwk_public(const json_t *jwk, const char *name,
    char err[NGX_ENROLL_ERR_LEN])
{
    json_t                       *key;
    const char                   *alg;
    const ngx_enroll_jwk_type_t  *type;

    if (ngx_enroll_jwk_type(jwk, &type, name, err) != NGX_OK) {
        return NULL;
    }

    alg = ngx_enroll_jwk_alg(jwk, type, name, err);

    if (alg == NULL || ngx_enroll_jwk_use(jwk, name, err) != NGX_OK) {
        return NULL;
    }

    key = ngx_enroll_jwk_make(jwk, type, alg, name, err);

    if (key && ngx_enroll_jwk_check(key, type, name, err) != NGX_OK) {
        json_decref(key);
        return NULL;
    }

    return key;
}


json_t *
ngx_enroll_jwk_private(const json_t *jwk, const json_t *public,
    const char *name, char err[NGX_ENROLL_ERR_LEN])
{
    json_t                       *key;
    EVP_PKEY                     *pkey;
    ngx_uint_t                    valid;
    const ngx_enroll_jwk_type_t  *type;

    if (ngx_enroll_jwk_type(public, &type, name, err) != NGX_OK) {
        return NULL;
    }

    key = json_deep_copy(public);

    if (key == NULL) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "no memory for %s", name);
        return NULL;
    }

    pkey = NULL;

    if (ngx_enroll_jwk_fits(jwk, "d", type->len)
        && ngx_enroll_jwk_copy(key, jwk, "d") == NGX_OK)
    {
        pkey = jose_openssl_jwk_to_EVP_PKEY(NULL, key);
    }

    valid = ngx_enroll_jwk_valid(pkey, 1);
    EVP_PKEY_free(pkey);

    if (!valid) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has a private part that is not "
                 "its own, generate a new key", name);
        ngx_enroll_jwk_free(key);
        return NULL;
    }

    return key;
}


void
ngx_enroll_jwk_free(json_t *jwk)
{
    json_t  *d;

    d = json_object_get(jwk, "d");

    if (d) {
        OPENSSL_cleanse((char *) json_string_value(d), json_string_length(d));
    }

    json_decref(jwk);
}


const char *
ngx_enroll_jwk_secret(const json_t *jwk)
{
    ngx_uint_t  i;

    static const char  *names[] = { "d", "k", "p", "q", "dp", "dq", "qi",
                                    "oth" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_object_get(jwk, names[i])) {
            return names[i];
        }
    }

    return NULL;
}


const char *
ngx_enroll_jwk_member(const json_t *jwk, const char *name)
{
    return json_string_value(json_object_get(jwk, name));
}


static ngx_int_t
ngx_enroll_jwk_type(const json_t *jwk, const ngx_enroll_jwk_type_t **type,
    const char *name, char *err)
{
    const char                   *kty, *crv;
    ngx_uint_t                    known;
    const ngx_enroll_jwk_type_t  *t;

    kty = ngx_enroll_jwk_member(jwk, "kty");
    crv = ngx_enroll_jwk_member(jwk, "crv");
    known = 0;

    for (t = ngx_enroll_jwk_types; t->kty; t++) {

        if (kty == NULL || ngx_strcmp(kty, t->kty) != 0) {
            continue;
        }

        known = 1;

        if (t->crv == NULL || (crv && ngx_strcmp(crv, t->crv) == 0)) {
            *type = t;
            return NGX_OK;
        }
    }

    if (known) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "%s is not on the curve \"P-256\" or \"P-384\"", name);

    } else {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "%s is no public key, the kty \"EC\" or \"RSA\" is needed",
                 name);
    }

    return NGX_ERROR;
}


static const char *
ngx_enroll_jwk_alg(const json_t *jwk, const ngx_enroll_jwk_type_t *type,
    const char *name, char *err)
{
    json_t      *value;
    const char  *alg;
    ngx_uint_t   i;

    value = json_object_get(jwk, "alg");

    if (value == NULL) {
        return type->algs[0];
    }

    alg = json_string_value(value);

    for (i = 0; alg && type->algs[i]; i++) {
        if (ngx_strcmp(alg, type->algs[i]) == 0) {
            return type->algs[i];
        }
    }

    snprintf(err, NGX_ENROLL_ERR_LEN,
             "%s has an alg that does not fit, \"%s\"%s is needed", name,
             type->algs[0], type->algs[1] ? " or the like" : "");

    return NULL;
}


static ngx_int_t
ngx_enroll_jwk_use(const json_t *jwk, const char *name, char *err)
{
    size_t       i;
    json_t      *use, *ops, *op;
    const char  *text;

    use = json_object_get(jwk, "use");
    text = json_string_value(use);

    if (use && (text == NULL || ngx_strcmp(text, "sig") != 0)) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "%s is not for signatures, the use \"sig\" is needed", name);
        return NGX_ERROR;
    }

    ops = json_object_get(jwk, "key_ops");

    if (ops == NULL) {
        return NGX_OK;
    }

    json_array_foreach(ops, i, op) {
        text = json_string_value(op);

        if (text
            && (ngx_strcmp(text, "verify") == 0
                || ngx_strcmp(text, "sign") == 0))
        {
            return NGX_OK;
        }
    }

    snprintf(err, NGX_ENROLL_ERR_LEN,
             "%s is not for signatures, key_ops lacks \"verify\"", name);

    return NGX_ERROR;
}


static json_t *
ngx_enroll_jwk_make(const json_t *jwk, const ngx_enroll_jwk_type_t *type,
    const char *alg, const char *name, char *err)
{
    json_t      *key, *kid;
    ngx_uint_t   i;

    kid = json_object_get(jwk, "kid");

    if (kid && !json_is_string(kid)) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has a kid that is not a string",
                 name);
        return NULL;
    }

    for (i = 0; i < 2; i++) {
        if (!ngx_enroll_jwk_fits(jwk, type->members[i], type->len)) {
            snprintf(err, NGX_ENROLL_ERR_LEN, "%s has no %s of the right "
                     "length", name, type->members[i]);
            return NULL;
        }
    }

    key = json_pack("{s:s, s:s, s:s}", "kty", type->kty, "alg", alg,
                    "use", "sig");

    if (key == NULL
        || (type->crv && ngx_enroll_jwk_copy(key, jwk, "crv") != NGX_OK)
        || (kid && ngx_enroll_jwk_copy(key, jwk, "kid") != NGX_OK)
        || ngx_enroll_jwk_copy(key, jwk, type->members[0]) != NGX_OK
        || ngx_enroll_jwk_copy(key, jwk, type->members[1]) != NGX_OK)
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "no memory for %s", name);
        json_decref(key);
        return NULL;
    }

    return key;
}


/* is it a string as long as so many bytes in base64url, or an RSA key's? */

static ngx_uint_t
ngx_enroll_jwk_fits(const json_t *jwk, const char *member, size_t len)
{
    size_t  n;

    n = json_string_length(json_object_get(jwk, member));

    if (len) {
        return n == ngx_enroll_base64url_len(len);
    }

    /* with a zero in front, which some put there */

    return n > 0 && n <= ngx_enroll_base64url_len(NGX_ENROLL_RSA_MAX / 8 + 1);
}


/* a string of its own: that of a key set is overwritten in the end */

static ngx_int_t
ngx_enroll_jwk_copy(json_t *to, const json_t *from, const char *member)
{
    json_t  *value;

    value = json_deep_copy(json_object_get(from, member));

    return json_object_set_new(to, member, value) == 0 ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_enroll_jwk_check(const json_t *key, const ngx_enroll_jwk_type_t *type,
    const char *name, char *err)
{
    int        bits;
    EVP_PKEY  *pkey;
    ngx_int_t  rc;

    rc = NGX_ERROR;
    pkey = jose_openssl_jwk_to_EVP_PKEY(NULL, key);
    bits = pkey ? EVP_PKEY_get_bits(pkey) : 0;

    if (type->len == 0
        && pkey
        && (bits < NGX_ENROLL_RSA_MIN || bits > NGX_ENROLL_RSA_MAX))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has a modulus of %d bits, %d to "
                 "%d are needed", name, bits, NGX_ENROLL_RSA_MIN,
                 NGX_ENROLL_RSA_MAX);

    } else if (!ngx_enroll_jwk_valid(pkey, 0)) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%s has an %s and %s that are not "
                 "%s in base64url", name, type->members[0], type->members[1],
                 type->len ? "a point on its curve" : "an RSA key");

    } else {
        rc = NGX_OK;
    }

    EVP_PKEY_free(pkey);

    return rc;
}


static ngx_uint_t
ngx_enroll_jwk_valid(EVP_PKEY *pkey, ngx_uint_t private)
{
    int            rc;
    EVP_PKEY_CTX  *ctx;

    rc = 0;
    ctx = pkey ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;

    if (ctx) {
        rc = private ? EVP_PKEY_check(ctx) : EVP_PKEY_public_check(ctx);
        EVP_PKEY_CTX_free(ctx);
    }

    /* what is left over would be taken for an error of a connection's */
    ERR_clear_error();

    return rc == 1;
}
