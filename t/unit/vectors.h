
/* Written by vectors.py, which says how each value comes about. */

#define K_A                   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define K_B                   "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
#define K_SUBJECT             "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8"
#define K_SAME_AS_A           "vM677nk3joVXP-EWY0zJPpmGLQbcZLgsWMwn58vAL74"

#define NUMBER_A              51
#define NUMBER_B              208

#define TOKEN_A \
    "enr_ATMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl8Pn9SbFW5O5FHtehvlRG3w"
#define TOKEN_A_ID            "01029ae01174ed097aaee60101fad1e1"
#define TOKEN_A_SESSION       "5288965cccd656f880205ec33407e49c"
#define TOKEN_A_VERSION_0 \
    "enr_ADMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl8GSIpFINx4WijcHOr7aXsY"
#define TOKEN_A_VERSION_2 \
    "enr_AjMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl3EGtdY88eAO-bCnt7jOXuw"
#define TOKEN_B \
    "enr_AdD__4CBgoOEhYaHiImKi4yNjo-QkZKTlJWWlyu1n_x3zlDdTD8IO7JKVcI"
#define TOKEN_B_ID            "ffff57a13206b5df8da80494f82262d6"

#define SESSION_A \
    "ens_ATMBAqChoqOkpaanqKmqq6ytrq-AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpcA" \
    "AAAAZVPxAAQToaNddBiok4nBvF4Vi1Q"
#define SESSION_A_ID          "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
#define SESSION_A_SECRET      "808182838485868788898a8b8c8d8e8f9091929394959697"
#define SESSION_A_DIGEST      "eb22f2374381d3ab4651d145486e52f9"
#define SESSION_A_FAR \
    "ens_ATMBAqChoqOkpaanqKmqq6ytrq-AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpf_" \
    "_________xRQQLlmiWOi7h3kE4GLasg"
#define SESSION_A_VERSION_2 \
    "ens_AjMBAqChoqOkpaanqKmqq6ytrq-AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpcA" \
    "AAAAZVPxALE21fy_USZKJgAurRuzEO0"
#define SESSION_B \
    "ens_AdAAAaChoqOkpaanqKmqq6ytrq-AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpcA" \
    "AAAAZVPxAJJqWc4l2aMk2FjhWf4Uw98"

#define RECORD_A              "337bc207788016fe5cab0dde5a6377d9b5"
#define RECORD_A_EMPTY        "339416b150a2316772115c6ae57248cb70"

#define SUBJECT_DIGEST        "c544e91e9b8d7a2723b5566798885abd"
#define SUBJECT_OF_64         63
#define SUBJECT_OF_65536      29247
#define SUBJECT_OF_7          2

#define WEBHOOK_SECRET \
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define WEBHOOK_OTHER         "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3"
#define WEBHOOK_SIG           "AMaOha7DUT/0J0JMycRuYOBSvbx3WtwLd2khXXbaVj4="
#define WEBHOOK_SIG_OTHER     "kTkZA4B4pr6f3gPvm2xyeNfowo/kx7a6G17UhUmTJZA="
#define WEBHOOK_SIG_EMPTY     "amcCR9+HGJUcbpN0HzliuKzDJkenCx5mV9lf3DlQ0mM="
#define WEBHOOK_SIG_DOT       "BfYRQmZnwxKOHQVUyqUtXLw0ExVcjFaxIaqMAyu0bLc="

#define EC_X                  "fHyQ8FCV2tXPkcAUipRHGzvOVdAiGI4MXt9j0nlMafw"
#define EC_Y                  "wBmMs-Iz8ZdMn1pburZMxIi64vG6JsFJqcggES6ZrH4"
#define EC_D                  "22EWspqbj655xnD26OhAmchcKjKbbXpkmAkNptakt7M"
#define EC_NEGATIVE_Y         "P-ZzSx3MDmmzYKWkRUmzO3dFHQ9F2T62Vjff7tFmU4E"
#define EC_N                  "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE"
#define EC_THUMBPRINT         "PAG27VdRMkvPsVChbLVIph5LT6PwBqmtNHJ01Wi7034"
#define RSA_N \
    "zlQKhXll8CzuYGesdnGwaVNZ4vqNb6PbZcL-EfyzCitgb3qZSTS5kvDMxcN2yBcQ" \
    "9M0e_5vomNbjUlcHLXm6DZyAUCYORtsJ08HZpzFqMGMkbUqDyV0nnCyrFZJDOfea" \
    "HJyw1mZO3kIkQf_8W6KeqZCP9ETWdv4mcxCrXrcir9tBP1izJdXYbOaZhsLfcoai" \
    "PiWa7y4x9L-4zBgAoavyakZUkkzJnASE5RO03Jo-Ee0wHgJR_A3L1-6bSfu0cgKN" \
    "weOh4qimzqGYa0U-xyXi6LC8_cUYgzOBm9D7y8EgQeTWLl6rGfpDdL3-tEZBIt_n" \
    "BYxy4RRAjhwUnb3Qqjv5Pw"
