
#include "ngx_enroll_jwks.h"
#include "ngx_enroll_jwk.h"


static ngx_int_t ngx_enroll_jwks_add_all(ngx_enroll_jwks_t *jwks,
    json_t *array, char *err);
static ngx_int_t ngx_enroll_jwks_add(ngx_enroll_jwks_t *jwks, json_t *jwk,
    const char *name, char *err);
static ngx_int_t ngx_enroll_jwks_kids(ngx_enroll_jwks_t *jwks, char *err);


ngx_int_t
ngx_enroll_jwks_read(ngx_enroll_jwks_t *jwks, const u_char *json, size_t len,
    char err[NGX_ENROLL_ERR_LEN])
{
    json_t     *root;
    ngx_int_t   rc;

    ngx_memzero(jwks, sizeof(ngx_enroll_jwks_t));

    root = ngx_enroll_jwk_set(json, len, err);

    if (root == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_enroll_jwks_add_all(jwks, json_object_get(root, "keys"), err);

    json_decref(root);

    if (rc == NGX_OK) {
        rc = ngx_enroll_jwks_kids(jwks, err);
    }

    if (rc != NGX_OK) {
        ngx_enroll_jwks_free(jwks);
    }

    return rc;
}


void
ngx_enroll_jwks_free(ngx_enroll_jwks_t *jwks)
{
    ngx_uint_t  i;

    for (i = 0; i < jwks->nkeys; i++) {
        json_decref(jwks->keys[i]);
    }

    ngx_memzero(jwks, sizeof(ngx_enroll_jwks_t));
}


static ngx_int_t
ngx_enroll_jwks_add_all(ngx_enroll_jwks_t *jwks, json_t *array, char *err)
{
    char     name[32];
    size_t   i;
    json_t  *jwk;

    if (json_array_size(array) == 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "no key to verify with");
        return NGX_ERROR;
    }

    if (json_array_size(array) > NGX_ENROLL_JWKS_MAX) {
        snprintf(err, NGX_ENROLL_ERR_LEN, "%lu keys, at most %d are allowed",
                 (unsigned long) json_array_size(array), NGX_ENROLL_JWKS_MAX);
        return NGX_ERROR;
    }

    json_array_foreach(array, i, jwk) {
        snprintf(name, sizeof(name), "key %lu", (unsigned long) i + 1);

        if (ngx_enroll_jwks_add(jwks, jwk, name, err) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_jwks_add(ngx_enroll_jwks_t *jwks, json_t *jwk, const char *name,
    char *err)
{
    json_t      *key;
    const char  *secret;

    secret = ngx_enroll_jwk_secret(jwk);

    if (secret) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "%s has the private member \"%s\", only public keys belong "
                 "here", name, secret);
        return NGX_ERROR;
    }

    key = ngx_enroll_jwk_public(jwk, name, err);

    if (key == NULL) {
        return NGX_ERROR;
    }

    jwks->keys[jwks->nkeys++] = key;

    return NGX_OK;
}


/* a header that names a key has to name one, and no other */

static ngx_int_t
ngx_enroll_jwks_kids(ngx_enroll_jwks_t *jwks, char *err)
{
    json_t      *kid;
    ngx_uint_t   i, j;

    if (jwks->nkeys == 1) {
        return NGX_OK;
    }

    for (i = 0; i < jwks->nkeys; i++) {
        kid = json_object_get(jwks->keys[i], "kid");

        if (kid == NULL) {
            snprintf(err, NGX_ENROLL_ERR_LEN,
                     "key %lu has no kid, with several keys each needs one",
                     (unsigned long) i + 1);
            return NGX_ERROR;
        }

        for (j = 0; j < i; j++) {
            if (json_equal(json_object_get(jwks->keys[j], "kid"), kid)) {
                snprintf(err, NGX_ENROLL_ERR_LEN,
                         "key %lu has the kid of key %lu",
                         (unsigned long) i + 1, (unsigned long) j + 1);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}
