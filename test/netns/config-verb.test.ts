// `flanneld config get|check|set`: judged before it is written, with its consequences reported, written only over what it was compared
// with; and hosts that run follow.
import test, { type ExecutionContext } from 'ava'
import type { ConfigVerdict } from '../../src/network-config/stored-config.ts'
import { BUNDLE, waitForSubnetEnv, startFlanneld } from '../lab/actors/flanneld.ts'
import { type Host, createLab } from '../lab/world/lab.ts'
import { type VerbEnd, runVerb } from '../lab/actors/verb.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { ARGS, PREFIX } from '../lab/world/network.ts'
import { type EtcdHost, startEtcd } from '../lab/world/etcd.ts'

/** A host next to etcd, which has no config yet. */
async function world(t: ExecutionContext): Promise<{ readonly host: Host; readonly etcd: EtcdHost }> {
  const lan = await (await createLab(t)).lan()
  return { etcd: await startEtcd(lan), host: await lan.host(121) }
}

/** Runs a verb with this text in a file. */
async function withFile(host: Host, text: string, args: string): Promise<VerbEnd> {
  await host.run('cat >/run/new.json', text)
  return runVerb(host, args)
}

const stored = async (etcd: EtcdHost): Promise<string> =>
  (await etcd.etcdctl(`get ${PREFIX}/config --print-value-only`)).trimEnd()

test('without a daemon: none, a bad one refused, the first one written and shown', async (t) => {
  const { host, etcd } = await world(t)
  const none = await runVerb(host, `config get ${ARGS}`)
  t.deepEqual([none.code, none.output], [1, `flanneld: ${PREFIX}/config: there is none\n`])

  for (const [text, message] of [
    ['{"Network":', /network config: line 1, column 12: .*must be JSON: expected a value, but the text ends/],
    ['{"Network":"10.2.0.0/16","SubnetLen":40}', /network config: SubnetLen: 40: must be an integer from 18 to 30/],
    [
      '{"Network":"10.2.0.0/16","Backend":{"Type":"vxlam"}}',
      /network config: Backend\.Type: "vxlam": must be one of vxlan, .*, did you mean vxlan\?/,
    ],
    [
      '{"Network":"10.2.0.0/16","Backend":{"VNI":0,"Type":"vxlan"}}',
      /network config: Backend\.VNI: 0: must be an integer from 1/,
    ],
  ] as const) {
    for (const word of ['check', 'set']) {
      const bad = await withFile(host, text, `config ${word} /run/new.json ${ARGS}`)
      t.is(bad.code, 2, `${word} ${text}`)
      t.regex(bad.output, message)
    }
  }
  t.is(await stored(etcd), '')
  const json = await withFile(
    host,
    '{"Network":"10.2.0.0/16","Backend":{"Type":7}}',
    `config check /run/new.json -json ${ARGS}`,
  )
  t.is(json.code, 2)
  t.like(JSON.parse(json.stdout), {
    valid: false,
    path: 'Backend.Type',
    value: 7,
    rule: 'must be a text in double quotes',
  })

  const dry = await withFile(
    host,
    '{"Network":"10.2.0.0/16","Bakcend":{}}\n',
    `config set -dry-run /run/new.json ${ARGS}`,
  )
  t.is(dry.code, 0)
  t.regex(dry.output, /→ network config: Bakcend: unknown key, ignored, did you mean Backend\?/)
  t.regex(dry.output, /Network +- -> 10\.2\.0\.0\/16[^]*0 leases at the moment\nnothing written: -dry-run\n$/)
  t.is(await stored(etcd), '')

  const made = await host.run(`${BUNDLE} config set - ${ARGS}`, '{ "Network": "10.2.0.0/16" }\n')
  t.regex(made, /written to \/docker-test\/network\/config at revision \d+\n$/)
  t.is(await stored(etcd), '{ "Network": "10.2.0.0/16" }')
  const got = await runVerb(host, `config get ${ARGS}`)
  t.is(got.stdout, '{ "Network": "10.2.0.0/16" }\n')
  const pretty = await runVerb(host, `config get --json ${ARGS}`)
  t.like(JSON.parse(pretty.stdout), { key: `${PREFIX}/config`, valid: true, parsed: { Network: '10.2.0.0/16' } })
  const same = await withFile(host, '{ "Network": "10.2.0.0/16" }', `config set /run/new.json ${ARGS}`)
  t.regex(same.output, /no change: it is what is stored\n.*says so already: nothing written/)
})

