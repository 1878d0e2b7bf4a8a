// A certificate for a name, signed by an authority that is made for this run.

import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @param {string} name @returns {{ folder: string, authority: string, certificate: string, key: string, pin: string }} paths, and the hash by which Chromium knows it */
export function certify(name) {
  const folder = mkdtempSync(join(tmpdir(), 'wigwag-lab-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const openssl = (/** @type {string[]} */ ...args) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...fresh, '-days', '2', '-subj', '/CN=Authority of a lab', '-keyout', 'authority.key', '-out', 'authority.pem');
  openssl('req', ...fresh, '-subj', `/CN=${name}`, '-keyout', 'turn.key', '-out', 'turn.request');
  writeFileSync(join(folder, 'names'), `subjectAltName=DNS:${name}\n`);
  openssl('x509', '-req', '-in', 'turn.request', '-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-days', '2', '-extfile', 'names', '-out', 'turn.pem');
  const certificate = join(folder, 'turn.pem');
  const spki = new X509Certificate(readFileSync(certificate)).publicKey.export({ type: 'spki', format: 'der' });
  return { folder, authority: join(folder, 'authority.pem'), certificate, key: join(folder, 'turn.key'), pin: createHash('sha256').update(spki).digest('base64') };
}
