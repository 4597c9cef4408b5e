const ESCAPES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;',
                  "'": '&#39;' };

const escape = (text) => String(text).replace(/[&<>"']/g, (c) => ESCAPES[c]);

// a long name breaks where its parts do
const breakable = (text) => escape(text).replace(/@/g, '@<wbr>');

function layout(title, main, { head = '', state } = {}) {
    return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escape(title)} · Example Company</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/register/assets/site.css">
${head}</head>
<body>
<header><p>Example Company <span>sign-in</span></p></header>
<main${state ? ` data-state="${state}"` : ''}>
${main}
</main>
</body>
</html>
`;
}

export function register(subject) {
    return layout('Create your passkey', `
<section id="offer" aria-labelledby="title">
<h1 id="title">Create your passkey</h1>
<dl>
<dt>For</dt>
<dd id="subject">${breakable(subject)}</dd>
</dl>
<p>A passkey takes the place of a password. Your device will ask for your
fingerprint, your face or your screen lock, as when you unlock it.</p>
<noscript><p class="bad">A passkey cannot be made without JavaScript. Allow it
for this site, then load this page again.</p></noscript>
<div role="status"><p id="message" tabindex="-1"></p></div>
<button id="create" type="button" hidden>Create passkey</button>
</section>

<section id="done" aria-labelledby="done-title" hidden>
<h1 id="done-title" tabindex="-1">Your passkey is ready</h1>
<dl>
<dt>For</dt>
<dd>${breakable(subject)}</dd>
</dl>
<p>From now on, sign in with it: there is no password to remember.</p>
<p><a class="action" href="/login">Go to the sign&#8209;in</a></p>
</section>`, {
        state: 'ready',
        head: `<script src="/register/assets/simplewebauthn-browser.js"
 defer></script>
<script type="module" src="/register/assets/register.js"></script>
`,
    });
}

export function home() {
    return layout('Home', `
<h1>Example Company</h1>
<p>This page stands for the applications behind the sign&#8209;in.</p>`);
}

export function login() {
    return layout('Sign in', `
<h1>Sign in</h1>
<p>This page stands for the sign&#8209;in with a passkey.</p>`);
}

export function admin() {
    return layout('Admin console', `
<h1>Admin console</h1>
<p>This page stands for what a newcomer must never reach.</p>`);
}

export function refusal(status, message) {
    return layout(`Error ${status}`, `
<h1>This page cannot be shown</h1>
<p>Error ${status}: ${escape(message)}.</p>`);
}
