
/* Compact JWS with claims: verified by ngx_enroll_jwks_t, made by our key. */

#include "ngx_enroll_jwks.h"
#include "ngx_enroll_jwk.h"

#include <jose/b64.h>
#include <jose/jws.h>
#include <openssl/err.h>


#define NGX_ENROLL_JWS_PARTS    3

/* bytes of its longest part, decoded */
#define NGX_ENROLL_JWS_DECODED  (NGX_ENROLL_JWS_MAX / 4 * 3)


typedef enum {
    NGX_ENROLL_JWS_HEADER = 0,
    NGX_ENROLL_JWS_PAYLOAD,
    NGX_ENROLL_JWS_SIGNATURE
} ngx_enroll_jws_part_e;


static ngx_int_t ngx_enroll_jws_split(const ngx_str_t *jws,
    ngx_str_t part[NGX_ENROLL_JWS_PARTS]);
static ngx_enroll_jwt_e ngx_enroll_jws_load(const ngx_str_t *part,
    json_t **json);
static ngx_enroll_jwt_e ngx_enroll_jws_header(const ngx_enroll_jwks_t *jwks,
    const ngx_str_t *part, const char *typ, const json_t **key,
    const char **wrong);
static const char *ngx_enroll_jws_extensions(const json_t *header);
static ngx_uint_t ngx_enroll_jws_typ(const json_t *header, const char *typ);
static const json_t *ngx_enroll_jws_key(const ngx_enroll_jwks_t *jwks,
    const json_t *header, const char **wrong);
static ngx_enroll_jwt_e ngx_enroll_jws_verify(
    const ngx_str_t part[NGX_ENROLL_JWS_PARTS], const json_t *key,
    const char **wrong);
static json_t *ngx_enroll_jws_object(
    const ngx_str_t part[NGX_ENROLL_JWS_PARTS]);
static ngx_enroll_jwt_e ngx_enroll_jwt_claims(const json_t *claims,
    const ngx_enroll_jwt_rule_t *rule, const char **wrong);
static ngx_uint_t ngx_enroll_jwt_equals(const json_t *value,
    const ngx_str_t *text);
static ngx_uint_t ngx_enroll_jwt_audience(const json_t *aud,
    const ngx_str_t *text);
static const char *ngx_enroll_jwt_times(const json_t *claims,
    const ngx_enroll_jwt_rule_t *rule);
static ngx_int_t ngx_enroll_jwt_time(const json_t *claims, const char *name,
    json_int_t *time);
static json_t *ngx_enroll_jwt_payload(const json_t *claims);
static char *ngx_enroll_jws_compact(const json_t *jws);


ngx_enroll_jwt_e
ngx_enroll_jwt_verify(const ngx_enroll_jwks_t *jwks, const ngx_str_t *jws,
    const ngx_enroll_jwt_rule_t *rule, json_t **claims, const char **wrong)
{
    ngx_str_t          part[NGX_ENROLL_JWS_PARTS];
    const json_t      *key;
    ngx_enroll_jwt_e   rc;

    *claims = NULL;

    if (ngx_enroll_jws_split(jws, part) != NGX_OK) {
        *wrong = "not a compact JWS";
        return NGX_ENROLL_JWT_MALFORMED;
    }

    rc = ngx_enroll_jws_header(jwks, &part[NGX_ENROLL_JWS_HEADER], rule->typ,
                               &key, wrong);

    if (rc == NGX_ENROLL_JWT_OK) {
        rc = ngx_enroll_jws_verify(part, key, wrong);
    }

    if (rc != NGX_ENROLL_JWT_OK) {
        return rc;
    }

    rc = ngx_enroll_jws_load(&part[NGX_ENROLL_JWS_PAYLOAD], claims);

    if (rc != NGX_ENROLL_JWT_OK) {
        *wrong = "payload is not a JSON object";
        return rc;
    }

    rc = ngx_enroll_jwt_claims(*claims, rule, wrong);

    if (rc != NGX_ENROLL_JWT_OK) {
        json_decref(*claims);
        *claims = NULL;
    }

    return rc;
}


