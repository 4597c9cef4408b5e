
#include "ngx_enroll_uri.h"

#include <ctype.h>


static int ngx_enroll_uri_hex(const u_char *p, const u_char *last);
static ngx_uint_t ngx_enroll_uri_dots(const u_char *p, const u_char *last);
static ngx_uint_t ngx_enroll_uri_encoded(int c, const u_char *p,
    const u_char *last);
static int ngx_enroll_uri_tail(int tail, int c);
static int ngx_enroll_uri_lower(const u_char **p, const u_char *last);
static ngx_uint_t ngx_enroll_uri_blank(int c, const u_char *p,
    const u_char *last);
static u_char *ngx_enroll_uri_segment(u_char *start, u_char *segment,
    u_char *end);


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
    case '/': case '\\': case ';':
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
ngx_enroll_uri_loose(const ngx_str_t *uri, u_char *dst)
{
    int            c, parameter;
    u_char        *end, *segment;
    const u_char  *p, *last;

    end = dst;
    segment = dst;
    parameter = 0;
    last = uri->data + uri->len;

    for (p = uri->data; p < last; /* void */) {
        c = ngx_enroll_uri_lower(&p, last);

        if (c == '?' || c == '#') {
            break;
        }

        if (ngx_enroll_uri_blank(c, p, last)) {
            continue;
        }

        if (c == '/') {
            end = ngx_enroll_uri_segment(dst, segment, end);
            *end++ = '/';
            segment = end;
            parameter = 0;

        } else if (c == ';') {
            parameter = 1;

        } else if (!parameter) {
            *end++ = (u_char) c;
        }
    }

    end = ngx_enroll_uri_segment(dst, segment, end);

    while (end - dst > 1 && (end[-1] == '/' || end[-1] == '.')) {
        end--;
    }

    return end - dst;
}


static int
ngx_enroll_uri_lower(const u_char **p, const u_char *last)
{
    int  c, decoded;

    c = *(*p)++;

    if (c == '%') {
        decoded = ngx_enroll_uri_hex(*p, last);

        if (decoded >= 0) {
            c = decoded;
            *p += 2;
        }
    }

    return c == '\\' ? '/' : (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
}


/* spaces and controls, of Latin-1 and of UTF-8 (C2 80 to C2 A0) */

static ngx_uint_t
ngx_enroll_uri_blank(int c, const u_char *p, const u_char *last)
{
    if (c == 0xc2) {
        if (p < last && *p == '%') {
            c = ngx_enroll_uri_hex(p + 1, last);

        } else if (p < last) {
            c = *p;
        }
    }

    return c <= 0x20 || (c >= 0x7f && c <= 0xa0);
}


/* Ends a segment: where the path goes on after it. */

static u_char *
ngx_enroll_uri_segment(u_char *start, u_char *segment, u_char *end)
{
    size_t  len;

    len = end - segment;

    /* an empty one, or ".": the slash before it goes, too */

    if (len == 0 || (len == 1 && segment[0] == '.')) {
        return segment > start ? segment - 1 : segment;
    }

    if (len != 2 || segment[0] != '.' || segment[1] != '.') {
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
