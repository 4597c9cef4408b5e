
#include "ngx_enroll_uri.h"

#include "fixture.h"


#define RANDOM_PATHS  200000
#define RANDOM_MAX    24
#define SEGMENTS_MAX  (RANDOM_MAX + 1)


static ngx_uint_t
canonical(const void *text, size_t len)
{
    ngx_str_t   copy;
    ngx_uint_t  is;

    copy = fixture_copy(text, len);
    is = ngx_enroll_uri_canonical(&copy);
    free(copy.data);

    return is;
}


static void
test_canonical(void)
{
    size_t  i;

    static const char  *yes[] = {
        "/", "/a", "/a/", "/a/b", "/a/b/", "/A/b", "/.a", "/a.", "/..a",
        "/a..", "/...", "/a.b", "/-._~", "/!$&'()*,:@=+", "/%20", "/%C3%A9",
        "/%c3%a9", "/%E2%82%AC", "/%F0%9F%98%80", "/%25zz", "/%25", "/%25%20",
        "/a?", "/a?b", "/a?//;\\%2f%zz\x01\xff", "/?/../",
        "/a%2Bb", "/a/%22", "/%F4%8F%BF%BF", "/%ED%9F%BF", "/%EE%80%80"
    };

    static const char  *no[] = {
        "", "a", "?", "a/b", "*", "//", "//a", "/a//", "/a//b", "/.", "/..",
        "/./", "/../", "/a/.", "/a/..", "/a/./b", "/a/../b", "/.?", "/..?a",
        "/a/./?", "/;", "/a;b", "/a/;", "/\\", "/a\\b", "/#", "/a#b", "/ ",
        "/a b", "/\t", "/\x7f", "/\x80", "/\xc3\xa9", "/\xff", "/%", "/%2",
        "/%zz", "/%2z", "/%z2", "/a%", "/%%", "/%%20", "/%2f", "/%2F",
        "/%5c", "/%5C", "/%3b", "/%3B", "/%00", "/%01", "/%0a", "/%1f",
        "/%7f", "/%3f", "/%3F", "/%23",
        "/%41", "/%61", "/%7A", "/%30", "/%2d", "/%2e", "/%2E",
        "/%5f", "/%7e", "/%2e%2e/", "/a/%2e%2e", "/%2525", "/%2541",
        "/%252f", "/%25%32%35", "/%80", "/%ff", "/%c3", "/%c3a", "/%c3/",
        "/%c3%", "/%c3%c3", "/%c0%af", "/%c1%bf", "/%e0%80%af", "/%e0%9f%bf",
        "/%ed%a0%80", "/%ed%bf%bf", "/%f0%80%80%af", "/%f0%8f%bf%bf",
        "/%f4%90%80%80", "/%f5%80%80%80", "/%f8%88%80%80%80", "/%c3?%a9",
        "/%e2%82", "/%e2%82/%ac", "/%f0%9f%98", "/%fe", "http://a/"
    };

    for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        tap_ok(canonical(yes[i], strlen(yes[i])) == 1, "I3 canonical, %lu",
               (unsigned long) i);
    }

    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        tap_ok(canonical(no[i], strlen(no[i])) == 0, "I3 not canonical, %lu",
               (unsigned long) i);
    }

    tap_ok(canonical("/a\0b", 4) == 0, "I3 not canonical: a NUL");
    tap_ok(canonical("/a\0", 3) == 0, "I3 not canonical: a NUL at its end");
}


/* what is neither reserved in a path nor unreserved stands encoded only */

static void
test_bytes(void)
{
    char         text[8];
    ngx_uint_t   c, raw, encoded, wrong;
    const char  *unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                              "uvwxyz0123456789-._~";

    wrong = 0;

    for (c = 0; c < 256; c++) {
        raw = c > 0x20 && c < 0x7f && c != ';' && c != '\\' && c != '#'
              && c != '%' && c != '/';
        text[0] = '/';
        text[1] = 'x';
        text[2] = (char) c;
        text[3] = 'x';
        wrong += canonical(text, 4) != (raw || c == '/' || c == '?');

        encoded = c >= 0x20 && c < 0x7f && !strchr(unreserved, (int) c)
                  && c != '/' && c != ';' && c != '\\' && c != '?'
                  && c != '#';
        snprintf(text, sizeof(text), "/x%%%02xx", (unsigned) c);
        wrong += canonical(text, 6) != encoded;
        snprintf(text, sizeof(text), "/x%%%02Xx", (unsigned) c);
        wrong += canonical(text, 6) != encoded;
    }

    tap_ok(wrong == 0, "I3 every byte, as it is and encoded");
}


