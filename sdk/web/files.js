// Files and folders from peer to peer: over a connection, or to somebody who was told a few words. Taken in by itself: `wigwag/files`.

/**
 * @typedef {import('./files-place.js').Place} Place
 * @typedef {import('./files-receive.js').Received} Received
 * @typedef {import('./files-receive.js').ReceivingEvent} ReceivingEvent
 * @typedef {import('./files-receive.js').Into} Into
 * @typedef {import('./files-rules.js').FileWord} FileWord
 * @typedef {import('./files-rules.js').Offer} Offer
 * @typedef {import('./files-send.js').Sent} Sent
 * @typedef {import('./files-send.js').SendingEvent} SendingEvent
 * @typedef {import('./files-source.js').Entry} Entry
 * @typedef {import('./files-source.js').Parcel} Parcel
 * @typedef {import('./files-source.js').Source} Source
 * @typedef {import('./word-meeting.js').Meeting} Meeting
 */

export { FilePlace, FolderPlace, MemoryPlace, ownPlace } from './files-place.js';
export { Receiving, receiveFiles } from './files-receive.js';
export { LABEL } from './files-rules.js';
export { Sending, sendFiles } from './files-send.js';
export { gather } from './files-source.js';
export { WordCode, WordCodeError } from './word-code.js';
export { meetByWords } from './word-meeting.js';
