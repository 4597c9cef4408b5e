// Signs and verifies as issuers, provers and IdPs do, with the libraries that
// those use: jose (RFC 7515, 7517) and standardwebhooks.  It is started once
// and asked by lines of JSON on stdin, one answer a line on stdout, in order:
//
//   {"do": "key", "name": "acme", "kty": "EC", "crv": "P-256", "kid": "a"}
//   {"do": "key", "name": "old", "kty": "RSA", "bits": 2048, "alg": "PS256"}
//       makes a key pair and keeps it; {"jwk": …} is the public one, with
//       "kid", "alg" and "use" where they were given.  "secret": true adds
//       {"private": …}, the whole pair: a set that must not load
//   {"do": "sign", "key": "acme", "header": {…}, "payload": BASE64}
//       {"jws": …}, compact; alg, where the header has none, is the key's
//   {"do": "forge", "header": {…} or BASE64, "payload": BASE64, "alg": …,
//    "key": … or "secret": … or "public": …}
//       the same by hand, for what a library refuses to make: the header may
//       be any bytes, the alg another than the header says: none, HS256 (with
//       a secret, or a public key's PEM as one), ES256, RS256 …
//   {"do": "verify", "jws": …, "jwks": {…}, "options": {…}}
//       {"header": …, "payload": …} by jwtVerify(), or an error
//   {"do": "webhook", "secret": "whsec_…", "id": …, "timestamp": …,
//    "body": "…"}
//       {"headers": {"webhook-id": …, …}}
//   {"do": "webhook_verify", "secret": …, "headers": {…}, "body": "…"}
//       {"payload": …}, or an error
//
// An error is {"error": "…"}.

import crypto from 'node:crypto';
import readline from 'node:readline';

import * as jose from 'jose';
import { Webhook } from 'standardwebhooks';

const ALGS = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' };

const keys = new Map();

function own(name) {
    const key = keys.get(name);

    if (!key) {
        throw new Error(`no key "${name}"`);
    }

    return key;
}

async function makeKey({ name, kty, crv = 'P-256', bits = 2048, kid, alg, use,
    secret }) {
    const type = kty === 'RSA' ? 'rsa' : 'ec';
    const options = kty === 'RSA' ? { modulusLength: bits }
        : { namedCurve: crv };
    const pair = crypto.generateKeyPairSync(type, options);
    const more = JSON.parse(JSON.stringify({ kid, alg, use }));

    keys.set(name, {
        ...pair,
        kid,
        alg: alg ?? (kty === 'RSA' ? 'RS256' : ALGS[crv]),
    });

    const jwk = async (half) => ({ ...await jose.exportJWK(half), ...more });

    return {
        jwk: await jwk(pair.publicKey),
        private: secret && await jwk(pair.privateKey),
    };
}

async function sign({ key: name, header = {}, payload }) {
    const key = own(name);
    const jws = await new jose.CompactSign(Buffer.from(payload, 'base64'))
        .setProtectedHeader({ alg: key.alg, ...header })
        .sign(key.privateKey);

    return { jws };
}

function bytesOf(alg, input, { key, secret, public: name }) {
    const hash = `sha${alg.slice(2)}`;

    switch (alg.slice(0, 2)) {
    case 'no':
        return Buffer.alloc(0);

    case 'HS':
        return crypto.createHmac(hash, name ? own(name).publicKey.export(
            { type: 'spki', format: 'pem' }) : secret).update(input).digest();

    case 'ES':
        return crypto.sign(hash, input,
            { key: own(key).privateKey, dsaEncoding: 'ieee-p1363' });

    case 'PS':
        return crypto.sign(hash, input, {
            key: own(key).privateKey,
            padding: crypto.constants.RSA_PKCS1_PSS_PADDING,
            saltLength: crypto.constants.RSA_PSS_SALTLEN_DIGEST,
        });

    default:
        return crypto.sign(hash, input, own(key).privateKey);
    }
}

function forge({ header, payload, alg, ...how }) {
    const first = typeof header === 'string' ? Buffer.from(header, 'base64')
        : Buffer.from(JSON.stringify(header));
    const input = [first, Buffer.from(payload, 'base64')]
        .map((part) => part.toString('base64url')).join('.');
    const signature = bytesOf(alg, Buffer.from(input), how);

    return { jws: `${input}.${signature.toString('base64url')}` };
}

async function verify({ jws, jwks, options = {} }) {
    const { payload, protectedHeader } = await jose.jwtVerify(jws,
        jose.createLocalJWKSet(jwks), options);

    return { header: protectedHeader, payload };
}

function webhook({ secret, id, timestamp, body }) {
    const signature = new Webhook(secret).sign(id,
        new Date(timestamp * 1000), body);

    return {
        headers: {
            'webhook-id': id,
            'webhook-timestamp': String(timestamp),
            'webhook-signature': signature,
        },
    };
}

function webhookVerify({ secret, headers, body }) {
    return { payload: new Webhook(secret).verify(body, headers) };
}

const verbs = {
    key: makeKey, sign, forge, verify, webhook, webhook_verify: webhookVerify,
};

for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;

    try {
        const { do: verb, ...order } = JSON.parse(line);

        if (!Object.hasOwn(verbs, verb)) {
            throw new Error(`what is "${verb}"?`);
        }

        answer = await verbs[verb](order);
    } catch (error) {
        answer = { error: `${error.code ?? error.name}: ${error.message}` };
    }

    process.stdout.write(`${JSON.stringify(answer)}\n`);
}
