// Several files as one that any system unpacks, for browsers that cannot write into folders: a zip archive without compression. What it is made of
// is not copied, so that it takes no memory.

/** What this kind of archive can hold. */
const BYTES_MAX = 0xffff_ffff;
const FILES_MAX = 0xffff;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb8_8320 : sum >>> 1;
  return sum;
});

/** Whether so much fits into one. @param {{ files: number, bytes: number }} all */
export function zips({ files, bytes }) {
  // Paths and what stands around each file count as well.
  return files < FILES_MAX && bytes + files * 8_400 < BYTES_MAX;
}

/** @param {{ path: string, blob: Blob | null, modified?: number }[]} files @returns {Promise<Blob>} */
export async function zip(files) {
  /** @type {(Blob | Uint8Array<ArrayBuffer>)[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const list = [];
  let at = 0;
  for (const { path, blob, modified = 0 } of files) {
    if (!blob) continue;
    const name = new TextEncoder().encode(path);
    const sum = await checksum(blob);
    // What it takes to unpack it, names in UTF-8, no compression, when, the sum, and both sizes, which are one.
    const both = [[2, 20], [2, 0x800], [2, 0], ...moment(modified), [4, sum], [4, blob.size], [4, blob.size], [2, name.length], [2, 0]];
    const head = record(0x0403_4b50, both, name);
    list.push(record(0x0201_4b50, [[2, 20], ...both, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]], name));
    parts.push(head, blob);
    at += head.length + blob.size;
  }
  const bytes = list.reduce((all, { length }) => all + length, 0);
  const end = record(0x0605_4b50, [[2, 0], [2, 0], [2, list.length], [2, list.length], [4, bytes], [4, at], [2, 0]]);
  return new Blob([...parts, ...list, end], { type: 'application/octet-stream' });
}

/** @param {number} sign @param {number[][]} fields pairs of a length and a number, the lowest byte first @param {Uint8Array} [name] */
function record(sign, fields, name = new Uint8Array(0)) {
  const bytes = [[4, sign], ...fields].flatMap(([length = 0, value = 0]) => Array.from({ length }, (_, at) => (value >>> (at * 8)) & 255));
  return Uint8Array.from([...bytes, ...name]);
}

/** A time in steps of two seconds since 1980, and a day. @param {number} since 1970, in milliseconds */
function moment(since) {
  const when = new Date(Math.max(since, Date.UTC(1980, 0, 2)));
  const year = Math.min(when.getFullYear() - 1980, 127);
  return [
    [2, (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1)],
    [2, (year << 9) | ((when.getMonth() + 1) << 5) | when.getDate()],
  ];
}

/** @param {Blob} blob */
async function checksum(blob) {
  let sum = 0xffff_ffff;
  const reader = blob.stream().getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    for (const byte of read.value) sum = (sum >>> 8) ^ Number(TABLE[(sum ^ byte) & 255]);
  }
  return (sum ^ 0xffff_ffff) >>> 0;
}
