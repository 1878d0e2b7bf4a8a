// Everything that apps use.

export { WigwagError } from './errors.js';
export { Identity } from './identity.js';
export { databaseKeep, memoryKeep } from './keep.js';
export { Machine } from './machine.js';
