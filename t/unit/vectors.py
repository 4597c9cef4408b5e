#!/usr/bin/env python3
#
# Known answers for the unit tests, from the formats' descriptions in the
# headers of core/ and nothing but Python's own hmac, hashlib and base64; what
# JOSE needs of ECDSA and RSA is worked out here with Python's integers:
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


def token_id(key, partition, secret):
    return partition.to_bytes(2, "big") + mac(hkdf(key, b"enroll id"),
                                              secret)[2:16]


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


# P-256 (FIPS 186-4, D.1.2.3)

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if a[1] != b[1]:
            return None
        slope = 3 * (a[0]**2 - 1) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope**2 - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k, point):
    total = None
    while k:
        if k & 1:
            total = add(total, point)
        point = add(point, point)
        k >>= 1
    return total


def b64int(n, length=32):
    return b64url(n.to_bytes(length, "big"))


def ec_jwk(d):
    x, y = times(d, G)
    return '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' % (
        b64int(x), b64int(y))


def thumbprint(jwk):
    return b64url(hashlib.sha256(jwk.encode()).digest())


def es256(d, data):
    digest = hashlib.sha256(data).digest()
    k = int.from_bytes(mac(d.to_bytes(32, "big"), digest), "big") % N
    r = times(k, G)[0] % N
    s = pow(k, -1, N) * (int.from_bytes(digest, "big") + r * d) % N
    return (r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def prime(seed):
    n = int.from_bytes(b"".join(mac(seed, bytes([i])) for i in range(4)),
                       "big") | 3 << 1022 | 1
    while any(pow(base, n - 1, n) != 1 for base in (2, 3, 5, 7, 11)) \
            or n % 65537 == 1:
        n += 2
    return n


def mgf1(seed, length):
    data = b"".join(hashlib.sha256(seed + i.to_bytes(4, "big")).digest()
                    for i in range(length // 32 + 1))
    return data[:length]


# RFC 8017, 9.2 and 9.1.1, for a modulus of 2048 bits

def pkcs1(data):
    info = bytes.fromhex("3031300d060960864801650304020105000420")
    end = b"\0" + info + hashlib.sha256(data).digest()
    return b"\0\1" + b"\xff" * (254 - len(end)) + end


def pss(data):
    salt = hashlib.sha256(b"salt").digest()
    h = hashlib.sha256(bytes(8) + hashlib.sha256(data).digest() + salt) \
        .digest()
    db = bytes(256 - 32 - 32 - 2) + b"\1" + salt
    db = bytearray(a ^ b for a, b in zip(db, mgf1(h, len(db))))
    db[0] &= 0x7f
    return bytes(db) + h + b"\xbc"


def rsa(key, encoded):
    p, q = key
    d = pow(65537, -1, (p - 1) * (q - 1))
    return pow(int.from_bytes(encoded, "big"), d, p * q).to_bytes(256, "big")


def jws(header, payload, sign):
    text = "%s.%s" % (b64url(header), b64url(payload))
    return "%s.%s" % (text, b64url(sign(text.encode())))


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
define("TOKEN_A_ID", token_id(A, 0x0102, secret).hex())
define("TOKEN_A_SESSION",
       mac(hkdf(A, b"enroll session"), b"token" + secret)[:16].hex())
define("TOKEN_A_VERSION_0", token(A, 0x0102, secret, version=0))
define("TOKEN_A_VERSION_2", token(A, 0x0102, secret, version=2))
define("TOKEN_B", token(B, 0xffff, secret))
define("TOKEN_B_ID", token_id(B, 0xffff, secret).hex())
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
print()
d = int.from_bytes(hashlib.sha256(b"a private part").digest(), "big") % N
key = prime(b"p"), prime(b"q")
claims = (b'{"iss":"https://hr.example","aud":"enroll","iat":1700000000,'
          b'"exp":1700000300,"jti":"7"}')
define("EC_X", b64int(times(d, G)[0]))
define("EC_Y", b64int(times(d, G)[1]))
define("EC_D", b64int(d))
define("EC_NEGATIVE_Y", b64int(P - times(d, G)[1]))
define("EC_N", b64int(N))
define("EC_THUMBPRINT", thumbprint(ec_jwk(d)))
define("RSA_N", b64int(key[0] * key[1], 256))
define("RSA_N_ZERO", b64int(key[0] * key[1], 257))
print()
define("JWS_ES256", jws(b'{"alg":"ES256","kid":"a"}', claims,
                        lambda text: es256(d, text)))
define("JWS_RS256", jws(b'{"alg":"RS256"}', claims,
                        lambda text: rsa(key, pkcs1(text))))
define("JWS_PS256", jws(b'{"alg":"PS256"}', claims,
                        lambda text: rsa(key, pss(text))))
print("\n\n/* seventeen keys of different numbers */\n")
print("#define K_MANY { \\")
for k in many.values():
    print('    "%s", \\' % b64url(k))
print("}")
