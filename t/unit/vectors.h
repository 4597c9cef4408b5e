
/* Written by vectors.py, which says how each value comes about. */

#define K_A                   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define K_B                   "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
#define K_SUBJECT             "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8"
#define K_SAME_AS_A           "vM677nk3joVXP-EWY0zJPpmGLQbcZLgsWMwn58vAL74"

#define NUMBER_A              51
#define NUMBER_B              208

#define TOKEN_A \
    "enr_ATMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl8Pn9SbFW5O5FHtehvlRG3w"
#define TOKEN_A_ID            "08a99ae01174ed097aaee60101fad1e1"
#define TOKEN_A_SESSION       "5288965cccd656f880205ec33407e49c"
#define TOKEN_A_VERSION_0 \
    "enr_ADMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl8GSIpFINx4WijcHOr7aXsY"
#define TOKEN_A_VERSION_2 \
    "enr_AjMBAoCBgoOEhYaHiImKi4yNjo-QkZKTlJWWl3EGtdY88eAO-bCnt7jOXuw"
#define TOKEN_B \
    "enr_AdD__4CBgoOEhYaHiImKi4yNjo-QkZKTlJWWlyu1n_x3zlDdTD8IO7JKVcI"
#define TOKEN_B_ID            "a2cc57a13206b5df8da80494f82262d6"

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
