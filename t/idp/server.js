// Stands for the customer's identity provider: a WebAuthn relying party that
// takes the subject's word from a header that its proxy sets.  It knows nothing
// of how the proxy came to that word.
//
//   IDP_ORIGIN          what the browser shows, e.g. http://localhost:8080;
//                       several, separated by commas, when several proxies
//                       stand in front (default http://localhost)
//   IDP_RP_ID           default: the host name of the first origin
//   IDP_RP_NAME         default: Example Company
//   IDP_ASSERTION_JWKS  where the proxy's public keys are; then its word has
//                       to be a signed assertion, with IDP_ASSERTION_ISSUER
//                       and IDP_ASSERTION_AUDIENCE, and a token registers once
//   IDP_LISTEN          host:port, port 0 takes a free one
//                       (default 127.0.0.1:0)
//   IDP_CONTROL_LISTEN  the same, for the tests' own door
//                       (default 127.0.0.1:0)
//
// When both listen, it prints one line of JSON on stdout that says where.

import { Assertions } from './assertion.js';
import { RelyingParty } from './relying-party.js';
import { Site } from './site.js';
import { Control, Recorder } from './control.js';

function address(value) {
    const colon = value.lastIndexOf(':');
    const port = Number(value.slice(colon + 1));

    if (colon < 1 || !Number.isInteger(port) || port < 0 || port > 65535) {
        throw new Error(`"${value}" is not host:port`);
    }

    return { host: value.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}

function listen(server, where) {
    return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(where, () => resolve(server.address()));
    });
}

const origins = (process.env.IDP_ORIGIN || 'http://localhost').split(',')
    .map((text) => new URL(text.trim()).origin);

const rp = new RelyingParty({
    origins,
    id: process.env.IDP_RP_ID || new URL(origins[0]).hostname,
    name: process.env.IDP_RP_NAME || 'Example Company',
});

const assertions = process.env.IDP_ASSERTION_JWKS && new Assertions({
    jwks: process.env.IDP_ASSERTION_JWKS,
    issuer: process.env.IDP_ASSERTION_ISSUER,
    audience: process.env.IDP_ASSERTION_AUDIENCE,
    hosts: origins.map((origin) => new URL(origin).hostname),
});

const recorder = new Recorder();
const site = new Site(rp, recorder, assertions).server();
const control = new Control(rp, recorder, assertions).server();

const main = await listen(site, address(process.env.IDP_LISTEN
                                        || '127.0.0.1:0'));
const door = await listen(control, address(process.env.IDP_CONTROL_LISTEN
                                           || '127.0.0.1:0'));

for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, () => {
        for (const server of [site, control]) {
            server.close();
            server.closeAllConnections();
        }
    });
}

console.log(JSON.stringify({
    event: 'ready',
    host: main.address,
    port: main.port,
    control_host: door.address,
    control_port: door.port,
    origins,
    rp_id: rp.id,
}));
