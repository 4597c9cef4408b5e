
/* What the tests of JWSs share: sets of keys, and what is expected of one. */

#ifndef _JWT_H_INCLUDED_
#define _JWT_H_INCLUDED_


#include "ngx_enroll_jwks.h"

#include <openssl/err.h>

#include "jwk.h"


#define NOW      1700000000
#define ISS      "https://hr.example"
#define AUD      "enroll"

#define CLAIMS   "\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"iat\":1700000000"
#define GOOD     "{" CLAIMS ",\"exp\":1700000300}"

#define ES256(kid)  "{\"alg\":\"ES256\",\"kid\":\"" kid "\"}"

#define OK         NGX_ENROLL_JWT_OK
#define MALFORMED  NGX_ENROLL_JWT_MALFORMED
#define KEY        NGX_ENROLL_JWT_KEY
#define SIGNATURE  NGX_ENROLL_JWT_SIGNATURE
#define ISSUER     NGX_ENROLL_JWT_ISSUER
#define AUDIENCE   NGX_ENROLL_JWT_AUDIENCE
#define TIME       NGX_ENROLL_JWT_TIME


static inline ngx_int_t
read_set(ngx_enroll_jwks_t *jwks, const char *json, char *err)
{
    ngx_int_t  rc;
    ngx_str_t  copy;

    copy = fixture_copy(json, strlen(json));
    memset(err, 0, NGX_ENROLL_ERR_LEN);

    rc = ngx_enroll_jwks_read(jwks, copy.data, copy.len, err);

    free(copy.data);

    return rc;
}


/* A set of keys, each with more members behind those of the key itself. */

static inline void
make_set(ngx_enroll_jwks_t *jwks, ngx_uint_t n, EVP_PKEY **keys,
    const char **more)
{
    char        json[4 * JWK_TEXT_MAX], err[NGX_ENROLL_ERR_LEN], *p;
    ngx_uint_t  i;

    p = json + sprintf(json, "{\"keys\":[");

    for (i = 0; i < n; i++) {
        p += sprintf(p, "%s{", i ? "," : "");
        jwk_members(p, keys[i], 0);
        p += strlen(p);
        p += sprintf(p, "%s}", more[i]);
    }

    sprintf(p, "]}");

    if (read_set(jwks, json, err) != NGX_OK) {
        printf("Bail out! %s\n", err);
        exit(1);
    }
}


static inline ngx_enroll_jwt_rule_t
rule(void)
{
    ngx_enroll_jwt_rule_t  rule;

    memset(&rule, 0, sizeof(rule));
    rule.iss = fixture_str(ISS);
    rule.aud = fixture_str(AUD);
    rule.max_age = 600;
    rule.now = NOW;

    return rule;
}


/* In memory of its exact size; *wrong "" where it was accepted. */

static inline ngx_enroll_jwt_e
verify(const ngx_enroll_jwks_t *jwks, const char *text, size_t len,
    const ngx_enroll_jwt_rule_t *rule, const char **wrong)
{
    json_t            *claims;
    ngx_str_t          jws;
    ngx_enroll_jwt_e   rc;

    jws = fixture_copy(text, len);
    claims = (json_t *) -1;
    *wrong = NULL;

    rc = ngx_enroll_jwt_verify(jwks, &jws, rule, &claims, wrong);

    free(jws.data);

    if ((rc == NGX_ENROLL_JWT_OK) != (claims != NULL)
        || (rc != NGX_ENROLL_JWT_OK && *wrong == NULL)
        || (claims && !json_is_object(claims))
        || ERR_peek_error() != 0)
    {
        printf("# claims, text or OpenSSL's errors do not fit the result\n");
        rc = -1;
    }

    json_decref(claims);

    if (rc == NGX_ENROLL_JWT_OK) {
        *wrong = "";
    }

    return rc;
}


static inline void
expect(const ngx_enroll_jwks_t *jwks, const char *text,
    const ngx_enroll_jwt_rule_t *rule, ngx_enroll_jwt_e rc, const char *why,
    const char *name)
{
    const char        *wrong;
    ngx_enroll_jwt_e   got;

    got = verify(jwks, text, strlen(text), rule, &wrong);

    if (!tap_ok(got == rc && strcmp(wrong, why) == 0, "%s", name)) {
        printf("# %d, %s\n", got, wrong);
    }
}


#endif /* _JWT_H_INCLUDED_ */
