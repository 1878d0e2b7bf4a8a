// Real browsers connect by codes alone, in a network of their own without a way out: see `browser/codes.js`.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const NETWORK = `
  ip link set lo up && ip link add left type veth peer name right &&
  ip addr add 192.168.7.2/24 dev left && ip addr add 2001:db8:7::2/64 dev left nodad &&
  ip link set left up && ip link set right up && ip route add default via 192.168.7.1 && exec "$@"`;
const possible = spawnSync('unshare', ['--net', 'sh', '-c', NETWORK, '-', 'true']).status === 0;
const skip = !possible && 'needs root and ip on Linux';

test('Chromium and Firefox connect by codes alone', { skip, timeout: 300_000 }, async (t) => {
  const inner = fileURLToPath(new URL('browser/codes.js', import.meta.url));
  const child = spawn('unshare', ['--net', 'sh', '-c', NETWORK, '-', process.execPath, inner], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  child.stdout.setEncoding('utf8');
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  const code = await new Promise((resolve) => child.on('close', resolve));
  t.diagnostic(said.trim().replaceAll('\n', '; '));
  assert.equal(code, 0, said);
});
