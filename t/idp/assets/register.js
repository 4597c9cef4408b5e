// The registration page.  The state of the page is on <main data-state>:
// ready, working, cancelled, failed (try again), closed (no use to try
// again), unknown (nobody can tell from here), already (made before), done.

const { browserSupportsWebAuthn, startRegistration } = SimpleWebAuthnBrowser;

const main = document.querySelector('main');
const message = document.querySelector('#message');
const button = document.querySelector('#create');

const LOOKS = { cancelled: 'note', already: 'note', working: '' };

class Failure extends Error {
    constructor(state, text) {
        super(text);
        this.state = state;
    }
}

function show(state, text) {
    main.dataset.state = state;
    message.textContent = text;
    message.className = LOOKS[state] ?? 'bad';
    button.textContent = state === 'working' ? 'Waiting…' : 'Try again';
    button.hidden = ['closed', 'unknown', 'already'].includes(state);

    if (button.hidden) {
        message.focus();
    }

    // not "disabled": that would take the keyboard's focus away
    button.setAttribute('aria-disabled', String(state === 'working'));
}

async function post(path, body) {
    return fetch(path, {
        method: 'POST',
        credentials: 'same-origin',
        redirect: 'error',
        headers: {
            'Accept': 'application/json',
            ...(body && { 'Content-Type': 'application/json' }),
        },
        body: body && JSON.stringify(body),
    });
}

// What a refusal means for the person.  `sent` says that a passkey is at stake.
function refused(status, sent) {
    switch (status) {

    case 400:
        return new Failure('failed', sent
            ? 'Your passkey could not be verified. Nothing was lost. Try '
              + 'again.'
            : 'That did not work. Nothing was lost. Try again.');

    case 401:
    case 403:
    case 410:
        return new Failure('closed', 'This page can no longer be used. Ask '
            + 'the person who invited you for a new link.');

    case 409:
        return new Failure('closed', 'An earlier try is still being dealt '
            + 'with. If your passkey does not work in a few minutes, call '
            + 'your service desk.');

    case 429:
        return new Failure('closed', 'There were too many tries. Ask the '
            + 'person who invited you for a new link.');
    }

    return null;
}

async function begin() {
    let response;

    try {
        response = await post('/register/begin');

    } catch {
        throw new Failure('failed', 'There is no connection just now. Nothing '
            + 'was lost. Try again in a moment.');
    }

    if (response.ok) {
        return response.json();
    }

    throw refused(response.status, false)
        ?? new Failure('failed', 'The sign-in service is not answering just '
            + 'now. Nothing was lost. Try again in a minute.');
}

async function create(options) {
    try {
        return await startRegistration({ optionsJSON: options });

    } catch (error) {
        // the library wraps what the browser said
        switch ((error.cause ?? error).name) {

        case 'NotAllowedError':
        case 'AbortError':
            throw new Failure('cancelled', 'No passkey was made: the prompt '
                + 'was closed, or took too long. Nothing was lost. Try again.');

        case 'InvalidStateError':
            throw new Failure('already', 'This device already holds a passkey '
                + 'for you. You can sign in with it.');

        case 'ConstraintError':
        case 'NotSupportedError':
            throw new Failure('failed', 'This device cannot hold a passkey '
                + 'yet. Set up a screen lock on it, then try again. Nothing '
                + 'was lost.');

        default:
            throw new Failure('failed', 'Your device could not make a '
                + 'passkey. Nothing was lost. Try again.');
        }
    }
}

async function finish(passkey) {
    const unknown = new Failure('unknown', 'We cannot tell from here whether '
        + 'your passkey was saved. Please call your service desk: they can '
        + 'see it, and help you on.');
    let response, result;

    try {
        response = await post('/register/finish', passkey);
        result = await response.json();

    } catch {
        throw unknown;
    }

    if (response.ok && result.verified === true) {
        return;
    }

    // a busy door says when to come back; nothing has passed it
    if (response.status === 503 && response.headers.has('Retry-After')) {
        throw new Failure('failed', 'The sign-in service is busy just now. '
            + 'Nothing was lost. Try again in a minute.');
    }

    throw refused(response.status, true) ?? unknown;
}

async function register() {
    if (main.dataset.state === 'working') {
        return;
    }

    show('working', 'Follow what your device asks.');

    try {
        await finish(await create(await begin()));

    } catch (error) {
        show(error.state ?? 'failed', error.state ? error.message
            : 'That did not work. Nothing was lost. Try again.');
        return;
    }

    main.dataset.state = 'done';
    document.title = document.title.replace(/^[^·]*/, 'Your passkey is ready ');
    document.querySelector('#offer').hidden = true;
    document.querySelector('#done').hidden = false;
    document.querySelector('#done-title').focus();
}

if (browserSupportsWebAuthn()) {
    button.addEventListener('click', register);
    button.hidden = false;

} else {
    show('closed', 'This browser cannot make passkeys. Ask your service desk '
        + 'which one to use.');
}
