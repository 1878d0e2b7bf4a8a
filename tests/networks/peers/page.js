// What a peer does when it is told to, in a page, with the SDK as the server serves it.

/** @type {any} */
const page = globalThis;

page.words = { open, connect, say, story, leave };

/** Goes to a server, and takes every call. */
async function open({ door, id, watch, sdk = `${door.http}/wigwag.js` }) {
  page.w?.close();
  const { Wigwag, Identity } = await import(sdk);
  page.identity ??= await Identity.make();
  page.heard = [];
  page.told = { presence: [], status: [], keys: [], calls: 0, fresh: 0 };
  page.states = [];
  page.ended = null;
  page.last = null;
  const client = await Wigwag.start({ servers: { url: door.url, name: door.name }, identity: page.identity, id });
  page.w = client;
  client.on('status', ({ status }) => page.told.status.push(status.state));
  client.on('presence', ({ state }) => page.told.presence.push(state));
  client.on('key', (event) => page.told.keys.push(event.id));
  client.on('fresh', () => (page.told.fresh += 1));
  client.on('connection', ({ connection }) => {
    page.told.calls += 1;
    hold(connection);
    connection.on('message', ({ data }) => data?.echo === undefined && data?.call !== undefined && connection.send({ echo: data.call }));
  });
  while (client.status.state !== 'open') await client.once('status');
  if (watch) await client.watch(watch);
  return { id: client.id, key: page.identity.key };
}

/** Calls, and has a word come back, so that both directions are proved. */
async function connect({ to, options }) {
  const began = performance.now();
  try {
    const connection = await page.w.connect(to, options);
    const ms = performance.now() - began;
    const answer = connection.once('message');
    hold(connection);
    await connection.send({ call: 'hello' });
    const { echo } = (await answer).data;
    if (echo !== 'hello') throw new Error(`another word came back: ${echo}`);
    const { path, local, remote } = await connection.stats();
    return { open: true, ms, path, local, remote, verified: connection.peer.verified };
  } catch (error) {
    const { reason, at, tried, message } = /** @type {any} */ (error);
    return { open: false, ms: performance.now() - began, reason: reason ?? String(error), at, tried, message };
  }
}

function say({ data }) {
  return page.last.send(data);
}

async function story() {
  const path = page.last && page.last.state !== 'closed' ? (await page.last.stats()).path : null;
  return { ...page.told, heard: page.heard, states: page.states, ended: page.ended, path, held: page.w.connections.length };
}

function leave() {
  page.last.close();
}

function hold(connection) {
  page.last = connection;
  page.states = [connection.state];
  page.ended = null;
  connection.on('closed', ({ reason, error }) => page.last === connection && (page.ended = `${reason}: ${error?.message ?? ''}`));
  connection.on('state', ({ state }) => page.last === connection && page.states.push(state));
  connection.on('message', ({ data }) => page.heard.push(data));
}
