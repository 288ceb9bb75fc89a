// `flanneld docker-opts`: what it writes under every flag, as mk-docker-opts.sh does, and what it refuses.
import test from 'ava'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dockerOpts, parseDockerOptsFlags, renderDockerOpts } from '../../src/cli/verbs/docker-opts.ts'
import type { LeasedSubnet } from '../../src/cli/leased-subnet.ts'
import { onlySubnet } from '../../src/ip/by-family.ts'
import type { Prefix } from '../../src/ip/prefix.ts'

const LEASE: LeasedSubnet = { subnets: onlySubnet('10.1.74.0/24' as Prefix), mtu: 1472, ipMasq: false }

const BIP = 'DOCKER_OPT_BIP="--bip=10.1.74.1/24"\n'
const MASQ = 'DOCKER_OPT_IPMASQ="--ip-masq=true"\n'
const MTU = 'DOCKER_OPT_MTU="--mtu=1472"\n'
const ALL = '=" --bip=10.1.74.1/24 --ip-masq=true --mtu=1472"\n'
const LESS = '=" --bip=10.1.74.1/24 --mtu=1472"\n'

/** Every combination of flags that change the text. */
const GOLDEN: Readonly<Record<string, string>> = {
  '': `${BIP}${MASQ}${MTU}DOCKER_OPTS${ALL}`,
  '-i': `${BIP}${MASQ}${MTU}`,
  '-c': `DOCKER_OPTS${ALL}`,
  '-i -c': `${BIP}${MASQ}${MTU}DOCKER_OPTS${ALL}`,
  '-m': `${BIP}${MTU}DOCKER_OPTS${LESS}`,
  '-i -m': `${BIP}${MTU}`,
  '-c -m': `DOCKER_OPTS${LESS}`,
  '-i -c -m': `${BIP}${MTU}DOCKER_OPTS${LESS}`,
  '-k NET': `${BIP}${MASQ}${MTU}NET${ALL}`,
  '-i -k NET': `${BIP}${MASQ}${MTU}`,
  '-c -k NET': `NET${ALL}`,
  '-i -c -k NET': `${BIP}${MASQ}${MTU}NET${ALL}`,
  '-m -k NET': `${BIP}${MTU}NET${LESS}`,
  '-i -m -k NET': `${BIP}${MTU}`,
  '-c -m -k NET': `NET${LESS}`,
  '-i -c -m -k NET': `${BIP}${MTU}NET${LESS}`,
  '-icm': `${BIP}${MTU}DOCKER_OPTS${LESS}`,
  '-ckNET': `NET${ALL}`,
}

for (const [flags, text] of Object.entries(GOLDEN)) {
  test(`docker-opts ${flags} writes what Go's script writes`, (t) => {
    const parsed = parseDockerOptsFlags(flags === '' ? [] : flags.split(' '))
    t.is(parsed === 'help' ? '' : renderDockerOpts(LEASE, parsed, {}), text)
  })
}

test('--ip-masq is the inverse of FLANNEL_IPMASQ', (t) => {
  const parsed = parseDockerOptsFlags(['-i'])
  t.regex(parsed === 'help' ? '' : renderDockerOpts({ ...LEASE, ipMasq: true }, parsed, {}), /--ip-masq=false/)
})

const IPV6 = 'fd00:2:0:4a::/64' as Prefix

test('with both families Go’s variables are as they were, and IPv6 follows them', (t) => {
  const lease = { ...LEASE, subnets: { ipv4: '10.1.74.0/24' as Prefix, ipv6: IPV6 } }
  const parsed = parseDockerOptsFlags([])
  t.is(
    parsed === 'help' ? '' : renderDockerOpts(lease, parsed, {}),
    `${BIP}${MASQ}${MTU}DOCKER_OPT_IPV6="--ipv6"
DOCKER_OPT_FIXED_CIDR_V6="--fixed-cidr-v6=fd00:2:0:4a::/64"
DOCKER_OPTS=" --bip=10.1.74.1/24 --ip-masq=true --mtu=1472 --ipv6 --fixed-cidr-v6=fd00:2:0:4a::/64"
`,
  )
})