ngx_int_t
ngx_enroll_jwt_issuer(const ngx_str_t *jws, ngx_str_t *iss, json_t **payload)
{
    json_t     *value;
    ngx_str_t   part[NGX_ENROLL_JWS_PARTS];

    *payload = NULL;

    if (ngx_enroll_jws_split(jws, part) != NGX_OK
        || ngx_enroll_jws_load(&part[NGX_ENROLL_JWS_PAYLOAD], payload)
           != NGX_ENROLL_JWT_OK)
    {
        return NGX_DECLINED;
    }

    value = json_object_get(*payload, "iss");

    if (json_string_length(value) == 0) {
        json_decref(*payload);
        *payload = NULL;
        return NGX_DECLINED;
    }

    iss->data = (u_char *) json_string_value(value);
    iss->len = json_string_length(value);

    return NGX_OK;
}


char *
ngx_enroll_jwt_sign(ngx_enroll_keys_t *keys, const char *typ, json_t *claims)
{
    char    *text;
    json_t  *jws, *sig;

    if (keys->signer == NULL) {
        return NULL;
    }

    text = NULL;
    jws = json_pack("{s:o}", "payload", ngx_enroll_jwt_payload(claims));
    sig = json_pack("{s:{s:s, s:s, s:s}}", "protected",
                    "alg", ngx_enroll_jwk_member(keys->signer, "alg"),
                    "kid", ngx_enroll_jwk_member(keys->signer, "kid"),
                    "typ", typ);

    if (jws && sig && jose_jws_sig(NULL, jws, sig, keys->signer)) {
        text = ngx_enroll_jws_compact(jws);
    }

    json_decref(sig);
    json_decref(jws);

    ERR_clear_error();

    return text;
}


/*
 * Three parts, and nothing is decoded of what is too long. libjose takes
 * base64url in its one form only, without padding.
 */

static ngx_int_t
ngx_enroll_jws_split(const ngx_str_t *jws,
    ngx_str_t part[NGX_ENROLL_JWS_PARTS])
{
    u_char      *p, *last, buf[NGX_ENROLL_JWS_DECODED];
    ngx_uint_t   n;

    if (jws->len > NGX_ENROLL_JWS_MAX) {
        return NGX_ERROR;
    }

    n = 0;
    last = jws->data + jws->len;
    part[0].data = jws->data;

    for (p = jws->data; p < last; p++) {

        if (*p != '.') {
            continue;
        }

        if (n == NGX_ENROLL_JWS_PARTS - 1) {
            return NGX_ERROR;
        }

        part[n].len = p - part[n].data;
        part[++n].data = p + 1;
    }

    if (n != NGX_ENROLL_JWS_PARTS - 1) {
        return NGX_ERROR;
    }

    part[n].len = last - part[n].data;

    for (n = 0; n < NGX_ENROLL_JWS_PARTS; n++) {
        if (jose_b64_dec_buf(part[n].data, part[n].len, buf, sizeof(buf))
            == SIZE_MAX)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}



static ngx_enroll_jwt_e
ngx_enroll_jws_load(const ngx_str_t *part, json_t **json)
{
    char          buf[NGX_ENROLL_JWS_DECODED];
    size_t        len;
    json_error_t  error;

    len = jose_b64_dec_buf(part->data, part->len, buf, sizeof(buf));

    if (len == SIZE_MAX) {
        return NGX_ENROLL_JWT_MALFORMED;
    }

    *json = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &error);

    if (*json == NULL) {
        return json_error_code(&error) == json_error_out_of_memory
               ? NGX_ENROLL_JWT_ERROR : NGX_ENROLL_JWT_MALFORMED;
    }

    if (!json_is_object(*json)) {
        json_decref(*json);
        *json = NULL;
        return NGX_ENROLL_JWT_MALFORMED;
    }

    return NGX_ENROLL_JWT_OK;
}


/* all that a header may say is which key it was, and that of its alg */

