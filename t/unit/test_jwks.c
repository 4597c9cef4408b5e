
/* Key sets that load, and that do not; and what our own key signs. */

#include "jwt.h"


#define SET(keys)   "{\"keys\":[" keys "]}"
#define EC_XY       "\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define EC_KEY(m)   "{\"kty\":\"EC\",\"crv\":\"P-256\"," EC_XY m "}"
#define RSA_KEY(m)  "{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"" m "}"

#define NO_POINT    "key 1 has an x and y that are not a point on its curve " \
                    "in base64url"
#define NO_RSA      "key 1 has an n and e that are not an RSA key in base64url"
#define NO_ALG      "key 1 has an alg that does not fit, \"ES256\" is needed"
#define NO_RSA_ALG  "key 1 has an alg that does not fit, \"RS256\" or the "  \
                    "like is needed"
#define NO_USE      "key 1 is not for signatures, the use \"sig\" is needed"
#define NO_OPS      "key 1 is not for signatures, key_ops lacks \"verify\""
#define NO_KTY      "key 1 is no public key, the kty \"EC\" or \"RSA\" is "  \
                    "needed"
#define NO_CURVE    "key 1 is not on the curve \"P-256\" or \"P-384\""
#define PRIVATE(m)  "key 1 has the private member \"" m "\", only public "   \
                    "keys belong here"


static void
loads(const char *json, const char *alg, const char *name)
{
    char               err[NGX_ENROLL_ERR_LEN];
    ngx_enroll_jwks_t  jwks;

    if (read_set(&jwks, json, err) != NGX_OK) {
        tap_ok(0, "%s: %s", name, err);
        return;
    }

    tap_ok(jwks.nkeys > 0
           && strcmp(json_string_value(json_object_get(jwks.keys[0], "alg")),
                     alg)
              == 0
           && ERR_peek_error() == 0,
           "%s", name);

    ngx_enroll_jwks_free(&jwks);
}


static void
fails(const char *json, const char *err, const char *name)
{
    char                said[NGX_ENROLL_ERR_LEN];
    ngx_enroll_jwks_t   jwks;

    static const ngx_enroll_jwks_t  blank;

    memset(&jwks, 0xff, sizeof(jwks));

    if (!tap_ok(read_set(&jwks, json, said) == NGX_ERROR
                && strcmp(said, err) == 0
                && memcmp(&jwks, &blank, sizeof(jwks)) == 0
                && ERR_peek_error() == 0,
                "%s", name))
    {
        printf("# %s\n", said);
    }
}


static void
test_accepted(void)
{
    char       json[JWK_TEXT_MAX + 64], members[JWK_TEXT_MAX];
    EVP_PKEY  *key;

    loads(SET(EC_KEY()), "ES256", "P-256 is ES256");
    loads(SET(EC_KEY(",\"alg\":\"ES256\",\"use\":\"sig\",\"key_ops\":"
                     "[\"verify\"],\"kid\":\"a\"")),
          "ES256", "P-256 that says so");
    loads(SET(RSA_KEY()), "RS256", "RSA is RS256");
    loads(SET(RSA_KEY(",\"alg\":\"PS384\"")), "PS384", "RSA may be PS384");
    loads(SET(RSA_KEY(",\"alg\":\"RS512\"")), "RS512", "RSA may be RS512");
    loads(SET(EC_KEY(",\"x5c\":[\"AAAA\"],\"x5t\":\"x\",\"iat\":1")),
          "ES256", "other members");

    key = EVP_EC_gen("P-384");
    jwk_members(members, key, 0);
    sprintf(json, "{\"keys\":[{%s}]}", members);
    loads(json, "ES384", "P-384 is ES384");
    EVP_PKEY_free(key);
}


