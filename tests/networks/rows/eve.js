// A server that has every frame in its hands and means ill: `node eve.js ADDRESS HOME`. It passes on what peers and the server at HOME say to each other, and does to
// it what the last word told it. It knows all that the SDK knows, and has a key of its own. Words and answers are those of `peers/peer.js`.

import { createInterface } from 'node:readline';

import { WebSocket, WebSocketServer } from 'ws';

import { Identity } from '../../../sdk/web/identity.js';
import { makeHail, makeHeed, makeShare, readHail } from '../../../sdk/web/sealed.js';

const FINGERPRINT = /(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/gi;
const OWN = Array(32).fill('EE').join(':');

const [address, home] = process.argv.slice(2);
const key = await Identity.make();
let plot = 'none';
let found = 0;
/** @type {Map<string, any>} what was hailed, by call */
const hails = new Map();
/** @type {{ up: WebSocket, frame: any }[]} */
let kept = [];
/** @type {any} */
let heed = null;

/** What becomes of a frame on its way to the server; `self` is whose it is. @type {Record<string, (frame: any, self: any) => any>} */
const UP = {
  /** In the caller's name, with another key. */
  hail: async (frame, self) => {
    if (frame.kind !== 'ww.hail') return frame;
    const { share } = await makeShare(crypto.subtle);
    const { data } = await makeHail(crypto.subtle, key, pair(self, frame.to), { call: frame.data.call, share, meta: frame.data.meta });
    return { ...frame, data };
  },
};

/** And on its way to a peer. @type {Record<string, (frame: any, self: any) => any>} */
const DOWN = {
  /** In the callee's name, with another key. */
  heed: async (frame, self) => {
    if (frame.kind !== 'ww.heed') return frame;
    const { share } = await makeShare(crypto.subtle);
    const back = { ...pair({ id: frame.from, device: frame.device ?? '' }, self.id), toDevice: self.device };
    return { ...frame, data: (await makeHeed(crypto.subtle, key, back, share, hails.get(frame.data.call))).data };
  },
  /** The callee's own, from an earlier call. */
  staleHeed: (frame) => (frame.kind === 'ww.heed' ? { ...frame, data: { ...heed, call: frame.data.call } } : frame),
  /** As if somebody else had called. */
  sender: (frame) => (frame.kind === 'ww.hail' ? { ...frame, from: key.id } : frame),
  boxes: (frame) => (frame.kind === 'ww.sealed' ? { ...frame, data: { ...frame.data, box: frame.data.box.replace(/^./, (/** @type {string} */ c) => (c === 'A' ? 'B' : 'A')) } } : frame),
};

new WebSocketServer({ host: address, port: 80, handleProtocols: () => 'wigwag.1' }).on('connection', (down) => {
  const up = new WebSocket(home, 'wigwag.1');
  const self = { id: '', device: '' };
  let turn = Promise.resolve();
  down.on('message', (bytes) => (turn = turn.then(async () => {
    const frame = JSON.parse(String(bytes));
    if (frame.kind === 'ww.hail') hails.set(frame.data.call, await readHail(crypto.subtle, pair(self, frame.to), frame.data));
    if (frame.kind?.startsWith('ww.')) kept.push({ up, frame });
    if (frame.kind === 'ww.heed' && plot === 'none') heed = frame.data;
    up.send(disguise(JSON.stringify(await (UP[plot]?.(frame, self) ?? frame))));
  }).catch(fail)));
  up.on('message', (bytes) => (turn = turn.then(async () => {
    const frame = JSON.parse(String(bytes));
    if (frame.type === 'welcome') Object.assign(self, { id: frame.id, device: frame.device });
    down.send(disguise(JSON.stringify(await (DOWN[plot]?.(frame, self) ?? frame))));
  }).catch(fail)));
  for (const [one, other] of [[up, down], [down, up]]) one.on('close', () => other.close()).on('error', () => other.close());
});

/** @type {Record<string, (args: any) => any>} */
const WORDS = {
  plot: ({ name }) => {
    [plot, found] = [name, 0];
    if (name === 'none') kept = [];
  },
  /** Says all again that peers said to each other, in the order in which they said it. */
  again: () => {
    for (const { up, frame } of kept) if (up.readyState === WebSocket.OPEN) up.send(JSON.stringify({ ...frame, n: undefined }));
    return kept.length;
  },
  found: () => found,
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { n, word, args } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ re: n, value: (await WORDS[word](args)) ?? null })}\n`);
});

/** @param {{ id: string, device: string }} from @param {string} to */
function pair(from, to) {
  return { namespace: 'default', from: from.id, device: from.device, to };
}

/** Puts its own fingerprint wherever one can be read. @param {string} text */
function disguise(text) {
  return text.replaceAll(FINGERPRINT, () => {
    found += 1;
    return OWN;
  });
}

/** @param {unknown} error */
function fail(error) {
  console.error(error);
}
