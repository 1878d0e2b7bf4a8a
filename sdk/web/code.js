// Two peers connect with no server: `offerCode`, `acceptCode` and `complete`, and two texts that people carry between them.
// What is in a code is the matter of `code-format.js`; how a connection goes on once its channel is open is the app's.
//
// All three end in what they promise or in a `WigwagError`: a `CodeError` if a code is not what is wanted, else with the reason
// `unsupported` (no WebRTC here), `no_candidates` (this device is in no network), `not_usable` (the platform does not take what
// the code says), `answered` (this offer has its answer), `no_path`, `timeout`, `closed` or `aborted`.

import { readCode, writeCode } from './code-format.js';
import { candidatesOf } from './code-sdp.js';
import { WigwagError } from './errors.js';
import { hold, trulyOpen } from './hold.js';

export { readCode, writeCode } from './code-format.js';
export { CodeError } from './code-text.js';

/** How long candidates may take, if a STUN or TURN server does not answer. */
const GATHER_MS = 5_000;
/** How long the offerer tries once it has the answer. */
const CONNECT_MS = 30_000;
/** How long the acceptor waits for people to carry its answer. */
const ACCEPT_MS = 600_000;
/** How often it knocks: browsers give up a pair after 11 to 15 seconds without an answer. */
const KNOCK_MS = 6_000;
/** How often to look whether the app closed the connection, which fires no event. */
const CLOSED_MS = 250;

/**
 * @typedef {object} CodeOptions
 * @property {typeof RTCPeerConnection} [PeerConnection] default: the platform's
 * @property {RTCConfiguration} [config] ICE servers, if there are any
 * @property {(connection: RTCPeerConnection) => void} [prepare] called before anything is described: the place for listeners
 *   and for channels of the app's own
 * @property {string} [label] of the data channel, on the offerer's side
 * @property {string} [protocol] of the data channel, on the offerer's side
 * @property {number} [gatherMs] after so long the code is made of the candidates that there are
 * @property {number} [deadlineMs] for `complete` and for the acceptor's `opened`: how long to try
 * @property {AbortSignal} [signal]
 */

/** What comes on the channel before the app listens is held for it. @typedef {{ connection: RTCPeerConnection, channel: RTCDataChannel }} Opened */

/**
 * An offer that waits for its answer.
 * @typedef {object} PendingOffer
 * @property {string} code for the other side
 * @property {number} tag
 * @property {RTCPeerConnection} connection
 * @property {RTCDataChannel} channel
 * @property {boolean} answered
 * @property {() => void} close
 */

/**
 * An answer whose offerer has to read it.
 * @typedef {object} PendingAnswer
 * @property {string} code for the other side
 * @property {RTCPeerConnection} connection
 * @property {Promise<Opened>} opened settles when the channel is open, or with the reason why it will not be
 * @property {() => void} close
 */

/**
 * Begins: makes a connection and the code that the other side needs.
 * @param {CodeOptions} [options]
 * @returns {Promise<PendingOffer>}
 */
export async function offerCode(options = {}) {
  const connection = open(options);
  try {
    options.prepare?.(connection);
    const channel = connection.createDataChannel(options.label ?? 'wigwag', options.protocol ? { protocol: options.protocol } : undefined);
    hold(channel);
    await connection.setLocalDescription(await connection.createOffer());
    const { code, tag } = await writeCode(await gathered(connection, options));
    return { code, tag, connection, channel, answered: false, close: () => connection.close() };
  } catch (why) {
    connection.close();
    throw why;
  }
}

/**
 * The other side: reads an offer code, and makes the answer. It tries to connect from then on.
 * @param {string} text
 * @param {CodeOptions} [options]
 * @returns {Promise<PendingAnswer>}
 */
export async function acceptCode(text, options = {}) {
  const offer = await readCode(text, { type: 'offer' });
  const connection = open(options);
  try {
    /** @type {Promise<RTCDataChannel>} */
    const channel = new Promise((resolve) => {
      connection.addEventListener('datachannel', (event) => {
        hold(event.channel);
        resolve(event.channel);
      }, { once: true });
    });
    options.prepare?.(connection);
    const sdp = offer.sdp.replace(/^a=end-of-candidates\r?\n/gm, '');
    await usable(connection.setRemoteDescription({ type: 'offer', sdp }));
    await connection.setLocalDescription(await connection.createAnswer());
    const stop = knock(connection, candidatesOf(sdp));
    // A state of `failed` means nothing here: the offerer may not have seen the answer yet.
    const opened = whenOpen(connection, channel, { ...options, deadlineMs: options.deadlineMs ?? ACCEPT_MS, patient: true }).then(async (both) => {
      await trulyOpen(connection, both.channel);
      return both;
    });
    opened.catch(() => {}).finally(stop);
    const { code } = await writeCode(await gathered(connection, options), offer.tag);
    return { code, connection, opened, close: () => connection.close() };
  } catch (why) {
    connection.close();
    throw why;
  }
}

/**
 * Ends what `offerCode` began. A text that is not the right answer leaves the offer as it was, so a person may try again.
 * @param {PendingOffer} offer
 * @param {string} text
 * @param {CodeOptions} [options]
 * @returns {Promise<Opened>}
 */
