// What cleanup, docker-opts and docker-network print as JSON: the fields that docs/json.md names, and what each verb did.
import test, { type ExecutionContext } from 'ava'
import { startDocker } from '../lab/world/docker.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { assertDocumented } from '../lab/instruments/json-doc.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { fileOwner } from '../lab/world/file-owner.ts'
import type { Host, Lab } from '../lab/world/lab.ts'
import type { Running } from '../lab/world/process.ts'
import { ARGS } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

interface Cleaned {
  readonly dryRun: boolean
  readonly done: readonly { readonly what: string; readonly object: string; readonly error: string | null }[]
}

const owner = fileOwner()
let lab: Lab
let host: Host
let daemon: Running
/** The leased subnet's first address, "10.2.21.1/24". */
let first: string

test.before(async () => {
  ;({ lab, host } = await createOneHost(owner))
  daemon = await startFlanneld(host, ARGS)
  first = (await waitForSubnetEnv(host, daemon))['FLANNEL_SUBNET'] ?? ''
})

/** The JSON that a verb prints. */
async function printed(t: ExecutionContext, args: string, status = 0): Promise<unknown> {
  const { code, stdout, output } = await runVerb(host, args)
  t.is(code, status, `${args}: ${output}`)
  return JSON.parse(stdout)
}

test.serial('docker-opts --json prints the variables it wrote, and whether the file changed', async (t) => {
  const written = (await printed(t, 'docker-opts -d /run/opts.env --json')) as {
    variables: { name: string; value: string }[]
  }
  const text = written.variables.map(({ name, value }) => `${name}="${value}"\n`).join('')
  t.is(await host.run('cat /run/opts.env'), text)
  t.true(text.includes(`--bip=${first} `))
  t.like(written, { file: '/run/opts.env', changed: true })
  const again = await printed(t, 'docker-opts -json -d /run/opts.env')
  t.like(again, { changed: false })
  assertDocumented(t, 'docker-opts', [written, again])
})

test.serial('docker-network --json prints whether the network is created, right, or differs and how', async (t) => {
  const docker = await startDocker(lab, host, '')
  const made = await printed(t, 'docker-network --json')
  t.like(made, { name: 'flannel', result: 'created', gateway: first.split('/')[0], mtu: 1450, differences: [] })
  const right = await printed(t, 'docker-network -json flannel')
  t.like(right, { result: 'right', containers: 0 })
  await docker.container('aa', '--network flannel --stop-signal=KILL')
  await host.run(`sed 's/MTU=1450/MTU=1400/' /run/flannel/subnet.env >/run/smaller.env`)
  const differs = await printed(t, 'docker-network --json -subnet-file /run/smaller.env', 1)
  t.like(differs, { result: 'differs', mtu: 1400, differences: ['mtu: 1450, should be 1400'], containers: 1 })
  assertDocumented(t, 'docker-network', [made, right, differs])
  await host.run('docker rm -f aa && docker network rm flannel')
  await docker.daemon.stop()
})

test.serial('cleanup --json prints what it deleted, as its dry run printed before', async (t) => {
  await daemon.stop()
  const foreseen = (await printed(t, 'cleanup -dry-run --json')) as Cleaned
  t.regex(await host.run('ip -br link'), /flannel\.1/, 'a dry run deletes nothing')
  const cleaned = (await printed(t, 'cleanup -json')) as Cleaned
  assertDocumented(t, 'cleanup', [foreseen, cleaned])
  t.deepEqual([foreseen.dryRun, cleaned.dryRun], [true, false])
  t.deepEqual(cleaned.done, foreseen.done)
  const kinds = new Set(cleaned.done.map(({ what }) => what))
  t.true(
    ['link', 'firewall', 'file'].every((what) => kinds.has(what)),
    [...kinds].join(),
  )
  t.notRegex(await host.run('ip -br link; ls /run/flannel'), /flannel\.1|subnet\.env/)
  t.deepEqual(await printed(t, 'cleanup --json'), { dryRun: false, done: [] })
})
