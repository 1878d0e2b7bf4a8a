// What can be in the way, each as a sentence of what it is and one of what to do about it.

/**
 * @typedef {object} Trouble
 * @property {string} title
 * @property {string} text
 * @property {'again' | 'fresh' | null} way what a button may offer: to try again, or to begin in a new room
 */

/** So many people meet in one room here: each is connected with each. */
export const PEOPLE_MAX = 8;

/** What this browser or this address lacks, before anything is tried. @returns {Trouble | null} */
export function lacking() {
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    return {
      title: 'This address is not secure enough to meet on',
      text: `Browsers let pages encrypt only over https, or on the machine itself. Open this page as https://${location.host}/, or as http://localhost${location.port && `:${location.port}`}/ on the server’s own machine. `
        + 'Whoever runs the server gives it a certificate with tls.cert and tls.key, or puts a proxy with one in front of it.',
      way: null,
    };
  }
  if (typeof globalThis.RTCPeerConnection !== 'function') {
    return {
      title: 'This browser cannot connect to others',
      text: 'It has no WebRTC, or somebody switched it off: some extensions and privacy settings do. Allow it for this page, or open the link in a current Firefox, Chrome, Edge or Safari.',
      way: 'again',
    };
  }
  return null;
}

/** By code of `spec/codes.md`. @type {Record<number, Trouble>} */
const BY_CODE = {
  4101: { title: 'Too many tabs from your network', text: 'The server takes only so many connections from one address. Close some other tabs of it, then try again.', way: 'again' },
  4102: { title: 'Too many tabs of yours', text: 'You have as many tabs open here as one person may have. Close some, then try again.', way: 'again' },
  4104: { title: 'Too many rooms', text: 'You are in as many rooms as one may be in. Close other tabs of this server, then try again.', way: 'again' },
  4105: { title: 'This room is full', text: `Each is connected with each here, so a room holds ${PEOPLE_MAX} people at most. Wait until somebody leaves, or meet in a new room.`, way: 'fresh' },
  4109: { title: 'Too many wrong codes', text: 'The server wants a pause after so many codes that lead nowhere. Wait a minute, then try again.', way: 'again' },
  4116: { title: 'The server is full', text: 'It keeps as many rooms or sessions as it may. Try again later, or ask its operator for more.', way: 'again' },
  4203: { title: 'This server takes no guests', text: 'It wants everybody to have a key, and this browser could not make one. Leave private browsing, or use another browser.', way: 'again' },
  4206: { title: 'The demo is not served here', text: 'The operator limited this server to the namespaces of certain apps, and the page’s own is not among them. Adding it to auth.namespaces lets people meet here.', way: null },
  4300: { title: 'You are here twice', text: 'Another tab took over as this one. Go on there, or come back here.', way: 'again' },
  4301: { title: 'You were sent away', text: 'The operator of this server ended your session. Ask them why before you come back.', way: 'again' },
  4302: { title: 'You may not use this server', text: 'Your address or your key is banned here. Its operator can lift that.', way: null },
  4303: { title: 'This page is too old', text: 'The server was updated since the page was loaded. Load it again.', way: 'again' },
  4304: { title: 'This address is not allowed', text: `The server does not take pages from ${location.origin}. Its operator can add that to server.origins, or set server.public_url to it.`, way: null },
  4407: { title: 'This room is locked', text: 'Its host lets nobody else in. Ask for another link, or meet in a new room.', way: 'fresh' },
  4408: { title: 'This room has a password', text: 'It belongs to another app. Meet in a new room.', way: 'fresh' },
  4410: { title: 'You may not enter this room', text: 'Its host sent you away for good. Meet others in a new room.', way: 'fresh' },
};

/** @param {{ code?: number, reason?: string, message?: string }} error @returns {Trouble} */
export function explain({ code, reason, message = '' }) {
  const known = BY_CODE[code ?? 0];
  if (known) return known;
  const [, itself] = /calls itself ([^;\s]+)/.exec(message) ?? [];
  if (itself) {
    return {
      title: 'The server goes by another name',
      text: `You opened this page at ${location.host}, and the server calls itself ${itself}. Your key vouches for you only to the server that you meant: open the page as ${itself}; or, if this server is yours, set server.public_url to ${location.origin}.`,
      way: 'again',
    };
  }
  return {
    title: 'That did not work',
    text: `${sentence(message || reason || 'The server did not say why')} Try again; if it goes on, the operator of this server can find out more.`,
    way: 'again',
  };
}

/** Why somebody cannot be reached, in few words. @param {{ reason?: string, message?: string }} error */
export function unreached({ reason = '', message = '' }) {
  /** @type {Record<string, string>} */
  const words = {
    no_path: 'No way through found: a firewall is between you, and this server offers no TURN. Trying again',
    key_mismatch: 'Somebody answered with another key than theirs: not connected',
    timeout: 'No answer yet. Trying again',
    absent: 'Just went away. Trying again',
    not_found: 'Just went away. Trying again',
    refused: 'Not ready yet. Trying again',
  };
  return words[reason] ?? `${sentence(message)} Trying again`;
}

/** What is wrong with words that somebody typed says itself. */
const WORDS = ['bad_word', 'too_short', 'too_long'];

/** Why a join code, or words, did not work. @param {{ code?: number, reason?: string, message?: string }} error @returns {string} */
export function explainCode(error) {
  if (WORDS.includes(error.reason ?? '')) return error.message ?? '';
  if (error.code === 4404) return 'That code leads nowhere. Codes run out after a while: ask for the one that is shown now.';
  const { title, text } = explain(error);
  return `${title}. ${text}`;
}

/** Why there is no picture or sound. @param {unknown} error */
export function explainMedia(error) {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    return 'This page may not use your camera or microphone. Allow it by the sign beside the address (and in the settings of your system), then try again.';
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'No camera or microphone was found. Plug one in, or answer without.';
  if (name === 'NotReadableError' || name === 'AbortError') return 'Another program seems to use your camera or microphone. Close it there, then try again.';
  return `The camera could not be started${error instanceof Error && error.message ? `: ${error.message}` : '.'}`;
}

/** @param {string} text */
function sentence(text) {
  const whole = text.trim();
  const first = `${whole.charAt(0).toUpperCase()}${whole.slice(1)}`;
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
