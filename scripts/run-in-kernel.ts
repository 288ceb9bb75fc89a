// Boots other kernels as hosts of one local network, 192.168.19.121, .122, ..., and runs a shell command in all of them at once.
// Usage: node scripts/run-in-kernel.ts KERNEL... -- COMMAND, as root; `make kernels` before.
import { type Guest, bootGuest } from '../test/lab/world/guest.ts'
import { KERNELS, isKernel } from '../test/lab/world/kernel.ts'
import { createLab } from '../test/lab/world/lab.ts'

const USAGE = `usage: node scripts/run-in-kernel.ts KERNEL... -- COMMAND
  KERNEL is one of ${KERNELS.join(', ')}. Hosts have the addresses 192.168.19.121, .122, ... and fd00:19::79, ::7a, ... on
  enp0s3, and this machine's files; what they write is lost at the end. Example:

    node scripts/run-in-kernel.ts bookworm uml -- 'ping -c 3 192.168.19.121; modprobe ipip; ip -d link'
`

const split = process.argv.indexOf('--')
const kernels = process.argv.slice(2, split)
const command = process.argv.slice(split + 1).join(' ')
if (split < 3 || command === '' || !kernels.every(isKernel)) {
  process.stderr.write(USAGE)
  process.exit(64)
}

const endings: (() => Promise<void>)[] = []
const owner = { teardown: (end: () => Promise<void>): void => void endings.unshift(end) }
const lan = await (await createLab(owner)).lan()
const guests = await Promise.all(
  kernels.filter(isKernel).map((kernel, index) => bootGuest(owner, lan, 121 + index, kernel)),
)
const statuses = await Promise.all(guests.map(runIn))
for (const end of endings) await end()
process.exitCode = Math.max(...statuses)

/** Prints what the command prints, line by line under the host's name, and gives its status. */
async function runIn(guest: Guest): Promise<number> {
  const running = await guest.begin(command)
  let printed = 0
  const print = (last: boolean): void => {
    const text = running.output()
    const end = last ? text.length : text.lastIndexOf('\n') + 1
    const lines = text.slice(printed, end).split('\n')
    if (lines.at(-1) === '') lines.pop()
    for (const line of lines) process.stdout.write(`${guest.name} (${guest.kernel}): ${line}\n`)
    printed = end
  }
  const timer = setInterval(print, 200, false)
  const { code } = await running.exit
  clearInterval(timer)
  print(true)
  return code ?? 1
}