static ngx_enroll_jwt_e
ngx_enroll_jws_header(const ngx_enroll_jwks_t *jwks, const ngx_str_t *part,
    const char *typ, const json_t **key, const char **wrong)
{
    json_t            *header, *alg;
    ngx_enroll_jwt_e   rc;

    rc = ngx_enroll_jws_load(part, &header);

    if (rc != NGX_ENROLL_JWT_OK) {
        *wrong = "header is not a JSON object";
        return rc;
    }

    rc = NGX_ENROLL_JWT_KEY;
    *wrong = ngx_enroll_jws_extensions(header);

    if (*wrong) {
        goto done;
    }

    if (!ngx_enroll_jws_typ(header, typ)) {
        *wrong = "typ is another";
        rc = NGX_ENROLL_JWT_MALFORMED;
        goto done;
    }

    *key = ngx_enroll_jws_key(jwks, header, wrong);

    if (*key == NULL) {
        goto done;
    }

    /* libjose 11 lets pass an alg that sorts behind that of the key */

    alg = json_object_get(header, "alg");

    if (!json_is_string(alg)
        || !json_equal(alg, json_object_get(*key, "alg")))
    {
        *wrong = "alg is not that of the key";
        goto done;
    }

    rc = NGX_ENROLL_JWT_OK;

done:

    json_decref(header);

    return rc;
}


