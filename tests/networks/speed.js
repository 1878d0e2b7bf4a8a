// How fast a data channel of a native program is beside plain TCP, over a way that takes time and loses packets: `node speed.js [MEGABYTES]`. It needs
// `cargo build --release -p wigwag-rtc --example rtc-throughput`, or THROUGHPUT. No test: it says what it finds.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { Lab } from './lab/lab.js';
import { until } from './lab/servers.js';

const PORT = 9_000;
const target = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL('../../target', import.meta.url));
const program = process.env.THROUGHPUT ?? `${target}/release/examples/rtc-throughput`;
const megabytes = process.argv[2] ?? '32';

/** Milliseconds and percent, in each direction. @type {({ delay: number, loss: number } | undefined)[]} */
const WAYS = [undefined, { delay: 10, loss: 0 }, { delay: 0, loss: 1 }, { delay: 10, loss: 1 }];

const lab = Lab.up();
const router = lab.router('router', 1, 'port');
const [speaker, hearer] = [lab.host('speaker', 11), lab.host('hearer', 12)];
// As most machines have it.
for (const each of [speaker, hearer]) each.ip(`route replace 192.168.1.0/24 dev eth0 src ${each.address} congctl cubic`);
await hearer.plug(router);
for (const faults of WAYS) {
  await speaker.plug(router, faults);
  // What is lost is one packet, and not the many that would travel through the lab as one.
  for (const each of [speaker, hearer]) each.ip('link set eth0 gso_max_segs 1');
  const listening = hearer.start(program, ['hear', `${hearer.address}:${PORT}`], { stdio: 'inherit' });
  await until('the one who hears', () => hearer.run('ss', ['-ltnH']).includes(`:${PORT}`));
  console.log(`\n${faults ? `${faults.delay} ms each way, ${faults.loss} % lost` : 'a good cable'}`);
  const [code] = await once(speaker.start(program, ['speak', `${hearer.address}:${PORT}`, megabytes], { stdio: 'inherit' }), 'exit');
  if (code !== 0) process.exitCode = 1;
  listening.kill();
}
lab.down();