static void
test_refused(void)
{
    ngx_uint_t  i;

    static const struct {
        const char  *json;
        const char  *err;
        const char  *name;
    } refused[] = {
        { "", "not JSON in line 1", "nothing" },
        { SET(EC_KEY()) "x", "not JSON in line 1", "something behind it" },
        { "{\"keys\":\n[],\"keys\":[]}", "duplicate member in line 2",
          "two keys members" },
        { SET(EC_KEY(",\"kid\":\"a\",\"kid\":\"b\"")),
          "duplicate member in line 1", "two kid members" },
        { EC_KEY(), "not a JWK Set, {\"keys\":[...]} is needed",
          "a key alone" },
        { "[" EC_KEY() "]", "not a JWK Set, {\"keys\":[...]} is needed",
          "an array" },
        { SET(""), "no key to verify with", "an empty set" },
        { SET("7"), NO_KTY, "a number" },
        { SET("{}"), NO_KTY, "a key without kty" },
        { SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" EC_X "\"}"),
          NO_KTY, "another kty" },
        { SET("{\"kty\":\"ec\",\"crv\":\"P-256\"," EC_XY "}"), NO_KTY,
          "a kty in small letters" },
        { SET("{\"kty\":\"oct\"}"), NO_KTY, "an oct key without k" },

        { SET(OCT("a", K_A)), PRIVATE("k"), "an oct key" },
        { SET(EC_KEY(",\"d\":\"" EC_D "\"")), PRIVATE("d"),
          "an EC key with its private part" },
        { SET(RSA_KEY(",\"d\":\"AQAB\"")), PRIVATE("d"),
          "an RSA key with its private part" },
        { SET(RSA_KEY(",\"p\":\"AQAB\"")), PRIVATE("p"),
          "an RSA key with a factor" },
        { SET(RSA_KEY(",\"dp\":\"AQAB\"")), PRIVATE("dp"),
          "an RSA key with an exponent" },
        { SET(RSA_KEY(",\"qi\":\"AQAB\"")), PRIVATE("qi"),
          "an RSA key with a coefficient" },
        { SET(RSA_KEY(",\"oth\":[]")), PRIVATE("oth"),
          "an RSA key with other primes" },
        { SET(EC_KEY(",\"k\":\"AQAB\"")), PRIVATE("k"),
          "an EC key with a k" },

        { SET(EC_KEY(",\"use\":\"enc\"")), NO_USE, "a key to encrypt with" },
        { SET(EC_KEY(",\"use\":7")), NO_USE, "a use that is a number" },
        { SET(EC_KEY(",\"key_ops\":[\"deriveKey\"]")), NO_OPS,
          "a key to derive others with" },
        { SET(EC_KEY(",\"key_ops\":[]")), NO_OPS, "a key for nothing" },
        { SET(EC_KEY(",\"key_ops\":\"verify\"")), NO_OPS,
          "key_ops that are a string" },
        { SET(EC_KEY(",\"alg\":\"ES384\"")), NO_ALG,
          "ES384 on the curve P-256" },
        { SET(EC_KEY(",\"alg\":\"HS256\"")), NO_ALG, "an EC key for HS256" },
        { SET(EC_KEY(",\"alg\":\"none\"")), NO_ALG, "an EC key for none" },
        { SET(EC_KEY(",\"alg\":\"RS256\"")), NO_ALG, "an EC key for RS256" },
        { SET(EC_KEY(",\"alg\":null")), NO_ALG, "an alg that is null" },
        { SET(EC_KEY(",\"alg\":\"\"")), NO_ALG, "an empty alg" },
        { SET(RSA_KEY(",\"alg\":\"ES256\"")), NO_RSA_ALG,
          "an RSA key for ES256" },
        { SET(RSA_KEY(",\"alg\":\"HS256\"")), NO_RSA_ALG,
          "an RSA key for HS256" },
        { SET(RSA_KEY(",\"alg\":\"RSA-OAEP\"")), NO_RSA_ALG,
          "an RSA key to encrypt with" },
        { SET(EC_KEY(",\"kid\":7")), "key 1 has a kid that is not a string",
          "a kid that is a number" },

        { SET("{\"kty\":\"EC\",\"crv\":\"P-521\"," EC_XY "}"), NO_CURVE,
          "the curve P-521" },
        { SET("{\"kty\":\"EC\",\"crv\":\"secp256k1\"," EC_XY "}"),
          NO_CURVE, "the curve secp256k1" },
        { SET("{\"kty\":\"EC\"," EC_XY "}"), NO_CURVE, "no curve" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-384\"," EC_XY "}"),
          "key 1 has no x of the right length", "a point of another curve" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}"),
          "key 1 has no y of the right length", "no y" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"y\":\"" EC_Y "\"}"),
          "key 1 has no x of the right length", "no x" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":7,\"y\":\"" EC_Y
              "\"}"), "key 1 has no x of the right length",
          "an x that is a number" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "=\","
              "\"y\":\"" EC_Y "\"}"), "key 1 has no x of the right length",
          "an x with padding" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA" EC_X "\","
              "\"y\":\"" EC_Y "\"}"), "key 1 has no x of the right length",
          "an x with a zero in front" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_Y "\","
              "\"y\":\"" EC_X "\"}"), NO_POINT, "a point off the curve" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\","
              "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
              "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"),
          NO_POINT, "the point at infinity" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\","
              "\"x\":\"_________________________________________w8\","
              "\"y\":\"" EC_Y "\"}"), NO_POINT, "an x past the field" },
        { SET("{\"kty\":\"EC\",\"crv\":\"P-256\","
              "\"x\":\"+HyQ8FCV2tXPkcAUipRHGzvOVdAiGI4MXt9j0nlMafw\","
              "\"y\":\"" EC_Y "\"}"), NO_POINT, "an x in base64" },

        { SET("{\"kty\":\"RSA\",\"e\":\"AQAB\"}"),
          "key 1 has no n of the right length", "no modulus" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\"}"),
          "key 1 has no e of the right length", "no exponent" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"\"}"),
          "key 1 has no e of the right length", "an empty exponent" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}"),
          NO_RSA, "an exponent of 1" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAA\"}"),
          NO_RSA, "an even exponent" },
        { SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQA=\"}"),
          NO_RSA, "an exponent in base64" },
        { SET(EC_KEY() "," EC_KEY(",\"kid\":\"b\"")),
          "key 1 has no kid, with several keys each needs one",
          "two keys, the first without kid" },
        { SET(EC_KEY(",\"kid\":\"b\"") "," RSA_KEY()),
          "key 2 has no kid, with several keys each needs one",
          "two keys, the second without kid" },
        { SET(EC_KEY(",\"kid\":\"a\"") "," EC_KEY(",\"kid\":\"b\"") ","
              RSA_KEY(",\"kid\":\"a\"")), "key 3 has the kid of key 1",
          "two keys of one kid" },
        { SET(EC_KEY(",\"kid\":\"a\"") "," OCT("b", K_A)),
          "key 2 has the private member \"k\", only public keys belong here",
          "a secret key among others" }
    };

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        fails(refused[i].json, refused[i].err, refused[i].name);
    }
}


