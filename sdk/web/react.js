// The hooks upon the app's own React. Whoever has another library with React's hooks hands it to `makeHooks`.

import * as React from 'react';

import { makeHooks } from './hooks.js';

/** @import { Entered, EnterOptions, Opened, Seen, UsedPeer } from './hooks.js' */

export { makeHooks } from './hooks.js';

export const { useWigwag, useRoom, usePeer, useStatus } = makeHooks(/** @type {any} */ (React));
