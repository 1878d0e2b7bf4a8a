// `<wigwag-status>`: says in words which way a connection takes and who found the peer, for eyes and for screen readers.
// It only looks: it opens, changes and closes nothing. Where there is no DOM, importing this defines nothing.

import { followWay } from './path.js';
import { ENGLISH, say, stateOf } from './sight.js';

export { ENGLISH, say, stateOf } from './sight.js';

/**
 * @import { Wigwag } from './client.js'
 * @import { Connection } from './connection.js'
 * @import { Way } from './path.js'
 *
 * @typedef {Pick<Wigwag, 'status'> & { on(type: 'status', run: () => void): () => void }} Client
 * @typedef {Pick<Connection, 'state' | 'stats' | 'on'> & { finder?: string | null }} Followed
 */

const STYLE = `
:host {
  align-items: center;
  background: var(--wigwag-status-background, transparent);
  color: var(--wigwag-status-color, inherit);
  display: inline-flex;
  font: var(--wigwag-status-font, inherit);
  gap: var(--wigwag-status-gap, 0.5em);
}
:host([hidden]) { display: none; }
[part='dot'] {
  --paint: var(--wigwag-status-offline, #767676);
  background: var(--paint);
  block-size: var(--wigwag-status-dot-size, 0.625em);
  border: 0.125em solid var(--paint);
  border-radius: 50%;
  box-sizing: border-box;
  flex: none;
  inline-size: var(--wigwag-status-dot-size, 0.625em);
}
:host(:is([state='online'], [state='connected'], [state='direct'])) [part='dot'] { --paint: var(--wigwag-status-direct, #1a7f37); }
:host(:is([state='turn'], [state='relayed'])) [part='dot'] { --paint: var(--wigwag-status-relayed, #9a6700); border-radius: 0; }
:host(:is([state='connecting'], [state='mending'])) [part='dot'] { --paint: var(--wigwag-status-connecting, #0969da); background: none; }
:host(:is([state='offline'], [state='closed'])) [part='dot'] { background: none; }
@media (forced-colors: active) { [part='dot'] { --paint: CanvasText !important; forced-color-adjust: none; } }
`;

/** Makes the element's class upon this platform's `HTMLElement`. @param {typeof HTMLElement} Base */
export function makeStatus(Base) {
  return class WigwagStatus extends Base {
    static observedAttributes = ['finder'];

    constructor() {
      super();
      const root = this.attachShadow({ mode: 'open' });
      dress(root);
      const dot = root.ownerDocument.createElement('span');
      dot.setAttribute('part', 'dot');
      dot.setAttribute('aria-hidden', 'true');
      this.#text.setAttribute('part', 'text');
      root.append(dot, this.#text);
    }

    #text = this.ownerDocument.createElement('span');
    /** @type {Client | null} */
    #client = null;
    /** @type {Followed | null} */
    #connection = null;
    #words = ENGLISH;
    /** @type {Way | null} */
    #way = null;
    /** @type {(() => void)[]} */
    #stops = [];

    /** The client whose server is shown while there is no connection. */
    get client() {
      return this.#client;
    }

    set client(client) {
      this.#client = client ?? null;
      this.#follow();
    }

    /** The connection that is shown. */
    get connection() {
      return this.#connection;
    }

    set connection(connection) {
      this.#connection = connection ?? null;
      this.#follow();
    }

    /** Who found the peer: `server`, `code`, `lan`, `dht`, `friends` or a word of the app's own. Left out, what the connection says. */
    get finder() {
      return this.getAttribute('finder') ?? this.#connection?.finder ?? null;
    }

    set finder(finder) {
      if (finder === null || finder === undefined) this.removeAttribute('finder');
      else this.setAttribute('finder', finder);
    }

    /** What is said, for another language. */
    get words() {
      return this.#words;
    }

    set words(words) {
      this.#words = words ?? ENGLISH;
      this.#draw();
    }

    connectedCallback() {
      if (!this.hasAttribute('role')) this.setAttribute('role', 'status');
      // What was set before the page knew this element goes through the setters now.
      for (const name of /** @type {const} */ (['client', 'connection', 'words', 'finder'])) {
        if (!Object.hasOwn(this, name)) continue;
        const value = this[name];
        delete (/** @type {any} */ (this)[name]);
        /** @type {any} */ (this)[name] = value;
      }
      this.#follow();
    }

    disconnectedCallback() {
      this.#rest();
    }

    attributeChangedCallback() {
      this.#draw();
    }

    #rest() {
      for (const stop of this.#stops.splice(0)) stop();
    }

    #follow() {
      this.#rest();
      this.#way = null;
      const [client, connection] = [this.#client, this.#connection];
      // Whoever is not in a page is not seen, and holds nothing.
      if (!this.isConnected) return;
      if (client) this.#stops.push(client.on('status', () => this.#draw()));
      if (connection) {
        this.#stops.push(connection.on('state', () => this.#draw()), followWay(connection, (way) => {
          this.#way = way;
          this.#draw();
        }));
      }
      this.#draw();
    }

    #draw() {
      if (!this.isConnected) return;
      const sight = {
        server: this.#client?.status.state, connection: this.#connection?.state, way: this.#way, finder: this.finder,
      };
      const [state, text] = [stateOf(sight), say(sight, this.#words)];
      // A live region is read out at each change, so there is none where nothing changed.
      if (this.getAttribute('state') !== state) this.setAttribute('state', state);
      if (this.#text.textContent !== text) this.#text.textContent = text;
    }
  };
}

/**
 * Defines the element, unless the name is taken.
 * @param {string} [name]
 * @param {CustomElementRegistry} [registry]
 */
export function defineStatus(name = 'wigwag-status', registry = globalThis.customElements) {
  if (registry && globalThis.HTMLElement && !registry.get(name)) registry.define(name, makeStatus(globalThis.HTMLElement));
}

defineStatus();

/** @param {ShadowRoot} root */
function dress(root) {
  // A sheet made by script is allowed where a page's policy forbids style elements.
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    const style = root.ownerDocument.createElement('style');
    style.textContent = STYLE;
    root.append(style);
  }
}
