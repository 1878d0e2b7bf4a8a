// A small internet out of network namespaces (Linux, root). It knows hosts, routers and what runs in them, and nothing of who tests with it.
//
//   203.0.113.0/24   the public segment; a bridge that forwards nothing beyond itself
//   192.168.1.0/24   every home, behind a router whose public address is 203.0.113.(100 + N)
//
// No end of any cable is in the machine's own namespace, so no packet gets out and none gets in.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { rules } from './kinds.js';

/** Names of our namespaces begin so; the number of the process that made them follows. */
const MARK = 'wigwag';

/** What `ip netns exec` shows a namespace's programs in place of files of `/etc`. */
const OWN_FILES = '/etc/netns';

export class Lab {
  /** Makes the public segment, after removing what a run that was killed has left. */
  static up() {
    sweep();
    const lab = new Lab();
    lab.net = new Space(lab, 'net');
    lab.net.ip('link add br0 type bridge mcast_snooping 0', 'link set br0 up', 'address add 203.0.113.1/24 dev br0');
    return lab;
  }

  constructor() {
    /** @type {Map<string, Space>} */
    this.spaces = new Map();
    /** What names lead to, for hosts that are made after this was filled. @type {Record<string, string>} */
    this.names = {};
    // However the tests end, nothing of this stays.
    process.on('exit', () => this.down());
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  }

  /** A host with a public address. @param {string} name @param {number} number */
  server(name, number) {
    const space = new Space(this, name);
    space.address = `203.0.113.${number}`;
    cable(space, 'eth0', this.net, `p-${name}`);
    this.net.ip(`link set p-${name} master br0`);
    // With no way to everywhere, sending to a private address fails at once, and a TURN server gives the peer up for it.
    space.ip(`address add ${space.address}/24 dev eth0`, 'route add default via 203.0.113.1');
    return space;
  }

  /**
   * A router to a home. To those in it all routers look alike.
   * @param {string} name
   * @param {number} number
   * @param {import('./kinds.js').Kind} kind
   */
  router(name, number, kind) {
    const space = new Space(this, name);
    cable(space, 'wan', this.net, `p-${name}`);
    this.net.ip(`link set p-${name} master br0`);
    space.ip(
      `address add 203.0.113.${100 + number}/24 dev wan`, 'route add default via 203.0.113.1',
      'link add lan address 02:00:00:00:00:01 type bridge mcast_snooping 0', 'link set lan up', 'address add 192.168.1.1/24 dev lan',
    );
    space.run('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
    space.run('nft', ['-f', '-'], rules(kind));
    return space;
  }

  /** A host in no network yet, that has this address in every home. @param {string} name @param {number} number */
  host(name, number) {
    return new Host(this, name, number);
  }

  /** Ends all that runs here, and takes it all away. */
  down() {
    for (const space of [...this.spaces.values()].reverse()) space.remove();
  }
}

/** A namespace and what runs in it. */
export class Space {
  /** @param {Lab} lab @param {string} name */
  constructor(lab, name) {
    this.lab = lab;
    this.name = name;
    this.ns = `${MARK}${process.pid}-${name}`;
    this.address = '';
    lab.spaces.set(name, this);
    execFileSync('ip', ['netns', 'add', this.ns]);
    this.ip('link set lo up');
  }

  /** Commands of `ip`, one after the other. @param {...string} commands */
  ip(...commands) {
    command('ip', ['-n', this.ns, '-batch', '-'], commands.join('\n'));
  }

  /** Runs a program to its end. @param {string} program @param {string[]} args @param {string} [input] */
  run(program, args, input) {
    return command('ip', ['netns', 'exec', this.ns, program, ...args], input);
  }

  /** Starts a program. @param {string} program @param {string[]} args @param {import('node:child_process').SpawnOptions} [options] */
  start(program, args, options = {}) {
    return spawn('ip', ['netns', 'exec', this.ns, program, ...args], options);
  }

  /** What an address of HTTP answers when it is asked from here. @param {string} url */
  read(url) {
    return this.run(process.execPath, ['--input-type=module', '--eval', 'process.stdout.write(await (await fetch(process.argv[1])).text())', url]);
  }

  /** Numbers of the processes in here. @returns {number[]} */
  processes() {
    return command('ip', ['netns', 'pids', this.ns]).split('\n').filter(Boolean).map(Number);
  }

