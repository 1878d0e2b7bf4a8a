// The little that this page needs to make elements. No text ever becomes markup.

/**
 * An element with properties, attributes (`aria-…`, `role`, `for`), `data`, listeners (`on…`) and children.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'role' || name === 'for' || name.startsWith('aria-')) element.setAttribute(name, value);
    else /** @type {any} */ (element)[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button that says more to those who do not see what stands around it. @param {string} label @param {() => void} run @param {{ more?: string, main?: boolean }} [how] */
export function button(label, run, { more = '', main = false } = {}) {
  return make('button', { type: 'button', className: main ? 'main' : '', onclick: run }, label, more ? make('span', { className: 'quiet' }, ` ${more}`) : null);
}

/** @template {HTMLElement} [Element=HTMLElement] @param {string} id @returns {Element} */
export function byId(id) {
  return /** @type {Element} */ (document.getElementById(id));
}

/** Shows a text, or hides the element that would. Screen readers speak at each change, so there is none where nothing changed. @param {HTMLElement} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

/** Says for a moment that something was done. @param {HTMLElement} element @param {string} text */
export function flash(element, text) {
  element.dataset.before ??= element.textContent ?? '';
  const { before } = element.dataset;
  element.textContent = text;
  setTimeout(() => {
    element.textContent = before;
    delete element.dataset.before;
  }, 1_500);
}

/** Copies a text; where the page may not, whoever asked selects it for copying by hand. @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
