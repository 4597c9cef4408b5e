
#include "ngx_enroll_uri.h"

#include <ctype.h>


static int ngx_enroll_uri_hex(const u_char *p, const u_char *last);
static ngx_uint_t ngx_enroll_uri_dots(const u_char *p, const u_char *last);
static ngx_uint_t ngx_enroll_uri_encoded(int c, const u_char *p,
    const u_char *last);
static int ngx_enroll_uri_tail(int tail, int c);
static u_char *ngx_enroll_uri_decode(const ngx_str_t *uri, ngx_uint_t reading,
    u_char *dst);
static u_char *ngx_enroll_uri_fold(u_char *start, u_char *last,
    ngx_uint_t reading);
static uint32_t ngx_enroll_uri_code(u_char **p, u_char *last);
static uint32_t ngx_enroll_uri_like(uint32_t code);
static u_char *ngx_enroll_uri_segments(u_char *start, u_char *last,
    ngx_uint_t reading);
static u_char *ngx_enroll_uri_segment(u_char *start, u_char *segment,
    u_char *end, ngx_uint_t reading);


ngx_uint_t
ngx_enroll_uri_canonical(const ngx_str_t *uri)
{
    int            c, tail;
    const u_char  *p, *last;

    p = uri->data;
    last = p + uri->len;
    tail = 0;

    if (uri->len == 0 || *p != '/') {
        return 0;
    }

    for ( /* void */ ; p < last && *p != '?'; p++) {
        c = *p;

        if (c <= 0x20 || c >= 0x7f || c == ';' || c == '\\' || c == '#') {
            return 0;
        }

        if (c == '/' && ngx_enroll_uri_dots(p + 1, last)) {
            return 0;
        }

        if (c == '%') {
            c = ngx_enroll_uri_hex(p + 1, last);
            p += 2;

            if (c < 0 || !ngx_enroll_uri_encoded(c, p + 1, last)) {
                return 0;
            }
        }

        tail = ngx_enroll_uri_tail(tail, c);
        if (tail < 0) {
            return 0;
        }
    }

    return tail == 0;
}


static int
ngx_enroll_uri_hex(const u_char *p, const u_char *last)
{
    int  high, low;

    if (last - p < 2 || !isxdigit(p[0]) || !isxdigit(p[1])) {
        return -1;
    }

    high = isdigit(p[0]) ? p[0] - '0' : (p[0] | 0x20) - 'a' + 10;
    low = isdigit(p[1]) ? p[1] - '0' : (p[1] | 0x20) - 'a' + 10;

    return high * 16 + low;
}


/* is the segment that begins at p empty (and not the last), "." or ".."? */

static ngx_uint_t
ngx_enroll_uri_dots(const u_char *p, const u_char *last)
{
    const u_char  *end;

    for (end = p; end < last && *end != '/' && *end != '?'; end++) {
        /* void */
    }

    if (end == p) {
        return end < last && *end == '/';
    }

    return (end - p == 1 && p[0] == '.')
           || (end - p == 2 && p[0] == '.' && p[1] == '.');
}


static ngx_uint_t
ngx_enroll_uri_encoded(int c, const u_char *p, const u_char *last)
{
    if (c < 0x20 || c == 0x7f || isalnum(c)) {
        return 0;
    }

    switch (c) {

    case '-': case '.': case '_': case '~':
    case '/': case '\\': case ';': case '?': case '#':
        return 0;

    case '%':
        return ngx_enroll_uri_hex(p, last) < 0;
    }

    return 1;
}


/*
 * UTF-8 (RFC 3629), a byte at a time. tail is how many continuation bytes
 * are due, with the bounds of the first of them in the higher bits; -1 is
 * an error.
 */

static int
ngx_enroll_uri_tail(int tail, int c)
{
    int  due, low, high;

    due = tail & 0xff;

    if (due) {
        low = tail >> 16;
        high = (tail >> 8) & 0xff;

        return (c < low || c > high) ? -1
               : due == 1 ? 0
               : (0x80 << 16 | 0xbf << 8 | (due - 1));
    }

    if (c < 0x80) {
        return 0;
    }

    low = 0x80;
    high = 0xbf;

    if (c >= 0xc2 && c <= 0xdf) {
        due = 1;

    } else if (c >= 0xe0 && c <= 0xef) {
        due = 2;
        low = (c == 0xe0) ? 0xa0 : low;
        high = (c == 0xed) ? 0x9f : high;

    } else if (c >= 0xf0 && c <= 0xf4) {
        due = 3;
        low = (c == 0xf0) ? 0x90 : low;
        high = (c == 0xf4) ? 0x8f : high;

    } else {
        return -1;
    }

    return low << 16 | high << 8 | due;
}


size_t
ngx_enroll_uri_loose(const ngx_str_t *uri, ngx_uint_t reading, u_char *dst)
{
    u_char  *last;

    last = ngx_enroll_uri_decode(uri, reading, dst);
    last = ngx_enroll_uri_fold(dst, last, reading);

    return ngx_enroll_uri_segments(dst, last, reading) - dst;
}


/* Whatever is written may complete a "%66" with what is there already. */

static u_char *
ngx_enroll_uri_decode(const ngx_str_t *uri, ngx_uint_t reading, u_char *dst)
{
    int      c;
    size_t   i;
    u_char  *end;

    end = dst;

    for (i = 0; i < uri->len; i++) {
        *end++ = uri->data[i];

        while (end - dst >= 3 && end[-3] == '%') {
            c = ngx_enroll_uri_hex(end - 2, end);

            if (c < 0) {
                break;
            }

            if (c == '/' && (reading & NGX_ENROLL_URI_SLASHES)) {
                /* a letter like any other */
                c = '_';
            }

            end -= 2;
            end[-1] = (u_char) c;
        }
    }

    return end;
}


