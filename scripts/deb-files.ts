// What the Debian package puts where: contents by path, from the sources that have them (the unit under examples/systemd,
// the tables of options and verbs, the program itself for its completions). Invariant: no clock, no environment.
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ROWS, variableOf } from '../src/options/table.ts'
import { defaultOf } from '../src/options/usage.ts'
import { manPage } from './man-page.ts'

/** A file to be installed. */
export interface PackageFile {
  readonly contents: string | Uint8Array
  readonly mode: number
}

/** What differs from package to package. */
export interface DebianPackage {
  readonly version: string
  /** "amd64" or "arm64". */
  readonly architecture: string
  /** Of everything in it, in seconds since 1970. */
  readonly time: number
}

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** Where examples/systemd says a program copied by hand is, and where the package has it. */
const toPackage = (text: string): string => text.replaceAll('/usr/local/bin/flanneld', '/usr/bin/flanneld')

/** Who answers for the package: policy wants an address (Debian policy 5.6.2). */
export const MAINTAINER = 'flanneld maintainers <flanneld@example.org>'

/** Every file by its path from /. */
export function debianFiles({ version, architecture, time }: DebianPackage): ReadonlyMap<string, PackageFile> {
  const date = new Date(time * 1000)
  const doc = 'usr/share/doc/flanneld'
  const texts: readonly (readonly [string, string])[] = [
    ['usr/lib/systemd/system/flanneld.service', unit()],
    // These touch flannel's own devices and nothing else, so they are in force from the start.
    ['usr/lib/systemd/network/10-flannel.link', installed('network/10-flannel.link')],
    ['usr/lib/systemd/network/10-flannel.network', installed('network/10-flannel.network')],
    ['usr/lib/NetworkManager/conf.d/flannel.conf', installed('NetworkManager/flannel.conf')],
    ...examples('examples/systemd/docker.service.d', `${doc}/examples/docker.service.d`),
    ...examples('examples/systemd/networkd.conf.d', `${doc}/examples/networkd.conf.d`),
    ...examples('examples/network-config', `${doc}/examples/network-config`),
    ['usr/share/bash-completion/completions/flanneld', completion('bash')],
    ['usr/share/zsh/vendor-completions/_flanneld', completion('zsh')],
    [`${doc}/copyright`, read('packaging/deb/copyright')],
    ['usr/share/lintian/overrides/flanneld', read('packaging/deb/lintian-overrides')],
  ]
  const packed: readonly (readonly [string, string])[] = [
    [`${doc}/changelog.gz`, changelog(version, date)],
    [`${doc}/CHANGELOG.md.gz`, read('CHANGELOG.md')],
    [`${doc}/THIRD-PARTY-NOTICES.gz`, read('dist/THIRD-PARTY-NOTICES')],
    ['usr/share/man/man8/flanneld.8.gz', manPage(version, date.toISOString().slice(0, 10))],
  ]
  return new Map<string, PackageFile>([
    ['usr/bin/flanneld', { contents: readFileSync(join(ROOT, `dist/flanneld-${architecture}`)), mode: 0o755 }],
    // It may hold the password of etcd.
    ['etc/default/flanneld', { contents: environmentFile(), mode: 0o600 }],
    ...texts.map(([path, contents]) => [path, { contents, mode: 0o644 }] as const),
    // Level 9, and no time in the header.
    ...packed.map(([path, text]) => [path, { contents: gzipSync(text, { level: 9 }), mode: 0o644 }] as const),
  ])
}

/** The unit under examples/systemd, installed. */
function unit(): string {
  return toPackage(read('examples/systemd/flanneld.service'))
    .replace('copy to /etc/systemd/system, then: ', '')
    .replace(/^Description=.*$/m, '$&\nDocumentation=man:flanneld(8)')
}

/** A file under examples/systemd whose first line says where to copy it: it is there already. */
function installed(path: string): string {
  return read(`examples/systemd/${path}`).replace(/^(#.*): copy to .*$/m, '$1')
}

function examples(from: string, to: string): readonly (readonly [string, string])[] {
  return readdirSync(join(ROOT, from))
    .sort()
    .map((name) => [`${to}/${name}`, toPackage(read(`${from}/${name}`))] as const)
}

/** The completions, by the program of this machine: what they complete does not depend on the architecture. */
function completion(shell: string): string {
  return execFileSync(join(ROOT, 'dist/flanneld'), ['completion', shell], { encoding: 'utf8' })
}

/** Every option as a variable, commented out, with what it does and its default. */
function environmentFile(): string {
  const options = ROWS.map(({ flag, doc, default: value, unsupported }) =>
    unsupported === undefined ? `# ${doc}${defaultOf(value)}\n#${variableOf(flag)}=\n` : '',
  )
  return [
    '# Options of flanneld as environment variables, for flanneld.service: see flanneld(8).',
    '# After a change: systemctl restart flanneld. Containers stay connected meanwhile.\n',
    ...options.filter((text) => text !== ''),
  ].join('\n')
}

/** The changelog in Debian's form (Debian policy 4.4); what changed is in CHANGELOG.md. */
function changelog(version: string, date: Date): string {
  const [day, number, month, year, time] = date.toUTCString().replace(',', '').split(' ')
  const change = '  * See CHANGELOG.md.gz in this folder.'
  return `flanneld (${version}) unstable; urgency=medium\n\n${change}\n\n -- ${MAINTAINER}  ${day}, ${number} ${month} ${year} ${time} +0000\n`
}
