
#include "ngx_enroll_set.h"
#include "ngx_enroll_text.h"

#include <strings.h>


/* drafts had "SCIM", and a URN's namespace has no case (RFC 8141) */
#define NGX_ENROLL_SET_URN         "urn:ietf:params:scim"
#define NGX_ENROLL_SET_URN_LEN     (sizeof(NGX_ENROLL_SET_URN) - 1)

#define NGX_ENROLL_SET_ENTERPRISE                                             \
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

#define NGX_ENROLL_SET_TYPE_MAX    255
#define NGX_ENROLL_SET_JTI_MAX     255


typedef struct {
    const char        *name;                /* behind the URN's namespace */
    ngx_enroll_set_e   order;
} ngx_enroll_set_type_t;


/* Where in the SCIM user an attribute is found; part may be NULL. */
typedef struct {
    ngx_str_t    name;
    const char  *schema;                    /* NULL: the core schema */
    const char  *member;
    const char  *part;
} ngx_enroll_set_source_t;


static ngx_int_t ngx_enroll_set_jti(ngx_enroll_set_t *set, json_t *claims,
    char *err);
static ngx_int_t ngx_enroll_set_events(ngx_enroll_set_t *set, json_t *claims,
    json_t **data, char *err);
static ngx_enroll_set_e ngx_enroll_set_order(const ngx_str_t *type);
static ngx_int_t ngx_enroll_set_subject(ngx_enroll_set_t *set, json_t *claims,
    ngx_enroll_set_subject_e subject, char *err);
static ngx_int_t ngx_enroll_set_scim(ngx_enroll_set_t *set, json_t *sub_id,
    ngx_enroll_set_subject_e subject, char *err);
static ngx_uint_t ngx_enroll_set_resource(json_t *uri, ngx_str_t *id);
static ngx_int_t ngx_enroll_set_name(ngx_str_t *to, json_t *value,
    const char *member, char *err);
static void ngx_enroll_set_attributes(ngx_enroll_set_t *set, json_t *data);
static json_t *ngx_enroll_set_primary(json_t *list);


static const ngx_enroll_set_type_t  ngx_enroll_set_types[] = {
    { ":event:prov:create:full", NGX_ENROLL_SET_ISSUE },
    { ":event:prov:create:notice", NGX_ENROLL_SET_ISSUE },
    { ":event:prov:activate", NGX_ENROLL_SET_ISSUE },
    { ":event:prov:deactivate", NGX_ENROLL_SET_REVOKE },
    { ":event:prov:delete", NGX_ENROLL_SET_REVOKE },
    { NULL, NGX_ENROLL_SET_NOTHING }
};


static const ngx_enroll_set_source_t  ngx_enroll_set_sources[] = {

    { ngx_string("user_name"), NULL, "userName", NULL },
    { ngx_string("display_name"), NULL, "displayName", NULL },
    { ngx_string("given_name"), NULL, "name", "givenName" },
    { ngx_string("family_name"), NULL, "name", "familyName" },
    { ngx_string("email"), NULL, "emails", "value" },
    { ngx_string("phone"), NULL, "phoneNumbers", "value" },
    { ngx_string("title"), NULL, "title", NULL },

    { ngx_string("employee_id"), NGX_ENROLL_SET_ENTERPRISE,
      "employeeNumber", NULL },
    { ngx_string("department"), NGX_ENROLL_SET_ENTERPRISE,
      "department", NULL },
    { ngx_string("organization"), NGX_ENROLL_SET_ENTERPRISE,
      "organization", NULL },
    { ngx_string("cost_center"), NGX_ENROLL_SET_ENTERPRISE,
      "costCenter", NULL },
    { ngx_string("manager"), NGX_ENROLL_SET_ENTERPRISE,
      "manager", "value" },

    { ngx_null_string, NULL, NULL, NULL }
};