static void
set_of_rsa(char *json, EVP_PKEY *key)
{
    char  members[JWK_TEXT_MAX];

    jwk_members(members, key, 0);
    sprintf(json, "{\"keys\":[{%s}]}", members);
}


/* 8192 bits without a small factor, which is as far as a check goes */

static size_t
large_modulus(u_char *modulus)
{
    BIGNUM    *bn;
    BN_ULONG   d;

    bn = BN_new();
    BN_set_bit(bn, 8191);
    BN_set_bit(bn, 0);

    for (d = 3; d < 1000; d += 2) {
        if (BN_mod_word(bn, d) == 0) {
            BN_add_word(bn, 2);
            d = 1;
        }
    }

    BN_bn2binpad(bn, modulus, 1024);
    BN_free(bn);

    return 1024;
}


static void
test_rsa(void)
{
    char       json[2 * JWK_TEXT_MAX], n[2048], *p;
    u_char     modulus[1040];
    EVP_PKEY  *key;

    key = EVP_RSA_gen(1024);
    set_of_rsa(json, key);
    EVP_PKEY_free(key);
    fails(json, "key 1 has a modulus of 1024 bits, 2048 to 8192 are needed",
          "an RSA key of 1024 bits");

    key = EVP_RSA_gen(3072);
    set_of_rsa(json, key);
    EVP_PKEY_free(key);
    loads(json, "RS256", "an RSA key of 3072 bits");

    memset(modulus, 0xff, sizeof(modulus));
    b64url_encode(n, modulus, 1025);
    sprintf(json, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\","
            "\"e\":\"AQAB\"}]}", n);
    fails(json, "key 1 has a modulus of 8200 bits, 2048 to 8192 are needed",
          "an RSA key of 8200 bits");

    b64url_encode(n, modulus, 1026);
    sprintf(json, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\","
            "\"e\":\"AQAB\"}]}", n);
    fails(json, "key 1 has no n of the right length",
          "an RSA key that is longer still");

    b64url_encode(n, modulus, large_modulus(modulus));
    sprintf(json, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\","
            "\"e\":\"AQAB\"}]}", n);
    loads(json, "RS256", "an RSA key of 8192 bits");

    p = strstr(strcpy(json, SET(RSA_KEY())), "\"e\"");
    p[-4] = 'A';
    fails(json, NO_RSA, "an even modulus");

    loads(SET("{\"kty\":\"RSA\",\"n\":\"" RSA_N_ZERO "\",\"e\":\"AQAB\"}"),
          "RS256", "a modulus with a zero in front, as some write it");
}


