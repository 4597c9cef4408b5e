#!/usr/bin/env python3
#
# Known answers for the unit tests, from the formats' descriptions in the
# headers of core/ and nothing but Python's own hmac, hashlib and base64:
#
#     python3 t/unit/vectors.py > t/unit/vectors.h

import base64
import hashlib
import hmac


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf(key, info, length=32):
    prk = mac(b"\0" * 32, key)
    return mac(prk, info + b"\x01")[:length]


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(key):
    return hkdf(key, b"enroll number", 1)[0]


def head(version, key, partition):
    return bytes([version, number(key)]) + partition.to_bytes(2, "big")


def token(key, partition, secret, version=1):
    raw = head(version, key, partition) + secret
    tag = mac(hkdf(key, b"enroll tag"), b"enr_" + raw)[:16]
    return "enr_" + b64url(raw + tag)


def session(key, partition, id, secret, expires, version=1):
    raw = (head(version, key, partition) + id + secret
           + expires.to_bytes(8, "big"))
    tag = mac(hkdf(key, b"enroll session"), b"ens_" + raw)[:16]
    return "ens_" + b64url(raw + tag)


def record(key, fields):
    data = b"enroll record 1"
    for field in fields:
        data += len(field).to_bytes(4, "big") + field
    return "%02x%s" % (number(key),
                       mac(hkdf(key, b"enroll record"), data)[:16].hex())


def webhook(secret, id, timestamp, body):
    return base64.b64encode(mac(secret, b".".join((id, timestamp, body)))) \
        .decode()


def candidates():
    n = 0
    while True:
        yield hashlib.sha256(b"candidate %d" % n).digest()
        n += 1


def define(name, value):
    if isinstance(value, str):
        value = '" \\\n    "'.join(value[i:i + 64]
                                  for i in range(0, len(value), 64))
        value = '"%s"' % value
    line = "#define %-20s  %s" % (name, value)
    if len(line) > 80:
        line = "#define %s \\\n    %s" % (name, value)
    print(line)


A, B, SUBJECT = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))

same = next(k for k in candidates() if number(k) == number(A))

many = {}
for k in candidates():
    many.setdefault(number(k), k)
    if len(many) == 17:
        break

secret = bytes(range(0x80, 0x98))
id = bytes(range(0xa0, 0xb0))
subject = mac(hkdf(SUBJECT, b"enroll subject"), b"u-1042")
rest = int.from_bytes(subject[16:24], "big")

print("\n/* Written by vectors.py, which says how each value comes about. */\n")

define("K_A", b64url(A))
define("K_B", b64url(B))
define("K_SUBJECT", b64url(SUBJECT))
define("K_SAME_AS_A", b64url(same))
print()
define("NUMBER_A", number(A))
define("NUMBER_B", number(B))
print()
define("TOKEN_A", token(A, 0x0102, secret))
define("TOKEN_A_ID", mac(hkdf(A, b"enroll id"), secret)[:16].hex())
define("TOKEN_A_SESSION",
       mac(hkdf(A, b"enroll session"), b"token" + secret)[:16].hex())
define("TOKEN_A_VERSION_0", token(A, 0x0102, secret, version=0))
define("TOKEN_A_VERSION_2", token(A, 0x0102, secret, version=2))
define("TOKEN_B", token(B, 0xffff, secret))
define("TOKEN_B_ID", mac(hkdf(B, b"enroll id"), secret)[:16].hex())
print()
define("SESSION_A", session(A, 0x0102, id, secret, 1700000000))
define("SESSION_A_ID", id.hex())
define("SESSION_A_SECRET", secret.hex())
define("SESSION_A_DIGEST",
       mac(hkdf(A, b"enroll session"), b"session" + secret)[:16].hex())
define("SESSION_A_FAR", session(A, 0x0102, id, secret, 2**64 - 1))
define("SESSION_A_VERSION_2",
       session(A, 0x0102, id, secret, 1700000000, version=2))
define("SESSION_B", session(B, 1, id, secret, 1700000000))
print()
define("RECORD_A", record(A, (
    id.hex().encode(), b"u-1042", b"standard", b"hris", b"evt-7", b"email",
    b"1700000000000", b"600000", b"5")))
define("RECORD_A_EMPTY", record(A, (b"",) * 9))
print()
define("SUBJECT_DIGEST", subject[:16].hex())
define("SUBJECT_OF_64", rest % 64)
define("SUBJECT_OF_65536", rest % 65536)
define("SUBJECT_OF_7", rest % 7)
print()
define("WEBHOOK_SECRET",
       "whsec_" + base64.b64encode(bytes(range(32))).decode())
define("WEBHOOK_OTHER",
       "whsec_" + base64.b64encode(bytes(range(32, 56))).decode())
define("WEBHOOK_SIG",
       webhook(bytes(range(32)), b"msg_1", b"1700000000", b'{"a":1}'))
define("WEBHOOK_SIG_OTHER",
       webhook(bytes(range(32, 56)), b"msg_1", b"1700000000", b'{"a":1}'))
define("WEBHOOK_SIG_EMPTY",
       webhook(bytes(range(32)), b"msg_1", b"1700000000", b""))
define("WEBHOOK_SIG_DOT",
       webhook(bytes(range(32)), b"msg.1", b"1700000000", b'{"a":1}'))
print("\n\n/* seventeen keys of different numbers */\n")
print("#define K_MANY { \\")
for k in many.values():
    print('    "%s", \\' % b64url(k))
print("}")