static u_char *
ngx_enroll_uri_fold(u_char *start, u_char *last, ngx_uint_t reading)
{
    u_char    *p, *from, *end;
    uint32_t   code;

    end = start;

    for (p = start; p < last; /* void */) {
        from = p;
        code = ngx_enroll_uri_like(ngx_enroll_uri_code(&p, last));

        if (!(reading & NGX_ENROLL_URI_WHOLE)
            && (code == '\0' || code == '?' || code == '#'))
        {
            break;
        }

        if (code <= 0x20 || code == '+') {
            continue;
        }

        if (code < 0x80) {
            *end++ = (u_char) code;
            continue;
        }

        while (from < p) {
            *end++ = *from++;
        }
    }

    return end;
}


/* UTF-8, in whatever length; a space for what is none */

static uint32_t
ngx_enroll_uri_code(u_char **p, u_char *last)
{
    u_char      *q;
    uint32_t     code;
    ngx_uint_t   n;

    q = *p;
    code = *q++;
    *p = q;

    if (code < 0x80) {
        return code;
    }

    n = (code >= 0xf0) ? 3 : (code >= 0xe0) ? 2 : (code >= 0xc0) ? 1 : 0;

    if (n == 0 || code >= 0xf8 || (ngx_uint_t) (last - q) < n) {
        return ' ';
    }

    code &= 0x3f >> n;

    for ( /* void */ ; n; n--, q++) {
        if ((*q & 0xc0) != 0x80) {
            return ' ';
        }

        code = code << 6 | (*q & 0x3f);
    }

    *p = q;

    return code;
}


/* the character of ASCII that some take it for */

static uint32_t
ngx_enroll_uri_like(uint32_t code)
{
    /* of full width */

    if (code >= 0xff01 && code <= 0xff5e) {
        code -= 0xff01 - 0x21;
    }

    if (code >= 'A' && code <= 'Z') {
        return code | 0x20;
    }

    switch (code) {

    case '\\':
        return '/';

    case 0x130:                        /* dotted I, dotless i, long s, kelvin */
    case 0x131:
        return 'i';

    case 0x17f:
        return 's';

    case 0x212a:
        return 'k';

    case 0x3000:                       /* spaces that have names */
    case 0xfeff:
        return ' ';
    }

    if ((code >= 0x7f && code <= 0xa0)
        || (code >= 0x2000 && code <= 0x200f)
        || (code >= 0xd800 && code <= 0xdfff)
        || code > 0x10ffff)
    {
        return ' ';
    }

    return code;
}


static u_char *
ngx_enroll_uri_segments(u_char *start, u_char *last, ngx_uint_t reading)
{
    u_char      *p, *end, *segment;
    ngx_uint_t   parameter;

    end = start;
    segment = start;
    parameter = 0;

    for (p = start; p < last; p++) {

        if (*p == '/') {
            end = ngx_enroll_uri_segment(start, segment, end, reading);
            *end++ = '/';
            segment = end;
            parameter = 0;

        } else if (*p == ';' && !(reading & NGX_ENROLL_URI_PARAMS)) {
            parameter = 1;

        } else if (!parameter) {
            *end++ = *p;
        }
    }

    end = ngx_enroll_uri_segment(start, segment, end, reading);

    while (end - start > 1 && (end[-1] == '/' || end[-1] == '.')) {
        end--;
    }

    return end;
}


/* Ends a segment: where the path goes on after it. */

static u_char *
ngx_enroll_uri_segment(u_char *start, u_char *segment, u_char *end,
    ngx_uint_t reading)
{
    size_t  len;

    len = end - segment;

    /* an empty one, or ".": the slash before it goes, too */

    if (len == 0
        || (len == 1 && segment[0] == '.' && !(reading & NGX_ENROLL_URI_DOTS)))
    {
        return segment > start ? segment - 1 : segment;
    }

    if (len != 2 || segment[0] != '.' || segment[1] != '.'
        || (reading & NGX_ENROLL_URI_DOTS))
    {
        return end;
    }

    /* "..": the segment before it goes, too */

    for (end = segment > start ? segment - 1 : start; end > start; end--) {
        if (end[-1] == '/') {
            return end - 1 > start ? end - 1 : start;
        }
    }

    return start;
}


ngx_uint_t
ngx_enroll_uri_behind_host(const ngx_str_t *uri, ngx_str_t *path)
{
    u_char  *p, *last;

    p = uri->data;
    last = p + uri->len;

    while (p < last && (*p == '/' || *p == '\\')) {
        p++;
    }

    if (p - uri->data < 2) {
        return 0;
    }

    while (p < last && *p != '/' && *p != '\\') {
        p++;
    }

    path->data = p;
    path->len = last - p;

    return path->len > 0;
}


ngx_uint_t
ngx_enroll_uri_plain(const ngx_str_t *uri)
{
    size_t  i;

    for (i = 0; i < uri->len; i++) {

        if (isalnum(uri->data[i])) {
            continue;
        }

        switch (uri->data[i]) {

        case '-': case '_': case '~':
            continue;

        case '.':

            /* a name may have one */

            if (i && isalnum(uri->data[i - 1])
                && i + 1 < uri->len && isalnum(uri->data[i + 1]))
            {
                continue;
            }

            return 0;

        case '/':

            if (i + 1 == uri->len || uri->data[i + 1] != '/') {
                continue;
            }

            return 0;

        default:
            return 0;
        }
    }

    return 1;
}
