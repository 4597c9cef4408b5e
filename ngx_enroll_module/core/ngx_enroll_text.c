
#include "ngx_enroll_text.h"
#include "ngx_enroll_joiner.h"


ngx_int_t
ngx_enroll_text_string(ngx_str_t *to, json_t *value, size_t min, size_t max)
{
    if (!json_is_string(value)
        || json_string_length(value) < min
        || json_string_length(value) > max)
    {
        return NGX_DECLINED;
    }

    to->data = (u_char *) json_string_value(value);
    to->len = json_string_length(value);

    return NGX_OK;
}


ngx_uint_t
ngx_enroll_text_is_plain(const ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (c < ' ' || c == 0x7f) {
            return 0;
        }

        if (c == 0xc2 && i + 1 < text->len && text->data[i + 1] < 0xa0) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_enroll_text_is_name(const ngx_str_t *text)
{
    size_t      i, len;
    ngx_uint_t  n;

    static const char  *blanks[] = {
        " ", "\xc2\xa0", "\xc2\xad",               /* U+00A0, U+00AD */
        "\xe1\x9a\x80", "\xe1\xa0\x8e",           /* U+1680, U+180E */
        "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
        "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87",
        "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\x8b",
        "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x80\x8e", "\xe2\x80\x8f",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
        "\xe2\x81\xa0", "\xe3\x80\x80", "\xef\xbb\xbf"
    };

    if (!ngx_enroll_text_is_plain(text)) {
        return 0;
    }

    n = sizeof(blanks) / sizeof(blanks[0]);

    for (i = 0; i < n; i++) {
        len = ngx_strlen(blanks[i]);

        if (text->len >= len
            && (ngx_memcmp(text->data, blanks[i], len) == 0
                || ngx_memcmp(text->data + text->len - len, blanks[i], len)
                   == 0))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_enroll_text_is_word(const ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    if (text->len == 0 || text->len > NGX_ENROLL_WORD_MAX) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9')
            && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_enroll_text_is_printable(const ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= ' ' || text->data[i] > '~') {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_enroll_text_is_id(const ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    if (text->len != NGX_ENROLL_TEXT_ID_LEN) {
        return 0;
    }

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return 0;
        }
    }

    return 1;
}
