// Makes a Debian package: `node scripts/deb.ts VERSION ARCHITECTURE OUTPUT`, with SOURCE_DATE_EPOCH for the times in it.
// Invariant: the same files and the same SOURCE_DATE_EPOCH make the same bytes.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { type DebianPackage, MAINTAINER, type PackageFile, debianFiles } from './deb-files.ts'

const SCRIPTS = ['postinst', 'prerm', 'postrm'] as const

/**
 * What the program is linked with, in the versions whose symbols it has: glibc 2.28, GLIBCXX_3.4.21, GCC_3.4. iptables and
 * nft are run when there is something to write; without them the daemon says so and forwards all the same.
 */
const DEPENDS = 'libc6 (>= 2.28), libgcc-s1 (>= 4.2), libstdc++6 (>= 5.2)'

function control({ version, architecture }: DebianPackage, files: ReadonlyMap<string, PackageFile>): string {
  const kilobytes = [...files.values()].reduce((sum, { contents }) => sum + Math.ceil(contents.length / 1024), 0)
  return `Package: flanneld
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: ${DEPENDS}
Recommends: iptables, nftables
Suggests: docker.io, etcd-client
Section: net
Priority: optional
Description: overlay network for the containers of several hosts
 Leases every host a subnet through etcd and programs the Linux kernel, so
 that containers on different hosts reach each other by their own addresses:
 by VXLAN, or by plain routes where hosts are on one network.
 .
 The same flags, keys, devices and files as the flanneld written in Go;
 hosts running the one and the other form one network.
`
}

function md5sums(files: ReadonlyMap<string, PackageFile>): string {
  const lines = Array.from(files, ([path, { contents }]) => {
    return `${createHash('md5').update(contents).digest('hex')}  ${path}\n`
  })
  return lines.sort((a, b) => (a.slice(34) < b.slice(34) ? -1 : 1)).join('')
}

/** Writes a package's files below `folder`, as dpkg-deb wants them. */
function lay(folder: string, it: DebianPackage): void {
  const files = debianFiles(it)
  const conffiles = [...files.keys()].filter((path) => path.startsWith('etc/')).map((path) => `/${path}\n`)
  const all = new Map<string, PackageFile>([
    ...files,
    ['DEBIAN/control', { contents: control(it, files), mode: 0o644 }],
    ['DEBIAN/md5sums', { contents: md5sums(files), mode: 0o644 }],
    ['DEBIAN/conffiles', { contents: conffiles.join(''), mode: 0o644 }],
    ...SCRIPTS.map((name) => {
      const contents = readFileSync(join(import.meta.dirname, '../packaging/deb', name))
      return [`DEBIAN/${name}`, { contents, mode: 0o755 }] as const
    }),
  ])
  for (const [path, { contents, mode }] of all) {
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), contents)
    // Whatever the umask.
    chmodSync(join(folder, path), mode)
  }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) chmodSync(path, 0o755)
    utimesSync(path, it.time, it.time)
  }
  chmodSync(folder, 0o755)
  utimesSync(folder, it.time, it.time)
}

const [version, architecture, output] = process.argv.slice(2)
if (version === undefined || architecture === undefined || output === undefined) {
  throw new Error('usage: deb.ts VERSION ARCHITECTURE OUTPUT')
}
const time = Number(process.env['SOURCE_DATE_EPOCH'] ?? 0)
mkdirSync('build', { recursive: true })
const folder = mkdtempSync(join('build', 'deb-'))
try {
  lay(folder, { version, architecture, time })
  // One thread, since what xz writes depends on whether there are several; the first level, a tenth of the sixth's time.
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zxz', '-z1', '--build', folder, output], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(time), DPKG_DEB_THREADS_MAX: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
} finally {
  rmSync(folder, { recursive: true })
}