/* RFC 3629, by its definition: code points, shortest form, no surrogates */

static ngx_uint_t
is_utf8(const u_char *p, ngx_uint_t n)
{
    uint32_t    code;
    ngx_uint_t  i;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if ((n == 2 && (p[0] & 0xe0) != 0xc0)
        || (n == 3 && (p[0] & 0xf0) != 0xe0)
        || (n == 4 && (p[0] & 0xf8) != 0xf0))
    {
        return 0;
    }

    code = p[0] & (0xff >> (n + 1));

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    return code >= least[n] && code <= 0x10ffff
           && !(code >= 0xd800 && code <= 0xdfff);
}


static void
test_utf8(void)
{
    char        text[16];
    u_char      p[4];
    ngx_uint_t  i, j, k, n, wrong;

    static const u_char  some[] = {
        0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xaf, 0xbf, 0xc0, 0xff
    };

    wrong = 0;

    for (i = 0x80; i < 256; i++) {
        for (j = 0x80; j < 256; j++) {
            p[0] = (u_char) i;
            p[1] = (u_char) j;
            n = snprintf(text, sizeof(text), "/%%%02x%%%02X", p[0], p[1]);
            wrong += canonical(text, n) != is_utf8(p, 2);

            for (k = 0; k < sizeof(some); k++) {
                p[2] = some[k];
                n = snprintf(text, sizeof(text), "/%%%02x%%%02x%%%02x", p[0],
                             p[1], p[2]);
                wrong += canonical(text, n) != is_utf8(p, 3);

                p[3] = some[(i + j + k) % sizeof(some)];
                n = snprintf(text, sizeof(text), "/%%%02x%%%02x%%%02x%%%02x",
                             p[0], p[1], p[2], p[3]);
                wrong += canonical(text, n)
                         != (is_utf8(p, 4)
                             || (is_utf8(p, 2) && is_utf8(p + 2, 2)));
            }
        }
    }

    tap_ok(wrong == 0, "I3 UTF-8 and nothing else");
}


static ngx_str_t
loose(const void *text, size_t len, ngx_uint_t reading)
{
    ngx_str_t  from, to;

    /* both of their exact size: what is read or written beyond is noticed */

    from = fixture_copy(text, len);
    to.data = malloc(len ? len : 1);
    to.len = ngx_enroll_uri_loose(&from, reading, to.data);
    free(from.data);

    return to;
}


