// The page comes to life: an identity, a client, a room, and what is seen of it.

import { about } from './about.js';
import { byId, say } from './dom.js';
import { Invite } from './invite.js';
import { freshRoom, idOf, linkTo, nameOf, roomIn } from './link.js';
import { ownName, rememberName, tidyName } from './names.js';
import { Session } from './session.js';
import { PEOPLE_MAX, explain, lacking } from './trouble.js';
import { Words } from './words.js';

/**
 * @import { Trouble } from './trouble.js'
 * @import { FilesSdk, Room, Status, Wigwag } from './types.js'
 */

/** A server that is silent for so long is worth a word. */
const SLOW_MS = 6_000;

/** @type {HTMLInputElement} */
const nameField = byId('name');
const own = document.querySelector('meta[name="wigwag-own"]')?.getAttribute('content') ?? '';
let name = ownName();
/** What we said to be called when we came in. */
let named = name;
/** @type {Wigwag | null} */
let client = null;
/** @type {FilesSdk | null} */
let files = null;
/** @type {Words | null} */
let words = null;
/** @type {Session | null} */
let session = null;
/** Which entry is the latest: what an earlier one brings is not wanted any more. */
let turn = 0;
/** The entry that is under way: who calls meanwhile waits for it. @type {Promise<unknown>} */
let entering = Promise.resolve();

const invite = new Invite(joinByCode);

about();
start().catch((error) => trouble(explain(error)));

async function start() {
  for (const link of document.querySelectorAll('a.skip')) {
    link.addEventListener('click', (event) => {
      // The part behind the # is the room, and stays it.
      event.preventDefault();
      byId(/** @type {HTMLAnchorElement} */ (link).hash.slice(1)).focus();
    });
  }
  const lacks = lacking();
  if (lacks) return trouble(lacks);
  /** @type {typeof import('../../../../../../sdk/web/index.js')} */
  const { Identity, Wigwag: Client } = await load('../../wigwag.js');
  const sdk = (files = /** @type {FilesSdk} */ (await load('../../wigwag/files.js')));
  void import(at('../../wigwag/status.js'));
  // Where the browser keeps nothing there is a key for this visit.
  const identity = await Identity.kept().catch(() => Identity.make());
  const accept = async (/** @type {{ id: string, device: string }} */ peer) => {
    await entering;
    return session?.knows(peer) || 'We are not in one room.';
  };
  client = await Client.start({ identity, accept });
  Object.assign(byId('server'), { client, hidden: false });
  client.on('status', ({ status }) => showStatus(status));
  client.on('fault', ({ code, message }) => {
    // What is said first says most.
    if (!session && document.body.dataset.view !== 'trouble') trouble(explain({ code, message }));
  });
  words = new Words(sdk, async () => Client.open({ identity: await Identity.make() }), () => name);
  nameField.value = name;
  byId('me').hidden = false;
  byId('me').addEventListener('submit', (event) => {
    event.preventDefault();
    rename();
    if (document.body.dataset.view === 'together') byId('text').focus();
    else nameField.blur();
  });
  nameField.addEventListener('change', rename);
  addEventListener('hashchange', () => void go(roomIn(location.hash)));
  // The others see us go at once, and not only when the server misses us.
  addEventListener('pagehide', () => {
    client?.close();
    words?.end();
  });
  addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
  byId('trouble-again').addEventListener('click', () => {
    if (byId('trouble-again').dataset.way === 'fresh') location.hash = freshRoom();
    else location.reload();
  });
  await go(roomIn(location.hash));
}

/** Enters a room by its id; without one, a fresh one. @param {string | null} id */
async function go(id) {
  const room = id ?? freshRoom();
  history.replaceState(null, '', `#${room}`);
  named = name;
  await (entering = enter(room, (w) => w.join(nameOf(room), { me: { name }, capacity: PEOPLE_MAX })));
}

/** @param {string} id @param {(client: Wigwag) => Promise<Room>} join */
async function enter(id, join) {
  if (!client) return;
  const ours = (turn += 1);
  leave();
  view('starting');
  const slow = setTimeout(() => client && showStatus(client.status), SLOW_MS);
  try {
    const room = await join(client);
    if (ours !== turn) return void room.leave();
    begin(id, room);
  } catch (error) {
    if (ours === turn) trouble(explain(/** @type {any} */ (error)));
  } finally {
    clearTimeout(slow);
  }
}

