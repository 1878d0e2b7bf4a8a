// The hooks in React itself, in StrictMode, where everything is mounted, unmounted and mounted again.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { StrictMode, createElement, useEffect } from 'react';
import { act, create } from 'react-test-renderer';

import { WigwagError } from '../errors.js';
import { Emitter } from '../events.js';
import { makeHooks, usePeer, useRoom, useStatus, useWigwag } from '../react.js';
import { FakeClient, FakeConnection, settled } from './fakes.js';

const BOB = 'bob@example.org';

before(() => {
  globalThis.IS_REACT_ACT_ENVIRONMENT = true;
  // That this renderer is on its way out is no matter here; everything else that React says is.
  const say = console.error;
  console.error = (text, ...more) => {
    if (String(text).includes('react-test-renderer is deprecated')) return;
    say(text, ...more);
    throw new Error(String(text));
  };
});

test('everything here is mounted twice', async () => {
  const happened = [];
  const shown = await mount(() => useEffect(() => {
    happened.push('mounted');
    return () => happened.push('unmounted');
  }, []));
  assert.deepEqual(happened, ['mounted', 'unmounted', 'mounted']);
  await shown.unmount();
});

test('a client is opened once, shown when it is there, and closed when its component goes', async () => {
  const { start, started } = clients();
  const { useWigwag: use } = await hooksOf(start);
  const shown = await mount(() => use({ servers: 'example.org' }));
  assert.equal(started.length, 1);
  assert.equal(shown.value.client, started[0].client);
  await shown.unmount();
  assert.equal(started[0].client.closed, true);
  assert.equal(started.length, 1);
});

test('options that say the same open nothing anew, others do after the old client is closed', async () => {
  const { start, started } = clients();
  const { useWigwag: use } = await hooksOf(start);
  const shown = await mount(({ namespace }) => use({ servers: ['example.org'], namespace, accept: () => true }), { namespace: 'chess' });
  await shown.render({ namespace: 'chess' });
  assert.equal(started.length, 1);
  await shown.render({ namespace: 'go' });
  assert.deepEqual(started.map(({ options, client, openBefore }) => [options.namespace, client.closed, openBefore]), [['chess', true, 0], ['go', false, 0]]);
  assert.equal(shown.value.client, started[1].client);
  await shown.unmount();
});

test('the newest way to decide about callers is the one that decides', async () => {
  const { start, started } = clients();
  const { useWigwag: use } = await hooksOf(start);
  const shown = await mount(({ answer }) => use({ accept: () => answer }), { answer: 'busy' });
  await shown.render({ answer: true });
  assert.equal(started[0].options.accept({ id: BOB }), true);
  await shown.unmount();
});

test('a client that is not there until its component has gone is closed when it comes', async () => {
  const waiting = deferred();
  const { useWigwag: use } = await hooksOf(() => waiting.promise);
  const shown = await mount(() => use());
  await shown.unmount();
  const client = new FakeClient();
  waiting.resolve(client);
  await settled();
  assert.equal(client.closed, true);
});

test('why there is no client is shown', async () => {
  const { useWigwag: use } = await hooksOf(async () => {
    throw new WigwagError('no_server', 'No server is known.');
  });
  const shown = await mount(() => use());
  assert.deepEqual([shown.value.client, shown.value.error.reason], [null, 'no_server']);
  await shown.unmount();
});

test('a room is entered once for all who use it, and left when the last of them goes', async () => {
  const client = withRooms();
  const shown = await mount(({ both }) => {
    const one = useRoom(client, 'films', { mode: 'FREE_FOR_ALL' });
    return [one, both && createElement(Another, { key: 'b' })];
  }, { both: true });
  function Another() {
    useRoom(client, 'films', { mode: 'FREE_FOR_ALL' });
    return null;
  }
  assert.deepEqual(client.asked, ['join films FREE_FOR_ALL']);
  await shown.render({ both: false });
  assert.deepEqual(client.asked, ['join films FREE_FOR_ALL']);
  await shown.unmount();
  assert.deepEqual(client.asked, ['join films FREE_FOR_ALL', 'leave films']);
});

test('a room shows each change, and hands over what is said', async () => {
  const client = withRooms();
  const said = [];
  const shown = await mount(() => useRoom(client, 'films', { onSaid: ({ data }) => said.push(data) }));
  const { room } = shown.value;
  assert.deepEqual([shown.value.members, shown.value.mine], [[], true]);
  await act(async () => {
    room.members = [{ id: BOB }];
    room.emit({ type: 'joined', member: { id: BOB } });
    room.emit({ type: 'said', from: BOB, device: '', data: 'hello' });
  });
  assert.deepEqual([shown.value.members, said], [[{ id: BOB }], ['hello']]);
  await act(async () => room.end('kicked'));
  assert.equal(shown.value.left, 'kicked');
  await shown.unmount();
  assert.equal(room.hears('said'), false);
});

