// The WireGuard devices of a network namespace and their peers as objects of ours, whether the kernel has them or a program.
// Invariant: a private key is read from its file when it is written, and kept nowhere.
import { readFile } from 'node:fs/promises'
import { KernelError } from '../../errors.ts'
import { ERRNO, kernelError } from '../../netlink/errno.ts'
import type { LinkRecord } from '../../netlink/link.ts'
import type { WireguardPeerRecord, WireguardPeerWrite, WireguardRecord } from '../../netlink/wireguard.ts'
import { Secret } from '../../text/secret.ts'
import { isKey } from '../../text/wireguard-key.ts'
import type { Devices } from '../devices.ts'
import type { Failure, KernelChange } from '../kernel.ts'
import { type KernelObject, type WireguardLink, type WireguardPeer, keyOf, sameEndpoint } from '../state.ts'
import { KernelTransport } from './kernel-transport.ts'
import { publicKeyOf } from './key.ts'
import { ProgramTransport, startProgram } from './program-transport.ts'
import { Roaming } from './roaming.ts'
import type { WireguardTransport } from './transport.ts'

/** How devices are made. */
export interface WireguardOptions {
  /** The file of the private key. */
  readonly keyFile?: string
  /** The program that makes devices in place of the kernel. */
  readonly program?: string | undefined
}

/** A change of a peer. */
export interface WireguardPeerChange extends KernelChange {
  readonly object: WireguardPeer
}

export class Wireguard {
  readonly program: string | undefined
  readonly #keyFile: string | undefined
  readonly #devices: Devices
  readonly #ofKernel: WireguardTransport
  readonly #ofProgram: WireguardTransport = new ProgramTransport()
  readonly #roaming = new Roaming()

  constructor(netns: string | undefined, devices: Devices, { keyFile, program }: WireguardOptions = {}) {
    this.program = program
    this.#keyFile = keyFile
    this.#devices = devices
    this.#ofKernel = new KernelTransport(netns)
  }

  /** A device with what only WireGuard knows of it. */
  async described(link: LinkRecord): Promise<LinkRecord> {
    const found = await this.#transport(link).read(link.name)
    if (found === undefined) return link
    return { ...link, wireguard: { port: found.port, publicKey: found.publicKey ?? '' } }
  }

  /** Has a program make a device. Rejects with KernelError. */
  start(program: string, device: string): Promise<void> {
    return startProgram(program, device)
  }

