// doctor on hosts that use wireguard by wireguard-go: well, blocked, without its program, with a readable key; its key for all hosts is
// shown nowhere.
import test from 'ava'
import { doctorFaultTests, runDoctor } from '../lab/scenarios/doctor.ts'
import { runVerb } from '../lab/actors/verb.ts'
import { ARGS } from '../lab/world/network.ts'
import type { PeerView } from '../../src/view/status-shape.ts'

const GO = '-wireguard-go=/usr/bin/wireguard-go'
const PSK = 'qB9yb0Ldv3oKn6mXoYp1b7Zl0nYQm8p8Wm0JXo9r1nQ='

const hosts = doctorFaultTests({ backend: { Type: 'wireguard', PSK }, args: `${GO} -probe-interval=0` }, [
  {
    check: 'udp-port',
    fault: "the other host drops wireguard's packets",
    make: ({ peer }) => peer.host.run('iptables -I INPUT -p udp --dport 51820 -j DROP'),
    reaches: false,
    cause: /the tunnel does not answer.*UDP 51820 is blocked on the path|lost.*UDP 51820 is blocked/,
    fix: /^let UDP 51820 pass between this host and 192\.168\.19\.122/,
    args: '',
    repair: ({ peer }) => peer.host.run('iptables -D INPUT -p udp --dport 51820 -j DROP'),
  },
  {
    check: 'wireguard-key',
    fault: 'a key file that others can read',
    make: () => 'chmod 644 /run/flannel/wgkey',
    level: 'WARNING',
    cause: /others than root can read the WireGuard key/,
    fix: /^chmod 400 \/run\/flannel\/wgkey/,
    proof: /mode 0644/,
    repair: (_, fix) => fix.split(';')[0] ?? '',
  },
])

test.serial('peers and status say that traffic is encrypted', async (t) => {
  const { own } = hosts()
  const { peers } = JSON.parse((await runVerb(own.host, 'peers --json')).stdout) as { peers: readonly PeerView[] }
  t.like(peers[0], { type: 'wireguard', via: 'wireguard', encrypted: true })
  t.regex((await runVerb(own.host, 'status')).stdout, /tunnel +flannel-wg wireguard udp 51820 encrypted/)
})

test.serial('no output of doctor and no file of its bundle has the pre-shared key', async (t) => {
  const { own } = hosts()
  const { text } = await runDoctor(own.host, '-verbose -bundle /run/bundle.tar.gz')
  const json = await runDoctor(own.host, '-json')
  const bundle = await own.host.run('tar -xzOf /run/bundle.tar.gz')
  t.true(bundle.includes('"PSK'), 'the config is in it')
  for (const shown of [text, json.text, bundle]) t.false(shown.includes(PSK.slice(4, 20)))
})

test.serial('doctor: requirements: no kernel module and no program, where no daemon runs', async (t) => {
  const { own } = hosts()
  await own.daemon.stop()
  const { findings, text } = await runDoctor(own.host, ARGS)
  const found = findings.find(({ check }) => check === 'requirements')
  t.regex(found?.cause ?? text, /^Backend\.Type: wireguard: this kernel has no wireguard$/)
  t.regex(found?.fix ?? '', /modprobe wireguard, or name a program by -wireguard-go/)
  const { findings: others, text: second } = await runDoctor(own.host, `${ARGS} ${GO}`)
  t.deepEqual(
    others.map(({ check }) => check),
    ['daemon'],
    second,
  )
})
