// The proxy's signed word: who enrols, by which token, and for which request
// that was said.  A stock JOSE library verifies it; what is left to an IdP is
// to compare the request, and to let each token register once.

import { createRemoteJWKSet, jwtVerify } from 'jose';

export class Assertions {
    constructor({ jwks, issuer, audience, hosts }) {
        // a kid that is not known is asked for at once, for the tests' sake
        this.keys = createRemoteJWKSet(new URL(jwks), { cooldownDuration: 0 });
        this.issuer = issuer;
        this.audience = audience;
        this.hosts = hosts;
        this.reset();
    }

    reset() {
        this.ahead = 0;                 // milliseconds, of our clock
        this.registered = new Set();    // ids of tokens: UNIQUE
    }

    // The claims, or an Error in words for people.
    async read(req, step) {
        const values = req.headersDistinct['enroll-assertion'] ?? [];

        if (values.length !== 1) {
            throw new Error('the proxy makes no assertion');
        }

        const { payload } = await jwtVerify(values[0], this.keys, {
            issuer: this.issuer,
            audience: this.audience,
            typ: 'enroll+jwt',
            algorithms: ['ES256'],
            maxTokenAge: 60,
            requiredClaims: ['sub', 'exp', 'jti', 'id'],
            currentDate: new Date(Date.now() + this.ahead),
        });

        if (payload.step !== step || payload.method !== req.method
            || payload.uri !== req.url || !this.hosts.includes(payload.host))
        {
            throw new Error('the assertion is of another request');
        }

        return payload;
    }

    // Registers by the token of that id, which is for one registration.
    async once(id, register) {
        if (this.registered.has(id)) {
            throw new TokenIsSpent('this token has registered already');
        }

        this.registered.add(id);

        try {
            return await register();

        } catch (error) {
            this.registered.delete(id);
            throw error;
        }
    }
}

export class TokenIsSpent extends Error {}