test('by the daemon: says what follows for hosts that run, and they follow; what leaves them behind is refused', async (t) => {
  const { host, etcd } = await world(t)
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  const daemon = await startFlanneld(host, ARGS)
  const { FLANNEL_SUBNET: own = '' } = await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  const before = await stored(etcd)
  const subnet = own.replace('.1/', '.0/').replaceAll('.', '\\.')

  const moved = '{"Network":"10.9.0.0/16"}'
  for (const [args, code] of [
    ['config check /run/new.json', 0],
    ['config set /run/new.json', 1],
    ['config set -dry-run /run/new.json', 1],
  ] as const) {
    const refused = await withFile(host, moved, args)
    t.is(refused.code, code, args)
    t.regex(refused.output, /Network +10\.2\.0\.0\/16 -> 10\.9\.0\.0\/16/)
    t.regex(refused.output, new RegExp(`10\\.9\\.0\\.0/16 in subnets of /24 has no place for ${subnet}: 1 of 1 leases`))
  }
  t.is(await stored(etcd), before)

  const vni = '{"Network":"10.2.0.0/16","Backend":{"Type":"vxlan","VNI":7}}'
  const checked = await withFile(host, vni, 'config check /run/new.json -json')
  const verdict = JSON.parse(checked.stdout) as ConfigVerdict
  t.like(verdict, { valid: true, compared: { leases: 1, stranded: [], refusal: null, same: false } })
  t.is(await stored(etcd), before, 'check writes nothing')
  const set = await withFile(host, vni, 'config set /run/new.json')
  t.is(set.code, 0, set.output)
  t.regex(
    set.output,
    /^Backend\.VNI +1 -> 7 +every host recreates its device.*registers again\n1 lease at the moment\nwritten to/,
  )
  t.is(await stored(etcd), vni)
  await waitFor('the new device', async () => (await host.run('ip -o link show type vxlan')).includes('flannel.7'))

  const forced = await withFile(host, moved, 'config set -force /run/new.json -json')
  t.is(forced.code, 0, forced.output)
  t.like(JSON.parse(forced.stdout), { written: true })
  t.is(await stored(etcd), moved)
  await daemon.line(/10\.9\.0\.0\/16 does not contain our subnet .*keeping the running config/)
  const events = await host.run('curl -s --unix-socket /run/flannel/flanneld.sock "http://x/v1/events?follow=false"')
  t.regex(events, /"kind":"config".*"network config written at revision \d+"/)
})

