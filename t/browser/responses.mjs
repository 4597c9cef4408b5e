// Registration responses as a real Chromium makes them, one for each kind of
// virtual authenticator, and what an IdP's library reads in them: the
// fixtures of the unit tests.
//
//     node t/browser/responses.mjs > t/unit/responses.h

import { createHash, webcrypto } from 'node:crypto';

import { verifyRegistrationResponse }
    from '../idp/node_modules/@simplewebauthn/server/esm/index.js';

import { openBrowser } from './browser.mjs';

globalThis.crypto ??= webcrypto;
globalThis.SubtleCrypto ??= webcrypto.subtle.constructor;

const ORIGIN = 'http://localhost:8080';
const CHALLENGE = 'none of these was made for a real one';

const kinds = [
    { name: 'PLATFORM', attestation: 'none', authenticator: {
        protocol: 'ctap2', transport: 'internal', hasResidentKey: true,
        hasUserVerification: true, isUserVerified: true,
    } },
    { name: 'SYNCED', attestation: 'none', authenticator: {
        protocol: 'ctap2', transport: 'internal', hasResidentKey: true,
        hasUserVerification: true, isUserVerified: true,
        defaultBackupEligibility: true, defaultBackupState: true,
    } },
    { name: 'ELIGIBLE', attestation: 'direct', authenticator: {
        protocol: 'ctap2', transport: 'hybrid', hasResidentKey: true,
        hasUserVerification: true, isUserVerified: true,
        defaultBackupEligibility: true, defaultBackupState: false,
    } },
    { name: 'SECURITY_KEY', attestation: 'direct', authenticator: {
        protocol: 'ctap2', transport: 'usb', hasResidentKey: false,
        hasUserVerification: false,
    } },
    { name: 'U2F', attestation: 'direct', authenticator: {
        protocol: 'u2f', transport: 'nfc',
    } },
    { name: 'EXTENSIONS', attestation: 'none', extensions: {
        credProps: true, credentialProtectionPolicy: 'userVerificationRequired',
        enforceCredentialProtectionPolicy: true,
    }, authenticator: {
        protocol: 'ctap2', ctap2Version: 'ctap2_1', transport: 'internal',
        hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
        hasCredBlob: true, hasMinPinLength: true,
    } },
];

// Runs in the page.
function register({ attestation, extensions, authenticator, challenge }) {
    const bytes = (text) => new TextEncoder().encode(text);
    const resident = authenticator.hasResidentKey ? 'required' : 'discouraged';
    const verified = authenticator.hasUserVerification
        ? 'required' : 'discouraged';

    return navigator.credentials.create({ publicKey: {
        rp: { name: 'Test' },
        user: { id: bytes('ada'), name: 'ada', displayName: 'Ada' },
        challenge: bytes(challenge),
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
        authenticatorSelection: { residentKey: resident,
            userVerification: verified },
        attestation,
        extensions,
    } }).then((credential) => credential.toJSON());
}

async function respond(browser, kind) {
    const page = await browser.newPage();
    const cdp = await page.context().newCDPSession(page);

    await page.route('**', (route) => route.fulfill(
        { contentType: 'text/html', body: '<!doctype html><title>-</title>' }));
    await page.goto(`${ORIGIN}/`);

    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', { options: {
        automaticPresenceSimulation: true, ...kind.authenticator } });

    const response = await page.evaluate(register,
                                         { ...kind, challenge: CHALLENGE });
    await page.close();

    return response;
}

async function facts(response) {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
        response,
        expectedChallenge: Buffer.from(CHALLENGE).toString('base64url'),
        expectedOrigin: ORIGIN,
        expectedRPID: 'localhost',
        requireUserVerification: false,
    });

    if (!verified) {
        throw new Error('the IdP does not verify it');
    }

    const { credential, aaguid, fmt, userVerified, credentialDeviceType,
        credentialBackedUp, origin } = registrationInfo;

    return {
        credential: createHash('sha256')
            .update(Buffer.from(credential.id, 'base64url')).digest('hex'),
        aaguid,
        attestation: fmt,
        transports: credential.transports.join(','),
        origin,
        user_verified: Number(userVerified),
        backup_eligible: Number(credentialDeviceType === 'multiDevice'),
        backed_up: Number(credentialBackedUp),
    };
}

// A string literal of C, in lines that fit.
function literal(text) {
    return text.match(/.{1,60}/g)
        .map((part) => `    "${part.replace(/["\\]/g, '\\$&')}"`)
        .join(' \\\n');
}

const browser = await openBrowser();

console.log(`
/* Written by t/browser/responses.mjs, which says how they come about. */

#ifndef _RESPONSES_H_INCLUDED_
#define _RESPONSES_H_INCLUDED_


/* the response, and the members of ngx_enroll_authenticator_t */
`);

for (const kind of kinds) {
    const response = await respond(browser, kind);
    const found = await facts(response);

    process.stderr.write(`${kind.name} ${JSON.stringify(found)}\n`);
    console.log(`#define ${kind.name} \\`);
    console.log(`${literal(JSON.stringify(response))}\n`);
    console.log(`#define ${kind.name}_FACTS \\`);
    console.log(`    .credential = \\\n        "${found.credential}", \\`);

    for (const name of ['aaguid', 'attestation', 'transports', 'origin']) {
        console.log(`    .${name} = "${found[name]}", \\`);
    }

    console.log(`    .user_present = 1, .user_verified = ${
        found.user_verified}, \\`);
    console.log(`    .backup_eligible = ${found.backup_eligible
        }, .backed_up = ${found.backed_up}\n`);
}

console.log('\n#endif /* _RESPONSES_H_INCLUDED_ */');

await browser.close();
