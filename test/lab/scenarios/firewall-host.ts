// A network of its own with a firewall at work in it, for the tests of real tables.
import type { ExecutionContext } from 'ava'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Prefix } from '../../../src/ip/prefix.ts'
import { createFirewall, type Firewall } from '../../../src/firewall/firewall.ts'
import type { FirewallInput } from '../../../src/firewall/iptables/rules.ts'
import type { Log } from '../../../src/log.ts'
import { createLab } from '../world/lab.ts'
import { record } from '../instruments/reliability.ts'
import { waitFor } from '../instruments/wait.ts'
import { prefix } from '../../fake/values.ts'

/** A host of the tutorial's network. */
export const INPUT: FirewallInput = {
  family: 4,
  network: prefix('10.2.0.0/16'),
  subnet: prefix('10.2.21.0/24'),
  masquerade: true,
  randomFully: true,
  forward: true,
  external: 'enp0s3',
  overlay: [{ name: 'flannel.1', shared: false, from: [prefix('10.2.0.0/16')] }],
}
export const INPUT6: FirewallInput = {
  ...inputOf('fc00::/48', 'fc00:0:0:1::/64'),
  family: 6,
}

/** A host of another network. */
export function inputOf(network: string, subnet: string): FirewallInput {
  const overlay = [{ name: 'flannel.1', shared: false, from: [prefix(network)] }]
  return { ...INPUT, network: prefix(network), subnet: prefix(subnet), overlay }
}

/** What the engine 20.10 makes. */
export const DOCKER = `*nat
:DOCKER - [0:0]
-A POSTROUTING -s 10.2.21.0/24 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-I FORWARD -o docker0 -j DOCKER
-I FORWARD -j DOCKER-USER
-A DOCKER-USER -j RETURN
COMMIT
`

/** What a test works with. */
export interface FirewallHost {
  readonly firewall: Firewall
  readonly lines: string[]
  /** Path of the network namespace. */
  readonly netns: string
  /** One more firewall on the same host, of a daemon that had these networks before. */
  another(previous?: readonly Prefix[]): Firewall
  run(command: string, stdin?: string): Promise<string>
  restore(text: string): Promise<string>
  /** Rules as saved, without counters and time stamps. */
  saved(six?: '6' | ''): Promise<string>
}

/** A firewall in a network of its own, where `iptables` is of this variant. */
export async function createFirewallHost(
  t: ExecutionContext,
  variant: 'nft' | 'legacy',
  resyncSeconds = 5,
): Promise<FirewallHost> {
  const lab = await createLab(t)
  const space = await lab.space('firewall')
  // A host has one iptables in PATH: a folder of links makes it the one wanted.
  const folder = mkdtempSync(join(tmpdir(), 'firewall-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  for (const name of ['iptables', 'ip6tables'])
    for (const part of ['', '-save', '-restore'])
      symlinkSync(`/usr/sbin/${name}-${variant}${part}`, join(folder, `${name}${part}`))
  const path = `PATH=${folder}:${process.env['PATH'] ?? ''}:/usr/sbin`
  const lines: string[] = []
  const netns = `/proc/${space.pid}/ns/net`
  const another = (previous: readonly Prefix[] = []): Firewall => {
    const made = createFirewall({
      log: logInto(lines),
      resyncSeconds,
      previous,
      netns,
      prefix: ['nsenter', `--net=${netns}`, 'env', path],
    })
    t.teardown(() => {
      made.stop()
    })
    return made
  }
  const firewall = another()
  const run = (command: string, stdin?: string): Promise<string> => space.run(`export ${path}; ${command}`, stdin)
  return {
    firewall,
    lines,
    netns,
    another,
    run,
    restore: (text) => space.run(`export ${path}; iptables-restore --noflush`, text),
    saved: async (six = '') => (await run(`ip${six}tables-save`)).replace(/^#.*\n/gm, '').replace(/\[\d+:\d+\]/g, ''),
  }
}

/** A log that keeps its lines. */
export function logInto(lines: string[]): Log {
  const add = (text: string): void => void lines.push(text)
  const log: Log = { info: add, warn: add, error: add, debug: () => undefined, part: () => log }
  return log
}

/** Waits until the saved rules are `right` again; the milliseconds it took. */
export async function waitForRules(
  t: ExecutionContext,
  on: FirewallHost,
  right: string,
  what: string,
  six: '6' | '' = '',
): Promise<void> {
  const start = performance.now()
  await waitFor(`rules after ${what}`, async () => (await on.saved(six)) === right)
  t.pass(what)
  const ms = Math.round(performance.now() - start)
  await record({
    fault: `${what} (the firewall alone)`,
    promise: 'rules back within 2 s',
    limit: 2000,
    ms,
    test: t.title,
  })
}