export async function complete(offer, text, options = {}) {
  const answer = await readCode(text, { type: 'answer', answers: offer.tag });
  const { connection, channel } = offer;
  if (offer.answered) throw new WigwagError('answered', 'This offer has its answer already.');
  offer.answered = true;
  try {
    await usable(connection.setRemoteDescription({ type: 'answer', sdp: answer.sdp }));
    return await whenOpen(connection, Promise.resolve(channel), { ...options, deadlineMs: options.deadlineMs ?? CONNECT_MS });
  } catch (why) {
    connection.close();
    throw why;
  }
}

/** @param {CodeOptions} options */
function open({ PeerConnection = globalThis.RTCPeerConnection, config, signal }) {
  if (signal?.aborted) throw aborted(signal);
  if (!PeerConnection) throw new WigwagError('unsupported', 'This browser cannot connect to other devices directly.');
  return new PeerConnection(config);
}

/**
 * The description with the candidates that came in time.
 * @param {RTCPeerConnection} connection
 * @param {CodeOptions} options
 */
async function gathered(connection, { gatherMs = GATHER_MS, signal }) {
  await watch(connection, ['icegatheringstatechange'], gatherMs, signal, () => connection.iceGatheringState === 'complete');
  const { type = 'offer', sdp = '' } = connection.localDescription ?? {};
  if (!candidatesOf(sdp).length) throw new WigwagError('no_candidates', 'This device is not connected to any network.');
  return { type, sdp };
}

/**
 * The open channel. The connection is closed if there will be none.
 * @param {RTCPeerConnection} connection
 * @param {Promise<RTCDataChannel>} coming
 * @param {{ deadlineMs: number, signal?: AbortSignal, patient?: boolean }} options
 * @returns {Promise<Opened>}
 */
async function whenOpen(connection, coming, { deadlineMs, signal, patient = false }) {
  /** @type {RTCDataChannel | undefined} */
  let channel;
  /** @type {(() => void)[]} */
  const looks = [];
  const look = () => looks.forEach((each) => each());
  coming.then((found) => {
    channel = found;
    for (const event of ['open', 'close']) found.addEventListener(event, look);
    look();
  });
  try {
    const found = await watch(connection, ['connectionstatechange', 'iceconnectionstatechange'], deadlineMs, signal, () => {
      if (channel?.readyState === 'open') return true;
      if (patient) return false;
      if (connection.connectionState === 'failed') {
        throw new WigwagError('no_path', 'No way was found between the two devices. Being in the same network would help.');
      }
      return false;
    }, looks);
    if (found && channel) return { connection, channel };
    throw new WigwagError('timeout', 'Nothing was heard from the other side in time.', { at: patient ? 'peer' : 'path' });
  } catch (why) {
    connection.close();
    throw why;
  }
}

/**
 * Waits for something to become true of a connection.
 * @param {RTCPeerConnection} connection
 * @param {string[]} events after which to look
 * @param {number} ms
 * @param {AbortSignal | undefined} signal
 * @param {() => boolean} isTrue
 * @param {(() => void)[]} [looks] gets the function that looks, for other events
 * @returns {Promise<boolean>} false when the time is over
 */
function watch(connection, events, ms, signal, isTrue, looks = []) {
  return new Promise((resolve, reject) => {
    const look = () => {
      try {
        if (signal?.aborted) throw aborted(signal);
        if (isTrue()) end(() => resolve(true));
        else if (connection.signalingState === 'closed') throw new WigwagError('closed', 'The connection was closed here.');
      } catch (why) {
        end(() => reject(why));
      }
    };
    const late = setTimeout(() => end(() => resolve(false)), ms);
    const closed = setInterval(look, CLOSED_MS);
    const end = (/** @type {() => void} */ settle) => {
      clearTimeout(late);
      clearInterval(closed);
      for (const event of events) connection.removeEventListener(event, look);
      signal?.removeEventListener('abort', look);
      settle();
    };
    for (const event of events) connection.addEventListener(event, look);
    signal?.addEventListener('abort', look);
    looks.push(look);
    look();
  });
}

/**
 * Keeps asking for a way to the offerer until there is one.
 * @param {RTCPeerConnection} connection
 * @param {{ candidate: string, sdpMLineIndex: number }[]} candidates
 * @returns {() => void} ends it
 */
function knock(connection, candidates) {
  let round = 0;
  const timer = setInterval(() => {
    if (connection.connectionState === 'connected' || connection.signalingState === 'closed') return;
    round += 1;
    for (const { candidate, sdpMLineIndex } of candidates) {
      // Chromium takes a candidate that it gave up anew with a higher generation only; others read over the word.
      const again = `${candidate.replace(/ generation \d+/, '')} generation ${round}`;
      connection.addIceCandidate({ candidate: again, sdpMLineIndex }).catch(() => {});
    }
  }, KNOCK_MS);
  return () => clearInterval(timer);
}

/** @param {Promise<void>} applied */
async function usable(applied) {
  try {
    await applied;
  } catch (why) {
    throw new WigwagError('not_usable', 'This browser cannot use what the code says.', { cause: why });
  }
}

/** @param {AbortSignal} signal */
function aborted(signal) {
  return new WigwagError('aborted', 'It was cancelled.', { cause: signal.reason });
}
