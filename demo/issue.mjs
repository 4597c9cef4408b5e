// What HR's system does when somebody joins: one signed call (Standard
// Webhooks), and the answer holds the link.
//
//   node issue.mjs http://127.0.0.1:8080 SECRET-FILE SUBJECT CLASS

import { createHmac, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

export async function issue(origin, secretFile, subject, name) {
    const secret = (await readFile(secretFile, 'utf8')).trim();
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');

    const body = JSON.stringify({ subject, class: name, channel: 'email' });
    const id = `joiner-${randomUUID()}`;
    const time = Math.floor(Date.now() / 1000);
    const signature = createHmac('sha256', key)
        .update(`${id}.${time}.${body}`).digest('base64');

    const response = await fetch(`${origin}/enroll/issue`, {
        method: 'POST',
        headers: {
            'Content-Type': 'application/json',
            'webhook-id': id,
            'webhook-timestamp': String(time),
            'webhook-signature': `v1,${signature}`,
        },
        body,
    });

    const answer = await response.json();

    if (response.status !== 201) {
        throw new Error(`${response.status} ${answer.detail}`);
    }

    return answer;      // id, state, token, url, expires_at
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
    const [origin, secretFile, subject, name] = process.argv.slice(2);

    try {
        console.log((await issue(origin, secretFile, subject, name)).url);

    } catch (error) {
        console.error(`no link: ${error.message}`);
        process.exitCode = 1;
    }
}
