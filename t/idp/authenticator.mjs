// An authenticator and its browser, in little: CBOR by hand, no attestation. As
// a program it reads the options on stdin, takes the origin as its argument and
// prints what a browser would send.

import { createHash, generateKeyPairSync } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

export function makePasskey(options, { origin,
    challenge = options.challenge, rpID = options.rp.id })
{
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x, y } = publicKey.export({ format: 'jwk' });
    const id = createHash('sha256').update(x).digest();
    const bytes = (value) => Buffer.from(value, 'base64url');

    const cose = Buffer.concat([
        Buffer.from('a5010203262001215820', 'hex'), bytes(x),
        Buffer.from('225820', 'hex'), bytes(y),
    ]);

    const authData = Buffer.concat([
        createHash('sha256').update(rpID).digest(),
        Buffer.from([0x45]),                // present, verified, key attached
        Buffer.alloc(4), Buffer.alloc(16), Buffer.from([0, id.length]), id,
        cose,
    ]);

    const attestation = Buffer.concat([
        Buffer.from('a363666d74646e6f6e656761747453746d74a0', 'hex'),
        Buffer.from('686175746844617461', 'hex'),
        Buffer.from([0x58, authData.length]), authData,
    ]);

    const client = JSON.stringify({ type: 'webauthn.create', challenge, origin,
                                    crossOrigin: false });

    return {
        id: id.toString('base64url'),
        rawId: id.toString('base64url'),
        type: 'public-key',
        clientExtensionResults: {},
        response: {
            clientDataJSON: Buffer.from(client).toString('base64url'),
            attestationObject: attestation.toString('base64url'),
            transports: ['internal'],
        },
    };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const options = JSON.parse(await text(process.stdin));

    console.log(JSON.stringify(makePasskey(options,
        { origin: process.argv[2] })));
}
