// How somebody else gets here: the link, its QR code, the room's join code, and a field for somebody else's code or words.

import { byId, copy, flash, make, say } from './dom.js';
import { isLocal } from './link.js';
import { qr, qrPath } from './qr.js';
import { explainCode } from './trouble.js';

/** @import { Room, Wigwag } from './types.js' */

/** A code is replaced when it is about to run out. */
const BEFORE_MS = 60_000;

export class Invite {
  /** @param {(code: string) => Promise<void>} join enters the room of a code, or meets whoever has the same words */
  constructor(join) {
    const link = byId('link');
    byId('copy').addEventListener('click', async () => {
      const done = await copy(this.#link);
      this.#input.select();
      if (done) flash(byId('copy'), 'Copied');
    });
    link.addEventListener('focus', () => this.#input.select());
    const share = byId('share');
    share.hidden = typeof navigator.share !== 'function';
    share.addEventListener('click', () => {
      navigator.share({ title: 'Wigwag', text: 'Talk with me, from browser to browser:', url: this.#link }).catch(() => {
        // Sharing was called off.
      });
    });
    byId('join').addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#join(join);
    });
    const toggle = byId('invite-toggle');
    toggle.addEventListener('click', () => this.open(toggle.getAttribute('aria-expanded') !== 'true'));
  }

  #link = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewal;
  /** @type {(() => void)[]} */
  #stops = [];

  get #input() {
    return /** @type {HTMLInputElement} */ (byId('link'));
  }

  /** Beside a conversation the invitation is there when it is wanted. @param {boolean} wanted */
  open(wanted) {
    byId('invite-toggle').setAttribute('aria-expanded', String(wanted));
    byId('invite').hidden = !wanted;
    if (wanted && document.body.dataset.view === 'together') this.#input.focus();
  }

  /** @param {string} link */
  show(link) {
    this.#link = link;
    this.#input.value = link;
    say(byId('link-hint'), isLocal(link)
      ? 'This address works on this machine only: open it in a second tab. For other machines the server needs a name of its own and https.'
      : '');
    const code = qr(link);
    byId('qr').hidden = !code || isLocal(link);
    if (!code) return;
    const [svg] = byId('qr').getElementsByTagName('svg');
    svg?.setAttribute('viewBox', `0 0 ${code.length + 8} ${code.length + 8}`);
    svg?.firstElementChild?.setAttribute('d', qrPath(code));
  }

  /** Shows the code of this room. Its host makes it and tells the others as the room's state. @param {Wigwag} client @param {Room} room */
  follow(client, room) {
    this.leave();
    const draw = () => {
      const { code, expires } = room.state ?? {};
      const good = typeof code === 'string' && code.length <= 20 && expires > Date.now();
      byId('code-box').hidden = !good;
      if (good && byId('code').textContent !== code) spell(byId('code'), code);
    };
    const renew = async () => {
      clearTimeout(this.#renewal);
      if (!room.mine || !room.open) return;
      try {
        const { code, expires } = await room.makeCode();
        await room.setState({ code, expires: expires.getTime() });
        this.#renewal = setTimeout(renew, Math.max(BEFORE_MS / 2, expires.getTime() - Date.now() - BEFORE_MS));
      } catch {
        // There is the link; and whoever became host meanwhile makes a code.
      }
      draw();
    };
    this.#stops = [room.on('state', draw), room.on('host', renew), client.on('fresh', renew)];
    draw();
    void renew();
  }

  leave() {
    clearTimeout(this.#renewal);
    for (const stop of this.#stops.splice(0)) stop();
    byId('code-box').hidden = true;
  }

  /** @param {(code: string) => Promise<void>} join */
  async #join(join) {
    const field = /** @type {HTMLInputElement} */ (byId('join-code'));
    const wrong = byId('join-wrong');
    const code = field.value.trim();
    say(wrong, code ? '' : 'Write what you were told: eight letters and digits, or four words.');
    if (code) {
      try {
        await join(code);
        field.value = '';
      } catch (error) {
        say(wrong, explainCode(/** @type {any} */ (error)));
      }
    }
    field.setAttribute('aria-invalid', String(!wrong.hidden));
    if (!wrong.hidden) field.focus();
  }
}

/** Large for eyes, and letter by letter for ears. @param {HTMLElement} element @param {string} code */
function spell(element, code) {
  element.replaceChildren(
    make('span', { 'aria-hidden': 'true' }, code),
    make('span', { className: 'quiet' }, [...code].map((letter) => (letter === '-' ? ',' : letter)).join(' ')),
  );
}
