// The native engine opposite a browser, each in both roles.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { readCode, writeCode } from '../../sdk/web/code.js';
import { BROWSERS, Page, launch } from './support/browser.js';
import { Probe } from './support/probe.js';

const LARGEST = 262_144;

for (const name of BROWSERS) {
  describe(`the native engine and ${name}`, () => {
    let browser;
    before(async () => { browser = await launch(name); });
    after(() => browser?.close());

    for (const offerer of ['native', 'browser']) {
      test(`texts and bytes of all sizes go both ways when the ${offerer} end offers`, async (t) => {
        const { probe, page } = await connected(t, browser, offerer);
        await page.send('wigwag', 'tgrüß dich');
        assert.equal((await probe.said('wigwag')).text, 'tgrüß dich');
        await probe.ask({ do: 'send', channel: 'wigwag', text: 'j{"a":1}' });
        assert.equal((await page.said('wigwag')).text, 'j{"a":1}');
        for (const size of [1, 1_200, 65_536, LARGEST]) {
          await page.send('wigwag', size, 3);
          assert.deepEqual(pick(await probe.said('wigwag')), { bytes: size, sum: size * 3 });
          await probe.ask({ do: 'send', channel: 'wigwag', bytes: size, fill: 2 });
          assert.deepEqual(pick(await page.said('wigwag')), { bytes: size, sum: size * 2 });
        }
        const refused = await probe.try({ do: 'send', channel: 'wigwag', bytes: LARGEST + 1 });
        assert.match(refused.error, /may have 262144 bytes, and this one has 262145/);
      });

      test(`either end opens and ends further channels when the ${offerer} end offers`, async (t) => {
        const { probe, page } = await connected(t, browser, offerer);
        await probe.ask({ do: 'channel', label: 'ours', unordered: true, retransmits: 5 });
        assert.deepEqual(await page.channel('ours'), { channel: 'ours', ordered: false, retransmits: 5 });
        await probe.open('ours');
        await page.run(() => take(pc.createDataChannel('theirs', { protocol: 'p' })));
        assert.deepEqual(await probe.channel('theirs'), { channel: 'theirs', ordered: true, protocol: 'p' });
        await page.open('theirs');
        for (const channel of ['ours', 'theirs']) {
          await page.send(channel, 'there');
          assert.equal((await probe.said(channel)).text, 'there');
          await probe.ask({ do: 'send', channel, text: 'back' });
          assert.equal((await page.said(channel)).text, 'back');
        }
        await probe.ask({ do: 'end', channel: 'theirs' });
        await page.ends('theirs');
        await probe.ends('theirs');
        await page.run(() => channels.ours.close());
        await probe.ends('ours');
      });

      test(`the ${offerer} end restarts the search for a path while bytes flow`, async (t) => {
        const { probe, page } = await connected(t, browser, 'native');
        const [asking, answering] = offerer === 'native' ? [probe, page] : [page, probe];
        for (let time = 0; time < 2; time++) {
          await page.run(() => pc.restartIce());
          const offer = asking === probe ? await probe.offer(true) : await page.offer();
          await page.send('wigwag', 'meanwhile');
          const answer = await answering.describe(offer);
          assert.notEqual(ufrag(answer), ufrag(offer));
          await asking.describe(answer);
          assert.equal((await probe.said('wigwag')).text, 'meanwhile');
          await exchange(probe, page);
        }
      });
    }

    for (const offerer of ['native', 'browser']) {
      test(`two codes are enough when the ${offerer} end offers`, async (t) => {
        const probe = new Probe(t);
        const page = await Page.open(t, browser);
        const [asking, answering] = offerer === 'native' ? [probe, page] : [page, probe];
        await asking.offer();
        const offer = await writeCode(await asking.local());
        const read = await readCode(offer.code, { type: 'offer' });
        await answering.describe({ type: 'offer', sdp: read.sdp });
        const answer = await writeCode(await answering.local(), offer.tag);
        await asking.describe({ type: 'answer', sdp: (await readCode(answer.code, { type: 'answer', answers: offer.tag })).sdp });
        await exchange(probe, page);
      });
    }

    test('both offer at once, and the native end gives way', async (t) => {
      const { probe, page } = await ends(t, browser);
      const dropped = await probe.offer();
      const offer = await page.offer();
      await page.describe(await probe.describe(offer));
      assert.match((await probe.try({ do: 'describe', description: { type: 'answer', sdp: dropped.sdp } })).error, /not outstanding/);
      await exchange(probe, page);
      // And once more, when both restart.
      await probe.offer(true);
      await page.run(() => pc.restartIce());
      await page.describe(await probe.describe(await page.offer()));
      await exchange(probe, page);
    });

    test('both offer at once, and the browser gives way', async (t) => {
      const { probe, page } = await ends(t, browser);
      await page.offer();
      await probe.describe(await page.describe(await probe.offer()));
      await exchange(probe, page);
    });

    test('sound and pictures that a browser adds are declined, and the channel goes on', async (t) => {
      const { probe, page } = await connected(t, browser, 'browser');
      await page.run(() => {
        const canvas = document.createElement('canvas');
        canvas.getContext('2d').fillRect(0, 0, 8, 8);
        pc.addTrack(canvas.captureStream(5).getTracks()[0]);
        pc.addTransceiver('audio');
      });
      await page.describe(await probe.describe(await page.offer()));
      await exchange(probe, page);
      assert.deepEqual(await page.run(() => pc.getTransceivers().filter(({ currentDirection }) => currentDirection !== 'stopped')), []);
      // The next offers of both have these sections too.
      await page.describe(await probe.describe(await page.offer()));
      await probe.describe(await page.describe(await probe.offer(true)));
      await exchange(probe, page);
    });

    test('an end is heard by the other', async (t) => {
      const first = await connected(t, browser, 'native');
      await first.probe.ask({ do: 'close' }).catch(() => {});
      await first.page.ends('wigwag');
      const second = await connected(t, browser, 'native');
      await second.page.run(() => pc.close());
      assert.equal((await second.probe.closed()).closed, 'Left');
    });
  });

  test(`${name} may hide its addresses behind names`, async (t) => {
    const browser = await launch(name, { names: true });
    t.after(() => browser.close());
    await connected(t, browser, 'native');
    await connected(t, browser, 'browser');
  });
}

