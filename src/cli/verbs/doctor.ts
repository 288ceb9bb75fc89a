// `flanneld doctor`: looks for faults, and prints cause, fix and evidence. Exit status: 0 no fault, 1 faults, 2 one of them
// stops traffic, 3 no daemon runs.
import { requireNetAdmin } from '../../host/capabilities.ts'
import { blot, bundle } from '../../doctor/bundle.ts'
import { examine } from '../../doctor/examine.ts'
import { renderReport } from '../../doctor/report.ts'
import { OperatorError, messageOf } from '../../errors.ts'
import { writePrivate } from '../../files/whole-file.ts'
import { askedOf } from '../asked.ts'
import type { Terminal } from '../terminal.ts'

const HELP = `Usage: flanneld doctor [PEER] [-json] [-verbose] [-bundle FILE] [OPTION]...

Looks for what is wrong with this host's network: daemon, etcd, leases, kernel, firewall, and the way to every peer. What
is wrong comes with its cause, what mends it, and what was seen. It changes nothing.

  PEER          a subnet, any address in it, or a host's own address: what there is to say about that peer
  -verbose      report what is well too
  -bundle FILE  write all that was found, and what ip, nft and iptables print, to a tar.gz, without secrets
  -json         print JSON (docs/json.md)

Asks the running daemon; where none runs, etcd, by the daemon's -etcd-... options or their variables.
Exit status: 0 no fault (warnings and notes may be reported), 1 faults, 2 traffic stops by one or will, 3 no daemon runs.
`

/** Runs it; the exit status. Throws OperatorError. */
export async function doctor(args: readonly string[], { env, out }: Terminal): Promise<number> {
  // -v with a number is the daemon's.
  const words = args.map((arg) => (/^--?v$/.test(arg) ? '-verbose' : arg))
  const flags = { verbose: 'boolean', bundle: 'value' } as const
  const asked = askedOf('doctor', words, env, { flags, words: [0, 1] })
  if (asked === 'help') {
    out(HELP)
    return 0
  }
  // What only root may look at would be not checked, and a daemon whose socket is closed to us not found.
  await requireNetAdmin()
  const { facts, report } = await examine(asked.options, asked.words[0])
  // A config or a lease may hold what its writer should have kept to himself.
  const told = asked.json ? `${JSON.stringify(report)}\n` : renderReport(report, asked.has('verbose'))
  out(blot(told, [asked.options.etcdPassword ?? '']))
  const file = asked.value('bundle')
  if (file !== undefined) {
    await write(file, await bundle(asked.options, facts, report))
    if (!asked.json) out(`\nbundle: ${file}\n`)
  }
  return report.code
}

async function write(file: string, bytes: Buffer): Promise<void> {
  try {
    await writePrivate(file, bytes)
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    const why = isThere ? 'a link or a file of somebody else is there: name another file' : messageOf(error)
    throw new OperatorError(`doctor: -bundle ${file}: ${why}`)
  }
}