static void
test_loose(void)
{
    ngx_str_t   to;
    ngx_uint_t  i;

    enum {
        WHOLE = NGX_ENROLL_URI_WHOLE,
        PARAMS = NGX_ENROLL_URI_PARAMS,
        DOTS = NGX_ENROLL_URI_DOTS,
        SLASHES = NGX_ENROLL_URI_SLASHES
    };

    static const struct {
        const char  *path;
        const char  *loose;
        ngx_uint_t   reading;
    } table[] = {
        { "/register", "/register", 0 },
        { "/Register/FINISH", "/register/finish", 0 },
        { "/register/", "/register", 0 },
        { "/register///", "/register", 0 },
        { "//register//finish", "/register/finish", 0 },
        { "/./register/./finish/.", "/register/finish", 0 },
        { "/x/../register", "/register", 0 },
        { "/x/y/../../register", "/register", 0 },
        { "/../../register", "/register", 0 },
        { "/register/x/..", "/register", 0 },
        { "/register;a=b", "/register", 0 },
        { "/register;a/finish;b", "/register/finish", 0 },
        { "/;a/register", "/register", 0 },
        { "/x/..;a/register", "/register", 0 },
        { "\\register\\finish", "/register/finish", 0 },
        { "/register%2ffinish", "/register/finish", 0 },
        { "/register%5Cfinish", "/register/finish", 0 },
        { "/%72egister", "/register", 0 },
        { "/%52egister", "/register", 0 },
        { "/register%3bx", "/register", 0 },
        { "/register%20", "/register", 0 },
        { "/register+", "/register", 0 },
        { "/register%2b", "/register", 0 },
        { "/register%00", "/register", 0 },
        { "/register%00.css", "/register", 0 },
        { "/reg\tis\rter", "/register", 0 },
        { "/register.", "/register", 0 },
        { "/register. .", "/register", 0 },
        { "/register\xc2\xa0", "/register", 0 },
        { "/register%c2%a0", "/register", 0 },
        { "/register\x85", "/register", 0 },
        { "/register?x", "/register", 0 },
        { "/register%3fx", "/register", 0 },
        { "/register#x", "/register", 0 },
        { "/register%23x", "/register", 0 },
        { "/%2e/register", "/register", 0 },
        { "/x/%2e%2e/register", "/register", 0 },
        { "/register%", "/register%", 0 },
        { "/register%2", "/register%2", 0 },
        { "/register%zz", "/register%zz", 0 },
        { "/register-x", "/register-x", 0 },
        { "/register.x", "/register.x", 0 },
        { "/.register", "/.register", 0 },
        { "/...", "/", 0 },
        { "/\xc3\xa9", "/\xc3\xa9", 0 },
        { "/", "", 0 },
        { "/..", "", 0 },
        { "", "", 0 },

        /* as often as there is any */
        { "/register%252ffinish", "/register/finish", 0 },
        { "/%2572egister", "/register", 0 },
        { "/%25252572egister", "/register", 0 },
        { "/%25%37%32egister", "/register", 0 },
        { "/%%372egister", "/register", 0 },
        { "/%2%35", "/%", 0 },

        /* what some take for ASCII, or drop */
        { "/%c1%b2egister", "/register", 0 },
        { "/%e0%81%b2egister", "/register", 0 },
        { "/%f0%80%81%b2egister", "/register", 0 },
        { "/x/%c0%ae%c0%ae%c0%afregister", "/register", 0 },
        { "/reg%ffister", "/register", 0 },
        { "/reg%80ister", "/register", 0 },
        { "/reg%c3ister", "/register", 0 },
        { "/register%e2%82", "/register", 0 },
        { "/register%ed%a0%80", "/register", 0 },
        { "/register%f8%88%80%80%80", "/register", 0 },
        { "/register%f4%90%80%80", "/register", 0 },
        { "/regi\xc5\xbfter", "/register", 0 },
        { "/reg\xc4\xb1ster", "/register", 0 },
        { "/reg\xc4\xb0ster", "/register", 0 },
        { "/to\xe2\x84\xaa" "en", "/token", 0 },
        { "/\xef\xbd\x92\xef\xbc\xa5gister", "/register", 0 },
        { "/x\xef\xbc\x8f..\xef\xbc\x8fregister", "/register", 0 },
        { "/register\xe3\x80\x80", "/register", 0 },
        { "/register\xe2\x80\x8b", "/register", 0 },
        { "/register\xef\xbb\xbf", "/register", 0 },
        { "/\xe2\x82\xac", "/\xe2\x82\xac", 0 },
        { "/\xf0\x9f\x98\x80", "/\xf0\x9f\x98\x80", 0 },

        /* other readings */
        { "/x#/../register", "/register", WHOLE },
        { "/x?/../register", "/register", WHOLE },
        { "/x%00/../register", "/register", WHOLE },
        { "/reg%00ister", "/register", WHOLE },
        { "/register;a", "/register;a", PARAMS },
        { "/register/x/..;/../../finish", "/register/finish", PARAMS },
        { "/register/finish/../../x", "/register/finish/../../x", DOTS },
        { "/register/./x", "/register/./x", DOTS },
        { "/register//x/.", "/register/x", DOTS },
        { "/a%2fb/c", "/a_b/c", SLASHES },
        { "/a%252fb/c", "/a_b/c", SLASHES },
        { "/a/b/c", "/a/b/c", SLASHES },
        { "/a#%2f;b/./c", "/a#_;b/./c", WHOLE|PARAMS|DOTS|SLASHES }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        to = loose(table[i].path, strlen(table[i].path), table[i].reading);

        if (!tap_ok(to.len == strlen(table[i].loose)
                    && memcmp(to.data, table[i].loose, to.len) == 0,
                    "I3 may be taken for \"%s\", %lu", table[i].loose,
                    (unsigned long) i))
        {
            printf("# \"%.*s\"\n", (int) to.len, to.data);
        }

        free(to.data);
    }
}


