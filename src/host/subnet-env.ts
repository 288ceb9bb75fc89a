// subnet.env: what the flannel CNI plugin, dockerd's start scripts and we ourselves, after a restart, read the lease from.
// Invariant: a reader finds the complete old file or the complete new one. The file is shared: units let mk-docker-opts.sh
// write options into it; lines that set no variable of ours stay, and a file that says what it should is not touched.
import { rm } from 'node:fs/promises'
import { type Family, familyOf } from '../ip/address.ts'
import { type ByFamily, FAMILIES, byFamily, inFamily, valuesOf } from '../ip/by-family.ts'
import { type Prefix, lengthOf, nth, parseInterfacePrefix, prefixFamily, prefixOf } from '../ip/prefix.ts'
import { type WholeFile, readWhole, updateWhole } from '../files/whole-file.ts'

/** The variables of each family. */
export const ENV_NAMES: Readonly<Record<Family, { readonly network: string; readonly subnet: string }>> = {
  4: { network: 'FLANNEL_NETWORK', subnet: 'FLANNEL_SUBNET' },
  6: { network: 'FLANNEL_IPV6_NETWORK', subnet: 'FLANNEL_IPV6_SUBNET' },
}

/** What the file says. */
export interface SubnetEnv {
  /** The cluster's networks; none in files of very old daemons. */
  readonly networks: ByFamily<Prefix>
  /** This host's subnets, as leased; the file shows the first usable address of each. */
  readonly subnets: ByFamily<Prefix>
  /** Bytes of a container's IP packet. */
  readonly mtu: number
  /** Whether we masquerade what leaves the overlay. */
  readonly ipMasq: boolean
}

/** A file as found: anything may be missing or malformed, which both read as undefined. */
export type FoundSubnetEnv = Pick<SubnetEnv, 'networks' | 'subnets'> & {
  readonly [K in 'mtu' | 'ipMasq']: SubnetEnv[K] | undefined
}

/** The subnet shown for a file where there is room for one. */
export function subnetIn(env: Pick<SubnetEnv, 'subnets'> | undefined): Prefix | undefined {
  return env && valuesOf(env.subnets)[0]
}

/** The network shown for a file where there is room for one. */
export function networkIn(env: Pick<SubnetEnv, 'networks'> | undefined): Prefix | undefined {
  return env && valuesOf(env.networks)[0]
}

/** The file's text; names and order are Go's. */
export function renderSubnetEnv(env: SubnetEnv): string {
  const lines: string[] = []
  for (const family of FAMILIES) {
    const [network, subnet] = [inFamily(env.networks, family), inFamily(env.subnets, family)]
    if (network === undefined || subnet === undefined) continue
    const names = ENV_NAMES[family]
    lines.push(`${names.network}=${network}`, `${names.subnet}=${firstUsable(subnet)}`)
  }
  lines.push(`FLANNEL_MTU=${env.mtu}`, `FLANNEL_IPMASQ=${env.ipMasq}`)
  return `${lines.join('\n')}\n`
}

/** Reads a file's text as a shell would read assignments, without running anything. Never throws. */
export function parseSubnetEnv(text: string): FoundSubnetEnv {
  const values = new Map<string, string>()
  for (const line of linesOf(text)) {
    const found = assignmentIn(line)
    if (found !== undefined) values.set(found.name, found.value)
  }
  const mtu = values.get('FLANNEL_MTU') ?? ''
  return {
    networks: byFamily((family) => readPrefix(values.get(ENV_NAMES[family].network), family)),
    subnets: byFamily((family) => readPrefix(values.get(ENV_NAMES[family].subnet), family)),
    mtu: /^[1-9]\d{0,5}$/.test(mtu) ? Number(mtu) : undefined,
    ipMasq: readBoolean(values.get('FLANNEL_IPMASQ')),
  }
}

/** The file's content; undefined when there is none. Throws OperatorError when it cannot be read. */
export async function readSubnetEnv(path: string): Promise<FoundSubnetEnv | undefined> {
  const text = await readWhole(subnetFile(path))
  return text === undefined ? undefined : parseSubnetEnv(text)
}