test('a concurrent write by another process is an error, and nothing is written', async (t) => {
  const { host, etcd } = await world(t)
  await etcd.configure({ Network: '10.2.0.0/16' })
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  const put = (body: object): Promise<string> =>
    host.run(
      `curl -s -X PUT --data-binary @- --unix-socket /run/flannel/flanneld.sock http://x/v1/config`,
      JSON.stringify(body),
    )
  const check = 'curl -s --data-binary @- --unix-socket /run/flannel/flanneld.sock http://x/v1/config/check'
  const config = '{"Network":"10.2.0.0/16","Backend":{"Type":"host-gw"}}'
  const verdict = JSON.parse(await host.run(check, JSON.stringify({ config }))) as { compared: { revision: string } }
  const { revision } = verdict.compared
  await etcd.configure({ Network: '10.2.0.0/16', SubnetMax: '10.2.250.0' })
  const between = await stored(etcd)
  t.regex(await put({ config, revision }), /"error":"config: .*it changed in the meantime: nothing written/)
  t.is(await stored(etcd), between)

  // Many at once that all compared with the same: one is written.
  const now = (JSON.parse(await host.run(check, JSON.stringify({ config }))) as typeof verdict).compared.revision
  const texts = Array.from({ length: 8 }, (_, n) => `{"Network":"10.2.0.0/16","SubnetMax":"10.2.${n + 100}.0"}`)
  const answers = await Promise.all(texts.map((text) => put({ config: text, revision: now })))
  const won = texts.filter((_, n) => answers[n]?.includes('"written":true'))
  t.is(won.length, 1, answers.join('\n'))
  t.deepEqual([await stored(etcd)], won)
  t.regex(await put({ revision: now }), /"error":"config: the request has none"/)
})

test('remarks on the config and harmless leases are reported and leave the host healthy', async (t) => {
  const { host, etcd } = await world(t)
  await etcd.configure({ Network: '10.2.3.4/16', SubnetLenght: 24 })
  await etcd.run(`etcdctl put ${PREFIX}/subnets/10.2.77.0-24 '{"PublicIP":"nonsense"}'`)
  const daemon = await startFlanneld(host, ARGS)
  await waitForSubnetEnv(host, daemon)
  await daemon.line(/ ready: /)
  await daemon.line(/10\.2\.77\.0-24: public-ip/)
  for (const [words, pattern] of [
    [
      'status',
      /^● healthy [^]*warning: network config: SubnetLenght: unknown key.*host bits are set.*Backend: not given/,
    ],
    ['status', /warning: 1 lease refused, nothing is sent there: 10\.2\.77\.0-24 \(public-ip: "nonsense"\)/],
    [
      'doctor',
      /^healthy [^]*WARNING {2}config: .*SubnetLenght[^]*NOTE {2}config: .*host bits[^]*WARNING {2}peer-leases/,
    ],
    ['peers', /10\.2\.77\.0\/24 .* refused/],
  ] as const) {
    const { code, output } = await runVerb(host, words)
    t.regex(output, pattern)
    t.is(code, 0, output)
  }
  await etcd.configure({ Network: '10.2.0.0/16', Backend: { Type: 'vxlan' } })
  await etcd.etcdctl(`del ${PREFIX}/subnets/10.2.77.0-24`)
  await waitFor('no remark', async () => !/warning|note/.test((await runVerb(host, 'status')).output))
})

test('check needs neither a daemon nor etcd', async (t) => {
  const host = await (await (await createLab(t)).lan()).host(121)
  const args = 'config check /run/new.json -etcd-endpoints=http://127.0.0.1:9'
  const good = await withFile(host, '{"Network":"10.2.0.0/16"}', args)
  t.is(good.code, 0)
  t.regex(
    good.output,
    /^valid\n→ network config: Backend: not given, taking vxlan\nnot compared with what is stored: etcd: http:\/\/127\.0\.0\.1:9: /,
  )
  t.is((await withFile(host, '{"Network":"10.2.0.0/33"}', args)).code, 2)
  const set = await withFile(host, '{"Network":"10.2.0.0/16"}', args.replace('check', 'set'))
  t.is(set.code, 1)
  t.regex(set.output, /config set: etcd: http:\/\/127\.0\.0\.1:9: .*; nothing written/)
  for (const [words, message] of [
    ['config', /must be followed by get, set FILE or check FILE/],
    ['config gte', /must be followed by/],
    ['config set', /config set: needs a file/],
    ['config get x', /one word too many/],
    ['config check -force x', /-dry-run and -force belong to config set/],
  ] as const) {
    const wrong = await runVerb(host, words)
    t.is(wrong.code, 2, words)
    t.regex(wrong.output, message)
  }
  const missing = await runVerb(host, 'config check /run/none.json')
  t.is(missing.code, 1)
  t.regex(missing.output, /config: \/run\/none\.json: ENOENT/)
})
