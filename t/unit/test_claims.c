
/* What a JWS that verifies has to say: claims, times, typ, bounds. */

#include "jwt.h"


static EVP_PKEY           *key_a;
static ngx_enroll_jwks_t   one;


static void
test_payload(void)
{
    char                   jws[JWS_TEXT_MAX];
    ngx_uint_t             i;
    ngx_enroll_jwt_rule_t  r;

    static const char  json[] = "payload is not a JSON object";

    static const struct {
        const char         *payload;
        ngx_enroll_jwt_e    rc;
        const char         *wrong;
        const char         *name;
    } payloads[] = {
        { "", MALFORMED, json, "signed, but empty" },
        { "{", MALFORMED, json, "signed, but no JSON" },
        { GOOD GOOD, MALFORMED, json, "two objects" },
        { "[" GOOD "]", MALFORMED, json, "an array" },
        { "\"x\"", MALFORMED, json, "a string" },
        { "null", MALFORMED, json, "null" },
        { "{\"iss\":\"x\"," CLAIMS "}", MALFORMED, json, "a duplicate iss" },
        { "{" CLAIMS ",\"iat\":1}", MALFORMED, json, "a duplicate iat" },
        { "{" CLAIMS ",\"a\":[{\"b\":1,\"b\":1}]}", MALFORMED, json,
          "a duplicate member deep in it" },
        { "{" CLAIMS ",\"i\\u0073s\":\"" ISS "\"}", MALFORMED, json,
          "a duplicate member in disguise" },
        { "{" CLAIMS ",\"x\":\"\xc3\"}", MALFORMED, json, "half a letter" },
        { "{" CLAIMS ",\"x\":\"\xed\xa0\x80\"}", MALFORMED, json,
          "half of a surrogate pair" },
        { "{" CLAIMS ",\"x\":\"\xc0\x80\"}", MALFORMED, json,
          "a NUL in two bytes" },
        { "{" CLAIMS ",\"x\":\"\\u0000\"}", MALFORMED, json,
          "a NUL as an escape" },
        { "\xef\xbb\xbf{" CLAIMS "}", MALFORMED, json, "a byte order mark" },
        { "{" CLAIMS ",\"exp\":99999999999999999999}", MALFORMED, json,
          "an exp past all integers" },

        { "{\"aud\":\"" AUD "\",\"iat\":1700000000}", ISSUER,
          "iss is another", "no iss" },
        { "{\"iss\":\"https://hr.exampl\",\"aud\":\"" AUD "\"}", ISSUER,
          "iss is another", "an iss that is shorter" },
        { "{\"iss\":\"" ISS "/\",\"aud\":\"" AUD "\"}", ISSUER,
          "iss is another", "an iss that is longer" },
        { "{\"iss\":\"https://HR.example\",\"aud\":\"" AUD "\"}", ISSUER,
          "iss is another", "an iss in capitals" },
        { "{\"iss\":[\"" ISS "\"],\"aud\":\"" AUD "\"}", ISSUER,
          "iss is another", "an iss in an array" },
        { "{\"iss\":7,\"aud\":\"" AUD "\"}", ISSUER, "iss is another",
          "an iss that is a number" },
        { "{\"iss\":\"\",\"aud\":\"" AUD "\"}", ISSUER, "iss is another",
          "an empty iss" },

        { "{\"iss\":\"" ISS "\",\"iat\":1700000000}", AUDIENCE,
          "aud is another", "no aud" },
        { "{\"iss\":\"" ISS "\",\"aud\":\"enrol\"}", AUDIENCE,
          "aud is another", "another aud" },
        { "{\"iss\":\"" ISS "\",\"aud\":\"\"}", AUDIENCE, "aud is another",
          "an empty aud" },
        { "{\"iss\":\"" ISS "\",\"aud\":[]}", AUDIENCE, "aud is another",
          "an aud of none" },
        { "{\"iss\":\"" ISS "\",\"aud\":[\"x\",\"y\"]}", AUDIENCE,
          "aud is another", "an aud of others" },
        { "{\"iss\":\"" ISS "\",\"aud\":[\"enroll\",7]}", AUDIENCE,
          "aud is another", "an aud with a number in it" },
        { "{\"iss\":\"" ISS "\",\"aud\":[[\"enroll\"]]}", AUDIENCE,
          "aud is another", "an aud in an array in an array" },
        { "{\"iss\":\"" ISS "\",\"aud\":7}", AUDIENCE, "aud is another",
          "an aud that is a number" },
        { "{\"iss\":\"" ISS "\",\"aud\":{\"enroll\":1}}", AUDIENCE,
          "aud is another", "an aud that is an object" },
        { "{\"iss\":\"" ISS "\",\"iat\":1700000000,\"aud\":[\"enroll\"]}",
          OK, "", "an aud in an array" },
        { "{\"iss\":\"" ISS "\",\"iat\":1700000000,\"aud\":[\"x\",\"enroll\","
          "\"y\"]}", OK, "", "an aud among others" }
    };

    r = rule();

    for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        jws_sign(jws, ES256("a"), payloads[i].payload, key_a, BY_ECDSA,
                 EVP_sha256());
        expect(&one, jws, &r, payloads[i].rc, payloads[i].wrong,
               payloads[i].name);
    }

    jws_sign(jws, ES256("a"), "{\"iss\":\"\",\"aud\":\"\",\"iat\":1700000000}",
             key_a, BY_ECDSA, EVP_sha256());
    r.iss = fixture_str("");
    expect(&one, jws, &r, ISSUER, "iss is another",
           "no iss is right where none is known");
    r.iss = fixture_str(ISS);
    r.aud = fixture_str("");
    expect(&one, jws, &r, ISSUER, "iss is another",
           "iss is looked at before aud");
}