async function ends(t, browser) {
  const probe = new Probe(t);
  const page = await Page.open(t, browser);
  probe.trickle((candidate) => page.candidates([candidate]).catch(() => {}));
  // A candidate may come when the test is over, and the native end with it.
  page.trickle((candidate) => probe.candidates([candidate]).catch((error) => { if (!probe.child.killed) throw error; }));
  return { probe, page };
}

async function connected(t, browser, offerer) {
  const { probe, page } = await ends(t, browser);
  if (offerer === 'native') await probe.describe(await page.describe(await probe.offer()));
  else await page.describe(await probe.describe(await page.offer()));
  await Promise.all([probe.open('wigwag'), page.open('wigwag')]);
  return { probe, page };
}

/** Something goes each way. */
async function exchange(probe, page) {
  await page.run(async () => {
    while (channels.wigwag.readyState === 'connecting') await new Promise((resolve) => channels.wigwag.addEventListener('open', resolve));
  });
  await page.send('wigwag', 'still there?');
  assert.equal((await probe.said('wigwag')).text, 'still there?');
  await probe.ask({ do: 'send', channel: 'wigwag', text: 'yes' });
  assert.equal((await page.said('wigwag')).text, 'yes');
}

function pick({ bytes, sum }) {
  return { bytes, sum };
}

function ufrag({ sdp }) {
  return /a=ice-ufrag:(\S+)/.exec(sdp)[1];
}