test('with IPv6 alone docker0 has an IPv4 subnet of Docker’s, which Docker masquerades', (t) => {
  const parsed = parseDockerOptsFlags(['-c'])
  const lease = { ...LEASE, subnets: onlySubnet(IPV6), ipMasq: true }
  t.is(
    parsed === 'help' ? '' : renderDockerOpts(lease, parsed, {}),
    'DOCKER_OPTS=" --ip-masq=true --mtu=1472 --ipv6 --fixed-cidr-v6=fd00:2:0:4a::/64"\n',
  )
})

test('options the variable already has in the environment come first', (t) => {
  const parsed = parseDockerOptsFlags(['-c'])
  t.is(
    parsed === 'help' ? '' : renderDockerOpts(LEASE, parsed, { DOCKER_OPTS: '--debug' }),
    'DOCKER_OPTS="--debug  --bip=10.1.74.1/24 --ip-masq=true --mtu=1472"\n',
  )
})

test('the defaults are those of the script', (t) => {
  t.like(parseDockerOptsFlags([]), { subnetFile: '/run/flannel/subnet.env', dockerFile: '/run/docker_opts.env' })
  t.like(parseDockerOptsFlags(['-f', 'a', '-db']), { subnetFile: 'a', dockerFile: 'b' })
  for (const help of ['-h', '--help', '-ich']) t.is(parseDockerOptsFlags([help]), 'help')
})

for (const [args, message] of [
  [['-x'], /^docker-opts: -x: unknown/],
  [['word'], /^docker-opts: "word": unknown/],
  [['-f'], /^docker-opts: -f: needs a value/],
  [['-k', 'A B'], /^docker-opts: -k: "A B": not a variable/],
] as const) {
  test(`docker-opts ${args.join(' ')}: refused`, (t) => {
    t.throws(() => parseDockerOptsFlags(args), { message })
  })
}

const WHOLE = 'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.74.1/24\nFLANNEL_MTU=1472\nFLANNEL_IPMASQ=false\n'

for (const [what, text, message] of [
  ['missing', undefined, /not there: is flanneld running/],
  ['empty', '', /FLANNEL_SUBNET is missing/],
  ['cut off in a line', WHOLE.slice(0, WHOLE.indexOf('74')), /FLANNEL_SUBNET is missing or malformed/],
  [
    'with an IPv6 network and no subnet of it',
    `FLANNEL_IPV6_NETWORK=fd00:2::/48\n${WHOLE}`,
    /FLANNEL_IPV6_SUBNET is missing or malformed/,
  ],
  ['without MTU', WHOLE.replace(/FLANNEL_MTU.*\n/, ''), /FLANNEL_MTU is missing/],
  ['cut off in its last word', WHOLE.slice(0, -4), /FLANNEL_IPMASQ is missing or malformed/],
] as const) {
  test(`subnet.env ${what}: docker-opts fails and leaves the old file`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'docker-opts-'))
    t.teardown(() => {
      rmSync(folder, { recursive: true })
    })
    const [from, to] = [join(folder, 'subnet.env'), join(folder, 'docker.env')]
    if (text !== undefined) writeFileSync(from, text)
    writeFileSync(to, 'old')
    await t.throwsAsync(
      dockerOpts(['-f', from, '-d', to], {}, () => undefined),
      { message },
    )
    t.is(readFileSync(to, 'utf8'), 'old')
  })
}

test('subnet.env is never executed, and the new file appears complete, in a folder made for it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'docker-opts-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const from = join(folder, 'subnet.env')
  writeFileSync(from, `touch ${folder}/executed\n$(touch ${folder}/executed)\n${WHOLE}X=\`touch ${folder}/executed\`\n`)
  await dockerOpts(['-f', from, '-d', join(folder, 'new/docker.env')], {}, () => undefined)
  t.is(readFileSync(join(folder, 'new/docker.env'), 'utf8'), GOLDEN[''] ?? '')
  t.deepEqual(readdirSync(folder).toSorted(), ['new', 'subnet.env'])
  t.deepEqual(readdirSync(join(folder, 'new')), ['docker.env'])
})