static void
test_times(void)
{
    char                   jws[JWS_TEXT_MAX], payload[256];
    ngx_uint_t             i;
    ngx_enroll_jwt_rule_t  r;

    static const char  iat[] = "iat is missing, or no time";
    static const char  exp[] = "exp is missing, or no time";
    static const char  nbf[] = "nbf is no time";

    /* skew 60, max_age 600 */

    static const struct {
        const char         *times;
        ngx_uint_t          exp;
        ngx_enroll_jwt_e    rc;
        const char         *wrong;
        const char         *name;
    } times[] = {
        { "\"iat\":1700000000", 0, OK, "", "exp is there or not" },
        { "\"iat\":1700000000", 1, TIME, exp, "no exp where it is needed" },
        { "\"iat\":1700000000,\"exp\":1700000001", 1, OK, "", "exp" },
        { "\"iat\":1700000000,\"exp\":1699999941", 1, OK, "",
          "exp 59 s ago" },
        { "\"iat\":1700000000,\"exp\":1699999940", 1, TIME, "exp is past",
          "exp 60 s ago" },
        { "\"iat\":1700000000,\"exp\":1699999940", 0, TIME, "exp is past",
          "the same where none is needed" },
        { "\"iat\":1700000000,\"exp\":0", 0, TIME, "exp is past", "exp 0" },
        { "\"iat\":1700000000,\"exp\":-1", 0, TIME, exp, "exp -1" },
        { "\"iat\":1700000000,\"exp\":-9223372036854775808", 0, TIME, exp,
          "the least exp" },
        { "\"iat\":1700000000,\"exp\":9223372036854775807", 0, OK, "",
          "the last exp" },
        { "\"iat\":1700000000,\"exp\":1700000300.0", 0, TIME, exp,
          "exp as a float" },
        { "\"iat\":1700000000,\"exp\":1.7e10", 0, TIME, exp,
          "exp with an exponent" },
        { "\"iat\":1700000000,\"exp\":\"1700000300\"", 0, TIME, exp,
          "exp as a string" },
        { "\"iat\":1700000000,\"exp\":null", 0, TIME, exp, "exp null" },
        { "\"iat\":1700000000,\"exp\":true", 0, TIME, exp, "exp true" },
        { "\"iat\":1700000000,\"exp\":[1700000300]", 0, TIME, exp,
          "exp in an array" },

        { "\"iat\":1700000000,\"nbf\":1700000060", 0, OK, "",
          "nbf in 60 s" },
        { "\"iat\":1700000000,\"nbf\":1700000061", 0, TIME,
          "nbf is in the future", "nbf in 61 s" },
        { "\"iat\":1700000000,\"nbf\":0", 0, OK, "", "nbf 0" },
        { "\"iat\":1700000000,\"nbf\":-1", 0, TIME, nbf, "nbf -1" },
        { "\"iat\":1700000000,\"nbf\":9223372036854775807", 0, TIME,
          "nbf is in the future", "the last nbf" },
        { "\"iat\":1700000000,\"nbf\":1.5", 0, TIME, nbf, "nbf as a float" },
        { "\"iat\":1700000000,\"nbf\":\"0\"", 0, TIME, nbf,
          "nbf as a string" },
        { "\"iat\":1700000000,\"nbf\":null", 0, TIME, nbf, "nbf null" },

        { "\"exp\":1700000300", 1, TIME, iat, "no iat" },
        { "\"iat\":1700000060", 0, OK, "", "iat in 60 s" },
        { "\"iat\":1700000061", 0, TIME, "iat is in the future",
          "iat in 61 s" },
        { "\"iat\":9223372036854775807", 0, TIME, "iat is in the future",
          "the last iat" },
        { "\"iat\":1699999340", 0, OK, "", "iat 660 s ago" },
        { "\"iat\":1699999339", 0, TIME, "iat is too old",
          "iat 661 s ago" },
        { "\"iat\":1699999339,\"exp\":1700000300", 1, TIME, "iat is too old",
          "the same, with an exp to come" },
        { "\"iat\":0", 0, TIME, "iat is too old", "iat 0" },
        { "\"iat\":-1", 0, TIME, iat, "iat -1" },
        { "\"iat\":-9223372036854775808", 0, TIME, iat, "the least iat" },
        { "\"iat\":1700000000.5", 0, TIME, iat, "iat as a float" },
        { "\"iat\":1700000000000", 0, TIME, "iat is in the future",
          "iat in milliseconds" },
        { "\"iat\":\"1700000000\"", 0, TIME, iat, "iat as a string" },
        { "\"iat\":null", 0, TIME, iat, "iat null" }
    };

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        r = rule();
        r.exp = times[i].exp;

        sprintf(payload, "{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",%s}",
                times[i].times);
        jws_sign(jws, ES256("a"), payload, key_a, BY_ECDSA, EVP_sha256());
        expect(&one, jws, &r, times[i].rc, times[i].wrong, times[i].name);
    }
}


