// The project's vectors, test keys and patterns, as `spec/vectors/README.md` describes them.

import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';

const FOLDER = new URL('../../../spec/vectors/', import.meta.url);

/** @param {string} name */
export function vectors(name) {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'));
}

/** Every transcript with its name. */
export function transcripts() {
  const files = readdirSync(new URL('transcripts/', FOLDER)).filter((file) => file.endsWith('.json')).sort();
  return files.map((file) => ({ name: file.replace('.json', ''), ...vectors(`transcripts/${file}`) }));
}

/** Test key number `n`, Ed25519. */
export function testKey(n) {
  const seed = createHash('sha256').update(`wigwag test key ${n}`).digest();
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-32);
  const key = `ed25519:${raw.toString('base64url')}`;
  return {
    key,
    id: base32(createHash('sha256').update(key).digest().subarray(0, 20)),
    pkcs8: der,
    sign: (text) => sign(null, Buffer.from(text), secret).toString('base64url'),
  };
}

/** The names of a transcript and what they stand for. */
export class Bindings {
  #names = new Map();

  bind(name, value) {
    this.#names.set(name, value);
  }

  value(name) {
    return this.#names.get(name);
  }

  /** The pattern with its names replaced; what is left open takes its value from `sample`, and a new name keeps what it gets. */
  make(pattern, sample) {
    if (pattern === '*') return sample === undefined ? 7 : sample;
    if (typeof pattern === 'string' && pattern.startsWith('$$')) return pattern.slice(1);
    if (typeof pattern === 'string' && pattern.startsWith('$')) {
      const name = pattern.slice(1);
      if (!this.#names.has(name)) this.bind(name, typeof sample === 'number' ? sample : `${name}-kept`);
      return this.#names.get(name);
    }
    if (Array.isArray(pattern)) return pattern.map((entry, at) => this.make(entry, sample?.[at]));
    if (pattern === null || typeof pattern !== 'object') return pattern;
    const made = pattern['...'] === undefined ? {} : { ...sample };
    for (const [key, value] of Object.entries(pattern)) if (key !== '...') made[key] = this.make(value, sample?.[key]);
    return made;
  }
}

function base32(bytes) {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return bits.match(/.{5}/g).map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(five, 2)]).join('');
}
