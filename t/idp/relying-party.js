// What a relying party of WebAuthn does at registration, and no more: options
// with a challenge, then the check of what the authenticator made of it.

import { createHash, webcrypto } from 'node:crypto';

import { generateRegistrationOptions, verifyRegistrationResponse }
    from '@simplewebauthn/server';

// globals only from Node 19 on, and Debian 12 has 18; the library looks for
// them when it is called
globalThis.crypto ??= webcrypto;
globalThis.SubtleCrypto ??= webcrypto.subtle.constructor;

const CHALLENGE_LIFETIME = 5 * 60 * 1000;

export class RelyingParty {
    constructor({ origins, id, name }) {
        this.origins = origins;
        this.id = id;
        this.name = name;
        this.reset();
    }

    reset() {
        this.challenges = new Map();      // by subject
        this.credentials = [];
    }

    async begin(subject) {
        const options = await generateRegistrationOptions({
            rpName: this.name,
            rpID: this.id,
            userName: subject,
            userDisplayName: subject,
            // the same person has the same handle, and the handle tells nothing
            userID: createHash('sha256').update(subject).digest(),
            timeout: CHALLENGE_LIFETIME,
            attestationType: 'none',
            excludeCredentials: this.credentials
                .filter((credential) => credential.subject === subject)
                .map(({ id, transports }) => ({ id, transports })),
            authenticatorSelection: {
                residentKey: 'required',
                userVerification: 'required',
            },
        });

        this.challenges.set(subject, {
            value: options.challenge,
            until: Date.now() + CHALLENGE_LIFETIME,
        });

        return options;
    }

    // The stored credential, or an Error in words for people.
    async finish(subject, response) {
        const challenge = this.challenges.get(subject);

        // one try a challenge, whatever comes of it
        this.challenges.delete(subject);

        if (!challenge) {
            throw new Error('no registration is under way');
        }

        if (Date.now() > challenge.until) {
            throw new Error('the challenge has expired');
        }

        const result = await verifyRegistrationResponse({
            response,
            expectedChallenge: challenge.value,
            expectedOrigin: this.origins,
            expectedRPID: this.id,
            requireUserVerification: true,
        });

        if (!result.verified) {
            throw new Error('the attestation does not verify');
        }

        const { credential, aaguid, userVerified, credentialBackedUp }
            = result.registrationInfo;

        if (this.credentials.some(({ id }) => id === credential.id)) {
            throw new Error('this credential is registered already');
        }

        const stored = {
            subject,
            id: credential.id,
            public_key: Buffer.from(credential.publicKey)
                .toString('base64url'),
            transports: credential.transports ?? [],
            counter: credential.counter,
            aaguid,
            user_verified: userVerified,
            backed_up: credentialBackedUp,
            registered_at: Date.now(),
        };

        this.credentials.push(stored);

        return stored;
    }
}