static void
test_typ(void)
{
    char                   jws[JWS_TEXT_MAX], header[128];
    ngx_uint_t             i;
    ngx_enroll_jwt_rule_t  r;

    static const struct {
        const char  *typ;
        ngx_uint_t   any;                  /* none is asked for */
        ngx_uint_t   right;
        const char  *name;
    } typs[] = {
        { "\"secevent+jwt\"", 0, 1, "typ" },
        { "\"application/secevent+jwt\"", 0, 1, "typ with application/" },
        { "\"SecEvent+JWT\"", 0, 1, "typ in capitals" },
        { "\"Application/secevent+jwt\"", 0, 1, "application/ in capitals" },
        { "\"JWT\"", 0, 0, "another typ" },
        { "\"secevent+jw\"", 0, 0, "a typ that is shorter" },
        { "\"secevent+jwtx\"", 0, 0, "a typ that is longer" },
        { "\"text/secevent+jwt\"", 0, 0, "another type's" },
        { "\"application/application/secevent+jwt\"", 0, 0,
          "application/ twice" },
        { "\"application/\"", 0, 0, "application/ alone" },
        { "\"\"", 0, 0, "an empty typ" },
        { "7", 0, 0, "a typ that is a number" },
        { "[\"secevent+jwt\"]", 0, 0, "a typ in an array" },
        { NULL, 0, 0, "no typ" },
        { NULL, 1, 1, "no typ where none is asked for" },
        { "\"JWT\"", 1, 1, "any typ where none is asked for" }
    };

    for (i = 0; i < sizeof(typs) / sizeof(typs[0]); i++) {
        r = rule();
        r.typ = typs[i].any ? NULL : "secevent+jwt";

        sprintf(header, "{\"alg\":\"ES256\"%s%s}",
                typs[i].typ ? ",\"typ\":" : "",
                typs[i].typ ? typs[i].typ : "");
        jws_sign(jws, header, GOOD, key_a, BY_ECDSA, EVP_sha256());
        expect(&one, jws, &r, typs[i].right ? OK : MALFORMED,
               typs[i].right ? "" : "typ is another", typs[i].name);
    }
}


/* of that many bytes, if there is one */

static ngx_uint_t
make_long(char *jws, size_t len)
{
    char    header[64], payload[JWS_PART_MAX];
    size_t  n, fill, pad;

    n = sprintf(payload, "{" CLAIMS ",\"x\":\"");
    fill = len / 4 * 3 - n - 90;

    for (pad = 0; pad < 4; pad++) {
        sprintf(header, "{\"alg\":\"ES256\"%*s}", (int) pad, "");

        for (fill = len / 4 * 3 - n - 130; fill < len / 4 * 3 - n; fill++) {
            memset(payload + n, 'x', fill);
            strcpy(payload + n + fill, "\"}");

            /* 86 characters are the signature's */

            if ((strlen(header) * 4 + 2) / 3 + (strlen(payload) * 4 + 2) / 3
                + 2 + 86 == len)
            {
                jws_sign(jws, header, payload, key_a, BY_ECDSA, EVP_sha256());
                return strlen(jws) == len;
            }
        }
    }

    return 0;
}


