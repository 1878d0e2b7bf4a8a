// Two peers come together whatever network is between them, or are told why not; and nothing that happens meanwhile is lost without a word.
// One lab and its browsers serve all the rows, one after the other. `node networks.test.js --write` writes what it found into `docs/networks.md`.

import { after } from 'node:test';

import { files } from './rows/files.js';
import { hostile } from './rows/hostile.js';
import { memory } from './rows/memory.js';
import { moves } from './rows/moves.js';
import { reach } from './rows/reach.js';
import { Table } from './table.js';
import { World } from './world.js';

const table = new Table();
const world = await World.make();
after(async () => {
  await world.stop();
  table.publish(process.argv.includes('--write'));
});

reach(world, table);
moves(world, table);
files(world, table);
hostile(world, table);
memory(world, table);
