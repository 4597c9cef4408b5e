
/*
 * Which JWSs verify: keys, headers, forms. What is refused is signed as it
 * stands, so that nothing but the fault is wrong with it.
 */

#include <unistd.h>

#include "jwt.h"


static EVP_PKEY           *key_a, *key_b, *key_c, *key_384, *key_rsa;
static ngx_enroll_jwks_t   one, bare, two, rotated, all, rs256, ps256, es384;


static void
make_sets(void)
{
    key_a = EVP_EC_gen("P-256");
    key_b = EVP_EC_gen("P-256");
    key_c = EVP_EC_gen("P-256");
    key_384 = EVP_EC_gen("P-384");
    key_rsa = EVP_RSA_gen(2048);

    make_set(&one, 1, &key_a, (const char *[]) { ",\"kid\":\"a\"" });
    make_set(&bare, 1, &key_a, (const char *[]) { "" });
    make_set(&two, 2, (EVP_PKEY *[]) { key_a, key_b },
             (const char *[]) { ",\"kid\":\"a\"", ",\"kid\":\"b\"" });
    make_set(&rotated, 2, (EVP_PKEY *[]) { key_c, key_b },
             (const char *[]) { ",\"kid\":\"c\"", ",\"kid\":\"b\"" });
    make_set(&rs256, 1, &key_rsa, (const char *[]) { "" });
    make_set(&ps256, 1, &key_rsa, (const char *[]) { ",\"alg\":\"PS256\"" });
    make_set(&es384, 1, &key_384, (const char *[]) { "" });
    make_set(&all, 4, (EVP_PKEY *[]) { key_a, key_384, key_rsa, key_rsa },
             (const char *[]) { ",\"kid\":\"a\"", ",\"kid\":\"384\"",
                                ",\"kid\":\"rs\",\"alg\":\"RS256\"",
                                ",\"kid\":\"ps\",\"alg\":\"PS256\"" });
}


static void
test_accepted(void)
{
    char                   jws[JWS_TEXT_MAX];
    ngx_uint_t             i;
    ngx_enroll_jwt_rule_t  r;

    const struct {
        ngx_enroll_jwks_t  *jwks;
        const char         *header;
        EVP_PKEY           *key;
        jws_how_e           how;
        const EVP_MD       *md;
        const char         *name;
    } accepted[] = {
        { &one, ES256("a"), key_a, BY_ECDSA, EVP_sha256(), "ES256, by kid" },
        { &one, "{\"alg\":\"ES256\"}", key_a, BY_ECDSA, EVP_sha256(),
          "a set of one key needs no kid" },
        { &bare, "{\"alg\":\"ES256\"}", key_a, BY_ECDSA, EVP_sha256(),
          "a key that has no kid" },
        { &two, ES256("a"), key_a, BY_ECDSA, EVP_sha256(),
          "the first of two keys" },
        { &two, ES256("b"), key_b, BY_ECDSA, EVP_sha256(),
          "the second of two keys" },
        { &rotated, ES256("b"), key_b, BY_ECDSA, EVP_sha256(),
          "it is good still when a new key stands in front" },
        { &rotated, ES256("c"), key_c, BY_ECDSA, EVP_sha256(),
          "so is the new key" },
        { &es384, "{\"alg\":\"ES384\"}", key_384, BY_ECDSA, EVP_sha384(),
          "ES384" },
        { &rs256, "{\"alg\":\"RS256\"}", key_rsa, BY_PKCS1, EVP_sha256(),
          "RS256, of a key without alg" },
        { &ps256, "{\"alg\":\"PS256\"}", key_rsa, BY_PSS, EVP_sha256(),
          "PS256, of a key that says so" },
        { &all, "{\"alg\":\"ES384\",\"kid\":\"384\"}", key_384, BY_ECDSA,
          EVP_sha384(), "ES384 among keys of all kinds" },
        { &all, "{\"alg\":\"PS256\",\"kid\":\"ps\"}", key_rsa, BY_PSS,
          EVP_sha256(), "PS256 among keys of all kinds" },
        { &one, " { \"x5t\" : \"AAAA\", \"cty\":\"x\",\n\"alg\" : \"ES256\" }",
          key_a, BY_ECDSA, EVP_sha256(),
          "white space, and members that change nothing" }
    };

    r = rule();

    for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        jws_sign(jws, accepted[i].header, GOOD, accepted[i].key,
                 accepted[i].how, accepted[i].md);
        expect(accepted[i].jwks, jws, &r, OK, "", accepted[i].name);
    }
}