  /** Takes out all cables, with both ends, but this one. @param {string} [but] */
  cut(but) {
    const cables = [...command('ip', ['-n', this.ns, '-o', 'link', 'show', 'type', 'veth']).matchAll(/^\d+: ([^@:]+)/gm)];
    this.ip(...cables.filter(([, name]) => name !== but).map(([, name]) => `link delete ${name}`));
  }

  remove() {
    this.lab.spaces.delete(this.name);
    // The kernel would do it too, but later.
    this.cut();
    erase(this.ns);
  }
}

/**
 * A host that can be moved from one network to another. Its own cable ends at a wall, and what is behind the wall changes: so the host notices nothing of a
 * move but what packets tell it, until its address is changed, too.
 */
export class Host extends Space {
  /** @param {Lab} lab @param {string} name @param {number} number */
  constructor(lab, name, number) {
    super(lab, name);
    mkdirSync(`${OWN_FILES}/${this.ns}`, { recursive: true });
    const names = Object.entries({ localhost: '127.0.0.1', ...lab.names }).map(([each, address]) => `${address} ${each}\n`);
    writeFileSync(`${OWN_FILES}/${this.ns}/hosts`, names.join(''));
    // There is nobody to ask for other names, and nobody is waited for.
    writeFileSync(`${OWN_FILES}/${this.ns}/resolv.conf`, '');
    this.wall = new Space(lab, `${name}-wall`);
    this.wall.ip('link add wall type bridge mcast_snooping 0', 'link set wall up');
    cable(this, 'eth0', this.wall, 'in');
    this.renumber(number);
  }

  /** Gives it another address, as a network does that is another one. @param {number} number */
  renumber(number) {
    this.address = `192.168.1.${number}`;
    this.ip('address flush dev eth0', `address add ${this.address}/24 dev eth0`, 'route add default via 192.168.1.1');
  }

  /**
   * Moves it to the home behind this router.
   * @param {Space} router
   * @param {{ delay?: number, loss?: number }} [faults] of the way there: milliseconds and percent, in each direction
   */
  async plug(router, faults) {
    this.unplug();
    const port = `p-${this.name}`;
    cable(this.wall, 'out', router, port);
    router.ip(`link set ${port} master lan`);
    if (!faults) return this.wall.ip('link set in master wall', 'link set out master wall');
    const args = [CABLE, 'in', 'out', String(faults.delay ?? 0), String(faults.loss ?? 0)];
    this.bad = this.wall.start('python3', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(this.bad.stdout, 'data');
  }

  /** Pulls the cable on the other side of the wall. */
  unplug() {
    this.bad?.kill('SIGKILL');
    this.bad = undefined;
    this.wall.ip('link set in nomaster');
    this.wall.cut('in');
  }
}

const CABLE = fileURLToPath(new URL('cable.py', import.meta.url));

/** @param {Space} one @param {string} end @param {Space} other @param {string} otherEnd */
function cable(one, end, other, otherEnd) {
  one.ip(`link add ${end} type veth peer name ${otherEnd} netns ${other.ns}`, `link set ${end} up`);
  other.ip(`link set ${otherEnd} up`);
}

/** Removes what runs left that ended without a chance to do it themselves. */
function sweep() {
  for (const line of command('ip', ['netns', 'list']).split('\n')) {
    const [ns = ''] = line.split(' ');
    const owner = new RegExp(`^${MARK}(\\d+)-`).exec(ns)?.[1];
    if (owner !== undefined && !lives(Number(owner))) erase(ns);
  }
}

/** @param {string} ns */
function erase(ns) {
  try {
    for (const pid of command('ip', ['netns', 'pids', ns]).split('\n').filter(Boolean)) {
      if (lives(Number(pid))) process.kill(Number(pid), 'SIGKILL');
    }
  } catch {
    // It ended in the meantime.
  }
  execFileSync('ip', ['netns', 'delete', ns]);
  rmSync(`${OWN_FILES}/${ns}`, { recursive: true, force: true });
}

/** @param {number} pid */
function lives(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** @param {string} program @param {string[]} args @param {string} [input] */
function command(program, args, input = '') {
  try {
    return execFileSync(program, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`${program} ${args.join(' ')}\n${input}\n${/** @type {any} */ (error).stderr}`, { cause: error });
  }
}
