// Everything that apps use.

export { Channel } from './channel.js';
export { Wigwag } from './client.js';
export { Connection } from './connection.js';
export { WigwagError } from './errors.js';
export { Identity } from './identity.js';
export { databaseKeep, memoryKeep } from './keep.js';
export { Room } from './room.js';
export { chooseServer, chosenServer, socketUrl } from './settings.js';