/* made by vectors.py, without libjose and OpenSSL, and by the RFC's authors */

static void
test_vectors(void)
{
    char                   err[NGX_ENROLL_ERR_LEN];
    ngx_uint_t             i;
    ngx_enroll_jwks_t      jwks;
    ngx_enroll_jwt_rule_t  r;

    static const struct {
        const char  *set;
        const char  *jws;
        const char  *name;
    } known[] = {
        { "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\","
          "\"y\":\"" EC_Y "\",\"kid\":\"a\"}]}",
          JWS_ES256, "a known JWS, ES256" },
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}]}",
          JWS_RS256, "a known JWS, RS256" },
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\","
          "\"alg\":\"PS256\"}]}",
          JWS_PS256, "a known JWS, PS256" }
    };

    static const char  rfc[] =
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

#define RFC_TEXT                                                             \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogI" \
    "mh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
#define RFC_SIG                                                              \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxf" \
    "KTUJqPP3-Kg6NU1Q"

    r = rule();
    r.exp = 1;

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (read_set(&jwks, known[i].set, err) != NGX_OK) {
            tap_ok(0, "%s: %s", known[i].name, err);
            continue;
        }

        expect(&jwks, known[i].jws, &r, OK, "", known[i].name);
        ngx_enroll_jwks_free(&jwks);
    }

    read_set(&jwks, rfc, err);

    r.iss = fixture_str("joe");

    expect(&jwks, RFC_TEXT RFC_SIG, &r, AUDIENCE, "aud is another",
           "RFC 7515, A.3: signature and iss are right, it has no aud");
    expect(&jwks, RFC_TEXT "E" RFC_SIG, &r, SIGNATURE,
           "signature does not verify",
           "RFC 7515, A.3 with one character more");

    ngx_enroll_jwks_free(&jwks);
}