static void
test_many(void)
{
    char        json[JWK_TEXT_MAX], *p;
    ngx_uint_t  n, i;

    for (n = NGX_ENROLL_JWKS_MAX; n <= NGX_ENROLL_JWKS_MAX + 1; n++) {
        p = json + sprintf(json, "{\"keys\":[");

        for (i = 0; i < n; i++) {
            p += sprintf(p, "%s{\"kty\":\"EC\",\"crv\":\"P-256\"," EC_XY
                         ",\"kid\":\"%d\"}", i ? "," : "", (int) i);
        }

        sprintf(p, "]}");

        if (n == NGX_ENROLL_JWKS_MAX) {
            loads(json, "ES256", "16 keys");

        } else {
            fails(json, "17 keys, at most 16 are allowed", "17 keys");
        }
    }
}


/* libjose takes a key with a "keys" member for a set of others */

static void
test_set_in_key(void)
{
    char                    json[JWK_TEXT_MAX * 3], jws[JWS_TEXT_MAX];
    char                    a[JWK_TEXT_MAX], b[JWK_TEXT_MAX];
    char                    err[NGX_ENROLL_ERR_LEN];
    json_t                 *claims;
    EVP_PKEY               *key_a, *key_b;
    ngx_str_t               text;
    const char             *wrong;
    ngx_enroll_jwks_t       jwks;
    ngx_enroll_jwt_rule_t   rule;

    static const char  payload[] = "{\"iss\":\"i\",\"aud\":\"a\","
                                   "\"iat\":1700000000}";

    key_a = EVP_EC_gen("P-256");
    key_b = EVP_EC_gen("P-256");
    jwk_members(a, key_a, 0);
    jwk_members(b, key_b, 0);
    sprintf(json, "{\"keys\":[{%s,\"keys\":[{%s}]}]}", a, b);

    memset(&rule, 0, sizeof(rule));
    rule.iss = fixture_str("i");
    rule.aud = fixture_str("a");
    rule.now = NOW;

    if (tap_ok(read_set(&jwks, json, err) == NGX_OK,
               "a key that has a set in it"))
    {
        jws_sign(jws, "{\"alg\":\"ES256\"}", payload, key_a, BY_ECDSA,
                 EVP_sha256());
        text = fixture_str(jws);
        tap_ok(ngx_enroll_jwt_verify(&jwks, &text, &rule, &claims, &wrong)
               == NGX_ENROLL_JWT_OK,
               "verifies what it signed");
        json_decref(claims);

        jws_sign(jws, "{\"alg\":\"ES256\"}", payload, key_b, BY_ECDSA,
                 EVP_sha256());
        text = fixture_str(jws);
        tap_ok(ngx_enroll_jwt_verify(&jwks, &text, &rule, &claims, &wrong)
               == NGX_ENROLL_JWT_SIGNATURE,
               "and not what a key of that set signed");

        ngx_enroll_jwks_free(&jwks);
    }

    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
}


