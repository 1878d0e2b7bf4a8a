// A QR code of a short text, made in the page so that the link in it never leaves it: byte mode, versions 1 to 10, level M.
// The numbers are those of ISO/IEC 18004. A test reads what this makes with somebody else's decoder.

/** For each version: words of error correction per block, then how many blocks there are, and words of data in each. */
const BLOCKS = [
  [10, [1, 16]], [16, [1, 28]], [26, [1, 44]], [18, [2, 32]], [24, [2, 43]],
  [16, [4, 27]], [18, [4, 31]], [22, [2, 38], [2, 39]], [22, [3, 36], [2, 37]], [26, [4, 43], [1, 44]],
];

/** Where the small squares stand, for each version. */
const ALIGNED = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];

const MASKS = [
  (/** @type {number} */ y, /** @type {number} */ x) => (y + x) % 2,
  (/** @type {number} */ y) => y % 2,
  (/** @type {number} */ _, /** @type {number} */ x) => x % 3,
  (/** @type {number} */ y, /** @type {number} */ x) => (y + x) % 3,
  (/** @type {number} */ y, /** @type {number} */ x) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2,
  (/** @type {number} */ y, /** @type {number} */ x) => ((y * x) % 2) + ((y * x) % 3),
  (/** @type {number} */ y, /** @type {number} */ x) => (((y * x) % 2) + ((y * x) % 3)) % 2,
  (/** @type {number} */ y, /** @type {number} */ x) => (((y + x) % 2) + ((y * x) % 3)) % 2,
];

/**
 * The modules of a code, row by row, `true` for dark; `null` for a text that is too long.
 * @param {string} text
 * @returns {boolean[][] | null}
 */
export function qr(text) {
  const bytes = new TextEncoder().encode(text);
  const version = BLOCKS.findIndex((_, at) => bytes.length + (at < 9 ? 2 : 3) <= room(at + 1)) + 1;
  if (!version) return null;
  const bits = interleave(words(bytes, version), version).flatMap((word) => bitsOf(word, 8));
  const tries = MASKS.map((mask, number) => draw(version, bits, mask, number));
  const costs = tries.map(penalty);
  return tries[costs.indexOf(Math.min(...costs))] ?? null;
}

/**
 * The dark modules as the `d` of an SVG path, one unit each, below a margin of `quiet` units.
 * @param {boolean[][]} code
 */