static void
test_bounds(void)
{
    char                   jws[JWS_TEXT_MAX], text[JWS_TEXT_MAX], *p;
    ngx_uint_t             i, deep;
    ngx_enroll_jwt_rule_t  r;

    r = rule();

    tap_ok(make_long(jws, NGX_ENROLL_JWS_MAX), "a JWS of 16384 bytes");
    expect(&one, jws, &r, OK, "", "is accepted");
    tap_ok(make_long(jws, NGX_ENROLL_JWS_MAX + 1), "a JWS of 16385 bytes");
    expect(&one, jws, &r, MALFORMED, "not a compact JWS", "is not");

    memset(text, '.', NGX_ENROLL_JWS_MAX + 1);
    text[NGX_ENROLL_JWS_MAX + 1] = '\0';
    expect(&one, text, &r, MALFORMED, "not a compact JWS", "nothing but dots");

    for (deep = 2000; deep <= 3000; deep += 1000) {
        p = text + sprintf(text, "{" CLAIMS ",\"x\":");

        for (i = 0; i < deep; i++) {
            *p++ = '[';
        }

        for (i = 0; i < deep; i++) {
            *p++ = ']';
        }

        strcpy(p, "}");
        jws_sign(jws, ES256("a"), text, key_a, BY_ECDSA, EVP_sha256());

        expect(&one, jws, &r, deep == 2000 ? OK : MALFORMED,
               deep == 2000 ? "" : "payload is not a JSON object",
               deep == 2000 ? "2000 arrays deep" : "3000 arrays deep");
    }

    p = text + sprintf(text, "{\"alg\":\"ES256\",\"x\":");

    for (i = 0; i < 4000; i++) {
        *p++ = '[';
    }

    *p = '\0';
    jws_sign(jws, text, GOOD, key_a, BY_ECDSA, EVP_sha256());
    expect(&one, jws, &r, MALFORMED, "header is not a JSON object",
           "a header that goes deep, and never back");
}


static void
test_issuer(void)
{
    char        jws[JWS_TEXT_MAX];
    json_t     *payload;
    ngx_int_t   rc;
    ngx_str_t   iss, copy;
    ngx_uint_t  i;

    static const struct {
        const char  *payload;
        const char  *iss;
        const char  *name;
    } payloads[] = {
        { GOOD, ISS, "the iss of a JWS" },
        { "{\"iss\":\"x\"}", "x", "whatever else it lacks" },
        { "{\"iss\":\"\"}", NULL, "an empty iss" },
        { "{\"iss\":7}", NULL, "an iss that is a number" },
        { "{\"aud\":\"x\"}", NULL, "no iss" },
        { "{\"iss\":\"x\",\"iss\":\"y\"}", NULL, "two iss" },
        { "[\"iss\"]", NULL, "an array" },
        { "{\"iss\":\"\xff\"}", NULL, "an iss that is not UTF-8" },
        { "", NULL, "an empty payload" }
    };

    for (i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        jws_sign(jws, "{}", payloads[i].payload, NULL, BY_NOTHING, NULL);
        copy = fixture_copy(jws, strlen(jws));

        rc = ngx_enroll_jwt_issuer(&copy, &iss, &payload);

        free(copy.data);

        if (payloads[i].iss) {
            tap_ok(rc == NGX_OK
                   && iss.len == strlen(payloads[i].iss)
                   && memcmp(iss.data, payloads[i].iss, iss.len) == 0,
                   "found: %s", payloads[i].name);

        } else {
            tap_ok(rc == NGX_DECLINED && payload == NULL,
                   "not found: %s", payloads[i].name);
        }

        json_decref(payload);
    }

    copy = fixture_str("eyJpc3MiOiJ4In0");
    tap_ok(ngx_enroll_jwt_issuer(&copy, &iss, &payload) == NGX_DECLINED
           && payload == NULL,
           "not found: no JWS");

    copy = fixture_str("e30.eyJpc3MiOiJ4In0=.");
    tap_ok(ngx_enroll_jwt_issuer(&copy, &iss, &payload) == NGX_DECLINED
           && payload == NULL,
           "not found: padding");
}


int
main(void)
{
    key_a = EVP_EC_gen("P-256");
    make_set(&one, 1, &key_a, (const char *[]) { ",\"kid\":\"a\"" });

    test_payload();
    test_times();
    test_typ();
    test_bounds();
    test_issuer();

    ngx_enroll_jwks_free(&one);
    EVP_PKEY_free(key_a);

    return tap_done();
}