ngx_int_t
ngx_enroll_set_read(ngx_enroll_set_t *set, json_t *claims,
    ngx_enroll_set_subject_e subject, char err[NGX_ENROLL_ERR_LEN])
{
    json_t  *data;

    ngx_memzero(set, sizeof(ngx_enroll_set_t));

    if (ngx_enroll_set_jti(set, claims, err) != NGX_OK
        || ngx_enroll_set_events(set, claims, &data, err) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* of what is not obeyed the subject may have any form */

    if (set->order == NGX_ENROLL_SET_NOTHING) {
        return NGX_OK;
    }

    if (ngx_enroll_set_subject(set, claims, subject, err) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (set->order == NGX_ENROLL_SET_ISSUE) {
        ngx_enroll_set_attributes(set, data);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_enroll_set_jti(ngx_enroll_set_t *set, json_t *claims, char *err)
{
    if (ngx_enroll_text_string(&set->jti, json_object_get(claims, "jti"), 1,
                               NGX_ENROLL_SET_JTI_MAX)
        != NGX_OK
        || !ngx_enroll_text_is_printable(&set->jti))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"jti\" must be a string of 1 to "
                 "%d printable ASCII characters without space",
                 NGX_ENROLL_SET_JTI_MAX);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* data: of the first event that orders something and has any */

static ngx_int_t
ngx_enroll_set_events(ngx_enroll_set_t *set, json_t *claims, json_t **data,
    char *err)
{
    json_t            *events, *payload;
    ngx_str_t          type;
    const char        *name;
    ngx_enroll_set_e   order;

    *data = NULL;
    events = json_object_get(claims, "events");

    if (json_object_size(events) == 0) {
        snprintf(err, NGX_ENROLL_ERR_LEN,
                 "\"events\" must be an object with an event");
        return NGX_DECLINED;
    }

    json_object_foreach(events, name, payload) {

        type.data = (u_char *) name;
        type.len = ngx_strlen(name);

        if (type.len == 0 || type.len > NGX_ENROLL_SET_TYPE_MAX
            || !ngx_enroll_text_is_printable(&type)
            || !json_is_object(payload))
        {
            snprintf(err, NGX_ENROLL_ERR_LEN, "an event must be an object, "
                     "named by a URI of at most %d characters",
                     NGX_ENROLL_SET_TYPE_MAX);
            return NGX_DECLINED;
        }

        order = ngx_enroll_set_order(&type);

        if (order && set->order && order != set->order) {
            snprintf(err, NGX_ENROLL_ERR_LEN, "one of \"events\" orders to "
                     "issue, another to revoke");
            return NGX_DECLINED;
        }

        if (set->type.len == 0 || (order && !set->order)) {
            set->type = type;
        }

        if (order) {
            set->order = order;
            *data = *data ? *data : json_object_get(payload, "data");
        }
    }

    return NGX_OK;
}


static ngx_enroll_set_e
ngx_enroll_set_order(const ngx_str_t *type)
{
    const char                   *name;
    const ngx_enroll_set_type_t  *known;

    name = (const char *) type->data;

    if (strncasecmp(name, NGX_ENROLL_SET_URN, NGX_ENROLL_SET_URN_LEN) != 0) {
        return NGX_ENROLL_SET_NOTHING;
    }

    for (known = ngx_enroll_set_types; known->name; known++) {
        if (ngx_strcmp(name + NGX_ENROLL_SET_URN_LEN, known->name) == 0) {
            break;
        }
    }

    return known->order;
}


static ngx_int_t
ngx_enroll_set_subject(ngx_enroll_set_t *set, json_t *claims,
    ngx_enroll_set_subject_e subject, char *err)
{
    json_t      *sub_id;
    const char  *format;

    sub_id = json_object_get(claims, "sub_id");

    if (sub_id == NULL) {
        return ngx_enroll_set_name(&set->subject,
                                   json_object_get(claims, "sub"), "sub", err);
    }

    format = json_string_value(json_object_get(sub_id, "format"));

    if (format && ngx_strcmp(format, "scim") == 0) {
        return ngx_enroll_set_scim(set, sub_id, subject, err);
    }

    if (format && ngx_strcmp(format, "opaque") == 0) {
        return ngx_enroll_set_name(&set->subject,
                                   json_object_get(sub_id, "id"), "id", err);
    }

    snprintf(err, NGX_ENROLL_ERR_LEN, "\"sub_id\" must be an object whose "
             "\"format\" is \"scim\" or \"opaque\"");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_enroll_set_scim(ngx_enroll_set_t *set, json_t *sub_id,
    ngx_enroll_set_subject_e subject, char *err)
{
    json_t     *uri;
    ngx_str_t   id;

    uri = json_object_get(sub_id, "uri");

    /* a group's id is nobody's */

    if (uri && !ngx_enroll_set_resource(uri, &id)) {
        set->order = NGX_ENROLL_SET_NOTHING;
        return NGX_OK;
    }

    if (subject == NGX_ENROLL_SET_EXTERNAL_ID) {
        return ngx_enroll_set_name(&set->subject,
                                   json_object_get(sub_id, "externalId"),
                                   "externalId", err);
    }

    if (uri == NULL || id.len == 0 || id.len > NGX_ENROLL_SUBJECT_MAX
        || !ngx_enroll_text_is_name(&id)
        || strcspn((char *) id.data, "%?#") != id.len)
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "\"uri\" in \"sub_id\" must end "
                 "with an id of 1 to %d bytes, none of them encoded",
                 NGX_ENROLL_SUBJECT_MAX);
        return NGX_DECLINED;
    }

    set->subject = id;

    return NGX_OK;
}


/* is it a user's, or does it not say whose? id: its last segment, or "" */

static ngx_uint_t
ngx_enroll_set_resource(json_t *uri, ngx_str_t *id)
{
    size_t       len;
    const char  *text, *slash, *type;

    ngx_str_null(id);

    text = json_string_value(uri);

    if (text == NULL) {
        return 1;
    }

    slash = strrchr(text, '/');

    id->data = (u_char *) (slash ? slash + 1 : text);
    id->len = ngx_strlen(id->data);

    if (slash == NULL || slash == text) {
        return 1;
    }

    for (type = slash; type > text && type[-1] != '/'; type--) { /* void */ }

    len = slash - type;

    return len == sizeof("Users") - 1 && ngx_memcmp(type, "Users", len) == 0;
}


static ngx_int_t
ngx_enroll_set_name(ngx_str_t *to, json_t *value, const char *member,
    char *err)
{
    if (ngx_enroll_text_string(to, value, 1, NGX_ENROLL_SUBJECT_MAX) != NGX_OK
        || !ngx_enroll_text_is_name(to))
    {
        snprintf(err, NGX_ENROLL_ERR_LEN, "the subject's \"%s\" must be a "
                 "string of 1 to %d bytes without control characters, nor "
                 "blanks at its ends", member, NGX_ENROLL_SUBJECT_MAX);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_enroll_set_attributes(ngx_enroll_set_t *set, json_t *data)
{
    json_t                         *value;
    ngx_enroll_attribute_t         *attribute;
    const ngx_enroll_set_source_t  *source;

    for (source = ngx_enroll_set_sources; source->member; source++) {

        value = source->schema ? json_object_get(data, source->schema) : data;
        value = json_object_get(value, source->member);

        if (source->part) {
            value = json_object_get(ngx_enroll_set_primary(value),
                                    source->part);
        }

        attribute = &set->attributes[set->nattributes];

        if (ngx_enroll_text_string(&attribute->value, value, 1,
                                   NGX_ENROLL_ATTRIBUTE_MAX)
            != NGX_OK
            || !ngx_enroll_text_is_plain(&attribute->value))
        {
            ngx_str_null(&attribute->value);
            continue;
        }

        attribute->name = source->name;
        set->nattributes++;
    }
}


/* of several addresses the primary, or the first */

static json_t *
ngx_enroll_set_primary(json_t *list)
{
    size_t   i;
    json_t  *item;

    if (!json_is_array(list)) {
        return list;
    }

    json_array_foreach(list, i, item) {
        if (json_is_true(json_object_get(item, "primary"))) {
            return item;
        }
    }

    return json_array_get(list, 0);
}
