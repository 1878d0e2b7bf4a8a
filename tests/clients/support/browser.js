// Browsers that are installed on this machine, without a window and without a way out of it.

import puppeteer from 'puppeteer-core';

export const BROWSERS = ['chromium', 'firefox'];

/** Starts a browser; `HEADED=1` in the environment shows its windows. */
export function launch(name) {
  return puppeteer.launch({
    headless: !process.env.HEADED,
    timeout: 60_000,
    // A copy, because the library takes flags out of the list that it is given.
    ...structuredClone(KINDS[name]),
  });
}

const KINDS = {
  chromium: {
    browser: 'chrome',
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Candidates carry addresses, so that nothing depends on multicast.
      '--disable-features=WebRtcHideLocalIpsWithMdns',
      // Whoever forgets to say which servers it means finds none.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  },
  firefox: {
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    extraPrefsFirefox: {
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'network.dns.disabled': true,
    },
  },
};
