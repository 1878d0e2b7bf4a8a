// The SDK with all its parts in it, for programs that may load nothing later: service workers, those of extensions among them.

import * as codes from './by-code.js';
import * as calls from './calls.js';
import * as mesh from './mesh.js';
import { bring } from './parts.js';
import * as veil from './veil.js';

export * from './index.js';
export { Channel } from './channel.js';
export { Connection } from './connection.js';

bring({ calls, codes, mesh, veil });
