// The protocol that WireGuard programs are configured by (https://www.wireguard.com/xplatform/): lines of key=value, keys in hex.
// Pure. Invariant: total; a line that is not understood is passed over.
import { parseAddress } from '../../ip/address.ts'
import { parseInterfacePrefix, prefixOf } from '../../ip/prefix.ts'
import type {
  Endpoint,
  WireguardDeviceWrite,
  WireguardPeerRecord,
  WireguardPeerWrite,
  WireguardRecord,
} from '../../netlink/wireguard.ts'
import { Secret } from '../../text/secret.ts'
import { publicKeyOf } from './key.ts'

/** Asks for everything. */
export const GET = 'get=1\n\n'

/** Ends an answer: `errno=0` and an empty line. */
export const END = /(?:^|\n)errno=(-?\d+)\n\n$/

/** Reads the answer to GET. */
export function readUapi(text: string): WireguardRecord {
  let device: WireguardRecord = { publicKey: undefined, port: 0, peers: [] }
  const peers: WireguardPeerRecord[] = []
  for (const line of text.split('\n')) {
    const at = line.indexOf('=')
    const [key, value] = [line.slice(0, at), line.slice(at + 1)]
    const peer = peers.at(-1)
    if (key === 'public_key') peers.push(emptyPeer(base64(value)))
    else if (peer !== undefined) peers[peers.length - 1] = { ...peer, ...peerField(key, value, peer) }
    else if (key === 'private_key') device = { ...device, publicKey: publicKeyOf(new Secret(base64(value))) }
    else if (key === 'listen_port') device = { ...device, port: Number(value) }
  }
  return { ...device, peers }
}

function emptyPeer(publicKey: string): WireguardPeerRecord {
  const none = { presharedKey: undefined, endpoint: undefined, keepalive: 0, handshake: 0, received: 0, sent: 0 }
  return { publicKey, ...none, allowed: [] }
}

function peerField(
  key: string,
  value: string,
  { handshake, allowed }: WireguardPeerRecord,
): Partial<WireguardPeerRecord> {
  switch (key) {
    case 'preshared_key':
      return { presharedKey: /^0*$/.test(value) ? undefined : new Secret(base64(value)) }
    case 'endpoint':
      return { endpoint: readEndpoint(value) }
    case 'persistent_keepalive_interval':
      return { keepalive: Number(value) }
    case 'last_handshake_time_sec':
      return { handshake: Number(value) * 1000 }
    case 'last_handshake_time_nsec':
      return { handshake: handshake + Math.floor(Number(value) / 1e6) }
    case 'rx_bytes':
      return { received: Number(value) }
    case 'tx_bytes':
      return { sent: Number(value) }
    case 'allowed_ip': {
      const read = parseInterfacePrefix(value)
      return read === undefined ? {} : { allowed: [...allowed, prefixOf(read.address, read.length)] }
    }
  }
  return {}
}

/** `192.168.19.122:51820` or `[fd00::7a]:51820`. */
function readEndpoint(text: string): Endpoint | undefined {
  const at = text.lastIndexOf(':')
  const address = parseAddress(text.slice(0, at).replace(/^\[(.*)\]$/, '$1'))
  return address && { address, port: Number(text.slice(at + 1)) }
}

/** An endpoint as one text. */
export function showEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** Changes a device, its peers apart. */
export function setDevice({ privateKey, port }: WireguardDeviceWrite): string {
  const key = privateKey === undefined ? '' : `private_key=${hex(privateKey.reveal())}\n`
  return `set=1\n${key}${port === undefined ? '' : `listen_port=${port}\n`}\n`
}

/** Adds or sets one peer, or removes it. */
export function setPeer({ publicKey, settings }: WireguardPeerWrite): string {
  const head = `set=1\npublic_key=${hex(publicKey)}\n`
  if (settings === undefined) return `${head}remove=true\n\n`
  const { presharedKey, endpoint, keepalive, allowed } = settings
  return [
    `${head}preshared_key=${presharedKey === undefined ? '0'.repeat(64) : hex(presharedKey.reveal())}`,
    ...(endpoint === undefined ? [] : [`endpoint=${showEndpoint(endpoint)}`]),
    `persistent_keepalive_interval=${keepalive}`,
    'replace_allowed_ips=true',
    ...allowed.map((prefix) => `allowed_ip=${prefix}`),
    '\n',
  ].join('\n')
}

function hex(text: string): string {
  return Buffer.from(text, 'base64').toString('hex')
}

function base64(text: string): string {
  return Buffer.from(text, 'hex').toString('base64')
}
