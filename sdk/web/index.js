// Everything that apps use. What makes connections comes when it is needed: see `parts.js`.

/**
 * @typedef {import('./channel.js').Channel} Channel
 * @typedef {import('./connection.js').Connection} Connection
 * @typedef {import('./finders.js').Finder} Finder
 * @typedef {import('./finders.js').Sighting} Sighting
 * @typedef {import('./finders.js').Search} Search
 * @typedef {import('./finders.js').Progress} Progress
 * @typedef {import('./by-code.js').Invitation} Invitation
 * @typedef {import('./record.js').PeerRecord} PeerRecord
 */

export { Wigwag } from './client.js';
export { WigwagError } from './errors.js';
export { Identity } from './identity.js';
export { databaseKeep, memoryKeep } from './keep.js';
export { Room } from './room.js';
export { linkedSecret, roomSecret, secretLink } from './secret-link.js';
export { chooseServer, chosenServer, socketUrl } from './settings.js';
