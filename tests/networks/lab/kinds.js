// What routers do to packets, as rules of nftables.

/**
 * `port`: what most homes have. An address inside looks the same to everybody outside, and only who was spoken to may answer.
 * `symmetric`: another port for everyone who is spoken to, so that what one of them learns is of no use to another.
 * `web`: a firewall that lets nothing through but TCP to the ports 80 and 443.
 * `{ only }`: nothing but TCP to this one address and port.
 * `{ loses }`: as `port`, and of a hundred packets each way it loses so many.
 * @typedef {'port' | 'symmetric' | 'web' | { only: string } | { loses: number }} Kind
 */

/** @param {Kind} kind */
export function rules(kind) {
  return `
    table ip home {
      chain out {
        type nat hook postrouting priority srcnat;
        ${kind === 'symmetric' ? 'meta l4proto udp oifname wan masquerade random,fully-random' : ''}
        oifname wan masquerade
      }
      # What nobody asked for leaves no trace: else it would hold the port that the answer to it needs.
      chain in {
        type filter hook input priority filter;
        iifname wan ct state established,related accept
        iifname wan drop
      }
      chain through {
        type filter hook forward priority filter;
        ${allowed(kind)}
        ct state established,related accept
        iifname wan drop
      }
    }`;
}

/** @param {Kind} kind */
function allowed(kind) {
  if (kind === 'web') return refuse('tcp dport != { 80, 443 }', 'meta l4proto != tcp');
  if (typeof kind === 'object' && 'loses' in kind) return `meta l4proto udp numgen random mod 100 < ${kind.loses} drop`;
  if (typeof kind === 'object') {
    const [address, port] = kind.only.split(':');
    return refuse(`ip daddr != ${address}`, 'meta l4proto != tcp', `tcp dport != ${port}`);
  }
  return '';
}

/** @param {...string} packets */
function refuse(...packets) {
  return packets.map((each) => `iifname lan oifname wan ${each} drop`).join('\n');
}