export function qrPath(code, quiet = 4) {
  return code.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x + quiet} ${y + quiet}h1v1h-1z`] : []))).join('');
}

/** @param {number} version @returns {number[]} the number of data words of each block */
function blocks(version) {
  const [, ...groups] = /** @type {[number, ...number[][]]} */ (BLOCKS[version - 1]);
  return groups.flatMap(([count = 0, words = 0]) => Array(count).fill(words));
}

/** How many words of data a version holds. @param {number} version */
function room(version) {
  return blocks(version).reduce((sum, each) => sum + each, 0);
}

/** Mode, length, bytes, end, filling. @param {Uint8Array} bytes @param {number} version */
function words(bytes, version) {
  const bits = [...bitsOf(4, 4), ...bitsOf(bytes.length, version < 10 ? 8 : 16), ...[...bytes].flatMap((byte) => bitsOf(byte, 8))];
  bits.push(0, 0, 0, 0);
  const list = Array.from({ length: bits.length / 8 }, (_, at) => bits.slice(at * 8, at * 8 + 8).reduce((sum, bit) => sum * 2 + bit, 0));
  for (let fill = 0xec; list.length < room(version); fill ^= 0xec ^ 0x11) list.push(fill);
  return list;
}

/** Cuts the words into blocks, adds the words that mend them, and deals all of them out in turn. @param {number[]} data @param {number} version */
function interleave(data, version) {
  const extra = Number(BLOCKS[version - 1]?.[0]);
  let from = 0;
  const parts = blocks(version).map((size) => data.slice(from, (from += size)));
  const checks = parts.map((part) => remainder(part, extra));
  const deal = (/** @type {number[][]} */ lists) => {
    const longest = Math.max(...lists.map((list) => list.length));
    return Array.from({ length: longest }, (_, at) => lists.flatMap((list) => list.slice(at, at + 1))).flat();
  };
  return [...deal(parts), ...deal(checks)];
}

/** Reed-Solomon over GF(256). @param {number[]} data @param {number} degree */
function remainder(data, degree) {
  let generator = [1];
  for (let at = 0, root = 1; at < degree; at += 1, root = times(root, 2)) {
    const next = [...generator, 0];
    generator.forEach((each, index) => (next[index + 1] = (next[index + 1] ?? 0) ^ times(each, root)));
    generator = next;
  }
  const rest = [...data, ...Array(degree).fill(0)];
  for (let at = 0; at < data.length; at += 1) {
    const lead = rest[at];
    generator.forEach((each, index) => (rest[at + index] ^= times(each, lead)));
  }
  return rest.slice(data.length);
}

/** @param {number} a @param {number} b */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    if ((b >> bit) & 1) product ^= a;
  }
  return product;
}

/** @param {number} version @param {number[]} bits @param {(y: number, x: number) => number} mask @param {number} number */
function draw(version, bits, mask, number) {
  const size = 17 + version * 4;
  /** @type {(boolean | undefined)[][]} */
  const grid = Array.from({ length: size }, () => Array(size).fill(undefined));
  const put = (/** @type {number} */ y, /** @type {number} */ x, /** @type {boolean} */ dark) => {
    const row = grid[y];
    if (row && x >= 0 && x < size) row[x] = dark;
  };
  const square = (/** @type {number} */ cy, /** @type {number} */ cx, /** @type {number} */ reach, /** @type {number[]} */ light) => {
    for (let dy = -reach; dy <= reach; dy += 1) {
      for (let dx = -reach; dx <= reach; dx += 1) put(cy + dy, cx + dx, !light.includes(Math.max(Math.abs(dy), Math.abs(dx))));
    }
  };
  for (let at = 8; at < size - 8; at += 1) {
    put(6, at, at % 2 === 0);
    put(at, 6, at % 2 === 0);
  }
  for (const [y, x] of /** @type {const} */ ([[3, 3], [3, size - 4], [size - 4, 3]])) square(y, x, 4, [2, 4]);
  const places = ALIGNED[version - 1] ?? [];
  const last = places.at(-1);
  for (const y of places) {
    for (const x of places) if (![y, x].includes(6) || (y !== x && y !== last && x !== last)) square(y, x, 2, [1]);
  }
  const format = checked(number, 10, 0x537) ^ 0x5412;
  for (let at = 0; at < 15; at += 1) {
    const dark = ((format >> at) & 1) === 1;
    put(at < 6 ? at : at < 8 ? at + 1 : size - 15 + at, 8, dark);
    put(8, at < 8 ? size - 1 - at : at < 9 ? 7 : 14 - at, dark);
  }
  put(size - 8, 8, true);
  for (let at = 0; version > 6 && at < 18; at += 1) {
    const dark = ((checked(version, 12, 0x1f25) >> at) & 1) === 1;
    put(Math.floor(at / 3), size - 11 + (at % 3), dark);
    put(size - 11 + (at % 3), Math.floor(at / 3), dark);
  }
  const free = grid.map((row) => row.map((dark) => dark === undefined));
  let next = 0;
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) {
    const up = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const y = up ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (!free[y]?.[x]) continue;
        put(y, x, (bits[next] === 1) !== (mask(y, x) === 0));
        next += 1;
      }
    }
  }
  return grid.map((row) => row.map((dark) => dark === true));
}

/** A number with the remainder that guards it. @param {number} value @param {number} degree @param {number} divisor */
function checked(value, degree, divisor) {
  let rest = value << degree;
  for (let bit = 30; bit >= degree; bit -= 1) if ((rest >> bit) & 1) rest ^= divisor << (bit - degree);
  return (value << degree) | rest;
}

/** How hard a code is to read: long runs, blocks, look-alikes of the corners, an uneven balance. @param {boolean[][]} grid */
function penalty(grid) {
  const columns = grid.map((_, x) => grid.map((row) => row[x] === true));
  let cost = 0;
  for (const line of [...grid, ...columns]) {
    const text = line.map((dark) => (dark ? '1' : '0')).join('');
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) cost += run.length - 2;
    cost += 40 * [...text.matchAll(/(?=10111010000|00001011101)/g)].length;
  }
  grid.slice(1).forEach((row, y) => row.slice(1).forEach((dark, x) => {
    if (grid[y]?.[x] === dark && grid[y]?.[x + 1] === dark && row[x] === dark) cost += 3;
  }));
  const dark = grid.flat().filter(Boolean).length / grid.length ** 2;
  return cost + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}

/** @param {number} value @param {number} count */
function bitsOf(value, count) {
  return Array.from({ length: count }, (_, at) => (value >> (count - 1 - at)) & 1);
}