/** @param {string} code */
async function joinByCode(code) {
  if (!client) return;
  if (files?.WordCode.isLike(code)) return words?.receive(code);
  named = name;
  const room = await client.joinByCode(code, { me: { name } });
  const id = idOf(room.name);
  if (!id) {
    await room.leave();
    throw new Error('That code is for a room of another app: open it there.');
  }
  // Our own room's code leads to where we are.
  if (id === roomIn(location.hash) && session) throw new Error('That is the code of this very room. It is for the others.');
  turn += 1;
  leave();
  history.replaceState(null, '', `#${id}`);
  begin(id, room);
  byId('people-title').focus();
}

/** @param {string} id @param {Room} room */
function begin(id, room) {
  const entered = /** @type {Wigwag} */ (client);
  session = new Session(entered, room, /** @type {FilesSdk} */ (files), { view, name: () => name });
  invite.show(linkTo(id, own, location.href));
  invite.follow(entered, room);
  // Somebody may have found a name while the door was opening.
  if (named !== name) tellName();
  view(session.empty ? 'alone' : 'together');
  room.on('closed', ({ why, reason }) => {
    if (why === 'left' || why === 'closed' || session?.room !== room) return;
    trouble(explain({ code: CLOSED[why], message: reason || `The room ended: ${why}` }));
  });
  if (entered.status.state === 'open') showStatus(entered.status);
}

/** Why one is no longer in a room, as codes say it. @type {Record<string, number>} */
const CLOSED = { superseded: 4300, removed: 4301, banned: 4302, origin_refused: 4304, version_unsupported: 4303 };

function leave() {
  invite.leave();
  const before = session;
  session = null;
  before?.end();
}

function rename() {
  const chosen = tidyName(nameField.value, name);
  nameField.value = chosen;
  if (chosen === name) return;
  name = chosen;
  rememberName(name);
  tellName();
}

function tellName() {
  session?.room.setMe({ name }).catch(() => {
    // The room ended meanwhile; whichever comes next hears the new name.
  });
}

/** @param {'starting' | 'alone' | 'together' | 'trouble'} which */
function view(which) {
  const before = document.body.dataset.view;
  if (before === which) return;
  const [together, alone] = [which === 'together', which === 'alone'];
  document.body.dataset.view = which;
  byId('hello').hidden = together || which === 'trouble';
  byId('trouble').hidden = which !== 'trouble';
  byId('people-box').hidden = byId('talk').hidden = !together;
  byId('waiting').hidden = !alone;
  words?.show(together || alone);
  byId('invite').hidden = !alone;
  byId('invite-toggle').setAttribute('aria-expanded', 'false');
}

/** @param {Trouble} what */
function trouble({ title, text, way }) {
  leave();
  byId('trouble-title').textContent = title;
  byId('trouble-text').textContent = text;
  const again = byId('trouble-again');
  again.hidden = !way;
  again.dataset.way = way ?? '';
  again.textContent = way === 'fresh' ? 'Begin a new room' : 'Try again';
  view('trouble');
  say(byId('banner'), '');
  byId('trouble-title').focus();
}

/** @param {Status} status */
function showStatus({ state, code = 0, why }) {
  const banner = byId('banner');
  if (state === 'stopped') return client && trouble(explain({ code, reason: why }));
  if (state === 'open') return say(banner, '');
  if (document.body.dataset.view === 'trouble') return undefined;
  if (session && state === 'waiting') {
    return say(banner, session.empty
      ? 'The server is away. This page looks for it again and again by itself; nobody can come in until it is back.'
      : 'The server is away. What is open stays open: go on talking. This page looks for the server by itself.');
  }
  if (session || state === 'idle') return undefined;
  return say(banner, state === 'waiting' && code !== 4000
    ? 'The page came, and the live connection does not. This page goes on trying. If it lasts, something in between may block WebSockets: a proxy has to pass upgrades of /v1 on.'
    : 'Connecting to the server…');
}

/** @param {string} path */
async function load(path) {
  try {
    return await import(at(path));
  } catch {
    throw new Error('The part of the page that talks to the server could not be loaded.');
  }
}

/** The address of a module of the server, wherever this one lies. @param {string} path */
function at(path) {
  return new URL(path, import.meta.url).href;
}
