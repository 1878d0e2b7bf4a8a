// A strict program written against PeerJS's own types fits ours with nothing but its import changed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const HERE = fileURLToPath(new URL('..', import.meta.url));

test('a strict program for PeerJS compiles against both', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wigwag-peerjs-'));
  const tsc = (...args) => run(join(HERE, 'node_modules/.bin/tsc'), args, { cwd: folder }).catch(({ stdout }) => assert.fail(stdout));
  try {
    await tsc('--project', join(HERE, 'tsconfig.types.json'), '--outDir', join(folder, 'types'));
    await symlink(join(HERE, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'theirs.ts'), PROGRAM.replaceAll('MODULE', 'peerjs'));
    await writeFile(join(folder, 'ours.ts'), PROGRAM.replaceAll('MODULE', './types/peerjs.js'));
    const options = ['--strict', '--noEmit', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2022'];
    await tsc(...options, '--lib', 'es2023,dom,dom.iterable', 'theirs.ts', 'ours.ts');
  } finally {
    await rm(folder, { recursive: true });
  }
});

const PROGRAM = `
import Default, { Peer, util, PeerErrorType, ConnectionType, DataConnectionErrorType } from 'MODULE';
import type { CallOption, DataConnection, MediaConnection, PeerConnectOption, PeerError, PeerJSOption, PeerOptions } from 'MODULE';

const options: PeerOptions = { host: 'wig.example', port: 443, path: '/', secure: true, key: 'peerjs', debug: 2, config: { iceServers: [] } };
const less: PeerJSOption = { host: '/' };
const peers: Peer[] = [new Peer(), new Default(options), new Peer('me'), new Peer('me', less)];
const peer = peers[0]!;

peer.on('open', (id) => id.toUpperCase());
peer.on('connection', (connection) => take(connection));
peer.on('call', (call: MediaConnection) => call.answer());
peer.once('close', () => {}).on('disconnected', (id: string) => peer.reconnect());
peer.on('error', (error) => {
  const type: string = error.type;
  if (error.type === 'peer-unavailable' || error.type === PeerErrorType.Network) console.log(error.message, type);
});
const handler = (error: PeerError<any>) => void error.stack;
peer.on('error', handler).off('error', handler);

const how: PeerConnectOption = { label: 'chat', metadata: { a: 1 }, serialization: 'binary', reliable: true };
take(peer.connect('other', how));

function take(connection: DataConnection) {
  connection.on('open', () => void connection.send({ text: 'hi', bytes: new Uint8Array(3) }));
  connection.on('data', (data: unknown) => data);
  connection.on('close', () => {});
  connection.on('error', (error) => error.type === 'not-open-yet' || error.type === DataConnectionErrorType.MessageToBig);
  connection.on('iceStateChanged', (state) => state === 'connected');
  const { open, peer: id, label, metadata, reliable, serialization, connectionId, type } = connection;
  const texts: string[] = [id, label, serialization, connectionId];
  const truths: boolean[] = [open, reliable, type === ConnectionType.Data];
  connection.dataChannel.bufferedAmountLowThreshold = connection.dataChannel.bufferedAmount;
  connection.peerConnection.getSenders().forEach((sender) => sender.track);
  connection.close({ flush: true });
  return [texts, truths, metadata];
}

async function call(stream: MediaStream, with_: CallOption) {
  const made = peer.call('other', stream, with_);
  made.on('stream', (remote) => remote.getTracks());
  made.on('close', () => {});
  made.on('error', (error) => error.type);
  const streams: MediaStream[] = [made.localStream, made.remoteStream];
  made.close();
  return [streams, made.open, made.peer, made.metadata];
}

void call;
peer.listAllPeers((ids) => ids.length);
const found = peer.getConnection('other', 'dc_1');
found?.close();
for (const list of Object.values(peer.connections)) list.length;
const state: boolean[] = [peer.open, peer.disconnected, peer.destroyed, util.supports.data];
void state;
void peer.id.length;
peer.disconnect();
peer.reconnect();
peer.destroy();
// @ts-expect-error: there is no such event
peer.on('nonsense', () => {});
`;