test('another room is entered in the place of the one before', async () => {
  const client = withRooms();
  const shown = await mount(({ name }) => useRoom(client, name), { name: 'films' });
  await shown.render({ name: 'books' });
  assert.equal(shown.value.room.name, 'books');
  await shown.unmount();
  assert.deepEqual(client.asked.map((each) => each.trim()).sort(), ['join books', 'join films', 'leave books', 'leave films']);
});

test('why there is no room is shown', async () => {
  const client = withRooms();
  client.join = async () => {
    throw new WigwagError('banned', 'You were sent away for good.');
  };
  const shown = await mount(() => useRoom(client, 'films'));
  assert.deepEqual([shown.value.room, shown.value.error.reason], [null, 'banned']);
  await shown.unmount();
});

test('a peer is dialled once, what was said before it came is delivered, and its words arrive', async () => {
  const client = new FakeClient();
  const heard = [];
  const shown = await mount(() => usePeer(client, BOB, { onMessage: ({ data }) => heard.push(data) }));
  assert.equal(shown.value.state, 'away');
  let sent;
  await act(async () => void (sent = shown.value.send('hello')));
  await act(async () => client.tells(BOB, 'here'));
  assert.deepEqual([shown.value.state, shown.value.queued, client.dials.length], ['connecting', 1, 1]);
  let connection;
  await act(async () => (connection = client.answers({ path: 'turn' })));
  await sent;
  await act(async () => connection.says('hi'));
  assert.deepEqual([connection.sent, heard, shown.value.state, shown.value.path], [['hello'], ['hi'], 'open', 'turn']);
  await shown.unmount();
  assert.deepEqual([connection.state, client.hears('connection'), client.hears('presence'), client.asked.at(-1)], ['closed', false, false, `unwatch ${BOB}`]);
});

test('before there is a client a peer is away, and what is sent fails at once', async () => {
  const shown = await mount(() => usePeer(null, BOB));
  assert.equal(shown.value.state, 'away');
  await assert.rejects(shown.value.send('hello'), { reason: 'closed' });
  await shown.unmount();
});

test('the status follows the server and the connection, and lets go of both', async () => {
  const client = new FakeClient();
  const connection = new FakeConnection(BOB, { path: 'relayed' });
  const shown = await mount(({ with: it }) => useStatus(client, { connection: it, finder: 'server' }), { with: null });
  assert.equal(shown.value.text, 'Online');
  await act(async () => client.stands({ state: 'waiting' }));
  assert.deepEqual([shown.value.server.state, shown.value.state], ['waiting', 'connecting']);
  await shown.render({ with: connection });
  assert.deepEqual([shown.value.state, shown.value.text], ['relayed', 'Connected, using server relay, found by the server']);
  await act(async () => connection.set('mending'));
  assert.equal(shown.value.way, null);
  await shown.unmount();
  assert.deepEqual([client.hears('status'), connection.hears('state')], [false, false]);
});

test('everything that is imported without a renderer is a hook', () => {
  for (const each of [useWigwag, useRoom, usePeer, useStatus]) assert.equal(typeof each, 'function');
});

/** The hooks upon React, with clients that a test makes. */
async function hooksOf(start) {
  return makeHooks(await import('react'), { start });
}

/** Shows what a hook returns, in StrictMode. */
async function mount(use, first = {}) {
  const shown = { value: undefined };
  function Shows(properties) {
    const value = use(properties);
    // A list is a value and what else is to be mounted.
    shown.value = Array.isArray(value) ? value[0] : value;
    return Array.isArray(value) ? value[1] : null;
  }
  const tree = (properties) => createElement(StrictMode, null, createElement(Shows, properties));
  let root;
  await act(async () => (root = create(tree(first), { unstable_isConcurrent: true, unstable_strictMode: true })));
  shown.render = (properties) => act(async () => root.update(tree(properties)));
  shown.unmount = async () => {
    await act(async () => root.unmount());
    await settled();
  };
  await act(settled);
  return shown;
}

function clients() {
  const started = [];
  const start = async (options) => {
    const client = new FakeClient();
    started.push({ options, client, openBefore: started.filter((each) => !each.client.closed).length });
    return client;
  };
  return { start, started };
}

function withRooms() {
  const client = new FakeClient();
  client.join = async (name, { mode = '' }) => {
    client.asked.push(`join ${name} ${mode}`);
    return new FakeRoom(name, client);
  };
  return client;
}

class FakeRoom extends Emitter {
  members = [];
  host = { id: 'me@example.org', device: '' };
  mine = true;
  mode = 'FREE_FOR_ALL';
  state = null;
  open = true;

  constructor(name, client) {
    super();
    this.name = name;
    this.client = client;
  }

  async leave() {
    this.client.asked.push(`leave ${this.name}`);
    this.end('left');
  }

  end(why) {
    this.open = false;
    this.emit({ type: 'closed', why });
  }
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
