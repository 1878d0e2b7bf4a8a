// Browsers that are installed on this machine, without a window and without a way out of it; and a page with a peer connection in it.

import puppeteer from 'puppeteer-core';

import { DEADLINE_MS, Queue } from './queue.js';

export const BROWSERS = ['chromium', 'firefox'];

/** Starts a browser; with `names`, its candidates hide addresses behind names, as they do for people. */
export function launch(name, { names = false } = {}) {
  const args = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    ...(names ? [] : ['--disable-features=WebRtcHideLocalIpsWithMdns']),
  ];
  const kinds = {
    chromium: { browser: 'chrome', executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args },
    firefox: {
      browser: 'firefox',
      executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
      extraPrefsFirefox: {
        'media.peerconnection.ice.obfuscate_host_addresses': names,
        'network.dns.disabled': true,
      },
    },
  };
  return puppeteer.launch({ headless: !process.env.HEADED, timeout: 60_000, ...kinds[name] });
}

/** A page with one `RTCPeerConnection` and the channel that every connection of Wigwag has. */
export class Page {
  #told = new Queue();

  static async open(t, browser, config = {}) {
    const context = await browser.createBrowserContext();
    t.after(() => context.close().catch(() => {}));
    const page = new Page();
    page.page = await context.newPage();
    await page.page.exposeFunction('tell', (item) => page.#told.put(item));
    await page.run(begin, config);
    return page;
  }

  /** Runs something in the page, but not for ever. */
  async run(what, ...args) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not within ${DEADLINE_MS} ms: ${what}`)), DEADLINE_MS);
    });
    try {
      return await Promise.race([this.page.evaluate(what, ...args), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  offer() {
    return this.run(async () => {
      await pc.setLocalDescription();
      return pc.localDescription.toJSON();
    });
  }

  describe(description) {
    return this.run(async (description) => {
      await pc.setRemoteDescription(description);
      if (description.type === 'offer') await pc.setLocalDescription();
      return description.type === 'offer' ? pc.localDescription.toJSON() : null;
    }, description);
  }

  /** What it said last, with all candidates. */
  local() {
    return this.run(async () => {
      while (pc.iceGatheringState !== 'complete') await new Promise((resolve) => pc.addEventListener('icegatheringstatechange', resolve, { once: true }));
      return pc.localDescription.toJSON();
    });
  }

  candidates(candidates) {
    return this.run(async (candidates) => {
      for (const candidate of candidates) await pc.addIceCandidate(candidate);
    }, candidates);
  }

  /** A text, or so many bytes of one value. */
  send(channel, what, fill = 0) {
    return this.run((channel, what, fill) => {
      channels[channel].send(typeof what === 'string' ? what : new Uint8Array(what).fill(fill));
    }, channel, what, fill);
  }

  open(channel) {
    return this.#told.next(({ open }) => open === channel, `${channel} being open`);
  }

  said(channel) {
    return this.#told.next(({ from }) => from === channel, `a message on ${channel}`);
  }

  channel(label) {
    return this.#told.next(({ channel }) => channel === label, `the channel ${label}`);
  }

  ends(label) {
    return this.#told.next(({ ended }) => ended === label, `the end of ${label}`);
  }

  ice(...states) {
    return this.#told.next(({ ice }) => states.includes(ice), `ICE ${states}`);
  }

  /** Hands each candidate that is found from now on to this one. */
  trickle(take) {
    const each = ({ candidate }) => {
      take(candidate);
      this.#told.next(({ candidate }) => candidate).then(each, () => {});
    };
    this.#told.next(({ candidate }) => candidate).then(each, () => {});
  }
}

/** Runs in the page. */
function begin(config) {
  globalThis.channels = {};
  globalThis.pc = new RTCPeerConnection(config);
  globalThis.take = (channel) => {
    channels[channel.label] = channel;
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => tell({ open: channel.label });
    channel.onclose = () => tell({ ended: channel.label });
    channel.onmessage = ({ data }) => {
      if (typeof data === 'string') return tell({ from: channel.label, text: data });
      const sum = new Uint8Array(data).reduce((sum, byte) => sum + byte, 0);
      return tell({ from: channel.label, bytes: data.byteLength, sum });
    };
  };
  take(pc.createDataChannel('wigwag', { negotiated: true, id: 0 }));
  pc.ondatachannel = ({ channel }) => {
    take(channel);
    tell({ channel: channel.label, ordered: channel.ordered, retransmits: channel.maxRetransmits });
  };
  pc.onicecandidate = ({ candidate }) => { if (candidate?.candidate) tell({ candidate: candidate.toJSON() }); };
  pc.oniceconnectionstatechange = () => tell({ ice: pc.iceConnectionState });
}
