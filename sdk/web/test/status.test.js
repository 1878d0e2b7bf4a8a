// The element that says which way a connection takes: its words, and the element itself in Chromium.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ENGLISH, defineStatus, say, stateOf } from '../status.js';
import { Browser } from './browser.js';
import { Site } from './site.js';

/** @type {Site} */
let site;
/** @type {Browser} */
let browser;
/** @type {import('puppeteer-core').Page} */
let page;

before(async () => {
  [site, browser] = await Promise.all([Site.start(), Browser.start()]);
  page = await browser.page(site.http);
  await page.evaluate(async (at) => {
    globalThis.early = document.body.appendChild(document.createElement('wigwag-status'));
    const { FakeClient, FakeConnection } = await import(`${at}/test/fakes.js`);
    Object.assign(globalThis, { FakeClient, FakeConnection });
    globalThis.early.client = new FakeClient();
    globalThis.element = await import(`${at}/status.js`);
    // A frame of the page: by then all that was promised has come.
    globalThis.frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    globalThis.put = (properties) => document.body.appendChild(Object.assign(document.createElement('wigwag-status'), properties));
    globalThis.reads = (element) => [element.getAttribute('state'), element.shadowRoot.querySelector('[part=text]').textContent];
  }, site.http);
});
after(async () => {
  await browser?.stop();
  site?.stop();
});

test('where there is no DOM it is imported without failing, and defines nothing', () => {
  assert.equal(globalThis.customElements, undefined);
  defineStatus();
});

test('everything that there is to be seen has words', () => {
  for (const server of [undefined, 'idle', 'connecting', 'open', 'waiting', 'stopped']) {
    for (const connection of [undefined, 'connecting', 'open', 'mending', 'closed']) {
      for (const way of [null, 'direct', 'turn', 'relayed']) assert.ok(say({ server, connection, way }).length > 5);
    }
  }
  assert.deepEqual(new Set(Object.values(ENGLISH.states)).size, Object.keys(ENGLISH.states).length);
});

test('a connection says its way whatever became of the server', () => {
  assert.equal(stateOf({ server: 'stopped', connection: 'open', way: 'direct' }), 'direct');
  assert.equal(say({ connection: 'open', way: 'relayed', finder: 'server' }), 'Connected, using server relay, found by the server');
  assert.equal(say({ connection: 'open', way: 'direct', finder: 'carrier pigeon' }), 'Connected directly, found by carrier pigeon');
  assert.equal(say({ connection: 'open', way: 'direct', finder: 'toString' }), 'Connected directly, found by toString');
});

test('a connection that is none yet or no more has no finder', () => {
  assert.equal(say({ connection: 'connecting', finder: 'code' }), 'Connecting');
  assert.equal(say({ connection: 'closed', finder: 'code' }), 'Disconnected');
});

test('the element follows the server, then the connection through all its states', async () => {
  const seen = await page.evaluate(async () => {
    const client = new globalThis.FakeClient();
    client.status = { state: 'connecting' };
    const element = globalThis.put({ client });
    const all = [globalThis.reads(element)];
    const next = async (run) => {
      run();
      await globalThis.frame();
      all.push(globalThis.reads(element));
    };
    await next(() => client.stands({ state: 'open' }));
    const connection = new globalThis.FakeConnection('bob@example.org', { state: 'connecting', path: 'relayed', finder: 'server' });
    await next(() => (element.connection = connection));
    await next(() => connection.set('open'));
    await next(() => connection.set('mending'));
    connection.path = 'direct';
    await next(() => connection.set('open'));
    await next(() => connection.close());
    element.remove();
    return all;
  });
  assert.deepEqual(seen, [
    ['connecting', 'Connecting'],
    ['online', 'Online'],
    ['connecting', 'Connecting'],
    ['relayed', 'Connected, using server relay, found by the server'],
    ['mending', 'Connection lost, looking for another way, found by the server'],
    ['direct', 'Connected directly, found by the server'],
    ['closed', 'Disconnected'],
  ]);
});

test('an app names the finder by attribute or property, and the language by words', async () => {
  const seen = await page.evaluate(async () => {
    const element = globalThis.put({ connection: new globalThis.FakeConnection('bob@example.org', { finder: 'server' }), finder: 'code' });
    await globalThis.frame();
    const first = globalThis.reads(element)[1];
    element.setAttribute('finder', 'lan');
    const { ENGLISH: english } = globalThis.element;
    element.words = { ...english, states: { ...english.states, direct: 'Direkt verbunden' } };
    const second = globalThis.reads(element)[1];
    element.remove();
    return [first, second];
  });
  assert.deepEqual(seen, ['Connected directly, found by a join code', 'Direkt verbunden, found in this network']);
});

test('screen readers get a status with its words and no ornament, and what was set before the definition counts', async () => {
  assert.deepEqual(await page.evaluate(() => globalThis.reads(globalThis.early)), ['online', 'Online']);
  const tree = await page.accessibility.snapshot({ interestingOnly: false });
  const status = flat(tree).find(({ role }) => role === 'status');
  assert.deepEqual(flat(status).filter(({ role }) => role === 'StaticText').map(({ name }) => name), ['Online']);
});

test('a page paints it by custom properties and parts', async () => {
  const painted = await page.evaluate(async () => {
    const style = document.head.appendChild(document.createElement('style'));
    style.textContent = 'wigwag-status { --wigwag-status-direct: rgb(1, 2, 3); } wigwag-status::part(text) { font-weight: 700; }';
    const element = globalThis.put({ connection: new globalThis.FakeConnection('bob@example.org') });
    await globalThis.frame();
    const look = (part) => getComputedStyle(element.shadowRoot.querySelector(`[part=${part}]`));
    const found = [look('dot').backgroundColor, look('text').fontWeight];
    element.remove();
    style.remove();
    return found;
  });
  assert.deepEqual(painted, ['rgb(1, 2, 3)', '700']);
});

test('an element that has left the page listens to nothing, and one that comes back does again', async () => {
  const heard = await page.evaluate(async () => {
    const [client, connection] = [new globalThis.FakeClient(), new globalThis.FakeConnection('bob@example.org')];
    const element = globalThis.put({ client, connection });
    const hears = () => [client.hears('status'), connection.hears('state')];
    const here = hears();
    element.remove();
    const gone = hears();
    document.body.append(element);
    await globalThis.frame();
    const back = [...hears(), globalThis.reads(element)[0]];
    element.remove();
    return { here, gone, back };
  });
  assert.deepEqual(heard, { here: [true, true], gone: [false, false], back: [true, true, 'direct'] });
});

/** @param {any} node */
function flat(node) {
  return [node, ...(node.children ?? []).flatMap(flat)];
}