static void
test_behind_host(void)
{
    ngx_str_t   copy, path;
    ngx_uint_t  i, is;

    static const struct {
        const char  *path;
        const char  *behind;                   /* NULL: nothing is */
    } table[] = {
        { "//x/register", "/register" },
        { "///x/register", "/register" },
        { "/\\x/register", "/register" },
        { "\\/x\\register", "\\register" },
        { "//x:1/", "/" },
        { "//x//register", "//register" },
        { "//x", NULL },
        { "//", NULL },
        { "/", NULL },
        { "/x/register", NULL },
        { "/x//register", NULL },
        { "", NULL }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        copy = fixture_copy(table[i].path, strlen(table[i].path));
        is = ngx_enroll_uri_behind_host(&copy, &path);

        tap_ok(is == (table[i].behind != NULL)
               && (!is || (path.len == strlen(table[i].behind)
                           && memcmp(path.data, table[i].behind, path.len)
                              == 0)),
               "I3 behind a host, %lu", (unsigned long) i);

        free(copy.data);
    }
}


/* the same by steps: decode, drop, split, walk, join */

static size_t
reference(const u_char *path, size_t len, ngx_uint_t reading, u_char *out)
{
    int         hex[2], again;
    u_char      text[RANDOM_MAX], flat[RANDOM_MAX];
    size_t      i, j, k, n, m, total, width;
    u_char     *segments[SEGMENTS_MAX];
    size_t      lens[SEGMENTS_MAX];
    uint32_t    c;

    memcpy(text, path, len);
    n = len;

    /* the first one from the left, until there is none */

    do {
        again = 0;

        for (i = 0; i + 2 < n && !again; i++) {

            for (k = 0; k < 2; k++) {
                c = text[i + 1 + k] | 0x20;
                hex[k] = (c >= '0' && c <= '9'
                          && text[i + 1 + k] == c) ? (int) c - '0'
                         : (c >= 'a' && c <= 'f') ? (int) c - 'a' + 10 : -1;
            }

            if (text[i] == '%' && hex[0] >= 0 && hex[1] >= 0) {
                text[i] = (u_char) (hex[0] * 16 + hex[1]);

                if (text[i] == '/' && (reading & NGX_ENROLL_URI_SLASHES)) {
                    text[i] = '_';
                }

                memmove(text + i + 1, text + i + 3, n - i - 3);
                n -= 2;
                again = 1;
            }
        }

    } while (again);

    m = 0;

    for (i = 0; i < n; i += width) {
        c = text[i];
        width = 1;

        for (j = 2; j <= 4 && c >= 0x80; j++) {

            /* as many ones as bytes, then a zero */

            if (c >> (7 - j) == (0xffu >> (7 - j)) - 1 && i + j <= n) {
                for (k = 1; k < j && (text[i + k] & 0xc0) == 0x80; k++) {
                    /* void */
                }

                width = (k == j) ? j : 1;
            }
        }

        if (c >= 0x80) {
            c = (width == 1) ? ' ' : c & (0x7fu >> width);

            for (k = 1; k < width; k++) {
                c = c * 64 + text[i + k] % 64;
            }
        }

        c = (c >= 0xff01 && c <= 0xff5e) ? c - 0xff01 + '!' : c;
        c = (c == '\\') ? '/' : c;
        c = (c >= 'A' && c <= 'Z') ? c + 32 : c;

        if (!(reading & NGX_ENROLL_URI_WHOLE)
            && (c == 0 || c == '?' || c == '#'))
        {
            break;
        }

        if (c <= ' ' || c == '+' || (c >= 0x7f && c <= 0xa0)
            || (c >= 0x2000 && c < 0x2010) || c == 0x3000 || c == 0xfeff
            || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
        {
            continue;
        }

        if (c < 0x80) {
            flat[m++] = (u_char) c;
            continue;
        }

        memcpy(flat + m, text + i, width);
        m += width;
    }

    k = 0;

    for (i = 0; i <= m; i = j + 1) {

        for (j = i; j < m && flat[j] != '/'; j++) { /* void */ }

        for (n = i;
             n < j && (flat[n] != ';' || (reading & NGX_ENROLL_URI_PARAMS));
             n++)
        { /* void */ }

        n -= i;

        if (!(reading & NGX_ENROLL_URI_DOTS)
            && n == 2 && flat[i] == '.' && flat[i + 1] == '.')
        {
            k -= (k > 0);

        } else if (n && !(n == 1 && flat[i] == '.'
                          && !(reading & NGX_ENROLL_URI_DOTS)))
        {
            segments[k] = &flat[i];
            lens[k++] = n;
        }
    }

    total = 0;

    for (i = 0; i < k; i++) {
        out[total++] = '/';
        memcpy(out + total, segments[i], lens[i]);
        total += lens[i];
    }

    while (total > 1 && (out[total - 1] == '/' || out[total - 1] == '.')) {
        total--;
    }

    /* dots were all there was */

    return (total == 1) ? 0 : total;
}


static void
test_random(void)
{
    size_t        len, n;
    u_char        path[RANDOM_MAX], want[2 * RANDOM_MAX];
    uint32_t      seed;
    ngx_str_t     got, other, plain;
    ngx_uint_t    single;
    ngx_uint_t    i, wrong, is, reading;

    static const char  alphabet[] = "//..;%aA\\25cCeEfF3bB? #\xa0\x85zR";

    seed = 1;
    wrong = 0;
    is = 0;
    single = 0;

    for (i = 0; i < RANDOM_PATHS; i++) {
        path[0] = '/';
        seed = seed * 1664525 + 1013904223;
        len = 1 + (seed >> 16) % (RANDOM_MAX - 1);

        for (n = 1; n < len; n++) {
            seed = seed * 1664525 + 1013904223;
            path[n] = (u_char) alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
        }

        reading = i % NGX_ENROLL_URI_READINGS;
        got = loose(path, len, reading);
        n = reference(path, len, reading, want);

        /* "/" alone and nothing are the same: no endpoint is called so */

        if (got.len == 1 && got.data[0] == '/') {
            got.len = 0;
        }

        if (got.len != n || memcmp(got.data, want, n) != 0) {
            if (wrong++ < 5) {
                printf("# \"%.*s\", %lu: \"%.*s\", not \"%.*s\"\n",
                       (int) len, path, (unsigned long) reading,
                       (int) got.len, got.data, (int) n, want);
            }
        }

        free(got.data);

        /* there is one reading of what is plain */

        plain.data = path;
        plain.len = len;

        if (ngx_enroll_uri_plain(&plain)) {
            got = loose(path, len, 0);

            for (n = 1; n < NGX_ENROLL_URI_READINGS; n++) {
                other = loose(path, len, n);
                wrong += other.len != got.len
                         || memcmp(other.data, got.data, got.len) != 0;
                free(other.data);
            }

            free(got.data);
            single++;
        }

        /* of what is canonical, only case and the end may be meant otherwise */

        if (memchr(path, '?', len) == NULL && canonical(path, len)) {
            is++;
            got = loose(path, len, 0);
            wrong += got.len > len;
            free(got.data);
        }
    }

    tap_ok(wrong == 0, "I3 random paths, by another way");
    tap_ok(is > 100, "of which some are canonical");
    tap_ok(single > 100, "and some plain");
}


int
main(void)
{
    test_canonical();
    test_bytes();
    test_utf8();
    test_loose();
    test_behind_host();
    test_random();

    return tap_done();
}