static const char *
ngx_enroll_jws_extensions(const json_t *header)
{
    ngx_uint_t  i;

    static const struct {
        const char  *member;
        const char  *wrong;
    } refused[] = {
        { "crit", "crit is not supported" },
        { "b64", "b64 is not supported" },
        { "jwk", "a key stands in the header" },
        { "jku", "a key stands in the header" },
        { "x5c", "a key stands in the header" },
        { "x5u", "a key stands in the header" }
    };

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (json_object_get(header, refused[i].member)) {
            return refused[i].wrong;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_enroll_jws_typ(const json_t *header, const char *typ)
{
    const char  *text;

    static const char  prefix[] = "application/";

    if (typ == NULL) {
        return 1;
    }

    text = ngx_enroll_jwk_member(header, "typ");

    if (text == NULL) {
        return 0;
    }

    if (strncasecmp(text, prefix, sizeof(prefix) - 1) == 0) {
        text += sizeof(prefix) - 1;
    }

    return strcasecmp(text, typ) == 0;
}


static const json_t *
ngx_enroll_jws_key(const ngx_enroll_jwks_t *jwks, const json_t *header,
    const char **wrong)
{
    json_t      *kid;
    ngx_uint_t   i;

    kid = json_object_get(header, "kid");

    if (kid == NULL) {

        if (jwks->nkeys == 1) {
            return jwks->keys[0];
        }

        *wrong = "kid is missing";
        return NULL;
    }

    for (i = 0; i < jwks->nkeys; i++) {
        if (json_equal(json_object_get(jwks->keys[i], "kid"), kid)) {
            return jwks->keys[i];
        }
    }

    *wrong = "kid is unknown";

    return NULL;
}


static ngx_enroll_jwt_e
ngx_enroll_jws_verify(const ngx_str_t part[NGX_ENROLL_JWS_PARTS],
    const json_t *key, const char **wrong)
{
    json_t            *jws;
    ngx_enroll_jwt_e   rc;

    jws = ngx_enroll_jws_object(part);

    if (jws == NULL) {
        *wrong = "no memory";
        return NGX_ENROLL_JWT_ERROR;
    }

    if (jose_jws_ver(NULL, jws, jws, key, true)) {
        rc = NGX_ENROLL_JWT_OK;

    } else {
        *wrong = "signature does not verify";
        rc = NGX_ENROLL_JWT_SIGNATURE;
    }

    json_decref(jws);

    /* what is left over would be taken for an error of a connection's */
    ERR_clear_error();

    return rc;
}


/* the flattened form, without a "header": what is not signed says nothing */

static json_t *
ngx_enroll_jws_object(const ngx_str_t part[NGX_ENROLL_JWS_PARTS])
{
    return json_pack("{s:s%, s:s%, s:s%}",
                     "protected", part[NGX_ENROLL_JWS_HEADER].data,
                     part[NGX_ENROLL_JWS_HEADER].len,
                     "payload", part[NGX_ENROLL_JWS_PAYLOAD].data,
                     part[NGX_ENROLL_JWS_PAYLOAD].len,
                     "signature", part[NGX_ENROLL_JWS_SIGNATURE].data,
                     part[NGX_ENROLL_JWS_SIGNATURE].len);
}


static ngx_enroll_jwt_e
ngx_enroll_jwt_claims(const json_t *claims, const ngx_enroll_jwt_rule_t *rule,
    const char **wrong)
{
    if (!ngx_enroll_jwt_equals(json_object_get(claims, "iss"), &rule->iss)) {
        *wrong = "iss is another";
        return NGX_ENROLL_JWT_ISSUER;
    }

    if (!ngx_enroll_jwt_audience(json_object_get(claims, "aud"), &rule->aud)) {
        *wrong = "aud is another";
        return NGX_ENROLL_JWT_AUDIENCE;
    }

    *wrong = ngx_enroll_jwt_times(claims, rule);

    return *wrong ? NGX_ENROLL_JWT_TIME : NGX_ENROLL_JWT_OK;
}


static ngx_uint_t
ngx_enroll_jwt_equals(const json_t *value, const ngx_str_t *text)
{
    return text->len > 0
           && json_string_length(value) == text->len
           && ngx_memcmp(json_string_value(value), text->data, text->len)
              == 0;
}


static ngx_uint_t
ngx_enroll_jwt_audience(const json_t *aud, const ngx_str_t *text)
{
    size_t       i;
    json_t      *value;
    ngx_uint_t   found;

    if (!json_is_array(aud)) {
        return ngx_enroll_jwt_equals(aud, text);
    }

    found = 0;

    json_array_foreach(aud, i, value) {

        if (!json_is_string(value)) {
            return 0;
        }

        found |= ngx_enroll_jwt_equals(value, text);
    }

    return found;
}


static const char *
ngx_enroll_jwt_times(const json_t *claims, const ngx_enroll_jwt_rule_t *rule)
{
    ngx_int_t   rc;
    json_int_t  exp, nbf, iat, early, late;

    /* what the sender's clock may say while ours says now */
    early = (json_int_t) rule->now - NGX_ENROLL_JWT_SKEW;
    late = (json_int_t) rule->now + NGX_ENROLL_JWT_SKEW;

    rc = ngx_enroll_jwt_time(claims, "exp", &exp);

    if (rc == NGX_ERROR || (rc == NGX_DECLINED && rule->exp)) {
        return "exp is missing, or no time";
    }

    if (rc == NGX_OK && exp <= early) {
        return "exp is past";
    }

    rc = ngx_enroll_jwt_time(claims, "nbf", &nbf);

    if (rc == NGX_ERROR) {
        return "nbf is no time";
    }

    if (rc == NGX_OK && nbf > late) {
        return "nbf is in the future";
    }

    if (ngx_enroll_jwt_time(claims, "iat", &iat) != NGX_OK) {
        return "iat is missing, or no time";
    }

    if (iat > late) {
        return "iat is in the future";
    }

    if (iat < early - (json_int_t) rule->max_age) {
        return "iat is too old";
    }

    return NULL;
}


/* NGX_DECLINED: it is not there; NGX_ERROR: it is no time */

static ngx_int_t
ngx_enroll_jwt_time(const json_t *claims, const char *name, json_int_t *time)
{
    json_t  *value;

    value = json_object_get(claims, name);

    if (value == NULL) {
        return NGX_DECLINED;
    }

    *time = json_integer_value(value);

    return json_is_integer(value) && *time >= 0 ? NGX_OK : NGX_ERROR;
}


static json_t *
ngx_enroll_jwt_payload(const json_t *claims)
{
    char    *text;
    json_t  *payload;

    text = json_dumps(claims, JSON_COMPACT);

    if (text == NULL) {
        return NULL;
    }

    payload = jose_b64_enc(text, ngx_strlen(text));

    free(text);

    return payload;
}


static char *
ngx_enroll_jws_compact(const json_t *jws)
{
    char        *text, *p;
    size_t       len;
    ngx_uint_t   i;

    static const char  *parts[] = { "protected", "payload", "signature" };

    len = 0;

    for (i = 0; i < NGX_ENROLL_JWS_PARTS; i++) {
        len += json_string_length(json_object_get(jws, parts[i])) + 1;
    }

    text = malloc(len);

    if (text == NULL) {
        return NULL;
    }

    p = text;

    for (i = 0; i < NGX_ENROLL_JWS_PARTS; i++) {
        if (i) {
            *p++ = '.';
        }

        len = json_string_length(json_object_get(jws, parts[i]));
        ngx_memcpy(p, ngx_enroll_jwk_member(jws, parts[i]), len);
        p += len;
    }

    *p = '\0';

    return text;
}