/** Writes the file, with its folder, unless it says the same already; whether it wrote. Throws OperatorError. */
export function writeSubnetEnv(path: string, env: SubnetEnv): Promise<boolean> {
  return updateWhole(subnetFile(path), (before) => {
    const after = withEnv(before?.toString('latin1') ?? '', env)
    return after === undefined ? undefined : Buffer.from(after, 'latin1')
  })
}

/** Takes our lines out of the file, and the file away when there are no others. Throws OperatorError. */
export async function removeSubnetEnv(path: string): Promise<void> {
  const found = { others: false }
  await updateWhole(subnetFile(path), (before) => {
    const text = before?.toString('latin1') ?? ''
    const others = linesOf(text).filter((line) => !OURS.test(line))
    found.others = others.some((line) => line.trim() !== '')
    return !found.others || !linesOf(text).some((line) => OURS.test(line))
      ? undefined
      : Buffer.from(textOf(others), 'latin1')
  })
  if (!found.others) await rm(path, { force: true })
}

/**
 * A file's text (a byte a character) with our values: our lines first, as Go writes them, those of others behind them in their
 * order. Undefined when it says the same already, in whatever place and form. Pure.
 */
export function withEnv(before: string, env: SubnetEnv): string | undefined {
  const ours = renderSubnetEnv(env)
  const [has, wants] = [valuesIn(before), valuesIn(ours)]
  if (has.size === wants.size && [...wants].every(([name, value]) => has.get(name) === value)) return undefined
  return `${ours}${textOf(linesOf(before).filter((line) => !OURS.test(line)))}`
}

/** A line that sets a variable of ours, in whatever form. */
const OURS = /^(?:\uFEFF|\xEF\xBB\xBF)?\s*(?:export\s+)?(FLANNEL_(?:(?:IPV6_)?(?:NETWORK|SUBNET)|MTU|IPMASQ))=/

/** What a text sets variables of ours to, as a shell that reads it would have them; undefined where that cannot be read. */
function valuesIn(text: string): ReadonlyMap<string, string | undefined> {
  const values = new Map<string, string | undefined>()
  for (const line of linesOf(text)) {
    const name = OURS.exec(line)?.[1]
    if (name !== undefined) values.set(name, assignmentIn(line)?.value)
  }
  return values
}

/** A variable that a line sets; undefined when it sets none, or more than one. */
function assignmentIn(line: string): { readonly name: string; readonly value: string } | undefined {
  const assignment =
    /^(?:\uFEFF|\xEF\xBB\xBF)?\s*(?:export\s+)?(FLANNEL_[A-Z0-9_]+)=(?:"([^"]*)"|'([^']*)'|([^\s"'#]*))\s*(?:\s#[^]*)?$/.exec(
      line,
    )
  const [, name, double, single, bare] = assignment ?? []
  return name === undefined ? undefined : { name, value: double ?? single ?? bare ?? '' }
}

/** Lines without their newline. */
function linesOf(text: string): readonly string[] {
  const lines = text.split('\n')
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

function subnetFile(path: string): WholeFile {
  return { path, what: 'subnet file', flag: '-subnet-file' }
}

/** The subnet by its first usable address: "10.5.72.1/24" of "10.5.72.0/24". */
export function firstUsable(subnet: Prefix): string {
  return `${nth(subnet, 1)}/${lengthOf(subnet)}`
}

function readBoolean(text: string | undefined): boolean | undefined {
  if (text === 'true') return true
  return text === 'false' ? false : undefined
}

function readPrefix(text: string | undefined, family: Family): Prefix | undefined {
  const parsed = text === undefined ? undefined : parseInterfacePrefix(text)
  if (parsed === undefined || familyOf(parsed.address) !== family) return undefined
  const prefix = prefixOf(parsed.address, parsed.length)
  return prefixFamily(prefix) === family ? prefix : undefined
}