static void
test_header(void)
{
    char                   jws[JWS_TEXT_MAX];
    ngx_uint_t             i;
    ngx_enroll_jwt_rule_t  r;

    static const char  alg[] = "alg is not that of the key";
    static const char  sig[] = "signature does not verify";
    static const char  json[] = "header is not a JSON object";
    static const char  in[] = "a key stands in the header";

    const struct {
        ngx_enroll_jwks_t  *jwks;
        const char         *header;
        EVP_PKEY           *key;
        jws_how_e           how;
        const EVP_MD       *md;
        ngx_enroll_jwt_e    rc;
        const char         *wrong;
        const char         *name;
    } refused[] = {
        { &one, ES256("a"), key_b, BY_ECDSA, EVP_sha256(), SIGNATURE, sig,
          "another's key" },
        { &two, ES256("a"), key_b, BY_ECDSA, EVP_sha256(), SIGNATURE, sig,
          "the kid of one key, the signature of the other" },
        { &rotated, ES256("a"), key_a, BY_ECDSA, EVP_sha256(), KEY,
          "kid is unknown", "a key that was rotated out" },
        { &one, ES256("b"), key_a, BY_ECDSA, EVP_sha256(), KEY,
          "kid is unknown", "an unknown kid, with one key" },
        { &bare, ES256("a"), key_a, BY_ECDSA, EVP_sha256(), KEY,
          "kid is unknown", "a kid, and a key that has none" },
        { &one, ES256("A"), key_a, BY_ECDSA, EVP_sha256(), KEY,
          "kid is unknown", "a kid in capitals" },
        { &one, ES256(""), key_a, BY_ECDSA, EVP_sha256(), KEY,
          "kid is unknown", "an empty kid" },
        { &one, "{\"alg\":\"ES256\",\"kid\":7}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, "kid is unknown", "a kid that is a number" },
        { &one, "{\"alg\":\"ES256\",\"kid\":[\"a\"]}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, "kid is unknown", "a kid that is an array" },
        { &one, "{\"alg\":\"ES256\",\"kid\":null}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, "kid is unknown", "a kid that is null" },
        { &two, "{\"alg\":\"ES256\"}", key_a, BY_ECDSA, EVP_sha256(), KEY,
          "kid is missing", "no kid, with two keys" },

        { &one, "{\"alg\":\"none\",\"kid\":\"a\"}", NULL, BY_NOTHING, NULL,
          KEY, alg, "alg none, and no signature" },
        { &one, "{\"alg\":\"none\",\"kid\":\"a\"}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, alg, "alg none, and a good signature" },
        { &one, "{\"alg\":\"None\"}", NULL, BY_NOTHING, NULL, KEY, alg,
          "alg None" },
        { &one, ES256("a"), NULL, BY_NOTHING, NULL, SIGNATURE, sig,
          "no signature" },
        { &one, "{\"alg\":\"HS256\",\"kid\":\"a\"}", key_a, BY_HMAC,
          EVP_sha256(), KEY, alg, "HS256 with the public EC key" },
        { &rs256, "{\"alg\":\"HS256\"}", key_rsa, BY_HMAC, EVP_sha256(), KEY,
          alg, "HS256 with the public RSA key" },
        { &one, ES256("a"), key_a, BY_HMAC, EVP_sha256(), SIGNATURE, sig,
          "the same that says ES256" },
        { &rs256, "{\"alg\":\"RS256\"}", key_rsa, BY_HMAC, EVP_sha256(),
          SIGNATURE, sig, "the same that says RS256" },
        { &one, "{\"alg\":\"ES384\",\"kid\":\"a\"}", key_a, BY_ECDSA,
          EVP_sha384(), KEY, alg, "ES384 by a key for ES256" },
        { &one, "{\"alg\":\"ES512\",\"kid\":\"a\"}", key_a, BY_ECDSA,
          EVP_sha512(), KEY, alg, "ES512 by a key for ES256" },
        { &one, ES256("a"), key_a, BY_ECDSA, EVP_sha384(), SIGNATURE, sig,
          "another hash than its alg says" },
        { &es384, "{\"alg\":\"ES256\"}", key_384, BY_ECDSA, EVP_sha256(),
          KEY, alg, "ES256 by a key for ES384" },
        { &rs256, "{\"alg\":\"PS256\"}", key_rsa, BY_PSS, EVP_sha256(), KEY,
          alg, "PS256 by a key for RS256" },
        { &rs256, "{\"alg\":\"RS512\"}", key_rsa, BY_PKCS1, EVP_sha512(),
          KEY, alg, "RS512 by a key for RS256" },
        { &ps256, "{\"alg\":\"RS256\"}", key_rsa, BY_PKCS1, EVP_sha256(),
          KEY, alg, "RS256 by a key for PS256" },
        { &rs256, "{\"alg\":\"RS256\"}", key_rsa, BY_PSS, EVP_sha256(),
          SIGNATURE, sig, "a PS256 signature that says RS256" },
        { &ps256, "{\"alg\":\"PS256\"}", key_rsa, BY_PKCS1, EVP_sha256(),
          SIGNATURE, sig, "an RS256 signature that says PS256" },
        { &one, "{\"alg\":\"es256\",\"kid\":\"a\"}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, alg, "alg in small letters" },
        { &one, "{\"kid\":\"a\"}", key_a, BY_ECDSA, EVP_sha256(), KEY, alg,
          "no alg" },
        { &one, "{\"kid\":\"a\",\"alg\":256}", key_a, BY_ECDSA, EVP_sha256(),
          KEY, alg, "an alg that is a number" },

        { &one, "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}", key_a,
          BY_ECDSA, EVP_sha256(), KEY, "crit is not supported", "crit" },
        { &one, "{\"alg\":\"ES256\",\"crit\":[]}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, "crit is not supported", "an empty crit" },
        { &one, "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}", key_a,
          BY_ECDSA, EVP_sha256(), KEY, "crit is not supported",
          "an unencoded payload" },
        { &one, "{\"alg\":\"ES256\",\"b64\":false}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, "b64 is not supported",
          "an unencoded payload without crit" },
        { &one, "{\"alg\":\"ES256\",\"b64\":true}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, "b64 is not supported", "b64 at all" },
        { &one, "{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\","
          "\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, in, "a jwk in the header" },
        { &one, "{\"alg\":\"ES256\",\"jku\":\"https://evil.example\"}", key_a,
          BY_ECDSA, EVP_sha256(), KEY, in, "a jku in the header" },
        { &one, "{\"alg\":\"ES256\",\"x5c\":[\"AAAA\"]}", key_a, BY_ECDSA,
          EVP_sha256(), KEY, in, "an x5c in the header" },
        { &one, "{\"alg\":\"ES256\",\"x5u\":\"https://evil.example\"}", key_a,
          BY_ECDSA, EVP_sha256(), KEY, in, "an x5u in the header" },

        { &one, "{\"alg\":\"ES256\",\"alg\":\"ES256\"}", key_a, BY_ECDSA,
          EVP_sha256(), MALFORMED, json, "a duplicate alg" },
        { &one, "{\"alg\":\"ES256\",\"kid\":\"b\",\"kid\":\"a\"}", key_a,
          BY_ECDSA, EVP_sha256(), MALFORMED, json, "a duplicate kid" },
        { &one, "{\"alg\":\"ES256\",\"x\":{\"y\":1,\"y\":2}}", key_a,
          BY_ECDSA, EVP_sha256(), MALFORMED, json,
          "a duplicate member deep in the header" },
        { &one, "{\"alg\":\"ES256\",\"kid\":\"a\",\"x\":\"\xff\"}", key_a,
          BY_ECDSA, EVP_sha256(), MALFORMED, json,
          "a header that is not UTF-8" },
        { &one, "{\"alg\":\"ES256\",\"kid\":\"a\\u0000\"}", key_a, BY_ECDSA,
          EVP_sha256(), MALFORMED, json, "a NUL in the header" },
        { &one, "{\"alg\":\"ES256\"}{}", key_a, BY_ECDSA, EVP_sha256(),
          MALFORMED, json, "something behind the header" },
        { &one, "[\"ES256\"]", key_a, BY_ECDSA, EVP_sha256(), MALFORMED,
          json, "a header that is an array" },
        { &one, "\"ES256\"", key_a, BY_ECDSA, EVP_sha256(), MALFORMED, json,
          "a header that is a string" },
        { &one, "", key_a, BY_ECDSA, EVP_sha256(), MALFORMED, json,
          "an empty header" }
    };

    r = rule();

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        jws_sign(jws, refused[i].header, GOOD, refused[i].key,
                 refused[i].how, refused[i].md);
        expect(refused[i].jwks, jws, &r, refused[i].rc, refused[i].wrong,
               refused[i].name);
    }
}


/* signed as they stand: nothing but their form is wrong */

static void
test_form(void)
{
    char                   jws[JWS_TEXT_MAX], other[JWS_TEXT_MAX + 8], *p;
    char                   h[128], b[1024];
    ngx_uint_t             i;
    ngx_enroll_jwt_rule_t  r;

    static const char  wrong[] = "not a compact JWS";

    static const struct {
        const char  *header;               /* behind a good one */
        const char  *payload;              /* likewise */
        const char  *name;
    } forms[] = {
        { "=", "", "padding behind the header" },
        { "", "=", "padding behind the payload" },
        { "==", "", "two of it" },
        { "\n", "", "a line feed in the header" },
        { "", " ", "a space behind the payload" },
        { "", "+", "a plus sign" },
        { "", "/", "a slash" },
        { "", "\xc3\xa4", "a letter that is not ASCII" },
        { "", ".AAAA", "four parts" }
    };

    r = rule();

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        p = b64url_encode(h, "{\"alg\":\"ES256\"}", 15);
        strcpy(p, forms[i].header);
        p = b64url_encode(b, GOOD, sizeof(GOOD) - 1);
        strcpy(p, forms[i].payload);
        jws_sign_parts(jws, h, b, key_a, BY_ECDSA, EVP_sha256());
        expect(&one, jws, &r, MALFORMED, wrong, forms[i].name);
    }

    /* 16 bytes: the last character has four bits to spare */

    p = b64url_encode(h, "{\"alg\":\"ES256\" }", 16);
    b64url_encode(b, GOOD, sizeof(GOOD) - 1);
    jws_sign_parts(jws, h, b, key_a, BY_ECDSA, EVP_sha256());
    expect(&one, jws, &r, OK, "", "a header of 16 bytes");

    p[-1]++;
    jws_sign_parts(jws, h, b, key_a, BY_ECDSA, EVP_sha256());
    expect(&one, jws, &r, MALFORMED, wrong, "a bit too many in the header");

    jws_sign(jws, ES256("a"), GOOD, key_a, BY_ECDSA, EVP_sha256());

    strcpy(other, jws);
    other[strlen(other) - 1]++;
    expect(&one, other, &r, MALFORMED, wrong,
           "a bit too many in the signature");

    sprintf(other, "%s==", jws);
    expect(&one, other, &r, MALFORMED, wrong, "padding behind the signature");
    sprintf(other, "%sAAAA", jws);
    expect(&one, other, &r, SIGNATURE, "signature does not verify",
           "a longer signature");
    sprintf(other, "%s.", jws);
    expect(&one, other, &r, MALFORMED, wrong, "a dot at its end");
    sprintf(other, ".%s", jws);
    expect(&one, other, &r, MALFORMED, wrong, "a dot in front");
    sprintf(other, "%s\n", jws);
    expect(&one, other, &r, MALFORMED, wrong, "a line feed at its end");
    sprintf(other, " %s", jws);
    expect(&one, other, &r, MALFORMED, wrong, "a space in front");

    strcpy(other, jws);
    *strrchr(other, '.') = '\0';
    expect(&one, other, &r, MALFORMED, wrong, "two parts");
    *strrchr(other, '.') = '\0';
    expect(&one, other, &r, MALFORMED, wrong, "one part");
    expect(&one, "", &r, MALFORMED, wrong, "nothing");
    expect(&one, ".", &r, MALFORMED, wrong, "a dot");
    expect(&one, "..", &r, MALFORMED, "header is not a JSON object",
           "two dots");
    expect(&one, "...", &r, MALFORMED, wrong, "three dots");
    expect(&one, GOOD, &r, MALFORMED, wrong, "JSON");

    sprintf(other, "%.*s..%s", (int) (strchr(jws, '.') - jws), jws,
            strrchr(jws, '.') + 1);
    expect(&one, other, &r, SIGNATURE, "signature does not verify",
           "an empty payload");
}


static void
test_nul(void)
{
    char                    jws[JWS_TEXT_MAX];
    size_t                  len;
    const char             *wrong;
    ngx_enroll_jwt_rule_t   r;

    r = rule();
    jws_sign(jws, ES256("a"), GOOD, key_a, BY_ECDSA, EVP_sha256());
    len = strlen(jws);

    tap_ok(verify(&one, jws, len, &r, &wrong) == OK
           && verify(&one, jws, len + 1, &r, &wrong) == MALFORMED,
           "a NUL at its end");

    jws[30] = '\0';
    tap_ok(verify(&one, jws, len, &r, &wrong) == MALFORMED,
           "a NUL in it");
}


/* one byte at a time, each of them */

static void
test_changed(void)
{
    char                    jws[JWS_TEXT_MAX];
    size_t                  i, len;
    const char             *wrong;
    ngx_uint_t              accepted, bit;
    ngx_enroll_jwt_rule_t   r;

    r = rule();
    accepted = 0;
    jws_sign(jws, ES256("a"), GOOD, key_a, BY_ECDSA, EVP_sha256());
    len = strlen(jws);

    for (i = 0; i < len; i++) {
        for (bit = 0; bit < 7; bit += 3) {
            jws[i] ^= 1 << bit;
            accepted += verify(&one, jws, len, &r, &wrong) == OK;
            jws[i] ^= 1 << bit;
        }
    }

    tap_ok(accepted == 0, "no byte of it may change");
    tap_ok(verify(&one, jws, len, &r, &wrong) == OK, "as it was, it is good");

    accepted = 0;

    for (i = 0; i < len; i++) {
        accepted += verify(&one, jws, i, &r, &wrong) == OK;
    }

    tap_ok(accepted == 0, "nor may it be cut off anywhere");
}


static void
test_ecdsa_edges(void)
{
    char                   jws[JWS_TEXT_MAX], h[128], b[1024];
    u_char                 sig[64];
    ngx_uint_t             i;
    ngx_enroll_jwt_rule_t  r;

    /* the order of P-256, FIPS 186-4 */

    static const u_char  order[] = {
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
        0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };

    static const char  *names[] = { "r and s are 0", "r is 0", "s is 0",
                                    "r and s are the curve's order",
                                    "all bits are set" };

    r = rule();
    b64url_encode(h, ES256("a"), strlen(ES256("a")));
    b64url_encode(b, GOOD, strlen(GOOD));

    for (i = 0; i < 5; i++) {
        memset(sig, i == 4 ? 0xff : 0, sizeof(sig));

        if (i == 1) {
            sig[63] = 1;

        } else if (i == 2) {
            sig[31] = 1;

        } else if (i == 3) {
            memcpy(sig, order, 32);
            memcpy(sig + 32, order, 32);
        }

        b64url_encode(jws + sprintf(jws, "%s.%s.", h, b), sig, sizeof(sig));
        expect(&one, jws, &r, SIGNATURE, "signature does not verify",
               names[i]);
    }
}


/* libjose says on stderr what it does not like, unless it is told not to */

static void
test_silence(void)
{
    int                    saved, file;
    char                   jws[JWS_TEXT_MAX], path[] = "/tmp/stderrXXXXXX";
    off_t                  written;
    const char            *wrong;
    ngx_enroll_jwt_rule_t  r;

    r = rule();
    file = mkstemp(path);
    saved = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);

    jws_sign(jws, "{\"alg\":\"HS256\"}", GOOD, key_a, BY_HMAC, EVP_sha256());
    (void) verify(&one, jws, strlen(jws), &r, &wrong);
    jws_sign(jws, "{\"alg\":\"made up\"}", GOOD, key_a, BY_ECDSA,
             EVP_sha256());
    (void) verify(&one, jws, strlen(jws), &r, &wrong);
    jws_sign(jws, ES256("a"), GOOD, key_b, BY_ECDSA, EVP_sha256());
    (void) verify(&one, jws, strlen(jws), &r, &wrong);

    fflush(stderr);
    written = lseek(file, 0, SEEK_END);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(file);
    unlink(path);

    tap_ok(written == 0, "nothing a stranger sent is written to stderr");
}


int
main(void)
{
    make_sets();

    test_accepted();
    test_vectors();
    test_header();
    test_form();
    test_nul();
    test_changed();
    test_ecdsa_edges();
    test_silence();

    ngx_enroll_jwks_free(&one);
    ngx_enroll_jwks_free(&bare);
    ngx_enroll_jwks_free(&two);
    ngx_enroll_jwks_free(&rotated);
    ngx_enroll_jwks_free(&all);
    ngx_enroll_jwks_free(&rs256);
    ngx_enroll_jwks_free(&ps256);
    ngx_enroll_jwks_free(&es384);

    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    EVP_PKEY_free(key_c);
    EVP_PKEY_free(key_384);
    EVP_PKEY_free(key_rsa);

    return tap_done();
}
