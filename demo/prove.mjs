// What a proofing service does when it has seen who somebody is: it signs that
// (a JWS, ES256), and its back end sends it.
//
//   prove(ORIGIN, KEY-FILE, AUDIENCE, SUBJECT)

import { createPrivateKey, randomUUID, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const part = (value) => Buffer.from(JSON.stringify(value))
    .toString('base64url');

export async function prove(origin, keyFile, audience, subject) {
    const jwk = JSON.parse(await readFile(keyFile, 'utf8'));
    const now = Math.floor(Date.now() / 1000);

    const input = [
        { alg: 'ES256', kid: jwk.kid },
        { iss: 'https://prover.example.com', aud: audience, iat: now,
          exp: now + 60, jti: randomUUID(), subject, ial: 'ial2',
          method: 'passport', evidence: 'case-77' },
    ].map(part).join('.');
    const signature = sign('sha256', Buffer.from(input), {
        key: createPrivateKey({ key: jwk, format: 'jwk' }),
        dsaEncoding: 'ieee-p1363' }).toString('base64url');

    const response = await fetch(`${origin}/enroll/proof`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/jwt' },
        body: `${input}.${signature}`,
    });

    return { status: response.status, ...await response.json() };
}
