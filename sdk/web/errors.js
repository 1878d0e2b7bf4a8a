// One kind of error for everything that this SDK refuses or is refused.

/**
 * What went wrong, for a program: a reason of the list below, or the name of a code of `spec/codes.md`.
 *
 * - `not_found`: nobody of that id was ever here.
 * - `absent`: it was here and is not now; `lastSeen` says when.
 * - `refused`: the peer declined.
 * - `no_path`: both sides tried, and no way from one to the other was found; `tried` says which kinds.
 * - `key_mismatch`: somebody answered with another key than the one that belongs to the id.
 * - `timeout`: `at` says where the time ran out: `server`, `peer`, `path`, `channel`, `finder` or `loading`.
 * - `aborted`: the caller's own signal.
 * - `unknown`: the session was lost before the answer came; it may have been carried out.
 * - `closed`: this client or this connection is closed.
 * - `offline`: a message that was not to wait found no server.
 * - `no_finder`: none of the finders that are switched on knows what to do with the target.
 * - `not_verified`: a finder answered, and what it said is not proved.
 * - `not_loaded`: a part of the SDK that comes when it is needed did not come.
 * - `unsupported`: this platform lacks what it takes.
 * @typedef {string} Reason
 *
 * @typedef {{ finder: string, reason: Reason, message: string }} Failed
 */

/** An error with a reason that a program can branch on and a message that a person can read. */
export class WigwagError extends Error {
  /**
   * @param {Reason} reason
   * @param {string} message
   * @param {{ code?: number, retryAfter?: number, lastSeen?: Date, at?: string, tried?: string[], finders?: Failed[], cause?: unknown }} [more]
   */
  constructor(reason, message, more = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'WigwagError';
    /** @type {Reason} */
    this.reason = reason;
    /** The number in `spec/codes.md`, where a server refused. @type {number | undefined} */
    this.code = more.code;
    /** Milliseconds to wait before another try. @type {number | undefined} */
    this.retryAfter = more.retryAfter;
    /** When the peer was last here. @type {Date | undefined} */
    this.lastSeen = more.lastSeen;
    /** Where the time ran out. @type {string | undefined} */
    this.at = more.at;
    /** Which kinds of path were tried. @type {string[] | undefined} */
    this.tried = more.tried;
    /** Why each finder that was asked did not find it. @type {Failed[] | undefined} */
    this.finders = more.finders;
  }
}

/** Something that was thrown, as one of ours. @param {unknown} error @param {string} [who] said so, where it was not us */
export function asError(error, who = '') {
  if (error instanceof WigwagError) return error;
  return new WigwagError('failed', `${who}${error instanceof Error ? error.message : error}`, { cause: error });
}
