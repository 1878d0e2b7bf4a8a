// Files among the people of a room: what goes out to one or to all, and what comes in.

import { make } from './dom.js';
import { Arriving, fileHead, leavingRow, tidyFile } from './parcels.js';

/**
 * @import { Person } from './crowd.js'
 * @import { Log } from './log.js'
 * @import { Channel, FilesSdk, Source } from './types.js'
 */

/** So many transfers at once from one person. */
const FILES_MAX = 10;

export class Files {
  /** @param {FilesSdk} sdk @param {Log} log @param {(text: string) => void} tell */
  constructor(sdk, log, tell) {
    this.#sdk = sdk;
    this.#log = log;
    this.#tell = tell;
  }

  #sdk;
  #log;
  #tell;
  /** How many come from whom. @type {Map<string, number>} */
  #coming = new Map();
  /** @type {Set<Arriving>} */
  #kept = new Set();

  /** Whether a channel is one of files. @param {Channel} channel */
  takes({ label }) {
    return label === this.#sdk.LABEL;
  }

  /** @param {Source} source @param {Person[]} people */
  async send(source, people) {
    // What was dropped has to be looked at before anything else.
    const gathering = this.#sdk.gather(source);
    const able = people.filter(({ connection }) => connection?.state === 'open');
    if (!able.length) return this.#tell('Nobody is connected who could take a file. Wait until somebody is, then try again.');
    const parcel = await gathering;
    if (parcel.left.length) this.#tell(leftWords(parcel.left));
    if (!parcel.entries.length) return undefined;
    const rows = able.map(({ connection, name }) => leavingRow(`To ${name}`, name, this.#sdk.sendFiles(/** @type {any} */ (connection), parcel)));
    this.#log.file(null, make('div', { className: 'file' }, fileHead(tidyFile(parcel.name), parcel.bytes, parcel.files), ...rows));
    return undefined;
  }

  /** @param {Person} person @param {Channel} channel */
  take(person, channel) {
    const count = this.#coming.get(person.key) ?? 0;
    if (count >= FILES_MAX) return channel.close();
    this.#coming.set(person.key, count + 1);
    channel.on('closed', () => this.#coming.set(person.key, (this.#coming.get(person.key) ?? 1) - 1));
    this.#sdk.receiveFiles(channel, (receiving) => {
      const arriving = new Arriving(this.#sdk, receiving, { grown: () => this.#log.follow(), gone: () => this.#kept.delete(arriving) });
      this.#kept.add(arriving);
      this.#log.file(person, arriving.element);
    });
    return undefined;
  }

  /** Nothing of it is shown any more. */
  end() {
    for (const arriving of this.#kept) arriving.forget();
    this.#kept.clear();
  }
}

/** What could not be sent. @param {string[]} left */
export function leftWords(left) {
  const names = left.slice(0, 3).map(tidyFile).join(', ');
  return `Left out, because it cannot be read or has a name that others could not keep: ${names}${left.length > 3 ? ` and ${left.length - 3} more` : ''}.`;
}
