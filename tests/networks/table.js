// What a run found, as a table: printed, compared with the one in the handbook, or written there. How long things took is told, and never compared.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

const PAGE = new URL('../../docs/networks.md', import.meta.url);
const BEGIN = '<!-- measured -->';
const END = '<!-- end -->';
const COLUMNS = [
  'Chromium → Chromium', 'Chromium → Firefox', 'Firefox → Chromium',
  'native → native', 'native → Chromium', 'Chromium → native', 'native → Firefox', 'Firefox → native',
];

export class Table {
  /** @type {Map<string, Map<string, string>>} */
  #rows = new Map();

  /** @param {string} row @param {string} column @param {string} found @param {number} [ms] */
  note(row, column, found, ms) {
    const cells = this.#rows.get(row) ?? new Map();
    this.#rows.set(row, cells.set(column, ms === undefined ? found : `${found}, ${(ms / 1_000).toFixed(1)} s`));
  }

  /** @param {string} text */
  static #read(text) {
    const table = new Table();
    for (const line of text.split('\n').filter((each) => each.startsWith('| ')).slice(2)) {
      const [row = '', ...cells] = line.split('|').slice(1, -1).map((cell) => cell.trim());
      cells.forEach((found, at) => found && table.note(row, COLUMNS[at] ?? '', found));
    }
    return table;
  }

  toString() {
    const line = (/** @type {string[]} */ ...cells) => `| ${cells.join(' | ')} |`;
    const rows = [...this.#rows].map(([name, cells]) => line(name, ...COLUMNS.map((column) => cells.get(column) ?? '')));
    return [line('network', ...COLUMNS), line('---', ...COLUMNS.map(() => '---')), ...rows].join('\n');
  }

  /** Says what was found; with `write` the handbook says it, too, and without it has to have said it. @param {boolean} write */
  publish(write) {
    console.log(`\n${this}\n`);
    const text = readFileSync(PAGE, 'utf8');
    const [from, to] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
    if (write) {
      // What this run left out stays as it was found before.
      const before = Table.#read(text.slice(from, to));
      for (const [row, cells] of this.#rows) for (const [column, found] of cells) before.note(row, column, found);
      return writeFileSync(PAGE, `${text.slice(0, from)}\n\n${before}\n\n${text.slice(to)}`);
    }
    const known = Table.#read(text.slice(from, to));
    for (const [row, cells] of this.#rows) {
      for (const [column, found] of cells) {
        const said = known.#rows.get(row)?.get(column) ?? '';
        assert.equal(timeless(said), timeless(found), `${row}, ${column}: docs/networks.md says “${said}” (npm run write)`);
      }
    }
  }
}

/** @param {string} text */
function timeless(text) {
  return text.replace(/, \d+\.\d s$/, '');
}
