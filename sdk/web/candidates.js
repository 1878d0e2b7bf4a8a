// Where the two sides of a connection can be reached: what is found here travels together, what comes too early waits, and the kinds tell afterwards why no path was found.

import { kindOf } from './reach.js';

/** @import { Content } from './sealed.js' */

/** Candidates that are found within this time travel together. */
const GATHER_MS = 30;

/** Those that wait for a description are not more than this. */
const EARLY_MAX = 256;

export class Candidates {
  /** @param {(content: Content) => void} tell hands ours to the other side */
  constructor(tell) {
    this.#tell = tell;
  }

  #tell;
  /** @type {(RTCIceCandidateInit | null)[]} */
  #found = [];
  /** @type {(RTCIceCandidateInit | null)[]} */
  #early = [];
  /** @type {any} */
  #gathering = null;
  #over = false;
  #kinds = { local: new Set(), remote: new Set() };

  /** One of ours, or `null`: there are no more. @param {RTCIceCandidate | null} candidate */
  found(candidate) {
    if (candidate) this.#kinds.local.add(kindOf(candidate.candidate));
    this.#found.push(candidate?.toJSON() ?? null);
    if (!candidate) this.#flush();
    else this.#gathering ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /**
   * Some of the other side's, also where their description is still to come.
   * @param {RTCPeerConnection | null} pc
   * @param {(RTCIceCandidateInit | null)[]} candidates
   * @param {boolean} ignoring whether they may be for an offer that was passed over
   */
  async take(pc, candidates, ignoring) {
    if (!pc?.remoteDescription) {
      this.#early.push(...candidates.slice(0, EARLY_MAX - this.#early.length));
      return;
    }
    for (const candidate of candidates) {
      if (candidate) this.#kinds.remote.add(kindOf(candidate.candidate));
      try {
        // Some platforms know no other end than an empty candidate, which need not be told.
        if (candidate) await pc.addIceCandidate(candidate);
      } catch (error) {
        // One for an offer that was passed over, or of a kind that this platform does not know: the others may do.
        if (!ignoring && pc.signalingState === 'closed') throw error;
      }
    }
  }

  /** The description is there that some waited for. @param {RTCPeerConnection} pc */
  described(pc) {
    return this.take(pc, this.#early.splice(0), false);
  }

  /** The kinds that were seen on both sides; they stand in descriptions, too. @param {RTCPeerConnection | null} pc */
  kinds(pc) {
    for (const [kinds, description] of /** @type {const} */ ([[this.#kinds.local, pc?.localDescription], [this.#kinds.remote, pc?.remoteDescription]])) {
      for (const [line] of description?.sdp.matchAll(/^a=candidate:.*/gm) ?? []) kinds.add(kindOf(line));
    }
    return this.#kinds;
  }

  end() {
    this.#over = true;
    clearTimeout(this.#gathering);
  }

  #flush() {
    clearTimeout(this.#gathering);
    this.#gathering = null;
    if (!this.#over && this.#found.length) this.#tell({ candidates: this.#found.splice(0) });
  }
}
