// Shares for calls that everybody knows, for vectors.

import { createECDH, createHash } from 'node:crypto';

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The P-256 test key number `n` as the share of a call. @param {number} n */
export async function shareOf(n) {
  const hash = BigInt(`0x${createHash('sha256').update(`wigwag test key ${n}`).digest('hex')}`);
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(Buffer.from((hash % (ORDER - 1n) + 1n).toString(16).padStart(64, '0'), 'hex'));
  const point = pair.getPublicKey();
  const half = (/** @type {number} */ from) => point.subarray(from, from + 32).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: half(1), y: half(33), d: pair.getPrivateKey().toString('base64url') };
  const secret = await crypto.subtle.importKey('jwk', jwk, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']);
  return { share: point.toString('base64url'), secret };
}
