// What a person without access to this host needs to find a fault, as one tar.gz: doctor's report and facts, and the output of the
// system's own programs. Invariant: no secret. Nothing that is made to hold one is included (no environment, no key file, no command
// line of a process), and the password, everything before an @ in a URL and the keys in a network config are removed from the rest.
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { BACKENDS } from '../../backends/index.ts'
import { askControl, controlPath } from '../http/control-socket.ts'
import { messageOf } from '../errors.ts'
import { runProgram } from '../firewall/run.ts'
import { secretsIn } from '../network-config/hidden-secrets.ts'
import type { Options } from '../options/type.ts'
import type { Facts } from './facts.ts'
import { type DoctorReport, renderReport } from './report.ts'
import { type TarEntry, tar } from './tar.ts'

/** What the daemon is asked, by the file it goes to. */
const ROUTES: readonly (readonly [string, string])[] = [
  ['status.json', 'GET /v1/status'],
  ['peers.json', 'GET /v1/peers'],
  ['events.json', 'GET /v1/events?follow=false'],
  ['leases.json', 'GET /v1/leases'],
  ['config.json', 'GET /v1/config'],
]

/** What programs are asked, by the file it goes to; one that is not there is left out. */
const PROGRAMS: readonly (readonly [string, string, ...string[]])[] = [
  ['ip-link.txt', 'ip', '-d', '-s', 'link'],
  ['ip-addr.txt', 'ip', 'addr'],
  ['ip-route.txt', 'ip', 'route', 'show', 'table', 'all'],
  ['ip-rule.txt', 'ip', 'rule'],
  ['ip6-rule.txt', 'ip', '-6', 'rule'],
  ['ip-neigh.txt', 'ip', 'neigh'],
  ['ip-nexthop.txt', 'ip', 'nexthop'],
  ['ip-xfrm-policy.txt', 'ip', 'xfrm', 'policy'],
  ['bridge-fdb.txt', 'bridge', 'fdb'],
  ['iptables.txt', 'iptables-save', '-c'],
  ['ip6tables.txt', 'ip6tables-save', '-c'],
  ['nft.txt', 'nft', 'list', 'ruleset'],
  ['sockets.txt', 'ss', '-uln'],
]

const FILES: readonly (readonly [string, string])[] = [
  ['snmp.txt', '/proc/net/snmp'],
  ['snmp6.txt', '/proc/net/snmp6'],
  ['version.txt', '/proc/version'],
  ['os-release.txt', '/etc/os-release'],
]

/** The bundle's bytes. `given` has what must not be in it. */
export async function bundle(given: Options, facts: Facts, report: DoctorReport): Promise<Buffer> {
  const socket = controlPath(given.subnetFile)
  const entries: TarEntry[] = [
    { name: 'doctor.txt', text: renderReport(report, true) },
    { name: 'doctor.json', text: JSON.stringify(report, undefined, 2) },
    { name: 'facts.json', text: JSON.stringify(facts, plain, 2) },
    ...(await filesOf([...FILES, ['subnet.env', given.subnetFile]])),
    { name: 'sysctl.txt', text: [...facts.host.sysctls].map(([path, value]) => `${path} = ${value}\n`).join('') },
  ]
  if (facts.daemon.state === 'answers') {
    for (const [name, route] of ROUTES) entries.push({ name, text: await answerTo(socket, route) })
  }
  for (const [name, program, ...args] of PROGRAMS) {
    const { status, stdout, stderr } = await runProgram({ prefix: [] }, program, args).catch((error: unknown) => ({
      status: 1,
      stdout: '',
      stderr: messageOf(error),
    }))
    if (status !== NOT_FOUND) entries.push({ name, text: `${stdout}${stderr}` })
  }
  // In facts and answers the network config is JSON within JSON.
  const ofConfig = entries.flatMap(({ text }) => secretsIn(text.replaceAll('\\"', '"')))
  const secrets = [given.etcdPassword, ...ofConfig].filter((secret) => secret !== undefined)
  const blotted = entries.map(({ name, text }) => ({ name: `flanneld-doctor/${name}`, text: blot(text, secrets) }))
  return promisify(gzip)(tar(blotted, Math.floor(facts.now / 1000)))
}

/** As sh(1) has it. */
const NOT_FOUND = 127

async function answerTo(socket: string, route: string): Promise<string> {
  try {
    const answer = await askControl(socket, route)
    return answer === undefined ? '' : JSON.stringify(answer, undefined, 2)
  } catch (error) {
    return messageOf(error)
  }
}

async function filesOf(files: readonly (readonly [string, string])[]): Promise<readonly TarEntry[]> {
  return Promise.all(
    files.map(async ([name, path]) => ({
      name,
      text: await readFile(path, 'utf8').catch((error: unknown) => messageOf(error)),
    })),
  )
}

/** Redacts passwords: the known ones, and everything before an @ in a URL. Pure. */
export function blot(text: string, secrets: readonly string[]): string {
  const urls = text.replaceAll(/([a-z][a-z\d+.-]*:\/\/)[^\s/@"']+@/gi, '$1(hidden)@')
  const keyless = urls.replaceAll(SECRET_VALUE, '$1$2$1$3$1(hidden)$1')
  return secrets.filter((secret) => secret !== '').reduce((all, secret) => all.replaceAll(secret, '(hidden)'), keyless)
}

/** The keys of a network config whose values nobody may see. */
const SECRET_KEYS = new Set(
  BACKENDS.flatMap(({ configKeys }) => Object.entries(configKeys)).flatMap(([key, { secret }]) =>
    secret === true ? [key] : [],
  ),
)

/** Such a key with its text, in JSON, or in JSON that is itself a text in JSON: a quote has any number of backslashes. */
const SECRET_VALUE = new RegExp(
  `(\\\\*")(${[...SECRET_KEYS].join('|')})\\1(\\s*:\\s*)\\1(?:\\\\\\1|(?!\\1).)*\\1`,
  'gis',
)

/** Maps and sets as JSON has them. */
function plain(_: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value)
  return value instanceof Set ? [...value] : value
}
