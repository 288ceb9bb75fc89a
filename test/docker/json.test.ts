// What cleanup, docker-opts and docker-network print as JSON: the fields docs/json.md names, and what was really done.
import test from 'ava'
import { startDocker } from '../lab/world/docker.ts'
import { waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { assertDocumented } from '../lab/instruments/json-doc.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { ARGS } from '../lab/world/network.ts'
import { createOneHost } from '../lab/scenarios/one-host.ts'

interface Cleaned {
  readonly dryRun: boolean
  readonly done: readonly { readonly what: string; readonly object: string; readonly error: string | null }[]
}

test('docs/json.md has every field of docker-opts, docker-network and cleanup; they say what they did', async (t) => {
  const { lab, host } = await createOneHost(t)
  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: first = '' } = await waitForSubnetEnv(host, daemon)
  const told = async (args: string, status = 0): Promise<unknown> => {
    const { code, stdout, output } = await runVerb(host, args)
    t.is(code, status, `${args}: ${output}`)
    return JSON.parse(stdout)
  }

  const written = (await told('docker-opts -d /run/opts.env --json')) as {
    variables: { name: string; value: string }[]
  }
  const text = written.variables.map(({ name, value }) => `${name}="${value}"\n`).join('')
  t.is(await host.run('cat /run/opts.env'), text)
  t.true(text.includes(`--bip=${first} `))
  t.like(written, { file: '/run/opts.env', changed: true })
  const again = await told('docker-opts -json -d /run/opts.env')
  t.like(again, { changed: false })
  assertDocumented(t, 'docker-opts', [written, again])

  const docker = await startDocker(lab, host, '')
  const made = await told('docker-network --json')
  t.like(made, { name: 'flannel', result: 'created', gateway: first.split('/')[0], mtu: 1450, differences: [] })
  const right = await told('docker-network -json flannel')
  t.like(right, { result: 'right', containers: 0 })
  await docker.container('aa', '--network flannel --stop-signal=KILL')
  await host.run(`sed 's/MTU=1450/MTU=1400/' /run/flannel/subnet.env >/run/smaller.env`)
  const differs = await told('docker-network --json -subnet-file /run/smaller.env', 1)
  t.like(differs, { result: 'differs', mtu: 1400, differences: ['mtu: 1450, should be 1400'], containers: 1 })
  assertDocumented(t, 'docker-network', [made, right, differs])
  await host.run('docker rm -f aa && docker network rm flannel')
  await docker.daemon.stop()
  await daemon.stop()

  const foreseen = (await told('cleanup -dry-run --json')) as Cleaned
  t.regex(await host.run('ip -br link'), /flannel\.1/, 'a dry run deletes nothing')
  const cleaned = (await told('cleanup -json')) as Cleaned
  assertDocumented(t, 'cleanup', [foreseen, cleaned])
  t.deepEqual([foreseen.dryRun, cleaned.dryRun], [true, false])
  t.deepEqual(cleaned.done, foreseen.done)
  const kinds = new Set(cleaned.done.map(({ what }) => what))
  t.true(
    ['link', 'firewall', 'file'].every((what) => kinds.has(what)),
    [...kinds].join(),
  )
  t.notRegex(await host.run('ip -br link; ls /run/flannel'), /flannel\.1|subnet\.env/)
  t.deepEqual(await told('cleanup --json'), { dryRun: false, done: [] })
})