  /** Gives a device its port and its key, where they differ. Rejects with KernelError. */
  async configure({ name, port, publicKey }: WireguardLink, link: LinkRecord): Promise<void> {
    const transport = this.#transport(link)
    const found = await transport.read(name)
    if (found?.port !== port) await transport.write(name, { port })
    if (found?.publicKey !== publicKey) await transport.write(name, { privateKey: await this.#privateKey(publicKey) })
  }

  /** The peers of these devices. Rejects with KernelError. */
  async observe(names: readonly string[]): Promise<Map<string, KernelObject>> {
    const now = Date.now()
    const state = new Map<string, KernelObject>()
    for (const device of names) {
      for (const peer of (await this.device(device))?.peers ?? []) {
        const object = this.#objectOf(device, peer, now)
        state.set(keyOf(object), object)
      }
    }
    return state
  }

  /** What there is to notice of these devices: of their peers as observe reads them, and of what rtnetlink does not report. */
  async noticeable(names: readonly string[]): Promise<readonly string[]> {
    const texts: string[] = []
    for (const [key, object] of await this.observe(names)) {
      const secret = 'presharedKey' in object ? object.presharedKey?.digest : undefined
      texts.push(`${key} ${JSON.stringify(object)} ${secret ?? ''}`)
    }
    for (const name of names) {
      const device = await this.device(name)
      texts.push(`${name} ${device?.port ?? ''} ${device?.publicKey ?? ''}`)
    }
    return texts
  }

  /** What a device says of itself and its peers; undefined when there is none of that name. Rejects with KernelError. */
  async device(name: string): Promise<WireguardRecord | undefined> {
    const link = this.#devices.get(name) ?? (await this.#devices.read(name))
    if (link === undefined || (link.type !== 'wireguard' && link.type !== 'tun')) return undefined
    return this.#transport(link).read(name)
  }

  /** When a peer last shook hands: milliseconds since 1970, 0 for never. Rejects with KernelError. */
  async handshake(device: string, publicKey: string): Promise<number> {
    const peers = (await this.device(device))?.peers ?? []
    return peers.find((peer) => peer.publicKey === publicKey)?.handshake ?? 0
  }

  /** Applies changes of peers in their order. Resolves with those refused. */
  async apply(changes: readonly WireguardPeerChange[]): Promise<readonly Failure[]> {
    const failures: Failure[] = []
    for (let at = 0; at < changes.length;) {
      const device = changes[at]?.object.device ?? ''
      const end = changes.findIndex((change, i) => i >= at && change.object.device !== device)
      const part = changes.slice(at, end < 0 ? changes.length : end)
      failures.push(...(await this.#applyOn(device, part)))
      at += part.length
    }
    return failures
  }

  close(): void {
    this.#ofKernel.close()
    this.#ofProgram.close()
  }

  async #applyOn(device: string, changes: readonly WireguardPeerChange[]): Promise<readonly Failure[]> {
    const link = this.#devices.get(device)
    if (link === undefined) {
      const error = kernelError(device, { errno: ERRNO.ENODEV, detail: 'no such device' })
      return changes.flatMap((change) => (change.verb === 'delete' ? [] : [{ change, error }]))
    }
    let refused: ReadonlyMap<number, KernelError>
    try {
      refused = await this.#transport(link).writePeers(device, changes.map(writeOf))
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      refused = new Map(changes.map((_, at) => [at, error]))
    }
    for (const [at, change] of changes.entries()) if (!refused.has(at)) this.#wrote(change)
    return [...refused].flatMap(([at, error]) => {
      const change = changes[at]
      return change === undefined ? [] : [{ change, error }]
    })
  }

  #wrote(change: WireguardPeerChange): void {
    const { verb, object } = change
    if (verb === 'delete') this.#roaming.forget(keyOf(object))
    else if (object.endpoint !== undefined && writesEndpoint(change))
      this.#roaming.wrote(keyOf(object), object.endpoint)
  }

  #objectOf(device: string, peer: WireguardPeerRecord, now: number): WireguardPeer {
    const { publicKey, presharedKey, keepalive, allowed } = peer
    const object = {
      kind: 'wireguard-peer',
      device,
      publicKey,
      allowed: allowed.toSorted(),
      presharedKey,
      keepalive,
    } as const
    return { ...object, endpoint: this.#roaming.judge(keyOf({ ...object, endpoint: undefined }), peer, now) }
  }

  #transport({ type }: LinkRecord): WireguardTransport {
    return type === 'tun' ? this.#ofProgram : this.#ofKernel
  }

  async #privateKey(publicKey: string): Promise<Secret> {
    const file = this.#keyFile ?? ''
    const text = await readFile(file, 'utf8').catch((error: unknown) => (error as NodeJS.ErrnoException).code ?? '')
    const secret = isKey(text.trim()) ? new Secret(text.trim()) : undefined
    if (secret !== undefined && publicKeyOf(secret) === publicKey) return secret
    const detail = `the private key of ${publicKey} is not in it: put it back, or restart flanneld to use the new one`
    throw kernelError(file, { errno: ERRNO.ENOENT, detail })
  }
}

function writeOf(change: WireguardPeerChange): WireguardPeerWrite {
  const { verb, object } = change
  const { publicKey, presharedKey, endpoint, keepalive, allowed } = object
  if (verb === 'delete') return { publicKey, settings: undefined }
  const where = endpoint !== undefined && writesEndpoint(change) ? { endpoint } : {}
  return { publicKey, settings: { presharedKey, keepalive, allowed, ...where } }
}

/** One that is right may be where the peer's own packets came from: it stays. */
function writesEndpoint({ object, before }: WireguardPeerChange): boolean {
  return before?.kind !== 'wireguard-peer' || !sameEndpoint(object, before)
}