#define RSA_N_ZERO \
    "AM5UCoV5ZfAs7mBnrHZxsGlTWeL6jW-j22XC_hH8sworYG96mUk0uZLwzMXDdsgX" \
    "EPTNHv-b6JjW41JXBy15ug2cgFAmDkbbCdPB2acxajBjJG1Kg8ldJ5wsqxWSQzn3" \
    "mhycsNZmTt5CJEH__FuinqmQj_RE1nb-JnMQq163Iq_bQT9YsyXV2GzmmYbC33KG" \
    "oj4lmu8uMfS_uMwYAKGr8mpGVJJMyZwEhOUTtNyaPhHtMB4CUfwNy9fum0n7tHIC" \
    "jcHjoeKops6hmGtFPscl4uiwvP3FGIMzgZvQ-8vBIEHk1i5eqxn6Q3S9_rRGQSLf" \
    "5wWMcuEUQI4cFJ290Ko7-T8"

#define JWS_ES256 \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJodHRwczovL2hyLmV4Y" \
    "W1wbGUiLCJhdWQiOiJlbnJvbGwiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwM" \
    "DAwMDMwMCwianRpIjoiNyJ9.3MJs8odTmFf4Q8iweeQ-Ednh0IGL-feXP69QKPdN" \
    "ZjhQSdz4PcE_TDkjIZ1-y80OsWB5QxioVZuuHTQIy0KBCg"
#define JWS_RS256 \
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2hyLmV4YW1wbGUiLCJhdWQ" \
    "iOiJlbnJvbGwiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMCwianR" \
    "pIjoiNyJ9.vfLyy92eywdsr_HfaCv6y_5_fagFUsE9ZbyObhFwuhgH3lL4dIuNhj" \
    "5WMyf6ycExtj7maWAIQ1XyqFUPqBOfXv1003GeO2qYS-ccwuL91d7XQwdzSEhgVU" \
    "DUHRgYylurLS0WoHm_leFY8bWx7ytjJObhprsy2-ZpSpbymL60AklRKswVeVWB4i" \
    "Y38SuGWqJTt1kSukOzXCsO1KUA-aLZOgC-Pp06RqRX8yxs8ZgooaDgU2YtV8T_jh" \
    "6FpcK65KIVZ2bCQUWTYtvzdio11ZPJcC7_BKWov2ukI7phcRte_QQataFG3WYgaE" \
    "5TJYuG0KMIztyp4ulB4viDg3pzujrwYA"
#define JWS_PS256 \
    "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJodHRwczovL2hyLmV4YW1wbGUiLCJhdWQ" \
    "iOiJlbnJvbGwiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMCwianR" \
    "pIjoiNyJ9.jZUbCEWGpJLNTZxDfwWAtW_LT68l6BgLoqvH6HGIG4sNdfBRYTTIHY" \
    "9ntQPodtpaOtVesdr2ifaM5K9um3h2zXvSV1-uN8Sgz-dg6-dhYNHaWdURWibc5k" \
    "mEntNs3EzQSZzUnlmESfiWbfuApJZ7je0QwCd2VpkZyFtcxTM8YjqYUVrsLfyc95" \
    "XVgG5HBuPyl9kBZ5Ta-V0iQZvBvPCNw8fLOEyNXl5iT2VfnH_e09bZ4LW0SfSQc3" \
    "k1o4UMw9MLC5Bvx82YFk0zg_NAz-OohpoiLBY1a1laF7kozLw4jwVjc7FDQ2xaYm" \
    "FLXP7xQ_udbkm4WEJ7qvcfnuk2Gn7fgA"


/* seventeen keys of different numbers */

#define K_MANY { \
    "hpT_dY4x247O82PUv9ZX6jo2HahcN9W6Msft7BiOZk0", \
    "Fqol8cvl7zODs0Q9DdlXtgZdCpinUXU5eGPPmyaWYAs", \
    "V1EF2JEI6zjI4bWDpYivm0hm58BNzySifTPcnolYv3A", \
    "sp7G0NhZ42r_W1xcX3BrstvAdrxKc036BynDwVj-jng", \
    "QiG-EvAPx6uyUGAmynFNVuSIgPTwZWlQdMp9hTVc1wA", \
    "bL-RTpV5x_CoIK4AJp1aMOSjh2tDhLWJWngHc3ix9rM", \
    "eKQ_2gsjre3SGiDJKSja8jkOjUBRrHfhwXVIgMnvRV4", \
    "i6X3DZpy3cK_GOJtOxXdjRxZzZYwFE3tVn0EuSFQbJA", \
    "_JFGWJqnQcUXAL0utyz9Z5COr2Hs5199-aqeAQqygBw", \
    "VuYlqpZjAgPCtMZfvmY9V5_RNc55oh6cSObIzFktqjw", \
    "EEOSFvVHb39TISNp25nWVejqES8NY4OdZ92wLC17HPs", \
    "OD064p6uVMoccjaNeZZLqISxOnLX0SZ6_PhT3i_ErCQ", \
    "yqzCu2ESYizbV47xWqkRjpcjMwmgE5odGaIdgmmLjqk", \
    "x9ei9EJhu2hki7VdRkh3skkjTH3ySEgAfoafvdjJpv4", \
    "RMWKRSkOsqXn9_x9T2h3GdHaS2vVREJ8L_X__YFVRmo", \
    "-m1tCZPk24VDomi0x6vq7NZptz5gSk38GBAUumXDFyk", \
    "IypCUgE8-CT36vo9cZ0dLpLfStzk05EiLH-0CC6fhd8", \
}
