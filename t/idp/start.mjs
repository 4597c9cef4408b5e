// Starts the IdP for a test, and asks it things through its own door.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export async function startIdP({ origin, rpID, listen, env = {} } = {}) {
    const script = fileURLToPath(new URL('server.js', import.meta.url));

    const child = spawn(process.execPath, [script], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
            ...process.env,
            ...(origin && { IDP_ORIGIN: origin }),
            ...(rpID && { IDP_RP_ID: rpID }),
            ...(listen && { IDP_LISTEN: listen }),
            ...env,
        },
    });

    const exited = once(child, 'exit').then(([code]) => code);

    const line = await Promise.race([
        once(createInterface(child.stdout), 'line').then(([text]) => text),
        exited,
    ]);

    if (typeof line !== 'string') {
        throw new Error('the IdP did not start');
    }

    const { port, control_port: controlPort } = JSON.parse(line);
    const control = `http://127.0.0.1:${controlPort}`;

    async function ask(path, init) {
        const response = await fetch(control + path, init);

        if (!response.ok) {
            throw new Error(`${path}: ${await response.text()}`);
        }

        return response.json();
    }

    return {
        port,
        url: `http://127.0.0.1:${port}`,
        control,
        get: (path) => ask(path),
        post: (path, body) => ask(path, { method: 'POST',
            body: body && JSON.stringify(body) }),
        stop() {
            child.kill('SIGTERM');
            return exited;
        },
    };
}
