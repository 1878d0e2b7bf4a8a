// What can be told of the direct path: how its bytes flow, and why there is none.

import { WigwagError } from './errors.js';

/**
 * @typedef {'direct' | 'turn' | 'relayed'} Path
 *
 * @typedef {object} Stats
 * @property {Path | null} path
 * @property {number | null} rtt milliseconds there and back
 * @property {number} sent bytes
 * @property {number} received bytes
 * @property {string | null} local the kind of our candidate
 * @property {string | null} remote the kind of the other's
 * @property {string | null} protocol
 *
 * @typedef {{ local: Set<string>, remote: Set<string> }} Kinds of candidates, of both sides
 */

/** The states of ICE in which there is a direct path. */
export const REACHES = new Set(['connected', 'completed']);

/** How the bytes flow, by the platform's report. @param {RTCStatsReport | Map<string, any>} report @returns {Stats} */
export function measured(report) {
  /** @type {any} */
  let pair;
  for (const entry of report.values()) {
    if (entry.type === 'transport' && entry.selectedCandidatePairId) pair = report.get(entry.selectedCandidatePairId);
    else if (!pair && entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded') pair = entry;
  }
  const local = report.get(pair?.localCandidateId);
  const remote = report.get(pair?.remoteCandidateId);
  const turn = local?.candidateType === 'relay' || remote?.candidateType === 'relay';
  return {
    path: pair ? (turn ? 'turn' : 'direct') : null,
    rtt: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1_000,
    sent: pair?.bytesSent ?? 0,
    received: pair?.bytesReceived ?? 0,
    local: local?.candidateType ?? null,
    remote: remote?.candidateType ?? null,
    protocol: local?.protocol ?? null,
  };
}

/** Why there is no path, as far as it can be told from here. @param {Kinds} kinds @param {string | undefined} ice its state @param {string} unrelayed why the server carries nothing */
export function unreached(kinds, ice, unrelayed) {
  const [local, remote] = [[...kinds.local], [...kinds.remote]];
  if (REACHES.has(ice ?? '')) return new WigwagError('timeout', 'A way to the peer was found, and no channel opened on it in time.', { at: 'channel' });
  if (!remote.length) {
    return new WigwagError('timeout', 'The peer answered, and then said nothing of where it can be reached.', { at: 'path' });
  }
  const tried = [...(local.some((kind) => kind !== 'relay') ? ['direct'] : []), ...(local.includes('relay') ? ['turn'] : [])];
  const lacks = local.includes('relay') || remote.includes('relay') ? '' : ' The server offers no TURN server, which would be a way around.';
  const text = `No way from here to the peer was found. Ours: ${local.join(', ') || 'none'}; theirs: ${remote.join(', ')}.${lacks} ${unrelayed}`;
  return new WigwagError('no_path', text.trim(), { tried });
}

/** `host`, `srflx`, `prflx` or `relay`. @param {string | undefined} candidate */
export function kindOf(candidate) {
  return / typ ([a-z]+)/.exec(candidate ?? '')?.[1] ?? 'host';
}

/**
 * Names the role in DTLS that was settled before, where a description leaves it open: Firefox would settle it anew, and Chromium does not take that.
 * @param {RTCPeerConnection} pc
 * @param {string} sdp
 */
export function settled({ currentLocalDescription: ours, currentRemoteDescription: theirs }, sdp) {
  const answer = ours?.type === 'answer' ? ours : theirs;
  const role = /a=setup:(active|passive)/.exec(answer?.sdp ?? '')?.[1];
  if (!role) return sdp;
  return sdp.replaceAll('a=setup:actpass', `a=setup:${(role === 'active') === (answer === ours) ? 'active' : 'passive'}`);
}