static void
sign_keys(ngx_enroll_keys_t *keys, const char *more)
{
    char  json[JWK_TEXT_MAX];

    snprintf(json, sizeof(json), SET("%s," OCT("oct", K_A) "," SUBJECT_KEY),
             more);
    fixture_keys(keys, json);
}


/* what others read of enroll_jwks verifies what we sign */

static void
test_sign(void)
{
    char                   *text, *again, *set, err[NGX_ENROLL_ERR_LEN];
    json_t                 *claims, *got;
    ngx_str_t               jws;
    const char             *wrong;
    ngx_enroll_jwks_t       jwks;
    ngx_enroll_keys_t       keys;
    ngx_enroll_jwt_rule_t   rule;

    sign_keys(&keys, EC_KEY(",\"kid\":\"a\",\"d\":\"" EC_D "\""));

    claims = json_pack("{s:s, s:s, s:i, s:i, s:s}", "iss", "https://proxy",
                       "aud", "https://idp", "iat", NOW, "exp", NOW + 60,
                       "sub", "\xc3\xa4\"\\ \xf0\x9f\x94\x91");

    text = ngx_enroll_jwt_sign(&keys, "enroll+jwt", claims);
    again = ngx_enroll_jwt_sign(&keys, "enroll+jwt", claims);
    set = json_dumps(keys.jwks, JSON_COMPACT);

    memset(&rule, 0, sizeof(rule));
    rule.typ = "enroll+jwt";
    rule.iss = fixture_str("https://proxy");
    rule.aud = fixture_str("https://idp");
    rule.exp = 1;
    rule.now = NOW;
    jws = fixture_str(text);

    tap_ok(claims->refcount == 1, "the claims stay the caller's");
    tap_ok(strncmp(text, "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEiLCJ0eXAiOiJlbnJvbGwr"
                   "and0In0.", 60) == 0,
           "the header says alg, kid and typ, and no more");
    tap_ok(strcmp(text, again) != 0, "each signature has its own nonce");
    tap_ok(read_set(&jwks, set, err) == NGX_OK, "others read its public set");
    tap_ok(ngx_enroll_jwt_verify(&jwks, &jws, &rule, &got, &wrong)
           == NGX_ENROLL_JWT_OK
           && json_equal(claims, got),
           "they verify what was signed, and read the same");
    tap_ok(strstr(set, EC_D) == NULL && strstr(set, "\"d\"") == NULL,
           "the private part is not in it");
    tap_ok(ERR_peek_error() == 0, "no error of OpenSSL's is left over");

    json_decref(got);
    json_decref(claims);
    ngx_enroll_jwks_free(&jwks);
    ngx_enroll_keys_free(&keys);
    free(text);
    free(again);
    free(set);
}


static void
test_no_signer(void)
{
    json_t             *claims;
    ngx_enroll_keys_t   keys;

    claims = json_pack("{s:s}", "iss", "x");

    fixture_keys(&keys, KEYS_A);
    tap_ok(ngx_enroll_jwt_sign(&keys, "enroll+jwt", claims) == NULL,
           "nothing is signed without an EC key");
    ngx_enroll_keys_free(&keys);

    sign_keys(&keys, EC_KEY(",\"kid\":\"a\""));
    tap_ok(ngx_enroll_jwt_sign(&keys, "enroll+jwt", claims) == NULL,
           "nor with the public part of one");
    ngx_enroll_keys_free(&keys);

    json_decref(claims);
}


int
main(void)
{
    test_accepted();
    test_refused();
    test_rsa();
    test_many();
    test_set_in_key();
    test_sign();
    test_no_signer();

    return tap_done();
}
