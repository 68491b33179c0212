// A mail server for tests: takes mail, writes it to a journal, and fails the way the recipient's address asks for.
//
// Usage: node server.mjs OPTIONS, where OPTIONS is JSON: { module, port, folder, security, key, cert, user, password }.
// `folder` holds journal.jsonl (one line per mail taken) and, at times, the file `down` (see the end).
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const options = JSON.parse(process.argv[2]);
const { SMTPServer } = (await import(pathToFileURL(options.module))).default;
const journal = join(options.folder, 'journal.jsonl');
let down = '';

/** A negative answer. Like many servers it repeats the address that it is about. */
const failure = (code, address = '') => Object.assign(new Error(`test answer ${code} <${address}>`), { responseCode: code });

/** How often each address has been named by `RCPT`. */
const named = new Map();

/** An address without its `first2+`; nothing when it was named more often than that. */
function present(address) {
    const [, times, rest] = address.match(/^first(\d+)\+(.*)$/) ?? [];
    if (!times) return address;
    return named.get(address) > Number(times) ? '' : rest;
}

/** The number behind a word in the local part: 451 for `code451+x@…` and the word `code`. */
function wish(word, address) {
    const found = present(address).match(new RegExp(`^${word}(\\d+)\\+`));
    return found && Number(found[1]);
}

function hangUp(server, session) {
    for (const connection of server.connections) {
        if (connection.id === session.id) connection._socket.destroy();
    }
}

const server = new SMTPServer({
    secure: options.security === 'implicit',
    key: options.key && readFileSync(options.key),
    cert: options.cert && readFileSync(options.cert),
    disabledCommands: [
        ...(options.security === 'starttls' ? [] : ['STARTTLS']),
        ...(options.user ? [] : ['AUTH']),
    ],
    authOptional: !options.user,
    allowInsecureAuth: true,
    disableReverseLookup: true,
    size: 1 << 20,
    onConnect(_session, done) {
        done(down === 'busy' ? failure(421) : null);
    },
    onAuth(auth, _session, done) {
        const right = auth.username === options.user && auth.password === options.password;
        done(right ? null : failure(535), { user: auth.username });
    },
    onRcptTo(address, _session, done) {
        named.set(address.address, (named.get(address.address) ?? 0) + 1);
        const code = wish('code', address.address);
        done(code ? failure(code, address.address) : null);
    },
    onData(stream, session, done) {
        const chunks = [];
        stream.on('data', (chunk) => chunks.push(chunk));
        stream.on('end', () => {
            const rcpt = session.envelope.rcptTo.map((to) => to.address);
            const wishes = (word) => rcpt.map((to) => wish(word, to)).find(Boolean);
            const refused = wishes('data');
            if (refused) return done(failure(refused, rcpt.join(' ')));
            const from = session.envelope.mailFrom.address;
            const mail = { rcpt, from, data: Buffer.concat(chunks).toString('base64'), at: Date.now() };
            appendFileSync(journal, JSON.stringify(mail) + '\n');
            // Taken, but the sender never hears of it: the ambiguous case.
            if (rcpt.some((to) => present(to).startsWith('silent+'))) return hangUp(server, session);
            setTimeout(done, 1000 * (wishes('wait') ?? 0));
        });
    },
});
// A client that goes away in the middle is what some tests are about.
server.on('error', (error) => {
    if (!server.server.listening) {
        console.error(error);
        process.exit(1);
    }
});
server.listen(options.port, '127.0.0.1', () => console.log('ready'));

// The file `down` says `refuse` (nobody listens) or `busy` (421 at connect). Either ends the open connections. When the file
// is gone, all is well again.
setInterval(() => {
    let wanted = '';
    try {
        wanted = readFileSync(join(options.folder, 'down'), 'utf8').trim();
    } catch {
        // No such file.
    }
    if (wanted === down) return;
    down = wanted;
    if (down) server.connections.forEach((connection) => connection._socket.destroy());
    if (down === 'refuse') server.server.close();
    else if (!server.server.listening) server.server.listen(options.port, '127.0.0.1');
}, 20);
